"""CPU time until a script has said what it is, or that a name is misspelt, next to importing numpy, pandas and pyarrow.

    python benchmarks/start_up.py

Prints, per script, the median over some runs of the CPU seconds (user and system) of `-h`, `print_config` and three
refusals, divided by those of `python -c "import numpy, pandas, pyarrow"` in the same round. Asked: at most 2.5.

Then, for `pred_images.py` on a folder with one image, the CPU seconds until it opens that image, divided by those of
importing torch and reading the weights, without and with the other libraries that a stage cannot do without. (timm,
which makes the network and imports torchvision, is imported while that image is read.)
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from PIL import Image

from oodretrieval.results.tables import markdown_head, markdown_row

SCRIPTS = Path(__file__).parents[1] / "scripts"
BASE = [sys.executable, "-c", "import numpy, pandas, pyarrow"]
REFUSED = {
    "misspelt setting": ["with", "args.datset=camvid_val"],
    "wrong type": ["with", "args.gpu=first"],
    "misspelt network": ["with", "args.model_name=deeplabv3plus_camvit"],
}
LIBRARIES = "torch, pandas, pyarrow.parquet, numba, h5py, hdf5plugin, sacred"
CALLS = {"-h": ["-h"], "print_config": ["print_config"], **REFUSED}
MODEL = "deeplabv3plus_streets"
WEIGHTS = str(SCRIPTS.parent / "pretrained" / f"{MODEL}.safetensors")
READ_WEIGHTS = f"from safetensors.torch import load_file; load_file({WEIGHTS!r})"
UNTIL_FIRST_IMAGE = """
import os, runpy, sys
image = sys.argv.pop(1)
def stop(event, arguments):
    if event == "open" and str(arguments[0]) == image:
        os._exit(0)
sys.addaudithook(stop)
sys.argv.pop(0)
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print(markdown_head("script", *CALLS))
    worst = 0.0
    for script in sorted(SCRIPTS.glob("*.py")):
        ratios = {
            name: ratio([sys.executable, str(script), *rest], chosen.rounds) for name, rest in CALLS.items()
        }
        worst = max(worst, *ratios.values())
        print(markdown_row(script.name, *(f"{value:.2f}" for value in ratios.values())), flush=True)
    print(f"\nlargest ratio {worst:.2f} (asked: at most 2.5); {chosen.rounds} rounds, medians")
    for modules in ("torch", LIBRARIES):
        print(
            f"first image: {first_image(modules, chosen.rounds):.2f} times importing {modules} and reading the weights"
        )


def first_image(modules: str, rounds: int) -> float:
    """CPU time until `pred_images.py` opens its first image, over that of importing modules and reading the weights."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder).resolve() / "photographs" / "one.png"
        image.parent.mkdir()
        Image.new("RGB", (64, 48)).save(image)
        settings = {
            "dataset": "photographs",
            "root": image.parent,
            "model_name": MODEL,
            "workspace": f"{folder}/workspace",
            "gpu": -1,
        }
        script = [str(SCRIPTS / "pred_images.py"), "with", *(f"args.{k}={v}" for k, v in settings.items())]
        command = [sys.executable, "-c", UNTIL_FIRST_IMAGE, str(image), *script]
        base = [sys.executable, "-c", f"import {modules}; {READ_WEIGHTS}"]
        return median(cpu_seconds(command) / cpu_seconds(base) for _ in range(rounds))


def ratio(command: list[str], rounds: int) -> float:
    """CPU time of a command over that of the imports, the median of some rounds."""
    return median(cpu_seconds(command) / cpu_seconds(BASE) for _ in range(rounds))


def cpu_seconds(command: list[str]) -> float:
    """User and system time of a finished command."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = os.times()
    subprocess.run(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


if __name__ == "__main__":
    main()
