"""Projections of a catalogue, kept with it under what made them."""

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.experiment.settings import flat
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.files import checksum_of
from oodretrieval.stores import Catalogue, atomic_path, plain, write_json

logger = logging.getLogger(__name__)

FOLDER = "projections"


class Projections:
    """Computes projections, and keeps them in ``projections/`` of the catalogue.

    Args:
        catalogue: What is projected.
        embedding: Which of its embeddings.
        settings: Method, seed and parameters of the projection, and whether to compute again what is kept.
    """

    def __init__(self, catalogue: Catalogue, embedding: str, settings: ExplorerSettings) -> None:
        self.catalogue, self.embedding, self.settings = catalogue, embedding, settings
        self._again = settings.overwrite_embeddings

    def recipe(self, dimensions: int) -> dict[str, Any]:
        """Everything that a projection depends on.

        Args:
            dimensions: Of the projection.

        Returns:
            Plain values, for JSON.
        """
        options = flat(self.settings.tsne) if self.settings.method == "tsne" else {}
        parts = [part["vectors"].get(self.embedding) for part in self.catalogue.manifest["parts"]]
        return {
            "embedding": self.embedding,
            "vectors": parts,
            "segments": len(self.catalogue),
            "made_by": self.catalogue.settings,
            "method": self.settings.method,
            "dimensions": dimensions,
            "seed": self.settings.seed,
            "options": options,
        }

    def path(self, dimensions: int) -> Path:
        """Where a projection lies; its recipe lies next to it.

        Args:
            dimensions: Of the projection.

        Returns:
            File of an array; another one for every recipe.
        """
        text = json.dumps(plain(self.recipe(dimensions)), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        name = f"{self.embedding}-{self.settings.method}-{dimensions}d-{digest}.npy"
        return self.catalogue.path / FOLDER / name

    def kept(self, dimensions: int) -> NDArray[np.float32] | None:
        """A projection made before.

        Args:
            dimensions: Of the projection.

        Returns:
            ``(n, dimensions)``; None if there is none, it is damaged, or it is to be made again.
        """
        path = self.path(dimensions)
        if self._again or not path.is_file():
            return None
        try:
            noted = json.loads(path.with_suffix(".json").read_text(encoding="utf-8")).get("points")
            if noted is not None and noted != checksum_of(path):  # projections of before have none
                return None
            points: NDArray[np.float32] = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError, AttributeError):
            return None  # damaged: made again, which is all that can be done
        whole = points.shape == (len(self.catalogue), dimensions) and bool(np.isfinite(points).all())
        return points if whole else None

    def compute(
        self, dimensions: int, project: Callable[..., NDArray[Any]], vectors: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """A projection: the one that is kept, or a new one, which is then kept.

        Args:
            dimensions: How many.
            project: Called with ``"project"``, the vectors and the options.
            vectors: ``(n, D)``.

        Returns:
            ``(n, dimensions)``; empty if ``project`` gave up.

        Raises:
            SettingsError: If an option is out of range.
        """
        kept = self.kept(dimensions)
        if kept is not None:
            return kept
        recipe = self.recipe(dimensions)
        options = {key: recipe[key] for key in ("method", "dimensions", "seed")} | recipe["options"]
        points = np.asarray(project("project", vectors, **options), np.float32)
        if points.shape == (len(self.catalogue), dimensions):
            self._keep(self.path(dimensions), points, recipe)
        return points

    def _keep(self, path: Path, points: NDArray[np.float32], recipe: dict[str, Any]) -> None:
        try:
            with atomic_path(path) as temporary:
                np.save(temporary, points, allow_pickle=False)
                checksum = checksum_of(temporary)
            write_json(path.with_suffix(".json"), {**recipe, "points": checksum})
        except StoreError as error:  # somebody else's catalogue can be explored all the same
            logger.warning("the projection is not kept for the next time: %s", error)
