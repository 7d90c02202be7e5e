"""The command line of a benchmark, whose docstring is its help, and where it says how far it is and what it found."""

import argparse
import logging
import os
from pathlib import Path

USUAL_WORKSPACE = os.environ.get("OODRETRIEVAL_WORKSPACE", "workspace")


def command_line(description: str | None) -> argparse.ArgumentParser:
    """A parser that shows a docstring as it stands."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def note_progress() -> None:
    """Show what the stages log, with the time of day."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")


def write_or_print(text: str, output: Path | None) -> None:
    """Write tables to the file that the command line names, or print them where it names none."""
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        print(text)
