"""Networks with a text side, of the package open_clip: crops and descriptions in one space."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from oodretrieval.embedding.contract import EmbeddingNetwork
from oodretrieval.errors import ConfigurationError, UnknownNameError, WeightsError
from oodretrieval.extras import require_extra

CONFIGURATION = "open_clip_config.json"
FETCH = (
    "fetch a repository of open_clip's, e.g. by `hf download laion/CLIP-ViT-B-32-laion2B-s34B-b79K --local-dir clip`, "
    "and name its folder by `weights` of the entry in EMBEDDINGS of configuration.py"
)


class OpenClipEmbedding(EmbeddingNetwork):
    """A network of open_clip (CLIP, SigLIP, CoCa and their kin); the extra ``[text]`` brings the package.

    Nothing is downloaded. No code of a file is run.

    Args:
        weights_file: Folder of a repository of open_clip's, with ``open_clip_config.json``, the weights and, where the
            network needs one, the tokenizer; or a file of weights, of the network called ``name``.
        name: Name of the network in open_clip, e.g. ``"ViT-B-32"``, where ``weights_file`` is a file.

    Raises:
        ConfigurationError: If the package is missing, or the folder or the name describes no such network.
        WeightsError: If the weights are missing or do not fit; says what to fetch.
    """

    def __init__(self, weights_file: str | Path | None = None, name: str = "") -> None:
        open_clip = require_extra("open_clip", "text", "an embedding network with a text side")
        source, weights = _source(open_clip, weights_file, name)
        try:
            with _quiet():
                network = open_clip.create_model(source, pretrained=weights, require_pretrained=True)
                tokenizer = open_clip.get_tokenizer(source)
        except Exception as error:  # files missing, damaged or of another network: anything
            raise WeightsError(
                f"{weights_file} cannot be loaded as a network of open_clip ({' '.join(str(error).split())[:300]}); "
                f"{FETCH}"
            ) from error
        visual = network.visual
        shown = visual.preprocess_cfg
        size = visual.image_size
        height, width = (size, size) if isinstance(size, int) else size
        with torch.inference_mode():
            dim = network.encode_image(torch.zeros(1, 3, height, width)).shape[1]
        super().__init__(
            name or Path(str(weights_file)).name,
            network,
            int(dim),
            tuple(shown["mean"]),
            tuple(shown["std"]),
            input_size=(int(height), int(width)),
        )
        self._tokenizer = tokenizer

    def forward(self, crops: Tensor) -> Tensor:
        """Embed crops.

        Args:
            crops: ``(N, 3, h, w)`` of its ``input_size``, normalised.

        Returns:
            Vectors of length 1, ``(N, dim)``.
        """
        network: Any = self.trunk
        return functional.normalize(network.encode_image(crops), dim=1)

    def feature_map(self, images: Tensor) -> Tensor:
        """It has none: only its one vector of an image lies in the space of the texts.

        Args:
            images: ``(N, 3, h, w)``.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(
            f"{self.name} embeds whole crops: what it sees at a place does not lie in the space of the texts; "
            "choose args.embedded=crop, context or dimmed"
        )

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts into the space of the crops.

        Args:
            texts: ``n`` descriptions; "a photo of a dog" finds more than "dog".

        Returns:
            Vectors of length 1, ``(n, dim)``.
        """
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        network: Any = self.trunk
        with torch.inference_mode():
            tokens = self._tokenizer(list(texts)).to(next(network.parameters()).device)
            vectors: Tensor = functional.normalize(network.encode_text(tokens), dim=1)
        found: NDArray[np.float32] = vectors.float().cpu().numpy()
        return found


def _source(open_clip: Any, weights_file: str | Path | None, name: str) -> tuple[str, str | None]:
    """What open_clip calls the network, and the file of its weights; None where the folder holds them."""
    if weights_file is None or not Path(weights_file).exists():
        missing = "no weights are named" if weights_file is None else f"there is no {str(weights_file)!r}"
        raise WeightsError(f"{missing}; {FETCH}")
    path = Path(weights_file)
    if path.is_dir():
        if not (path / CONFIGURATION).is_file():
            raise ConfigurationError(f"{path} has no {CONFIGURATION}; {FETCH}")
        return f"local-dir:{path}", None
    if open_clip.get_model_config(name) is None:
        raise UnknownNameError("network of open_clip", name, open_clip.list_models())
    return name, str(path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the package's reports; what matters of them becomes an error."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
