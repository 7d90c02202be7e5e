"""The scores that were compared: name → score of every segment of a scene, higher where more unknown."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from ranking_parts import Values
from ranking_terms import DISTANCE, Scene
from scipy.stats import norm, rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from oodretrieval.choices import ALIKE_SHARE
from oodretrieval.novelty.likeness import NEIGHBOURS, Likeness, likeness_values

Recipe = Callable[[Scene], Values]

SINGLES = ("variation ratio", "entropy", "max logit", "energy", "distance")
PLAIN = "plain sum: energy + distance"
ALONE = "energy less image + 2 distance + thickness"
CHOSEN = f"**{ALONE}, shared**"
RELATIVE = "energy less image"
MAHALANOBIS = "Mahalanobis, imagenet16"


def single(term: str) -> Recipe:
    """A term as it is."""
    return lambda scene: scene.of_searched[term]


def total(**weights: float) -> Recipe:
    """Weighted sum of terms in deviations of known segments; a name's underscores stand for blanks."""
    return weighted({name.replace("_", " "): weight for name, weight in weights.items()})


def weighted(weights: Mapping[str, float]) -> Recipe:
    """Weighted sum of terms in deviations of known segments."""

    def score(scene: Scene) -> Values:
        total: Values = np.sum([weight * scene.z(name) for name, weight in weights.items()], axis=0)
        return total

    return score


def shared(
    score: Recipe, neighbours: int = NEIGHBOURS, share: float = ALIKE_SHARE, alike: str = "both"
) -> Recipe:
    """A score shared among segments that look alike: by ``both`` halves of the default, or by one array alone."""

    def of(scene: Scene) -> Values:
        described, own = scene.searched.described, score(scene)
        halves = likeness_values(described.table, described.arrays["imagenet8"])
        if alike != "both":
            values = halves[0] if alike == "logits of the table" else described.arrays[alike]
            halves = np.asarray(values, np.float64), np.zeros((len(values), 0))
        itself = np.arange(len(own))
        return Likeness.of(halves, own).shared(own, halves, itself, neighbours=neighbours, share=share)

    return of


def by_class(searched: bool) -> Recipe:
    """The plain sum, standardised by the predicted class as far as there is evidence."""
    return lambda scene: (
        scene.z_by_class("energy", searched=searched) + scene.z_by_class(DISTANCE, searched=searched)
    )


def _normal(values: NDArray[np.floating]) -> Values:
    return np.asarray(norm.ppf((rankdata(values) - 0.5) / len(values)))


def _ranks(scene: Scene) -> Values:
    return np.asarray(rankdata(scene.of_searched["energy"]) + rankdata(scene.of_searched[DISTANCE]))


BASE = {RELATIVE: 1.0, DISTANCE: 2.0, "thickness": 1.0}
ADDED = {
    "size": 1.0,
    MAHALANOBIS: 1.0,
    "residual, imagenet16": 1.0,
    "distance, imagenet4": 0.5,
    "distance, decoder": 0.5,
    "residual, decoder": 0.5,
    "rareness": 0.5,
    "energy less ring": 0.5,
    "features less ring": 0.5,
    "energy": 0.5,
    "energy, 90 % quantile": 0.5,
    "divergence from the mirror image": 0.5,
    "energy of the mirror image": 0.5,
    "entropy": 0.5,
    "KL matching": 0.5,
}
ALIKE = ("logits of the table", "imagenet8", "imagenet16", "imagenet4", "decoder", "logits")
INSTEAD_OF_ENERGY = (
    "max_logit",
    "ReAct",
    "SCALE",
    "ViM",
    "energy of the mirror image",
    "energy",
    "energy less ring",
)
INSTEAD_OF_DISTANCE = (
    "distance, 5th",
    "distance, all classes",
    "distance, cosine",
    MAHALANOBIS,
    "residual, imagenet16",
    "distance, imagenet8",
    "distance, imagenet4",
    "distance, decoder",
    "distance, logits",
)

RECIPES: dict[str, Recipe] = {
    "variation ratio": single("variation_ratio"),
    "entropy": single("entropy"),
    "max logit": single("max_logit"),
    "energy": single("energy"),
    "distance": single(DISTANCE),
    **{
        f"{name} alone": single(name)
        for name in (
            "ReAct",
            "SCALE",
            "ViM",
            "KL matching",
            MAHALANOBIS,
            "residual, imagenet16",
            "rareness",
            "energy less ring",
            "divergence from the mirror image",
            "size",
        )
    },
    PLAIN: weighted({"energy": 1, DISTANCE: 1}),
    "by class of known segments": by_class(searched=False),
    "by class of the segments searched": by_class(searched=True),
    "deviations of the segments searched": lambda s: s.z_searched("energy") + s.z_searched(DISTANCE),
    "given the size": lambda s: s.z_by_size("energy") + s.z_by_size(DISTANCE),
    "sum of ranks": _ranks,
    "larger of both": lambda s: np.maximum(s.z("energy"), s.z(DISTANCE)),
    "smaller of both": lambda s: np.minimum(s.z("energy"), s.z(DISTANCE)),
    **{f"plain sum, distance × {w:g}": weighted({"energy": 1, DISTANCE: w}) for w in (2.0, 3.0)},
    "2 distance + thickness": weighted({DISTANCE: 2, "thickness": 1}),
    "energy + distance + thickness": weighted({"energy": 1, DISTANCE: 1, "thickness": 1}),
    "energy + 2 distance + size": weighted({"energy": 1, DISTANCE: 2, "size": 1}),
    ALONE: weighted(BASE),
    **{f"distance × {w:g}": weighted({**BASE, DISTANCE: w}) for w in (1.0, 1.5, 3.0)},
    **{f"thickness × {w:g}": weighted({**BASE, "thickness": w}) for w in (0.0, 0.5, 1.5, 2.0)},
    "size instead of thickness": weighted({RELATIVE: 1, DISTANCE: 2, "size": 1}),
    "half of the image's energy taken off": weighted(
        {"energy": 0.5, RELATIVE: 0.5, DISTANCE: 2, "thickness": 1}
    ),
    "deviations of the segments searched, with thickness": lambda s: (
        s.z_searched(RELATIVE) + 2 * s.z_searched(DISTANCE) + s.z_searched("thickness")
    ),
    "normal scores of ranks, with thickness": lambda s: (
        _normal(s.of_searched[RELATIVE])
        + 2 * _normal(s.of_searched[DISTANCE])
        + _normal(s.of_searched["thickness"])
    ),
    **{
        f"{name} instead of relative energy": weighted({name: 1, DISTANCE: 2, "thickness": 1})
        for name in INSTEAD_OF_ENERGY
    },
    **{
        f"{name} instead of distance": weighted({RELATIVE: 1, name: 2, "thickness": 1})
        for name in INSTEAD_OF_DISTANCE
    },
    **{f"and {w:g} {name}": weighted({**BASE, name: w}) for name, w in ADDED.items()},
    CHOSEN: shared(weighted(BASE)),
    **{
        f"shared among {k}, {s:g} of it": shared(weighted(BASE), k, s)
        for k, s in ((5, 0.3), (5, 0.5), (5, 0.7), (10, 0.3), (10, 0.7), (20, 0.3), (20, 0.5), (20, 0.7))
    },
    **{f"alike by {name}": shared(weighted(BASE), alike=name) for name in ALIKE},
    "shared: plain sum": shared(weighted({"energy": 1, DISTANCE: 1})),
    "shared: distance": shared(single(DISTANCE)),
    "shared: thickness × 0.5": shared(weighted({**BASE, "thickness": 0.5})),
    "shared: and 0.5 energy": shared(weighted({**BASE, "energy": 0.5})),
    "shared: and 0.5 energy of the mirror image": shared(
        weighted({**BASE, "energy of the mirror image": 0.5})
    ),
}

FEW = (RELATIVE, DISTANCE, "thickness")
MANY = (
    *FEW,
    "energy",
    MAHALANOBIS,
    "size",
    "divergence from the mirror image",
    "energy less ring",
    "distance, imagenet4",
    "residual, decoder",
)
_CLIP = (-6.0, 8.0)


def learned_from_others(
    scenes: Mapping[str, Scene], min_pixels: int
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Weights learned from what is unknown in the other scenes; scenes of the same network's data are left out, too."""
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    for words, terms in (("3 terms", FEW), ("10 terms", MANY)):
        features = {
            name: np.column_stack([np.clip(s.z(term), *_CLIP) for term in terms])
            for name, s in scenes.items()
        }
        for method in ("logistic regression", "boosting"):
            recipe = f"{method} on {words}, learned from the other scenes"
            found[recipe] = {}
            for name in scenes:
                others = [o for o, s in scenes.items() if not s.seen and o != name and not _same(o, name)]
                found[recipe][name] = _learned(method, scenes, features, others, name, min_pixels)
    return found


def _same(one: str, other: str) -> bool:
    return one.startswith("streets") and other.startswith("streets")


def _learned(
    method: str,
    scenes: Mapping[str, Scene],
    features: Mapping[str, NDArray[np.float64]],
    others: Sequence[str],
    name: str,
    min_pixels: int,
) -> NDArray[np.float64]:
    rows = {other: scenes[other].evaluated(min_pixels) for other in others}
    truth = {other: scenes[other].unknown[rows[other]] for other in others}
    weight = [np.where(t, 0.5 / max(t.sum(), 1), 0.5 / max((~t).sum(), 1)) for t in truth.values()]
    weights = np.concatenate(weight)
    model = (
        LogisticRegression(max_iter=1000)
        if method == "logistic regression"
        else HistGradientBoostingClassifier(max_depth=3, max_iter=60, learning_rate=0.05, random_state=0)
    )
    model.fit(
        np.concatenate([features[other][rows[other]] for other in others]),
        np.concatenate(list(truth.values())),
        sample_weight=weights * len(weights) / weights.sum(),
    )
    return np.asarray(model.predict_proba(features[name])[:, 1], np.float64)
