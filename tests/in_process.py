"""Running scripts in this process, which a new one for each would make slow."""

import inspect
import logging
import runpy
import signal
import sys

import pytest


def two_frames():
    """Sacred asks for its caller alone; the file of each of a test's many is searched for in thousands of modules."""
    frame = inspect.currentframe().f_back
    return [(frame,), (frame.f_back,)]


def run_in_process(script, arguments, capsys, **variables):
    """Run a script with a command line and variables of its own.

    What a script does to a whole process (arguments, logging, signals) is undone.

    Returns:
        Exit code, stdout and stderr.
    """
    capsys.readouterr()
    root = logging.getLogger()
    ended = signal.getsignal(signal.SIGTERM)
    before, handlers, level = sys.argv, root.handlers[:], root.level
    sys.argv = [str(script), *arguments]
    stack = inspect.stack
    inspect.stack = two_frames
    try:
        with pytest.raises(SystemExit) as exit_:
            runpy.run_path(str(script), variables, "__main__")
    finally:
        sys.argv = before
        signal.signal(signal.SIGTERM, ended)
        inspect.stack = stack
        root.handlers[:] = handlers
        root.setLevel(level)
    out, err = capsys.readouterr()
    return exit_.value.code or 0, out, err
