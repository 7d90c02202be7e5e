"""Projections of a catalogue, kept with it under what made them."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.experiment.settings import flat
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.files import checksum_of
from oodretrieval.search.placement import place_points
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
        options = flat(self.settings.tsne) if self.settings.method in ("tsne", "opentsne") else {}
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
        grown = None if self._again else self._grown(recipe, vectors)
        if grown is not None:
            self._keep(self.path(dimensions), grown, recipe)
            return grown
        options = {key: recipe[key] for key in ("method", "dimensions", "seed")} | recipe["options"]
        points = np.asarray(project("project", vectors, **options), np.float32)
        if points.shape == (len(self.catalogue), dimensions):
            self._keep(self.path(dimensions), points, recipe)
        return points

    def _grown(self, recipe: dict[str, Any], vectors: NDArray[np.floating]) -> NDArray[np.float32] | None:
        """A projection that was kept before rows were added, with those placed into it; None where there is none.

        What a person knows of the map stays where it was; ``overwrite_embeddings`` computes it again. Principal
        components are as quickly computed as placed.
        """
        if recipe["method"] == "pca":
            return None
        for path in sorted((self.catalogue.path / FOLDER).glob("*.json"), key=_newest_first):
            try:
                earlier = json.loads(path.read_text(encoding="utf-8"))
                points = np.load(path.with_suffix(".npy"), allow_pickle=False)
                if not _grew(earlier, recipe) or checksum_of(path.with_suffix(".npy")) != earlier["points"]:
                    continue
            except (OSError, ValueError, EOFError, AttributeError, KeyError):
                continue  # damaged, or of before: no use
            if points.shape == (earlier["segments"], recipe["dimensions"]):
                count = len(points)
                logger.info(
                    "%d segments placed into the projection of the %d before them; args.overwrite_embeddings=True "
                    "computes it again",
                    *(len(self.catalogue) - count, count),
                )
                placed = place_points(vectors[:count], points, vectors[count:])
                return np.concatenate([points, placed], dtype=np.float32)
        return None

    def _keep(self, path: Path, points: NDArray[np.float32], recipe: dict[str, Any]) -> None:
        try:
            with atomic_path(path) as temporary:
                np.save(temporary, points, allow_pickle=False)
                checksum = checksum_of(temporary)
            write_json(path.with_suffix(".json"), {**recipe, "points": checksum})
        except StoreError as error:  # somebody else's catalogue can be explored all the same
            logger.warning("the projection is not kept for the next time: %s", error)


def _grew(earlier: Mapping[str, Any], recipe: Mapping[str, Any]) -> bool:
    """Whether a catalogue that was projected earlier has only been added to since."""
    before, now = earlier["vectors"], plain(recipe["vectors"])
    same = all(earlier[key] == plain(recipe[key]) for key in recipe.keys() - {"vectors", "segments"})
    return bool(same and before and len(before) < len(now) and now[: len(before)] == before)


def _newest_first(path: Path) -> float:
    return -path.stat().st_mtime
