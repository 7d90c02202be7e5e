"""Names for candidate classes, proposed by the text side of the network that embedded them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oodretrieval.embedding import embedding_network, parts_of_name, text_vectors
from oodretrieval.errors import ConfigurationError, SettingsError, WeightsError
from oodretrieval.experiment.run import Run
from oodretrieval.search import CandidateClass
from oodretrieval.search.class_naming import PROMPT, VOCABULARY, proposed_names
from oodretrieval.stores import Catalogue

logger = logging.getLogger(__name__)
Names = list[tuple[str, float]]
"""Names of a class, best first, each with how much nearer it lies than to other candidates, -2…2."""


@dataclass(frozen=True)
class ProposedNames:
    """What candidate classes may be called.

    Attributes:
        of_classes: For each class its names; None where the embedding has no text side.
        note: How they were found, or why there are none.
    """

    of_classes: list[Names] | None
    note: str


def class_names(
    catalogue: Catalogue, run: Run, embedding: str, classes: Sequence[CandidateClass], vocabulary: str
) -> ProposedNames:
    """Propose names where the network that made an embedding has a text side.

    Args:
        catalogue: Whose candidates.
        run: Whose configuration names the network.
        embedding: Of the catalogue.
        classes: To be named.
        vocabulary: Text file with a name in each line; the default list if empty.

    Returns:
        The names.

    Raises:
        SettingsError: If the file cannot be read, or holds no name.
    """
    words = words_of(vocabulary, catalogue)
    net = parts_of_name(embedding)[0]
    entry = run.configuration.embedding(net)
    reason = f"the embedding network {net!r} has no text side (docs/embeddings.md, OpenClipEmbedding)"
    network = None
    try:  # networks that need no entry have no text side, and need not be built to know it
        network = None if isinstance(entry, str) else embedding_network(entry)
    except (WeightsError, ConfigurationError) as error:
        reason = str(error)
    if network is None or not network.has_text:
        note = f"Classes have no proposed names: {reason}."
        logger.log(logging.WARNING if vocabulary else logging.INFO, note)
        return ProposedNames(None, note)
    texts = text_vectors(network, [PROMPT.format(word) for word in words])
    names = proposed_names(classes, catalogue.vectors_of(embedding), texts, words)
    return ProposedNames(names, f"Names are proposed by {net} out of {len(words)}.")


def words_of(vocabulary: str, catalogue: Catalogue) -> list[str]:
    """The names to choose from.

    Args:
        vocabulary: Text file with a name in each line; if empty, the default list and the classes that the
            segmentation network of the catalogue knows.
        catalogue: Whose network.

    Returns:
        Names, each once.

    Raises:
        SettingsError: If the file cannot be read, or holds no name.
    """
    if not vocabulary:
        known = [str(name) for name, _ in catalogue.settings.get("pred_mapping", {}).values()]
        return list(dict.fromkeys([*VOCABULARY, *known]))
    path = Path(vocabulary).expanduser()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"args.vocabulary is a text file (UTF-8) with a name in each line; {path}: {error}"
        ) from error
    words = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not words:
        raise SettingsError(f"args.vocabulary is a text file with a name in each line; {path} has none")
    return words
