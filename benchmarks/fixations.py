"""Do fixations find what a network's decision rests on? Deletion, other methods, and what they say of unknown objects.

    python benchmarks/fixations.py deletion   # CamVid's validation: pixels taken out, the class's logit measured again
    python benchmarks/fixations.py signal     # drives that the network never saw: unknown objects against errors
    python benchmarks/fixations.py speed      # seconds of an image of 360×480 and of 1024×2048 by DeepWV3Plus
    python benchmarks/fixations.py report     # docs/fixations.md from what is measured

Each goes on where it broke off: what is measured of an image is a line of a file in --work. Images are taken in a
random order, so that what is there at any time is a sample. Deletion leaves out the first images of that order, on
which ways to take pixels out were compared. Next to fixations stand random pixels and squares of the same segment,
gradient saliency, the gradient times what sets the image apart from its surroundings, Seg-Grad-CAM and feature ablation
(captum; pip install 'oodretrieval[dev]').
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import fixation_tables
import numpy as np
import torch
from captum.attr import FeatureAblation, LayerAttribution, LayerGradCam, Saliency
from checkout import DRIVES, ROOT
from command_line import command_line
from fixation_tables import ABLATION, CAM, DIFFERENCE, FIXATIONS, RANDOM, SALIENCY, SQUARES
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, minimum_filter
from scipy.sparse import lil_array
from scipy.sparse.linalg import spsolve
from torch import Tensor, nn

from oodretrieval.choices import LARGE_SEGMENT
from oodretrieval.datasets import SegmentationDataset, open_dataset
from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.entries import ModelEntry
from oodretrieval.errors import DatasetNotFoundError
from oodretrieval.experiment.configuration import Configuration, load_configuration
from oodretrieval.explain import Evidence, heat_map
from oodretrieval.explain.maps import WIDTH
from oodretrieval.models import DeepWV3Plus, load_model
from oodretrieval.segments import label_components

PER_IMAGE = 6
COMPARED_BEFORE = 40
"""Images of the random order that deletion leaves out."""
RANDOM_SETS = 2
"""Sets of random pixels of a segment; their drops are averaged."""
NOISE = 0.01
"""Standard deviation of what is added to imputed pixels, of colours from 0 to 1."""
BLUR = 8
"""Standard deviation of the blurred image that areas are replaced with, in pixels."""
AREA = 0.5
"""Size of the areas, of the segment's."""
SQUARE = 11
"""Side of random squares in pixels."""
GRID = (5, 6)
"""Cells, down and across, that feature ablation takes out one by one."""


def segments_of(
    logits: Tensor, generator: np.random.Generator, most: int
) -> Iterator[tuple[NDArray[np.bool_], int]]:
    """Large predicted segments, at most ``most`` of them, and their classes."""
    prediction = logits[0].argmax(0).numpy()
    components = label_components(prediction)
    ids, sizes = np.unique(components, return_counts=True)
    large = ids[(sizes >= LARGE_SEGMENT) & (ids > 0)]
    for number in generator.permutation(large)[:most]:
        mask = components == number
        yield mask, int(prediction[mask][0])


def top(scores: NDArray[np.floating], number: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The pixels of the highest scores, ``(number, 2)``; of equal ones, any."""
    order = np.lexsort((generator.random(scores.size), -scores.ravel()))[:number]
    return np.stack(np.unravel_index(order, scores.shape), 1)


@dataclass(frozen=True, eq=False)
class Chosen:
    """What a method takes out of a segment: pixels, as many as there are fixations, and an area; each ``(k, 2)``."""

    area: NDArray[np.int64]
    pixels: NDArray[np.int64] | None = None


def explained(
    model: nn.Module,
    image: Tensor,
    segments: list[tuple[NDArray[np.bool_], int]],
    generator: np.random.Generator,
) -> list[dict[str, Chosen]]:
    """Method → what it chooses, of each segment."""
    masks = torch.tensor(np.stack([mask for mask, _ in segments]))
    classes = [target for _, target in segments]

    def mean_logits(x: Tensor) -> Tensor:
        logits = model(x)
        return torch.stack(
            [logits[0, target][mask].mean() for mask, target in zip(masks, classes, strict=True)]
        )

    cells = torch.nn.functional.interpolate(
        torch.arange(float(np.prod(GRID))).view(1, 1, *GRID), image.shape[2:], mode="nearest"
    ).long()
    ablated = FeatureAblation(mean_logits).attribute(image, feature_mask=cells)
    different, found = image - blurred(image), []
    for number, ((mask, _), fixated) in enumerate(
        zip(segments, Evidence(model, image).fixations(segments), strict=True)
    ):
        size = int(AREA * mask.sum())

        def of_segment(x: Tensor, number: int = number) -> Tensor:
            return mean_logits(x)[number][None]

        gradient = Saliency(of_segment).attribute(image.clone().requires_grad_(), abs=False)[0].detach()
        cam = LayerGradCam(of_segment, model.get_submodule("pyramid.project")).attribute(
            image.clone(), relu_attributions=True
        )
        cam = LayerAttribution.interpolate(cam, tuple(image.shape[2:]), "bilinear")[0, 0]
        scores = {
            SALIENCY: gradient.abs().amax(0),
            DIFFERENCE: (gradient * different[0]).sum(0),
            CAM: cam.detach(),
            ABLATION: ablated[number].sum(0).detach(),
        }
        methods = {FIXATIONS: Chosen(top(heat_map(fixated, mask.shape), size, generator), fixated)}
        for name, values in scores.items():
            heat = values.numpy() if name in (CAM, ABLATION) else gaussian_filter(values.numpy(), bell(mask))
            pixels = top(values.numpy(), len(fixated), generator)
            methods[name] = Chosen(top(heat, size, generator), pixels)
        for number_of_set in range(RANDOM_SETS):
            pixels = generator.permutation(np.argwhere(mask))
            methods[f"{RANDOM} {number_of_set}"] = Chosen(pixels[:size], pixels[: len(fixated)])
        methods[SQUARES] = Chosen(squares(mask, size, generator))
        found.append(methods)
    return found


def bell(mask: NDArray[np.bool_]) -> float:
    """Standard deviation of the bells of a heat map, in pixels."""
    return WIDTH * float(np.hypot(*mask.shape))


def squares(mask: NDArray[np.bool_], size: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Pixels of random squares within a segment, ``(size, 2)``."""
    order = np.full(mask.shape, np.inf)
    centres = generator.permutation(np.argwhere(mask))
    order[centres[:, 0], centres[:, 1]] = np.arange(len(centres))
    first = minimum_filter(order, SQUARE, mode="constant", cval=np.inf)
    return top(np.where(mask, -first, -np.inf), size, generator)


Fill = Callable[[Tensor, NDArray[np.int64]], Tensor]
"""An image ``(1, 3, H, W)`` and pixels ``(k, 2)`` → the colours that they get, ``(3, k)``."""


def fills(std: Tensor, generator: np.random.Generator) -> dict[str, Fill]:
    """What single pixels are replaced with: what is imputed from their neighbours, or the mean colour."""

    def imputed(image: Tensor, pixels: NDArray[np.int64]) -> Tensor:
        noise = torch.tensor(generator.normal(0, NOISE, (3, len(pixels)))).float()
        return imputation(image, pixels) + noise / std[:, None]

    def mean_colour(image: Tensor, pixels: NDArray[np.int64]) -> Tensor:
        return torch.zeros(3, len(pixels))

    return {"imputation": imputed, "mean colour": mean_colour}


def surroundings(image: Tensor, pixels: NDArray[np.int64]) -> Tensor:
    """What areas are replaced with: the blurred image."""
    return blurred(image)[0][:, pixels[:, 0], pixels[:, 1]]


def blurred(image: Tensor) -> Tensor:
    """Without what is finer than a few pixels."""
    return torch.tensor(gaussian_filter(image.numpy(), (0, 0, BLUR, BLUR)))


def imputation(image: Tensor, pixels: NDArray[np.int64]) -> Tensor:
    """Colours so that each pixel is the weighted mean of its eight neighbours, those taken out like it among them.

    Args:
        image: ``(1, 3, H, W)``.
        pixels: Rows and columns, ``(k, 2)``, distinct; not every pixel of the image.

    Returns:
        ``(3, k)``. A direct neighbour weighs twice as much as a diagonal one.

    Source: Rong et al., A Consistent and Efficient Evaluation Strategy for Attribution Methods, ICML 2022 (ROAD).
    """
    height, width = image.shape[2:]
    numbers = np.full((height + 2, width + 2), -2)  # -2: beyond the image, -1: kept
    numbers[1:-1, 1:-1] = -1
    row, column = pixels.T + 1
    count = np.arange(len(pixels))
    numbers[row, column] = count
    colours = np.pad(image[0].double().numpy(), ((0, 0), (1, 1), (1, 1)))
    system, known = lil_array((len(pixels), len(pixels))), np.zeros((len(pixels), 3))
    total = np.zeros(len(pixels))
    for down, across in set(product((-1, 0, 1), repeat=2)) - {(0, 0)}:
        weight = 1.0 if down and across else 2.0
        neighbours = numbers[row + down, column + across]
        total += weight * (neighbours > -2)
        removed, kept = neighbours >= 0, neighbours == -1
        system[count[removed], neighbours[removed]] = -weight
        known[kept] += weight * colours[:, row[kept] + down, column[kept] + across].T
    system[count, count] = total
    return torch.tensor(spsolve(system.tocsc(), known).reshape(-1, 3).T).float()


@torch.no_grad()
def deleted(
    model: nn.Module,
    image: Tensor,
    fill: Fill,
    pixels: NDArray[np.int64],
    mask: NDArray[np.bool_],
    target: int,
) -> float:
    """The class's mean logit in the segment where pixels are replaced by ``fill``."""
    without, (row, column) = image.clone(), torch.tensor(pixels).unbind(1)
    without[0, :, row, column] = fill(image, pixels)
    return float(model(without)[0, target][torch.tensor(mask)].mean())


def measure_deletion(chosen: argparse.Namespace, configuration: Configuration) -> None:
    """Go through CamVid's validation images."""
    entry = configuration.model("deeplabv3plus_camvid")
    model, dataset = load_model(entry).eval(), open_dataset(configuration.dataset("camvid_val"), "camvid_val")

    def measure(image_id: str, index: int) -> list[dict[str, Any]]:
        generator = np.random.default_rng(index)
        image = image_tensor(dataset[index].image, entry.mean, entry.std)[None]
        with torch.no_grad():
            logits = model(image)
        segments = list(segments_of(logits, generator, PER_IMAGE))
        rows, filled = [], fills(torch.tensor(entry.std), generator)
        for (mask, target), methods in zip(
            segments, explained(model, image, segments, generator), strict=True
        ):
            before = float(logits[0, target][torch.tensor(mask)].mean())
            away = distance_transform_edt(~mask)
            row: dict[str, Any] = {
                "image": image_id,
                "class": target,
                "pixels": int(mask.sum()),
                "logit": before,
            }
            for name, taken in methods.items():
                ways: dict[str, tuple[Fill, NDArray[np.int64]]] = {"area": (surroundings, taken.area)}
                if taken.pixels is not None:
                    ways |= {kind: (fill, taken.pixels) for kind, fill in filled.items()}
                if name == FIXATIONS:
                    row["points"] = len(ways["imputation"][1])
                drops = {
                    kind: before - deleted(model, image, fill, pixels, mask, target)
                    for kind, (fill, pixels) in ways.items()
                }
                row[name] = {"drop": drops} | {
                    kind: {"inside": float((distance == 0).mean()), "near": float((distance <= 10).mean())}
                    for kind, (_, pixels) in ways.items()
                    for distance in [away[pixels[:, 0], pixels[:, 1]]]
                }
            rows.append(row | averaged([row.pop(f"{RANDOM} {each}") for each in range(RANDOM_SETS)]))
        return rows

    go_through("deletion", dataset, measure, chosen, after=COMPARED_BEFORE)


def averaged(sets: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Several sets of random pixels of a segment as one; all of them lie in it."""
    drops = {kind: float(np.mean([each["drop"][kind] for each in sets])) for kind in sets[0]["drop"]}
    return {RANDOM: sets[0] | {"drop": drops}}


def dataset_of(drive: str, configuration: Configuration) -> SegmentationDataset:
    """A drive with full labels, if it has any, else with the 12 classes."""
    name = f"camvid_{drive}"
    try:
        return open_dataset(configuration.dataset(name), name)
    except DatasetNotFoundError:
        return open_dataset(configuration.dataset(f"{name}_12"), f"{name}_12")


def measure_signal(chosen: argparse.Namespace, configuration: Configuration) -> None:
    """Go through the frames of every drive, by the network that never saw it."""
    for drive in chosen.scenes:
        name = f"deeplabv3plus_without_{drive}"
        weights = (chosen.weights / f"{name}.safetensors").resolve()
        if not weights.is_file():
            print(f"{weights} is not there yet; left out")
            continue
        entry = replace(configuration.model(name), weights=weights)
        model = load_model(entry).eval()
        dataset = dataset_of(drive, configuration)
        tables = dataset.label_set
        assert tables is not None, "these drives have truth"
        to_pred = np.array([tables.label_to_pred.get(i, 255) for i in range(256)])
        void = np.isin(np.arange(256), list(tables.void_ids))

        def measure(
            image_id: str,
            index: int,
            model: nn.Module = model,
            entry: ModelEntry = entry,
            dataset: SegmentationDataset = dataset,
            to_pred: NDArray[np.int64] = to_pred,
            void: NDArray[np.bool_] = void,
        ) -> list[dict[str, Any]]:
            sample = dataset[index]
            evidence = Evidence(model, image_tensor(sample.image, entry.mean, entry.std)[None])
            truth = to_pred[sample.labels]
            unknown = (truth == 255) & ~void[sample.labels]
            segments = list(segments_of(evidence.logits, np.random.default_rng(index), 1000))
            kept = [(mask, target) for mask, target in segments if void[sample.labels][mask].mean() <= 0.5]
            probabilities = evidence.logits[0].softmax(0).numpy()
            entropy = -(probabilities * np.log(probabilities + 1e-12)).sum(0) / np.log(len(probabilities))
            energy = -evidence.logits[0].logsumexp(0).numpy()
            rows = []
            for (mask, target), pixels in zip(kept, evidence.fixations(kept), strict=True):
                rows.append(
                    {
                        "image": image_id,
                        "unknown": bool(unknown[mask].mean() > 0.5),
                        "error": bool((truth[mask] == target).mean() < 0.5),
                        "scores": signals(mask, pixels)
                        | {
                            "mean entropy": float(entropy[mask].mean()),
                            "mean energy": float(energy[mask].mean()),
                        },
                    }
                )
            return rows

        go_through(f"signal_{drive}", dataset, measure, chosen)


def signals(mask: NDArray[np.bool_], pixels: NDArray[np.int64]) -> dict[str, float]:
    """What fixations say of a segment, each higher where less of it lies in the segment."""
    if not len(pixels):
        return dict.fromkeys(
            ("share outside", "spread", "spread over size", "distance", "points per pixel"), 0.0
        )
    away = distance_transform_edt(~mask)[pixels[:, 0], pixels[:, 1]]
    spread = float(np.linalg.norm(pixels - np.median(pixels, axis=0), axis=1).mean())
    return {
        "share outside": float((away > 0).mean()),
        "spread": spread,
        "spread over size": spread / float(mask.sum()) ** 0.5,
        "distance": float(away.mean()),
        "points per pixel": len(pixels) / float(mask.sum()),
    }


def go_through(
    name: str,
    dataset: SegmentationDataset,
    measure: Callable[[str, int], list[dict[str, Any]]],
    chosen: argparse.Namespace,
    after: int = 0,
) -> None:
    """Measure images in a random order, ``after`` the first ones; those that are done are not done again."""
    path = chosen.work / f"{name}.jsonl"
    done = {json.loads(line)["image"] for line in path.read_text().splitlines()} if path.is_file() else set()
    for index in np.random.default_rng(0).permutation(len(dataset))[after : after + chosen.images].tolist():
        image = dataset.ids[index]
        if image in done:
            continue
        began = time.process_time()
        rows = measure(image, index)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"image": image, "segments": rows}) + "\n")
        print(
            f"{name}: {image}, {len(rows)} segments, {time.process_time() - began:.1f} s of CPU", flush=True
        )


def measure_speed(chosen: argparse.Namespace, configuration: Configuration) -> None:
    """Time one segment of an image of each size, next to the forward pass."""
    lines = []
    cases = [("DeepLabV3Plus", load_model(configuration.model("deeplabv3plus_camvid")), (360, 480))]
    if not chosen.small:
        cases.append(("DeepWV3Plus", DeepWV3Plus(19), (1024, 2048)))
    for name, network, size in cases:
        model = network.eval()
        Evidence(model, torch.zeros(1, 3, 64, 64))  # torch's recording is loaded once
        image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
        mask = np.zeros(size, bool)
        mask[size[0] // 3 : size[0] // 2, size[1] // 3 : size[1] // 2] = True
        times = [(time.perf_counter(), time.process_time())]
        with torch.no_grad():
            model(image)
        times.append((time.perf_counter(), time.process_time()))
        evidence = Evidence(model, image)
        times.append((time.perf_counter(), time.process_time()))
        (found,) = evidence.fixations([(mask, 1)])
        times.append((time.perf_counter(), time.process_time()))
        wall, cpu = (np.diff([each[i] for each in times]).tolist() for i in (0, 1))
        parts = ("forward", "record", "follow")
        lines.append(
            {
                "network": name,
                "size": size,
                "pixels": int(mask.sum()),
                "points": len(found),
                "threads": torch.get_num_threads(),
                "kept_bytes": evidence.held_bytes,
                "wall": dict(zip(parts, wall, strict=True)),
                "cpu": dict(zip(parts, cpu, strict=True)),
            }
        )
        print(lines[-1], flush=True)
        (chosen.work / "speed.json").write_text(json.dumps(lines), encoding="utf-8")


def main() -> None:
    """Read the command line and run."""
    parser = command_line(__doc__)
    parser.add_argument("task", choices=("deletion", "signal", "speed", "report"))
    parser.add_argument(
        "--work", type=Path, default=ROOT / "workspace" / "fixations", help="what is measured"
    )
    parser.add_argument(
        "--weights", type=Path, default=ROOT / "pretrained", help="folder of the networks of drives"
    )
    parser.add_argument("--scenes", nargs="+", choices=DRIVES, default=DRIVES)
    parser.add_argument("--images", type=int, default=40, help="at most, of each dataset")
    parser.add_argument("--small", action="store_true", help="speed: leave DeepWV3Plus out")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "docs" / "fixations.md", help="the tables, Markdown"
    )
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    if chosen.task == "report":
        chosen.output.write_text(fixation_tables.report(chosen.work), encoding="utf-8")
        return
    configuration = load_configuration()
    {"deletion": measure_deletion, "signal": measure_signal, "speed": measure_speed}[chosen.task](
        chosen, configuration
    )


if __name__ == "__main__":
    main()
