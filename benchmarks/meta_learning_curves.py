"""How many images a meta model needs: R² of every kind, learned from few images, on a clip that it has not seen.

    python benchmarks/meta_learning_curves.py --model deeplabv3plus_camvid --train camvid_train

Each clip is held out once; of the others, images at equal steps are learned from. The table has the mean over clips
and the worst of them, of the known segments.
"""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from command_line import USUAL_WORKSPACE, command_line
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from tqdm import tqdm

from oodretrieval.clips import clip_names
from oodretrieval.evaluation import r2
from oodretrieval.meta_models import KINDS, training_rows
from oodretrieval.results.tables import markdown_table
from oodretrieval.stores import Workspace, read_segments

SIZES = (2, 4, 8, 16, 32, 64, 128)


def chosen_images(images: np.ndarray, number: int, seed: int) -> np.ndarray:
    """Images at equal steps, the first of them by seed."""
    steps = np.linspace(0, len(images), number, endpoint=False)
    start = np.random.default_rng(seed).uniform(0, len(images) / number)
    chosen: NDArray[Any] = images[(steps + start).astype(int)]
    return chosen


def learning_curve(table: pd.DataFrame, sizes: tuple[int, ...], seeds: int) -> pd.DataFrame:
    """R² by kind (row), number of images, held-out clip and seed."""
    clips = np.array(clip_names(table["image_id"].tolist()))
    rows = []
    runs = [(clip, size, seed) for clip in np.unique(clips) for size in sizes for seed in range(seeds)]
    for clip, size, seed in tqdm(runs, "runs", disable=None):
        rest, held_out = training_rows(table[clips != clip]), training_rows(table[clips == clip])
        images = np.unique(rest["image_id"].to_numpy(str))
        if size > len(images):
            continue
        part = rest[rest["image_id"].isin(chosen_images(images, size, seed))]
        for kind, model in KINDS.items():
            predicted = model(seed=seed).fit(part).predict(held_out)
            value = r2(held_out["iou"].to_numpy(), predicted)
            rows.append(
                {"kind": kind, "images": size, "clip": clip, "segments": len(part), "seed": seed, "r2": value}
            )
    return pd.DataFrame(rows)


def main() -> None:
    """Read the command line and print the table."""
    parser = command_line(__doc__)
    parser.add_argument("--workspace", default=USUAL_WORKSPACE)
    parser.add_argument("--model", required=True, help="segmentation network")
    parser.add_argument("--train", required=True, help="video dataset of several clips")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of images")
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    table = read_segments(Workspace(arguments.workspace), arguments.model, arguments.train)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = learning_curve(table, tuple(arguments.sizes), arguments.seeds)
    lines = {}
    for size, part in found.groupby("images"):
        line: dict[str, object] = {"segments": round(part["segments"].mean())}
        for kind in KINDS:
            by_clip = part[part["kind"] == kind].groupby("clip")["r2"].mean()
            line[kind] = f"{by_clip.mean():.3f} ({by_clip.min():.3f})"
        lines[size] = line
    table = pd.DataFrame.from_dict(lines, orient="index").rename_axis("images")
    print(markdown_table(table))


if __name__ == "__main__":
    main()
