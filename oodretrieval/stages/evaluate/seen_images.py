"""Which images an evaluation leaves out, as the models that it evaluates were fitted on them."""

import logging
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import replace

import pandas as pd

from oodretrieval.errors import TableError, WeightsError
from oodretrieval.experiment.fitted_images import Carried, SeenImages, sample_note, seen_images
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.stages.select.selecting import Selector
from oodretrieval.stores import CurrentSegments

logger = logging.getLogger(__name__)


def seen_by(
    run: Run,
    work: StoredWork,
    *,
    meta_models: Sequence[str] = (),
    novelty: bool = False,
) -> SeenImages:
    """The images that meta models or the novelty model were fitted on; says how many.

    Args:
        run: Configuration and workspace.
        work: Of which network on which dataset.
        meta_models: Names of meta models; empty ones are passed over.
        novelty: Whether the novelty model of the network takes part, if there is one.

    Returns:
        Images to leave out, and a note for the result.

    Raises:
        TableError: If none would be left.
        StoreError: If there is no segment table.
        WeightsError: If a meta model is not trained.
    """
    model, dataset = work.names.model, work.names.dataset
    models: dict[str, Carried] = {}
    for name in dict.fromkeys(filter(None, meta_models)):
        models[f"meta model {name!r}"] = run.trained.meta_model(name, model).quality
    if novelty:
        try:
            made_by = run.trained.novelty_model(model).made_by
            models[f"the novelty model of {model!r}"] = made_by
        except (WeightsError, TableError) as error:
            logger.info("no novelty model takes part: %s", error)
    if not models:
        return SeenImages()
    samples = {name: sample_note(carried) for name, carried in models.items()}
    learned = tuple(f"{name} learned from {note}." for name, note in samples.items() if note)
    seen = seen_images(run.configuration, dataset, work.dataset, work.fingerprints, models)
    for note in seen.notes:
        logger.warning("%s", note)
    return replace(seen, notes=(*seen.notes, *learned))


def score_others(
    seen: SeenImages, work: StoredWork, selector: Selector, failures: MutableMapping[str, str]
) -> tuple[list[str], CurrentSegments, Iterator[pd.DataFrame]]:
    """Score the segments of the images that no model was fitted on.

    Args:
        seen: Images to leave out.
        work: Of which network on which dataset.
        selector: Scores them.
        failures: Gets image id → reason of those that cannot be scored.

    Returns:
        Ids of the other predicted images; their segments; and what :meth:`Selector.scored` yields of these.

    Raises:
        StoreError: If nothing is predicted, or there is no segment table.
    """
    images = seen.others(work.predicted())
    segments = work.segments().only(set(images))
    return images, segments, selector.scored(work, segments, failures)
