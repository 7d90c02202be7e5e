"""The command line of a benchmark, whose docstring is its help, and where it says how far it is."""

import argparse
import logging
import os

USUAL_WORKSPACE = os.environ.get("OODRETRIEVAL_WORKSPACE", "workspace")


def command_line(description: str | None) -> argparse.ArgumentParser:
    """A parser that shows a docstring as it stands."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def note_progress() -> None:
    """Show what the stages log, with the time of day."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
