"""A network whose vectors also say what labelled scenes taught: directions along which their classes differ.

They stand next to the vector itself, so that what no label named keeps what it had.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from oodretrieval.embedding.contract import EmbeddingNetwork
from oodretrieval.embedding.networks import embedding_network
from oodretrieval.entries import EmbeddingEntry, factory_of
from oodretrieval.errors import WeightsError
from oodretrieval.remote_paths import path_of
from oodretrieval.sealed_arrays import read_model_arrays, write_arrays

FORMAT = "oodretrieval taught directions 1"
KIND = "file of taught directions"
REMEDY = "make it with benchmarks/teach_embedding.py"


class TaughtEmbedding(EmbeddingNetwork):
    """A network and, behind its vectors, these turned onto directions that labels taught.

    Args:
        weights_file: File of :func:`save_directions`, which names the network.
        pretrained: Whether to load the weights of that; else they are random.

    Raises:
        UnknownNameError: If there is no such network.
        WeightsError: If the file is missing, damaged or does not fit the network.
    """

    def __init__(self, weights_file: str | Path, pretrained: bool = True) -> None:
        network, directions = load_directions(weights_file)
        inner = embedding_network(network, pretrained)
        if len(directions) != inner.dim:
            raise WeightsError(
                f"the directions {str(weights_file)!r} are of vectors of {len(directions)} values, and those of "
                f"{network} have {inner.dim}; {REMEDY}"
            )
        super().__init__(
            f"{network}_taught",
            inner,
            inner.dim + directions.shape[1],
            inner.mean,
            inner.std,
            inner.min_size,
            multiple_of=inner.multiple_of,
            input_size=inner.input_size,
        )
        self.register_buffer("directions", torch.from_numpy(directions))

    def forward(self, crops: Tensor) -> Tensor:
        """Embed crops.

        Args:
            crops: ``(N, 3, h, w)``, normalised.

        Returns:
            Vectors, ``(N, dim)``.
        """
        return self._with_directions(self.trunk(crops))

    def feature_map(self, images: Tensor) -> Tensor:
        """What the network sees at every position.

        Args:
            images: ``(N, 3, h, w)``, normalised.

        Returns:
            Features, ``(N, D, h', w')``.
        """
        features: Tensor = self._network.feature_map(images)
        return features

    def from_means(self, means: Tensor) -> Tensor:
        """Its vectors of these means, and the directions behind them.

        Args:
            means: ``(k, D)``.

        Returns:
            ``(k, dim)``.
        """
        return self._with_directions(self._network.from_means(means))

    @property
    def _network(self) -> EmbeddingNetwork:
        assert isinstance(self.trunk, EmbeddingNetwork)
        return self.trunk

    def _with_directions(self, vectors: Tensor) -> Tensor:
        units = functional.normalize(vectors.float(), dim=1)
        return torch.cat([units, units @ self.get_buffer("directions")], dim=1)


def save_directions(
    directions: NDArray[np.floating], network: str, path: str | Path, made_by: Mapping[str, object]
) -> None:
    """Write taught directions, as float16; what has its final name is whole.

    Args:
        directions: ``(D, k)``.
        network: Name of the network whose vectors they are of.
        path: File to write, usually ``*.safetensors``; missing folders are made.
        made_by: Data and recipe, to travel with them.
    """
    description = {"format": FORMAT, "network": network, "made_by": json.dumps(dict(made_by), sort_keys=True)}
    write_arrays(path_of(path), {"directions": np.ascontiguousarray(directions, np.float16)}, description)


def taught_by(entry: EmbeddingEntry | str) -> tuple[str, ...]:
    """Whose labels an embedding network was taught by: what is measured on their images is too high.

    Args:
        entry: Of ``configuration.py``, or the name of a network that needs none.

    Returns:
        Names of datasets; none for other networks.

    Raises:
        WeightsError: If the file is missing or damaged.
    """
    if isinstance(entry, str) or entry.weights is None or factory_of(entry) is not TaughtEmbedding:
        return ()
    description, _ = read_model_arrays(path_of(entry.weights), KIND, REMEDY)
    return tuple(json.loads(description.get("made_by", "{}")).get("datasets", ()))


def load_directions(path: str | Path) -> tuple[str, NDArray[np.float32]]:
    """Read what :func:`save_directions` wrote.

    Args:
        path: The file.

    Returns:
        Name of the network, and the directions, ``(D, k)``, with the checksum verified.

    Raises:
        WeightsError: If the file is missing, damaged or of another format.
    """
    path = path_of(path)
    description, arrays = read_model_arrays(path, KIND, REMEDY)
    kind, found = description.get("format"), arrays.get("directions", np.zeros(0))
    if kind != FORMAT or found.ndim != 2 or not np.isfinite(found).all() or "network" not in description:
        raise WeightsError(f"{str(path)!r} holds no {FORMAT} (its format is {kind!r}); {REMEDY}")
    directions: NDArray[np.float32] = found.astype(np.float32)
    return description["network"], directions
