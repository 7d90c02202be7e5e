"""Meta models, baselines and features side by side: how well each predicts the IoU of segments it has not seen.

    python benchmarks/meta_models.py --model deeplabv3plus_camvid --train camvid_train --val camvid_val --block 20 \
        --groups clip
    python benchmarks/meta_models.py --model deeplabv3plus_streets --train streets_val --val streets_test --block 1

Prints the tables of docs/meta_models.md. Needs the segment tables of both datasets (compute_metrics) in the workspace.
Everything is trained strictly. Intervals are of 95 %, by bootstrap over blocks of images; differences are taken within
the same resamples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from command_line import USUAL_WORKSPACE, command_line
from tqdm import tqdm

from oodretrieval.clips import clip_names
from oodretrieval.evaluation import interval, meta_measures, r2
from oodretrieval.meta_models import (
    BoostedMetaModel,
    LinearMetaModel,
    LogisticMetaModel,
    MetaModel,
    NeuralMetaModel,
    folds_of,
    training_rows,
)
from oodretrieval.results.rules import Resampling
from oodretrieval.results.tables import markdown_table
from oodretrieval.stages.fit.meta_evaluation import Estimate, positive_threshold, resamples_of
from oodretrieval.stores import Workspace, read_segments

PUBLISHED, TUNED = "published network and schedule", "published network, learning rate 1e-3"
BOOSTING, SHIPPED = "boosting, published features", "boosting, extended features (ships)"
TOGETHER = "mean of boosting and network, both on extended features"
MEAN = "mean IoU of the training segments"
Build = Callable[[], MetaModel]

MODELS: Mapping[str, Build] = {
    PUBLISHED: lambda: NeuralMetaModel(patience=0),
    TUNED: lambda: NeuralMetaModel(learning_rate=1e-3),
    "linear": LinearMetaModel,
    "logistic": LogisticMetaModel,
    BOOSTING: BoostedMetaModel,
    SHIPPED: lambda: BoostedMetaModel(features=["extended"]),
    "network on extended features, learning rate 1e-3": lambda: NeuralMetaModel(
        features=["extended"], learning_rate=1e-3
    ),
    "entropy only, boosting": lambda: BoostedMetaModel(features=["entropy"]),
    "size only, boosting": lambda: BoostedMetaModel(features=["size"]),
    "entropy only, network, learning rate 1e-3": lambda: NeuralMetaModel(
        features=["entropy"], learning_rate=1e-3
    ),
    "size only, network, learning rate 1e-3": lambda: NeuralMetaModel(features=["size"], learning_rate=1e-3),
}
FEATURES: Mapping[str, tuple[str, ...]] = {
    "published": ("published",),
    "published + logits": ("published", "logits"),
    "published + shape": ("published", "shape"),
    "published + context": ("published", "context"),
    "extended = published + shape + context": ("extended",),
    "extended + logits": ("extended", "logits"),
    "extended without entropy (E)": (),
}


@dataclass(frozen=True, eq=False)
class Study:
    """Segments to learn from and to evaluate on, and how images are resampled.

    Attributes:
        train: Strict training segments.
        val: Segments with truth to evaluate on.
        resampling: For intervals.
    """

    train: pd.DataFrame
    val: pd.DataFrame
    resampling: Resampling

    def sets(self) -> dict[str, np.ndarray]:
        """Known segments, and all."""
        return {
            "known segments": self.val.index.isin(training_rows(self.val).index),
            "all segments": np.ones(len(self.val), bool),
        }

    def estimate(self, build: Build) -> Estimate:
        """Of a fresh model trained on the training segments."""
        model = build().fit(self.train)
        return Estimate.of(model, positive_threshold(model, self.train), self.val)

    def table(
        self, found: Mapping[str, Estimate], rows: np.ndarray, against: tuple[str, ...]
    ) -> pd.DataFrame:
        """Measures of every estimate on some rows, with differences of R² to others."""
        iou, chosen = self.val["iou"].to_numpy()[rows], self.val[rows]
        part = {name: estimate.take(rows) for name, estimate in found.items()}
        resampled = resamples_of(chosen, part, self.resampling)
        lines = {}
        for name, e in part.items():
            measures = meta_measures(iou, e.iou, score=e.positive, threshold=e.threshold)
            line: dict[str, object] = {}
            for title, key in (("R²", "r2"), ("RMSE", "rmse"), ("AUROC", "auroc"), ("AUPRC", "auprc")):
                line[title] = _with_interval(getattr(measures, key), resampled[name][key])
            line["accuracy"] = measures.accuracy
            for other in against:
                gain = measures.r2 - r2(iou, part[other].iou)
                line[f"R² against {other}"] = (
                    _with_interval(gain, resampled[name]["r2"] - resampled[other]["r2"], sign=True)
                    if name != other
                    else None
                )
            lines[name] = line
        return pd.DataFrame.from_dict(lines, orient="index").rename_axis(
            f"meta model ({rows.sum()} segments)"
        )


def _with_interval(value: float, resamples: np.ndarray, sign: bool = False) -> str:
    low, high = interval(resamples)
    form = "+.3f" if sign else ".3f"
    return f"{value:{form}} ({low:{form}}…{high:{form}})"


def compare_models(study: Study) -> None:
    """Print the table of all meta models and baselines."""
    found = {name: study.estimate(build) for name, build in tqdm(MODELS.items(), "models", disable=None)}
    network = found["network on extended features, learning rate 1e-3"]
    boosted = found[SHIPPED]
    found[TOGETHER] = Estimate(
        (network.iou + boosted.iou) / 2,
        (network.positive + boosted.positive) / 2,
        (network.threshold + boosted.threshold) / 2,
    )
    found[MEAN] = Estimate.mean(study.train, len(study.val))
    for what, rows in study.sets().items():
        print(f"\n### {what.capitalize()}\n")
        print(markdown_table(study.table(found, rows, (PUBLISHED, TUNED))))


def compare_features(study: Study, groups: str, folds: int) -> None:
    """Print the table of boosting on more and on fewer features."""
    images = study.train["image_id"].astype(str).tolist()
    members = clip_names(images) if groups == "clip" else images
    fold = folds_of(members, min(folds, len(set(members))), seed=0)
    chosen = dict(FEATURES)
    model = BoostedMetaModel(features=["extended"]).fit(study.train)
    chosen["extended without entropy (E)"] = tuple(
        name for name in model.feature_names if name.split("_")[0] != "E"
    )
    iou = study.train["iou"].to_numpy()
    lines: dict[str, dict[str, object]] = {}
    found = {}
    for name, features in tqdm(chosen.items(), "features", disable=None):
        predicted = np.zeros(len(iou))
        for number in range(fold.max() + 1):
            rest = BoostedMetaModel(features=features).fit(study.train[fold != number])
            predicted[fold == number] = rest.predict(study.train[fold == number])
        lines[name] = {f"R², cross-validated over {groups}s of the training images": r2(iou, predicted)}
        found[name] = study.estimate(partial(BoostedMetaModel, features=features))
    for what, rows in study.sets().items():
        table = study.table(found, rows, ("published",))
        for name, line in lines.items():
            line[f"R², {what}"] = table["R²"][name]
            line[f"against published, {what}"] = table["R² against published"][name]
    table = pd.DataFrame.from_dict(lines, orient="index").rename_axis("features of boosting")
    print("\n### Features\n")
    print(markdown_table(table))


def main() -> None:
    """Read the command line and print both tables."""
    parser = command_line(__doc__)
    parser.add_argument("--workspace", default=USUAL_WORKSPACE)
    parser.add_argument("--model", required=True, help="segmentation network")
    parser.add_argument("--train", required=True, help="dataset to learn from")
    parser.add_argument("--val", required=True, help="dataset to evaluate on")
    parser.add_argument(
        "--block", type=int, required=True, help="images resampled together: 20 in video, else 1"
    )
    parser.add_argument("--groups", choices=("image", "clip"), default="image", help="of cross-validation")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=1000)
    arguments = parser.parse_args()
    workspace = Workspace(arguments.workspace)
    train, val = (
        read_segments(workspace, arguments.model, name) for name in (arguments.train, arguments.val)
    )
    resampling = Resampling(arguments.block, arguments.repetitions)
    study = Study(training_rows(train), training_rows(val, strict=False), resampling)
    print(f"\n## {arguments.model}, trained on {arguments.train}, evaluated on {arguments.val}")
    print(f"\nIntervals: {resampling.words(val['image_id'].nunique())}.")
    compare_models(study)
    compare_features(study, arguments.groups, arguments.folds)


if __name__ == "__main__":
    main()
