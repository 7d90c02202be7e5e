"""An ordinary background channel against the implicit one, on CamVid with void as background.

    python benchmarks/compare_background.py

Trains the same network by the same recipe with both, once for each seed (a few minutes each on two cores),
predicts camvid_val_background at half its size, evaluates the predictions and writes docs/comparison_background.md.
What broke off goes on when called again.
"""

from typing import Any

from command_line import note_progress
from comparing import arguments, deeplab, names_of, set_up, train, with_spread

from oodretrieval.experiment.settings import from_mapping
from oodretrieval.labels import BACKGROUND
from oodretrieval.results.tables import markdown_lines
from oodretrieval.stages.evaluate.eval_segmentation import eval_segmentation
from oodretrieval.stages.evaluate.settings import SegmentationSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings

TRAIN, VAL = "camvid_train_background", "camvid_val_background"
CLASSES = 9
VARIANTS = {
    "ordinary": deeplab(CLASSES + 1),
    "implicit": deeplab(CLASSES, implicit_background=True),
}
COLUMNS = {
    "foreground_iou": "mean IoU, 9 classes",
    "background_iou": "IoU of background",
    "mean_iou": "mean IoU, all 10",
    "non_distinctiveness_1": "END, mode 1",
    "non_distinctiveness_2": "END, mode 2",
    "auroc_background": "pixel AUROC of void",
    "auroc_unknown": "of pedestrian, bicyclist",
}


def main() -> None:
    """Train, evaluate and write the table."""
    chosen = arguments(__doc__, "comparison_background.md", epochs=6)
    note_progress()
    names = names_of(VARIANTS, chosen.seeds, "background")
    run = set_up(chosen.workspace, {name: VARIANTS[v] for (v, _), name in names.items()}, VAL)
    measures: dict[str, list[dict[str, Any]]] = {variant: [] for variant in VARIANTS}
    for (variant, seed), name in names.items():
        data = {"dataset": TRAIN, "dataset_val": f"{VAL}_half"}
        train(name, chosen, run, seed=seed, **data)
        common = {"dataset": f"{VAL}_half", "model_name": name, "gpu": chosen.gpu}
        pred_images(from_mapping(PredictSettings, common), run)
        evaluated = eval_segmentation(from_mapping(SegmentationSettings, common), run)
        measures[variant].append(with_foreground(evaluated))
        chosen.output.write_text(report(measures, chosen.epochs), encoding="utf-8")


def with_foreground(measures: dict[str, Any]) -> dict[str, Any]:
    """The measures, with the IoU of the background and the mean of the others apart."""
    others = [value for name, value in measures["iou"].items() if name != BACKGROUND]
    mean = sum(others) / len(others)
    return {**measures, "background_iou": measures["iou"][BACKGROUND], "foreground_iou": mean}


def report(measures: dict[str, list[dict[str, Any]]], epochs: int) -> str:
    """The table as Markdown: every training, then means and spread, then the paired differences."""
    pairs = list(zip(*measures.values(), strict=False))
    rows = [
        [f"{variant}, seed {seed}", *(f"{run[key]:.3f}" for key in COLUMNS)]
        for seed in range(max(map(len, measures.values())))
        for variant, runs in measures.items()
        for run in runs[seed : seed + 1]
    ]
    for variant, runs in measures.items():
        if runs:
            rows.append([f"**{variant}**", *(with_spread([run[key] for run in runs]) for key in COLUMNS)])
    if pairs:
        paired = (with_spread([second[key] - first[key] for first, second in pairs]) for key in COLUMNS)
        rows.append([f"{' − '.join(reversed(measures))}, paired", *paired])
    return TEXT.format(epochs=epochs, table=markdown_lines(["background", *COLUMNS.values()], rows))


TEXT = """# Implicit background against an ordinary background channel

Made by `python benchmarks/compare_background.py`.

CamVid at half resolution, nine known classes, void as background (predicted id 0); pedestrian and bicyclist are
unknown and left out of training. Both sides: DeepLabV3+ over tf_efficientnet_lite0 with packaged ImageNet weights, 96
channels, trained for {epochs} epochs on 144×192 crops of camvid_train_background, batch 4, with the same seeds and
order of images. The ordinary side has a tenth output channel, the implicit one gets its background from the logits of
the nine.

Evaluated on camvid_val_background at 180×240: 101 frames of **one scene**. END: expected non-distinctiveness over all
pixels, lower is better; the background's confidence is its softmax in mode 1, `sigmoid(b - max x)` in mode 2. AUROC by
the softmax of background, against the pixels of the nine classes. ± is the standard deviation over seeds; it says
nothing of other scenes.

{table}
"""

if __name__ == "__main__":
    main()
