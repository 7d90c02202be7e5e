"""Template losses at a fixed schedule: none, attraction by cosine or correlation, and with repulsion.

    python benchmarks/compare_template_losses.py

Trains the same network by the same recipe with each, once for each seed (a few minutes each on two cores), and
writes docs/comparison_template_losses.md. What broke off goes on when called again.
"""

from typing import Any

from command_line import note_progress
from comparing import arguments, deeplab, names_of, set_up, train, with_spread

from oodretrieval.results.tables import markdown_lines

CLASSES = 9
VAL = "camvid_val"
VARIANTS: dict[str, dict[str, Any]] = {
    "none": {},
    "attraction, cosine": {"attraction": 0.1, "similarity": "cosine"},
    "attraction, correlation": {"attraction": 0.1, "similarity": "correlation"},
    "attraction and repulsion, cosine": {"attraction": 0.1, "repulsion": 0.1, "similarity": "cosine"},
}
COLUMNS = {
    "mean_iou": "mean IoU",
    "frequency_weighted_iou": "frequency-weighted IoU",
    "mean_dice": "mean Dice",
}


def main() -> None:
    """Train and write the table."""
    chosen = arguments(__doc__, "comparison_template_losses.md", epochs=3)
    note_progress()
    names = names_of(VARIANTS, chosen.seeds, "template")
    run = set_up(chosen.workspace, dict.fromkeys(names.values(), deeplab(CLASSES)), VAL)
    measures: dict[str, list[dict[str, Any]]] = {variant: [] for variant in VARIANTS}
    for (variant, seed), name in names.items():
        options = {"dataset": "camvid_train", "dataset_val": f"{VAL}_half", "seed": seed, **VARIANTS[variant]}
        measures[variant].append(train(name, chosen, run, **options))
        chosen.output.write_text(report(measures, chosen.epochs), encoding="utf-8")


def report(measures: dict[str, list[dict[str, Any]]], epochs: int) -> str:
    """The table as Markdown: mean and spread of every variant, every training, differences paired by seed."""
    seeds = max(map(len, measures.values()))
    head = [
        "template loss",
        *COLUMNS.values(),
        *(f"mean IoU, seed {s}" for s in range(seeds)),
        "mean IoU over none, paired",
    ]
    rows = []
    for variant, runs in measures.items():
        if not runs:
            continue
        means = (with_spread([run[key] for run in runs]) for key in COLUMNS)
        each = (f"{runs[s]['mean_iou']:.3f}" if s < len(runs) else "–" for s in range(seeds))
        gains = [
            run["mean_iou"] - none["mean_iou"] for run, none in zip(runs, measures["none"], strict=False)
        ]
        gain = "–" if variant == "none" else with_spread(gains)
        rows.append([variant, *means, *each, gain])
    return TEXT.format(epochs=epochs, table=markdown_lines(head, rows))


TEXT = """# Template losses at a fixed schedule

Made by `python benchmarks/compare_template_losses.py`.

CamVid at half resolution with nine known classes, DeepLabV3+ over tf_efficientnet_lite0 with packaged ImageNet
weights, 96 channels, trained for {epochs} epochs on 144×192 crops of camvid_train, batch 4; cross-entropy, and the
template losses added with weight 0.1. Everything else, the learning-rate schedule included, is the same; so are the
initial weights and the order of images of one seed. Evaluated on camvid_val at 180×240: 101 frames of **one scene**.
± is the standard deviation over seeds; a difference that is not well above it is none.

{table}
"""

if __name__ == "__main__":
    main()
