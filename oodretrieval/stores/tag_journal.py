"""Tags on disk: a journal with one line a confirmed step, which several writers may share.

A line is the checksum of the rest and a step as JSON. A step is confirmed when its line is flushed to disk; a line that
a killed writer left half-written is no step, and the next writer starts a new line after it.
"""

import json
import os
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from oodretrieval.errors import StoreError
from oodretrieval.files import atomic_path
from oodretrieval.stores.locks import lock_folder
from oodretrieval.stores.tags import CandidateKey, TagStep, TagTable

FOLDER, JOURNAL = "tags", "journal.jsonl"
_PATIENCE = 20
"""Seconds to wait for another writer, who needs milliseconds."""


def carry_tags(sources: Sequence[Path], folder: Path) -> int:
    """Give the candidates of a catalogue the tags that they have in others; nothing is taken off.

    What they had in it once and have no more, as a person took it off or gave the tag another name, stays so. Where
    tags of one name have different colours, the first one's stays.

    Args:
        sources: Folders of catalogues.
        folder: Of the catalogue that gets their tags; one step more in its journal, none where it has them all.

    Returns:
        How many candidates got a tag, each tag counted.

    Raises:
        StoreError: If a journal cannot be read, or the step not be kept.
    """
    journal = TagJournal(folder)
    steps = journal.read()
    table = table_of(steps)
    once: dict[str, frozenset[CandidateKey]] = {}
    for step in steps:
        for name in step.colours:
            once.setdefault(name, frozenset())
        for name, keys in step.added.items():
            once[name] = once.get(name, frozenset()) | keys
    added: dict[str, frozenset[CandidateKey]] = {}
    colours: dict[str, tuple[str | None, str | None]] = {}
    for source in sources:
        theirs = table_of(TagJournal(source).read())
        for name, colour in theirs.colours.items():
            new = theirs.candidates(name) - table.candidates(name) - once.get(name, frozenset())
            if name not in table.colours and (new or name not in once):
                colours.setdefault(name, (None, colour))
            added[name] = added.get(name, frozenset()) | new
    step = TagStep(f"tags of {', '.join(source.name for source in sources)}", added, {}, colours)
    if not step.is_empty:
        journal.append(step)
    return sum(map(len, added.values()))


def table_of(steps: Iterable[TagStep]) -> TagTable:
    """The table that steps add up to.

    Args:
        steps: Oldest first.

    Returns:
        The tags after all of them.
    """
    table = TagTable()
    for step in steps:
        table.apply(step)
    return table


class TagJournal:
    """The journal of a catalogue's tags: steps are appended, and read from where reading ended.

    Args:
        folder: The catalogue's.

    Attributes:
        path: The file.
        problem: What was wrong with the file when it was last read, and where it is kept; empty if nothing was.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FOLDER / JOURNAL
        self.problem = ""
        self._read = 0
        self._file: tuple[int, int, int] | None = None

    def append(self, step: TagStep) -> list[TagStep]:
        """Keep a step; when this returns it is on disk.

        Args:
            step: What was done.

        Returns:
            All steps since the last reading, those of other writers too; this one is the last.

        Raises:
            StoreError: If it cannot be kept: no space, no permission, another writer that does not let go.
        """
        with lock_folder(self.path.parent, _PATIENCE):
            before = self._new_steps()
            try:
                self._write(_line(step))
            except OSError as error:
                raise StoreError(
                    f"the tags are not saved: cannot write {self.path} ({error}); make room or make it writable, "
                    "then do it again"
                ) from error
            return [*before, *self._new_steps()]

    def read(self) -> list[TagStep]:
        """The steps since the last reading, all of them at first.

        Damaged lines are left out; the file as it was is kept next to it, and :attr:`problem` says so.

        Returns:
            The steps, oldest first. None can be missing before them, unless :attr:`is_replaced` said so.

        Raises:
            StoreError: If the file is there but cannot be read.
        """
        try:
            return self._new_steps()
        except OSError as error:
            raise StoreError(f"cannot read the tags in {self.path} ({error}); make it readable") from error

    @property
    def is_replaced(self) -> bool:
        """Whether the file is another one than was read: then :meth:`read` starts again with its first step."""
        return self._file is not None and not self._is_same(_identity(self.path))

    def _is_same(self, found: tuple[int, int, int] | None) -> bool:
        return (
            found is not None
            and self._file is not None
            and found[:2] == self._file[:2]
            and found[2] >= self._read
        )

    def _new_steps(self) -> list[TagStep]:
        found = _identity(self.path)
        if not self._is_same(found):
            self._read = 0
        self._file = found
        if found is None:
            return []
        with self.path.open("rb") as file:
            file.seek(self._read)
            content = file.read()
        whole = content.rfind(b"\n") + 1
        lines = content[:whole].splitlines(keepends=True)
        steps = [_step(line) for line in lines]
        self._read += whole
        # a line that was cut off and then ended by the next writer is a step that was never confirmed
        damaged = sum(step is None and not _is_cut_off(line) for step, line in zip(steps, lines, strict=True))
        if damaged:
            self._keep_aside(damaged)
        return [step for step in steps if step is not None]

    def _write(self, line: bytes) -> None:
        with self.path.open("ab+") as file:
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                if file.read(1) != b"\n":
                    line = _CUT_OFF + b"\n" + line
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):  # what is said to have failed is not read later on
                    os.truncate(self.path, end)
                raise

    def _keep_aside(self, damaged: int) -> None:
        """Copy the file under a name of its own content; the steps that can be read stay in use."""
        content = self.path.read_bytes()
        aside = self.path.with_name(f"journal-damaged-{zlib.crc32(content):08x}.jsonl")
        self.problem = (
            f"{damaged} line(s) of the tags in {self.path} are damaged and left out; the file as it was is kept "
            f"as {aside.name}"
        )
        if aside.exists():
            return
        try:
            with atomic_path(aside) as temporary:
                temporary.write_bytes(content)
        except StoreError as error:
            self.problem += f", or rather could not be copied there: {error}"


_CUT_OFF = b"#cut off"
"""Ends a line that its writer did not finish."""


def _identity(path: Path) -> tuple[int, int, int] | None:
    """Device, number and length of a file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, status.st_size


def _line(step: TagStep) -> bytes:
    text = json.dumps(step.to_plain(), ensure_ascii=False, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _step(line: bytes) -> TagStep | None:
    checksum, _, text = line.rstrip(b"\r\n").partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(text):
            return None
        return TagStep.from_plain(json.loads(text))
    except ValueError:
        return None


def _is_cut_off(line: bytes) -> bool:
    return line.rstrip(b"\r\n").endswith(_CUT_OFF)
