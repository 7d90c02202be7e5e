"""FCN, PSPNet and DeepLabV3+ over the same backbone, trained by the same recipe on CamVid.

    python benchmarks/compare_networks.py

Trains each, once for each seed (a few minutes each on two cores), times one image of 480×360 on the CPU and writes
docs/comparison_networks.md. What broke off goes on when called again.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from command_line import note_progress
from comparing import arguments, names_of, set_up, train, with_spread
from measuring import alternate, load

from oodretrieval.choices import BACKBONE
from oodretrieval.entries import LITE_MEAN, LITE_STD, ModelEntry, build
from oodretrieval.models.test_time import low_resolution_logits
from oodretrieval.results.tables import markdown_lines

CLASSES = 9
VAL = "camvid_val"
REPETITIONS = 9
COLUMNS = {
    "mean_iou": "mean IoU",
    "frequency_weighted_iou": "frequency-weighted IoU",
    "pixel_accuracy": "pixel accuracy",
}


def entry(class_name: str, **options: Any) -> ModelEntry:
    """A family with its default parts over the common backbone."""
    return ModelEntry(
        "oodretrieval.models",
        class_name,
        {"num_classes": CLASSES, "backbone": BACKBONE, **options},
        mean=LITE_MEAN,
        std=LITE_STD,
    )


NETWORKS = {
    "FCN-8s": entry("FCN", variant="8s"),
    "PSPNet": entry("PSPNet"),
    "DeepLabV3+": entry("DeepLabV3Plus"),
}


def main() -> None:
    """Train, time and write the table."""
    chosen = arguments(__doc__, "comparison_networks.md", epochs=4)
    note_progress()
    names = names_of(NETWORKS, chosen.seeds, "network")
    entries = {name: NETWORKS[network] for (network, _), name in names.items()}
    run = set_up(chosen.workspace, entries, VAL)
    measures: dict[str, list[dict[str, Any]]] = {network: [] for network in NETWORKS}
    for (network, seed), name in names.items():
        data = {"dataset": "camvid_train", "dataset_val": f"{VAL}_half"}
        measures[network].append(train(name, chosen, run, seed=seed, **data))
    chosen.output.write_text(report(measures, costs(), chosen.epochs), encoding="utf-8")


def costs() -> dict[str, tuple[float, float]]:
    """Millions of parameters, and median seconds on the CPU for one image of 480×360, of every network."""
    networks = {name: build(network).eval() for name, network in NETWORKS.items()}
    image = torch.zeros(1, 3, 360, 480).to(memory_format=torch.channels_last)
    runs: dict[str, Callable[[], object]] = {}
    for name, network in networks.items():
        runs[name] = partial(low_resolution_logits, network.to(memory_format=torch.channels_last), image)
    with torch.inference_mode():
        seconds = alternate(runs, REPETITIONS)
    return {
        name: (sum(p.numel() for p in network.parameters()) / 1e6, seconds[name])
        for name, network in networks.items()
    }


def report(
    measures: dict[str, list[dict[str, Any]]], cost: dict[str, tuple[float, float]], epochs: int
) -> str:
    """The table as Markdown."""
    head = ["network", "parameters", "s / image", *COLUMNS.values()]
    rows = []
    for network, runs in measures.items():
        millions, seconds = cost[network]
        means = (with_spread([run[key] for run in runs]) for key in COLUMNS)
        rows.append([network, f"{millions:.2f} M", f"{seconds:.3f}", *means])
    seeds = max(map(len, measures.values()))
    return TEXT.format(
        epochs=epochs,
        seeds=seeds,
        threads=torch.get_num_threads(),
        load=load(),
        repetitions=REPETITIONS,
        backbone=BACKBONE,
        table=markdown_lines(head, rows),
    )


TEXT = """# FCN, PSPNet and DeepLabV3+ over the same backbone

Made by `python benchmarks/compare_networks.py`.

CamVid at half resolution with nine known classes; each network with its default parts over {backbone} with
packaged ImageNet weights, trained for {epochs} epochs on 144×192 crops of camvid_train, batch 4, everything else the
same. Evaluated on camvid_val at 180×240: 101 frames of **one scene**; mean over {seeds} seed(s), ± is their standard
deviation. Time: the network alone on one image of 480×360, CPU, {threads} thread(s), load {load}, median of
{repetitions} alternating runs.

{table}
"""

if __name__ == "__main__":
    main()
