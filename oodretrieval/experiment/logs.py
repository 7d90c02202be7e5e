"""What a script says: results to standard output, everything on the way to standard error, both to the run's record."""

import logging
import sys

OUTPUT = "oodretrieval.output"
"""Logger of results; what it logs is what a script was run for."""


class Transcript(logging.Handler):
    """Keeps every line, for the record of the run."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(message)s"))
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line of ``record``."""
        self._lines.append(self.format(record) + "\n")

    @property
    def text(self) -> str:
        """All lines so far."""
        return "".join(self._lines)


def set_up_logs() -> Transcript:
    """Let this process log as its scripts do, and nothing else.

    Returns:
        What keeps the lines.
    """
    results, rest = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    results.addFilter(lambda record: record.name == OUTPUT)
    rest.addFilter(lambda record: record.name != OUTPUT)
    transcript = Transcript()
    handlers = [results, rest, transcript]
    logging.basicConfig(format="%(message)s", level=logging.INFO, handlers=handlers, force=True)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    return transcript
