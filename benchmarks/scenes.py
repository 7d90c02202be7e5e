"""Leave one scene out: everything learned from two of CamVid's drives is evaluated on the third.

    python benchmarks/scenes.py train      # three networks, half an hour to an hour of one core each
    python benchmarks/scenes.py evaluate   # docs/scenes.md

Both go on where they broke off, so they can run in the background. For every drive its network is trained on the other
two with CamVid's 12 classes (pedestrians and bicyclists ignored, as in deeplabv3plus_camvid); meta model, logit
statistics and novelty model are fitted on the same two. The third has full labels, if it has any, else the 12 classes.
Evaluated are segments of at least 400 pixels, mostly void ones left out; unknown is what is unknown by more than half.
Intervals are of 95 %, by bootstrap over blocks of frames; for the mean, every scene is resampled by itself. Next to the
drives stand rendered streets in weather and light that deeplabv3plus_streets and its models never learned from.
"""

import argparse
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from checkout import DRIVES, ROOT
from command_line import command_line, note_progress
from numpy.typing import NDArray
from scene_tables import Evaluated, report

from oodretrieval.choices import LARGE_SEGMENT, SelectBy
from oodretrieval.datasets import open_dataset
from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import DatasetNotFoundError, PartialFailure
from oodretrieval.experiment.configuration import Configuration, load_configuration
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.results.rules import Resampling
from oodretrieval.stages.evaluate.eval_iou import eval_iou
from oodretrieval.stages.evaluate.settings import IouSettings
from oodretrieval.stages.fit.compute_logit_statistics import compute_logit_statistics
from oodretrieval.stages.fit.settings import LogitStatisticsSettings, TrainMetaSettings, TrainNoveltySettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stages.fit.train_novelty import train_novelty
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.selecting import Selector
from oodretrieval.stages.select.settings import SelectionRule
from oodretrieval.stages.train.settings import TrainSegmentationSettings
from oodretrieval.stages.train.train_segmentation import train_segmentation
from oodretrieval.stores import SELECT_SCORE, Workspace

RENDERED = ("streets_test_dusk", "streets_test_fog")
RECIPE: dict[str, Any] = {
    "crop_height": 256,
    "crop_width": 352,
    "scale_min": 0.9,  # CamVid at 0.64 of its size …
    "scale_max": 2.2,  # … to 1.56
    "batch_size": 8,
    "colour": 0.5,
    "photometric": 0.15,
    "rotation": 5.0,
}
STEPS = 800
EVERY = 16
"""Every 16th training frame is also what the last epoch is measured on: a check, nothing is chosen by it."""
UNKNOWN_SHARE = VOID_SHARE = 0.5


@dataclass(frozen=True)
class Names:
    """What belongs to a scene.

    Attributes:
        model: The network that never saw it.
        train: What network, meta model, statistics and novelty model learn from.
        test: The scene.
        meta: The meta model.
        rendered: Whether the scene is rendered, and all models are those that ship.
    """

    model: str
    train: str
    test: str
    meta: str
    rendered: bool = False

    @classmethod
    def of(cls, scene: str, configuration: Configuration) -> "Names":
        """Of a rendered scene, or of one drive: with full labels, if it has any, else with the 12 classes."""
        if scene in RENDERED:
            return cls("deeplabv3plus_streets", "streets_val", scene, "boosting_streets", rendered=True)
        test = f"camvid_{scene}"
        try:
            open_dataset(configuration.dataset(test), test)
        except DatasetNotFoundError as error:
            logging.info("%s; evaluated with the 12 classes", error)
            test += "_12"
        model = f"deeplabv3plus_without_{scene}"
        return cls(model, f"camvid_without_{scene}", test, f"boosting_without_{scene}")


def train(scene: str, chosen: argparse.Namespace, run: Run) -> None:
    """Train the network that never sees a scene; goes on where it broke off."""
    model, data = f"deeplabv3plus_without_{scene}", f"camvid_without_{scene}"
    frames = len(open_dataset(run.configuration.dataset(data), data))
    check = DatasetEntry(
        "oodretrieval.datasets.subset",
        "subset_by_index",
        {"dataset": run.configuration.dataset(data), "indices": range(0, frames, EVERY)},
    )
    datasets = {**run.configuration.datasets, f"{data}_check": check}
    epochs = max(1, round(chosen.steps / (frames // RECIPE["batch_size"])))
    settings = from_mapping(
        TrainSegmentationSettings,
        {
            "model_name": model,
            "dataset": data,
            "dataset_val": f"{data}_check",
            "save_file": str(weights_file(model, chosen.weights)),
            "gpu": chosen.gpu,
            "epochs": epochs,
            "validate_every": epochs,
            **RECIPE,
        },
    )
    train_segmentation(settings, replace(run, configuration=replace(run.configuration, datasets=datasets)))


def weights_file(model: str, folder: Path) -> Path:
    """Where a network lies."""
    return folder.resolve() / f"{model}.safetensors"


def fit(names: Names, chosen: argparse.Namespace, run: Run) -> None:
    """Predict the scene, and fit all that is learned from the training drives; what is there stays."""
    common: dict[str, Any] = {"gpu": chosen.gpu, "num_cores": chosen.num_cores, "model_name": names.model}
    for dataset in (names.test,) if names.rendered else (names.train, names.test):
        pred_images(from_mapping(PredictSettings, {"dataset": dataset, **common}), run)
        compute_metrics(from_mapping(MetricsSettings, {"dataset": dataset, **common}), run)
    if names.rendered:
        return
    learned = {**common, "dataset": names.train}
    compute_logit_statistics(from_mapping(LogitStatisticsSettings, {**learned}), run)
    train_novelty(from_mapping(TrainNoveltySettings, {**learned}), run)
    # evaluated on the scene, so that all of the other drives is learned from; nothing is chosen by it
    recipe = {"meta_model": "boosting", "meta_model_name": names.meta, "features": ("extended",)}
    train_meta_nn(from_mapping(TrainMetaSettings, {**learned, **recipe, "dataset_val": names.test}), run)


def evaluate(names: Names, chosen: argparse.Namespace, run: Run) -> Evaluated:
    """Every score of the scene's segments."""
    work = run.stored(names.model, names.test)
    table = work.table()
    large = table["S"] >= chosen.min_pixels
    void = table["void_fraction"] > VOID_SHARE
    kept = (large & ~void).to_numpy()
    scores = {name: score_of(name, work, names.meta, chosen.gpu, run)[kept] for name in get_args(SelectBy)}
    quality = eval_iou(
        from_mapping(IouSettings, {"dataset": names.test, "model_name": names.model, "gpu": chosen.gpu}), run
    )
    return Evaluated(
        names.test,
        names.model,
        scores,
        table["unknown_fraction"].to_numpy()[kept] > UNKNOWN_SHARE,
        pd.factorize(table["image_id"])[0][kept],
        int((large & void).sum()),
        float(quality["mean_iou"]),
        Resampling.of(0, chosen.repetitions, work.dataset),
        names.rendered,
    )


def score_of(
    name: SelectBy,
    work: StoredWork,
    meta_model: str,
    gpu: int,
    run: Run,
) -> NDArray[np.float64]:
    """One score of all segments, as ``args.select_by`` names it, ``(n,)``."""
    selector = Selector(SelectionRule(select_by=name), choose_device(gpu), run, work.names.model, meta_model)
    failures: dict[str, str] = {}
    parts = [part[SELECT_SCORE] for part in selector.scored(work, work.segments(), failures)]
    if failures:
        raise PartialFailure("benchmarks/scenes.py", failures)
    return np.concatenate(parts).astype(np.float64)


def main() -> None:
    """Read the command line and run."""
    parser = command_line(__doc__)
    parser.add_argument("task", choices=("train", "evaluate"))
    parser.add_argument("--scenes", nargs="+", choices=(*DRIVES, *RENDERED), default=(*DRIVES, *RENDERED))
    parser.add_argument("--weights", type=Path, default=ROOT / "pretrained", help="folder of the networks")
    parser.add_argument("--workspace", help="what is done is kept there and not done again")
    parser.add_argument("--steps", type=int, default=STEPS, help="of every training")
    parser.add_argument(
        "--min-pixels", type=int, default=LARGE_SEGMENT, help="of segments that are evaluated"
    )
    parser.add_argument("--repetitions", type=int, default=500, help="of the bootstrap")
    parser.add_argument("--gpu", type=int, default=-1)
    parser.add_argument("--num-cores", type=int, default=1)
    parser.add_argument(
        "--output", type=Path, default=ROOT / "docs" / "scenes.md", help="the tables, Markdown"
    )
    chosen = parser.parse_args()
    note_progress()
    configuration = load_configuration()
    workspace = Workspace(Path(chosen.workspace) if chosen.workspace else configuration.workspace / "scenes")
    if chosen.task == "train":
        chosen.weights.mkdir(parents=True, exist_ok=True)
        for scene in (scene for scene in chosen.scenes if scene in DRIVES):
            train(scene, chosen, Run(configuration, workspace))
        return
    entries = {
        name: replace(entry, weights=weights_file(name, chosen.weights))
        for name, entry in configuration.models.items()
        if name.startswith("deeplabv3plus_without_")
    }
    configuration = replace(configuration, models={**configuration.models, **entries})
    run = Run(configuration, workspace)
    found = []
    for scene in chosen.scenes:
        names = Names.of(scene, configuration)
        fit(names, chosen, run)
        found.append(evaluate(names, chosen, run))
    chosen.output.write_text(report(found, chosen.min_pixels), encoding="utf-8")


if __name__ == "__main__":
    main()
