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

from pathlib import Path

from checkout import DRIVES, ROOT
from command_line import command_line
from fixation_deletion import measure_deletion
from fixation_signal import measure_signal
from fixation_speed import measure_speed
from fixation_tables import report

from oodretrieval.experiment.configuration import load_configuration


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
        chosen.output.write_text(report(chosen.work), encoding="utf-8")
        return
    configuration = load_configuration()
    {"deletion": measure_deletion, "signal": measure_signal, "speed": measure_speed}[chosen.task](
        chosen, configuration
    )


if __name__ == "__main__":
    main()
