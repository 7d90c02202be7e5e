"""Terms that scores of novelty are made of, of known training segments and of the segments of a scene.

Every term is higher where a segment is more unlike the known ones. Terms of known segments are taken without images
that are close by, as a segment would otherwise find itself or the next frame of a video.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray
from ranking_cache import Described
from ranking_parts import Part, Values, nearest

from oodretrieval.directions import unit_vectors
from oodretrieval.novelty import known_rows
from oodretrieval.novelty.standardisation import Standardisation
from oodretrieval.uncertainty import energy

SMALLEST = 100
PRIOR = 30
"""Segments of all classes that a class's own statistics are mixed with."""
DEPTHS = ("imagenet4", "imagenet8", "imagenet16", "decoder", "logits")
DISTANCE = "distance"


@dataclass(eq=False)
class Scene:
    """Terms of known segments and of the segments searched.

    Attributes:
        name: Of the scene.
        known: Known training segments.
        searched: Segments of the scene, of at least 100 pixels.
        classifier: Weight and bias of the network's last layer, on the features of its decoder.
        seen: Whether the network has seen the place in training: shown apart, nothing is chosen by it.
        of_known: Term → of each known segment, ``(m,)``.
        of_searched: Term → of each segment searched, ``(n,)``.
    """

    name: str
    known: Part
    searched: Part
    classifier: tuple[NDArray[np.float32], NDArray[np.float32]]
    seen: bool = False
    of_known: dict[str, Values] = field(default_factory=dict)
    of_searched: dict[str, Values] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        training: Described,
        test: Described,
        classifier: tuple[NDArray[np.float32], NDArray[np.float32]],
        seen: bool = False,
    ) -> "Scene":
        """From what :mod:`ranking_cache` keeps."""
        large = (test.table["S"] >= SMALLEST).to_numpy()
        return cls(
            name, Part.of(training, known_rows(training.table)), Part.of(test, large), classifier, seen
        )

    def __post_init__(self) -> None:
        self._table_terms()
        self._distances()
        self._densities()
        self._activations()

    def evaluated(self, min_pixels: int) -> NDArray[np.bool_]:
        """Segments that count: large enough, not mostly void, ``(n,)``."""
        table = self.searched.described.table
        return ((table["S"] >= min_pixels) & (table["void_fraction"] <= 0.5)).to_numpy()

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Mostly unknown, ``(n,)``."""
        return (self.searched.described.table["unknown_fraction"] > 0.5).to_numpy()

    def put(self, name: str, term: Callable[[Part], NDArray[np.floating]]) -> None:
        """Add a term that both kinds of segments have alike."""
        self.of_known[name] = np.asarray(term(self.known), np.float64)
        self.of_searched[name] = np.asarray(term(self.searched), np.float64)

    def z(self, name: str) -> Values:
        """In robust deviations of known segments, ``(n,)``."""
        return Standardisation.of(self.of_known[name])(self.of_searched[name])

    def z_searched(self, name: str) -> Values:
        """In robust deviations of the scene's own segments, ``(n,)``."""
        return Standardisation.of(self.of_searched[name])(self.of_searched[name])

    def z_by_class(self, name: str, *, searched: bool) -> Values:
        """By predicted class as far as there is evidence, relative to the scene's or to the known segments."""
        values = self.of_searched[name] if searched else self.of_known[name]
        classes = self.searched.classes if searched else self.known.classes
        whole = Standardisation.of(values)
        result = np.zeros(len(self.of_searched[name]))
        for c in np.unique(self.searched.classes):
            own = values[classes == c]
            share = len(own) / (len(own) + PRIOR)
            part = Standardisation.of(own) if len(own) > 2 else whole
            mixed = Standardisation(
                whole.centre + share * (part.centre - whole.centre),
                whole.scale + share * (part.scale - whole.scale),
            )
            rows = self.searched.classes == c
            result[rows] = mixed(self.of_searched[name][rows])
        return result

    def z_by_size(self, name: str, bins: int = 6) -> Values:
        """In robust deviations of known segments of the same size, ``(n,)``."""
        sizes, values = self.of_known["size"], self.of_known[name]
        groups = np.array_split(np.argsort(sizes, kind="stable"), bins)
        at = np.array([sizes[rows].mean() for rows in groups])
        own = [Standardisation.of(values[rows]) for rows in groups]
        centre = np.interp(self.of_searched["size"], at, [part.centre for part in own])
        scale = np.interp(self.of_searched["size"], at, [part.scale for part in own])
        return np.asarray((self.of_searched[name] - centre) / scale)

    def _table_terms(self) -> None:
        columns = {
            "energy": ("energy", -1),
            "max_logit": ("max_logit", -1),
            "entropy": ("E", 1),
            "variation_ratio": ("V", 1),
            "energy, 10 % quantile": ("energy_0.1", 1),
            "energy, 90 % quantile": ("energy_0.9", 1),
            "energy of the mirror image": ("mirror_energy", 1),
            "probability in the mirror image": ("mirror_same", 1),
        }
        for name, (column, sign) in columns.items():
            self.put(name, partial(_signed, column=column, sign=sign))
        self.put(
            "divergence from the mirror image", lambda p: np.log(p.described.table["mirror_disagrees"] + 1e-4)
        )
        self.put("size", lambda p: np.log(p.described.table["share"]))
        self.put("thickness", lambda p: np.log(p.described.table["S_rel"]))
        self.put(
            "energy less ring",
            lambda p: _signed(p, "energy", -1) + _signed(p, "ring_energy", -1),
        )
        self.put("energy less image", _less_image)

    def _distances(self) -> None:
        for depth in DEPTHS:
            known, searched = self.standardised(depth)
            name = DISTANCE if depth == "imagenet16" else f"distance, {depth}"
            self._nearest(name, known, searched)
            if depth == "imagenet16":
                self._nearest("distance, 5th", known, searched, k=5)
                self._nearest("distance, all classes", known, searched, by_class=False)
                self._nearest("distance, cosine", unit_vectors(known), unit_vectors(searched))
                own = self.searched
                self.of_known["rareness"] = self.of_known[DISTANCE]
                self.of_searched["rareness"] = np.log(nearest(searched, own, searched, own, k=3, apart=True))
                ring = [
                    part.described.arrays["ring"] - part.described.arrays[depth]
                    for part in (self.known, self.searched)
                ]
                spread = np.maximum(self.known.described.arrays[depth].std(axis=0), 1e-6)
                self.of_known["features less ring"], self.of_searched["features less ring"] = (
                    np.log(np.linalg.norm(difference / spread, axis=1) + 1e-3) for difference in ring
                )

    def _nearest(self, name: str, known: Values, searched: Values, k: int = 1, by_class: bool = True) -> None:
        find = partial(nearest, k=k, by_class=by_class)
        self.of_known[name] = np.log(find(known, self.known, known, self.known, apart=True))
        self.of_searched[name] = np.log(find(searched, self.searched, known, self.known))

    def standardised(self, depth: str) -> tuple[Values, Values]:
        """Features of known and of searched segments, in deviations of the known ones."""
        known, searched = (part.described.arrays[depth] for part in (self.known, self.searched))
        mean, spread = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-6)
        return (known - mean) / spread, (searched - mean) / spread

    def _densities(self) -> None:
        """Mahalanobis distance to the mean of the own class, and the residual of ViM, at two depths."""
        for depth in ("imagenet16", "decoder"):
            known, searched = self.standardised(depth)
            count = len(self.classifier[1])
            classes = self.known.classes
            means = np.stack(
                [
                    known[classes == c].mean(axis=0) if (classes == c).any() else known.mean(axis=0)
                    for c in range(count)
                ]
            )
            rest = known - means[classes]
            covariance = rest.T @ rest / len(rest)
            precision = np.linalg.inv(
                covariance + 0.05 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
            )
            _, directions = np.linalg.eigh(known.T @ known / len(known))
            minor = directions[:, :-64]
            for part, features, terms in (
                (self.known, known, self.of_known),
                (self.searched, searched, self.of_searched),
            ):
                away = features - means[part.classes]
                terms[f"Mahalanobis, {depth}"] = 0.5 * np.log(np.einsum("ij,jk,ik->i", away, precision, away))
                terms[f"residual, {depth}"] = np.log(np.linalg.norm(features @ minor, axis=1))

    def _activations(self) -> None:
        """ReAct, SCALE and ViM on the decoder's features pooled over a segment; KL matching of its softmax."""
        weight, bias = self.classifier
        columns = [f"cprob{c}" for c in range(len(bias))]
        known_softmax = self.known.described.table[columns].to_numpy() + 1e-6
        templates = np.stack(
            [
                known_softmax[self.known.classes == c].mean(axis=0)
                if (self.known.classes == c).any()
                else np.full(len(bias), 1 / len(bias))
                for c in range(len(bias))
            ]
        )
        limit = np.quantile(self.known.described.arrays["decoder"], 0.9)

        def decoded(part: Part) -> Values:
            return part.described.arrays["decoder"].astype(np.float64)

        def divergence(part: Part) -> Values:
            p = part.described.table[columns].to_numpy() + 1e-6
            smallest: Values = np.stack([(p * np.log(p / q)).sum(axis=1) for q in templates]).min(axis=0)
            return np.log(smallest + 0.01)

        def scaled(part: Part) -> Values:
            features = decoded(part)
            positive = np.maximum(features, 0)
            top = np.sort(positive, axis=1)[:, -round(0.15 * positive.shape[1]) :].sum(axis=1)
            factors: Values = np.exp(positive.sum(axis=1) / np.maximum(top, 1e-6))
            return features * factors[:, None]

        self.put(
            "ReAct",
            lambda part: energy(np.asarray(np.minimum(decoded(part), limit) @ weight.T + bias), axis=1),
        )
        self.put("SCALE", lambda part: energy(np.asarray(scaled(part) @ weight.T + bias), axis=1))
        self.put("KL matching", divergence)
        factor = np.median(np.abs(self.of_known["max_logit"])) / np.median(
            np.exp(self.of_known["residual, decoder"])
        )
        for terms in (self.of_known, self.of_searched):
            terms["ViM"] = factor * np.exp(terms["residual, decoder"]) + terms["energy"]


def _less_image(part: Part) -> Values:
    """Energy of a segment less that of its image, which sums over all of its segments by the root of their sizes."""
    table = part.described.table
    heat, weight = -table["energy"].to_numpy(), np.sqrt(table["share"].to_numpy())
    mean = np.bincount(part.places, weight * heat) / np.maximum(np.bincount(part.places, weight), 1e-12)
    return np.asarray(heat - mean[part.places])


def _signed(part: Part, column: str, sign: int) -> Values:
    values: Values = part.described.table[column].to_numpy(np.float64)
    return sign * values
