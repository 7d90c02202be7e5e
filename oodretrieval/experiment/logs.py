"""What a script says: results to standard output, everything on the way to standard error, both to the run's record."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

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


class _Results(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes results to standard output; a run goes on where nobody reads them any longer (``| head``)."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], BrokenPipeError):
            super().handleError(record)


@contextmanager
def readers_may_leave() -> Iterator[None]:
    """Let a script end without a complaint where whoever reads its standard output has read enough (``| head``).

    Yields:
        Nothing.
    """
    try:
        with suppress(BrokenPipeError):
            yield
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # what is left has no reader, and Python would write it at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def set_up_logs() -> Transcript:
    """Let this process log as its scripts do, and nothing else.

    Returns:
        What keeps the lines.
    """
    results, rest = _Results(sys.stdout), logging.StreamHandler(sys.stderr)
    results.addFilter(lambda record: record.name == OUTPUT)
    rest.addFilter(lambda record: record.name != OUTPUT)
    transcript = Transcript()
    handlers = [results, rest, transcript]
    logging.basicConfig(format="%(message)s", level=logging.INFO, handlers=handlers, force=True)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    return transcript
