"""What benchmarks/inference.py measures."""

import argparse
import logging
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from command_line import command_line
from measuring import alternate, load, peak_memory

import oodretrieval.stages.predict.flow as stage
from oodretrieval.choices import Keep
from oodretrieval.experiment.configuration import Configuration, load_configuration
from oodretrieval.experiment.datasets import dataset_in_use
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat, from_mapping
from oodretrieval.results.tables import markdown_head, markdown_row
from oodretrieval.stages.predict.finish import Finisher, load_kernels, with_truth
from oodretrieval.stages.predict.outcomes import NetworkOutcome
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.segmenter import Segmenter, network_input
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import Stored, Workspace

_STAGE_SETUP = """
import logging, tempfile
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import Workspace
logging.disable(logging.WARNING)
configuration = load_configuration()
"""

_FINISHER_SETUP = """
import pathlib, sys, tempfile
import numpy as np
from oodretrieval.stages.predict.finish import Finisher, load_kernels
from oodretrieval.stages.predict.outcomes import NetworkOutcome
from oodretrieval.stores import Stored
load_kernels()
coarse = 5 * np.random.default_rng(0).normal(size=(CLASSES, HEIGHT // 64, WIDTH // 64)).astype(np.float32)
logits = coarse.repeat(16, 1).repeat(16, 2)
labels = np.zeros((HEIGHT, WIDTH), np.uint8)
finish = Finisher(pathlib.Path(tempfile.mkdtemp()), Stored("m", "d"), KEEP, {}, None)
outcome = NetworkOutcome("pretended", "", labels, (HEIGHT, WIDTH), logits, False)
"""


def main(description: str) -> None:
    """Measure and print."""
    parser = command_line(description)
    parser.add_argument("--dataset", default="streets_test")
    parser.add_argument("--model", default="deeplabv3plus_streets")
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--num-cores", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--no-gpu", action="store_true", help="the CPU only, also where there is a GPU")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    stage.WORTH_PROCESSES = 2  # whoever asks for processes here wants to see them
    gpus = [0] if torch.cuda.is_available() and not arguments.no_gpu else []
    for gpu in (-1, *gpus):
        _report_stage(arguments, gpu)
    _report_memory(arguments)


def _report_stage(arguments: argparse.Namespace, gpu: int) -> None:
    configuration = load_configuration()
    settings = from_mapping(
        PredictSettings,
        {
            "dataset": arguments.dataset,
            "model_name": arguments.model,
            "limit": arguments.images,
            "gpu": gpu,
            "batch_size": arguments.batch_size,
            "overwrite": True,
        },
    )
    device = choose_device(gpu)
    dataset = dataset_in_use(configuration, settings.dataset, settings.common)
    entry = configuration.model(settings.model_name)
    inputs = [network_input(dataset[i], settings.inference, entry.size) for i in range(len(dataset))]
    network = Segmenter(entry, device, settings.inference)
    run = partial(_drain, network, inputs, dataset.label_set)
    outcomes = run()
    load_kernels()
    with tempfile.TemporaryDirectory() as folder:
        cases: dict[str, Any] = {
            "network alone": run,
            "metrics alone, 1 thread": partial(_measure, outcomes, dataset.label_set),
        }
        for keep in ("logits", "nothing"):
            finisher = Finisher(Path(folder), Stored("alone", keep), keep, {}, dataset.label_set)
            cases[f"finishing alone, keep={keep}, 1 thread"] = partial(_finish, finisher, outcomes)
            for cores in arguments.num_cores:
                cases[_name(keep, cores)] = partial(
                    _predict, configuration, folder, settings, keep=keep, num_cores=cores
                )
        seconds = alternate(cases, arguments.repetitions)
        where = f"{torch.get_num_threads()} threads" if gpu < 0 else torch.cuda.get_device_name(device)
        height, width = inputs[0].sample.image.shape[:2]
        looks = settings.inference
        print(
            f"\n{len(inputs)} images of {width}×{height}, {settings.dataset}, {settings.model_name}; {device.type}, "
            f"{where}, precision {looks.precision(device.type)}, batches of {looks.batch_size}, load {load()}"
        )
        _print_seconds(seconds, len(inputs))
        for keep in ("logits", "nothing"):
            print(
                f"bytes on disk per image, keep={keep}: {_bytes(Path(folder) / keep, len(inputs))}",
                flush=True,
            )


def _print_seconds(seconds: Mapping[str, float], images: int) -> None:
    print("\n" + markdown_head("what", "s / image", "network's share"))
    for name, value in seconds.items():
        of_network = f"{seconds['network alone'] / value:.0%}" if "pred_images" in name else "-"
        print(markdown_row(name, f"{value / images:.4f}", of_network))
    in_turn = seconds.get(_name("nothing", 0))
    if in_turn is not None:
        share = seconds["metrics alone, 1 thread"] / in_turn
        print(f"\nmetrics take {share:.0%} of the stage with everything in turn")


def _name(keep: str, cores: int) -> str:
    return f"pred_images, keep={keep}, num_cores={cores}"


def _drain(network: Segmenter, inputs: list[Any], label_set: Any) -> list[NetworkOutcome]:
    return list(network.run(inputs, label_set))


def _measure(outcomes: list[NetworkOutcome], label_set: Any) -> None:
    for outcome in outcomes:
        with_truth(outcome.prediction(with_entropy=True), outcome, label_set).segment_table()


def _finish(finisher: Finisher, outcomes: list[NetworkOutcome]) -> None:
    for outcome in outcomes:
        finisher(outcome)


def _predict(
    configuration: Configuration, folder: str, settings: PredictSettings, keep: Keep, num_cores: int
) -> None:
    changed = from_mapping(PredictSettings, {**flat(settings), "keep": keep, "num_cores": num_cores})
    pred_images(changed, Run(configuration, Workspace(Path(folder) / keep)))


def _bytes(folder: Path, images: int) -> str:
    sizes = {
        name: sum(path.stat().st_size for path in (folder / name).rglob("*") if path.is_file()) / images
        for name in ("predictions", "segments")
    }
    return ", ".join(f"{name} {size:.0f}" for name, size in sizes.items() if size)


def _report_memory(arguments: argparse.Namespace) -> None:
    print("\n" + markdown_head("peak memory beyond imports", "MB"))
    for images in (arguments.images // 2, arguments.images):
        for cores in arguments.num_cores:
            settings = {"dataset": arguments.dataset, "model_name": arguments.model, "gpu": -1}
            settings |= {"keep": "nothing", "limit": images, "num_cores": cores}
            work = (
                f"pred_images(from_mapping(PredictSettings, {settings!r}), "
                "Run(configuration, Workspace(tempfile.mkdtemp())))"
            )
            what = f"{_name('nothing', cores)}, {images} images"
            print(markdown_row(what, f"{peak_memory(_STAGE_SETUP, work):.0f}"), flush=True)
    for height, width, classes in ((384, 512, 9), (1024, 2048, 19), (2048, 4096, 19)):
        sizes = f"HEIGHT, WIDTH, CLASSES, KEEP = {height}, {width}, {classes}, 'nothing'\n"
        memory = peak_memory(sizes + _FINISHER_SETUP, "finish(outcome)")
        what = f"finishing an image of {width}×{height}, {classes} classes"
        print(markdown_row(what, f"{memory:.0f}"), flush=True)
