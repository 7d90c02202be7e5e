"""Sacred's record of a run: its settings, result, output, and the commit of the code; never a reason to fail."""

import logging
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from sacred.observers import FileStorageObserver

from oodretrieval.errors import StoreError
from oodretrieval.experiment.configuration import CHECKOUT
from oodretrieval.experiment.logs import Transcript

logger = logging.getLogger(__name__)
_PATIENCE = 10
_PROBE = 4096


class RunRecord(FileStorageObserver):
    """Writes a numbered folder for the run; where it cannot, the run goes on without.

    Args:
        folder: Where the records of all runs lie.
        transcript: What the run says.
    """

    def __init__(self, folder: Path, transcript: Transcript) -> None:
        super().__init__(folder, copy_sources=False)
        self._transcript = transcript
        self._lost: OSError | None = None

    def started_event(self, ex_info: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Make the folder; ``run.json`` names the commit of the code where that is a checkout.

        Args:
            ex_info: What sacred says of the experiment.
            *args: As of sacred.
            **kwargs: As of sacred.

        Returns:
            Number of the run; None where it cannot be recorded.
        """
        described = {**ex_info, "commit": code_commit()}
        return self._try(super().started_event, described, *args, **kwargs)

    def heartbeat_event(self, info: Any, captured_out: str, beat_time: Any, result: Any) -> None:
        """Write what was said so far to ``cout.txt``.

        Args:
            info: As of sacred.
            captured_out: What sacred captured, which is nothing: logs are kept by ourselves.
            beat_time: As of sacred.
            result: Of the run so far.
        """
        self._try(super().heartbeat_event, info, self._transcript.text, beat_time, result)

    def completed_event(self, *args: Any, **kwargs: Any) -> None:
        """Record that the run is done.

        Args:
            *args: As of sacred.
            **kwargs: As of sacred.
        """
        self._finish(super().completed_event, *args, **kwargs)
        if self._lost is not None:
            logger.warning("the record of this run is not kept (%s)", self._lost)

    def interrupted_event(self, *args: Any, **kwargs: Any) -> None:
        """Record that the run was interrupted.

        Args:
            *args: As of sacred.
            **kwargs: As of sacred.
        """
        self._finish(super().interrupted_event, *args, **kwargs)

    def failed_event(self, *args: Any, **kwargs: Any) -> None:
        """Record that the run failed.

        Args:
            *args: As of sacred.
            **kwargs: As of sacred.
        """
        self._finish(super().failed_event, *args, **kwargs)

    def log_metrics(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: nothing of ours uses sacred's metrics.

        Args:
            *args: As of sacred.
            **kwargs: As of sacred.
        """

    def _finish(self, event: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.cout = self._transcript.text
        self._try(self.save_cout)
        self._try(event, *args, **kwargs)

    def _try(self, event: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._lost is None:
            try:
                return event(*args, **kwargs)
            except OSError as error:
                self._lost = error
        return None


def require_writable(folder: Path) -> None:
    """Make ``folder`` where it is missing, and try to write to it.

    Raises:
        StoreError: If a file cannot be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(
            f"cannot write to the workspace {folder.parent} ({error.strerror or error}); make room or make it "
            "writable, or choose another args.workspace"
        ) from error


def code_commit(checkout: Path = CHECKOUT) -> str:
    """Commit of the code that runs, with ``-dirty`` where files differ from it; empty where it is no checkout.

    Args:
        checkout: Folder above the package; a checkout of something else around it does not count.

    Returns:
        Hexadecimal digits, or nothing.
    """
    if not (checkout / ".git").exists():
        return ""
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    said = ""
    with suppress(OSError, subprocess.SubprocessError):
        environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, env=environment, check=True
        )
        said = answer.stdout.strip()
    return said
