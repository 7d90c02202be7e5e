"""Paths in an object store, by any of fsspec's addresses: ``s3://bucket/folder``, ``gs://…``, ``memory://…``.

A :class:`RemotePath` is a path like any other, so that whoever reads or lists files knows nothing of it: asked by
``os.fspath``, as every library that opens files does, it gives a copy of the file on this machine, fetched where the
one at hand is not of the present object (:mod:`~oodretrieval.local_copies` keeps the copies). Nothing is written in
place: a whole file is put (:func:`~oodretrieval.files.atomic_path`), which an object store does at once or not at all.
"""

import json
import os
import posixpath
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PosixPath
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from oodretrieval.errors import ConfigurationError
from oodretrieval.local_copies import copy_of

_IN_PLACE = {"file", "local", "sftp", "ssh", "smb", "hdfs"}
"""File systems on which a file that is being written can be seen: there it is renamed when it is whole."""
_WAYS = "a path, file://…, or an address of fsspec such as s3://bucket/folder"


def path_of(name: str | Path) -> Path:
    """The path that a name of the command line or of the configuration means.

    Args:
        name: A path, perhaps with ``~``; ``file://`` and an absolute path; or an address of fsspec.

    Returns:
        The path; a :class:`RemotePath` for an address.

    Raises:
        ConfigurationError: If fsspec knows no such address, or lacks a package for it.

    Example:
        >>> path_of("file:///my%20data").as_posix(), str(path_of("memory://shared") / "a.h5")
        ('/my data', 'memory://shared/a.h5')
    """
    if isinstance(name, RemotePath):
        return name
    if "://" not in str(name):
        return Path(name).expanduser()
    scheme, host, path, *_ = urlsplit(str(name))
    if scheme == "file":
        if host not in ("", "localhost") or not path:
            raise ConfigurationError(f"{name} is no file:// and an absolute path; give {_WAYS}")
        return Path(unquote(path))
    found = RemotePath(str(name))
    _ = found.store  # refused here rather than at the first file
    return found


class RemotePath(PosixPath):
    """A path in an object store, made of its address; see :func:`path_of`."""

    def __str__(self) -> str:
        scheme, *rest = self.parts or (".",)
        if not scheme.endswith(":"):  # relative to another one
            return "/".join((scheme, *rest))
        return f"{scheme}{'///' if scheme == 'local:' else '//'}{'/'.join(rest)}"

    def __repr__(self) -> str:
        return f"RemotePath({str(self)!r})"

    def __fspath__(self) -> str:
        return str(self._call(self._fetch))

    @property
    def store(self) -> tuple[Any, str]:
        """Fsspec's file system, and the key in it.

        Raises:
            ConfigurationError: If fsspec knows no such address, or lacks a package for it.
        """
        import fsspec

        try:
            system, key = fsspec.core.url_to_fs(str(self), use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise ConfigurationError(
                f"{self} cannot be opened ({error}); install what fsspec names, or mount the store and give {_WAYS}"
            ) from error
        return system, key

    def _call(self, action: Any, *args: Any) -> Any:
        """Errors of a store, whatever its library calls them, are errors of a file."""
        try:
            return action(*args)
        except (OSError, ConfigurationError):
            raise
        except Exception as error:
            raise OSError(f"{self}: {type(error).__name__}: {error}") from error

    def _fetch(self) -> str:
        system, key = self.store
        state = system.info(key)  # FileNotFoundError, as for any path
        if state.get("type") == "directory":
            raise IsADirectoryError(f"{self} is a folder")
        named = json.dumps([str(self), state], sort_keys=True, default=str)
        size = int(state.get("size") or 0)
        return str(copy_of(named, self.suffix, size, lambda file: system.get_file(key, str(file))))

    def put(self, file: Path) -> None:
        """Store a whole file of this machine under this name, at once or not at all.

        Args:
            file: The file.

        Raises:
            OSError: If it cannot be stored.
        """
        system, key = self.store
        if self.parts[0].removesuffix(":") not in _IN_PLACE:
            self._call(system.put_file, str(file), key)
            return
        temporary = posixpath.join(posixpath.dirname(key), f".tmp-{secrets.token_hex(6)}{self.suffix}")
        self._call(lambda: system.makedirs(posixpath.dirname(key), exist_ok=True))
        try:
            self._call(system.put_file, str(file), temporary)
            self._call(system.mv, temporary, key)
        finally:
            with suppress(Exception):
                system.rm_file(temporary)

    def create(self, content: bytes) -> bool:
        """Store a file that is not there yet; of several that try, one succeeds.

        Args:
            content: Of the file.

        Returns:
            False if it was there.

        Raises:
            OSError: If it cannot be stored.
        """
        system, key = self.store
        if self.parts[0].removesuffix(":") in _IN_PLACE:
            self._call(lambda: system.makedirs(posixpath.dirname(key), exist_ok=True))
        try:
            self._call(lambda: system.pipe_file(key, content, mode="create"))
        except FileExistsError:
            return False
        return True

    def _below(self, pattern: str) -> "Iterator[RemotePath]":
        system, key = self.store
        for found in sorted(self._call(system.glob, f"{key.rstrip('/')}/{pattern}")):
            yield self / posixpath.relpath(str(found), key)

    def _is(self, kind: str) -> bool:
        system, key = self.store
        return bool(self._call(getattr(system, kind), key))

    # What pathlib's paths do, as far as stages ask it of a workspace.

    def exists(self, **_: Any) -> bool:
        """Whether there is an object, or one below.

        Returns:
            True if so.
        """
        return self._is("exists")

    def is_file(self, **_: Any) -> bool:
        """Whether there is an object.

        Returns:
            True if so.
        """
        return self._is("isfile")

    def is_dir(self, **_: Any) -> bool:
        """Whether there are objects below.

        Returns:
            True if so.
        """
        return self._is("isdir")

    def stat(self, **_: Any) -> os.stat_result:
        """Size and times of the copy.

        Returns:
            As of any file.
        """
        return Path(self.__fspath__()).stat()

    def open(self, mode: str = "r", *args: Any, **options: Any) -> IO[Any]:  # type: ignore[override]
        """Open the copy for reading.

        Args:
            mode: ``r``, or ``rb``.
            *args: As of pathlib.
            **options: As of pathlib.

        Returns:
            The open file.

        Raises:
            OSError: If it is not there, or asked for to be written.
        """
        if set(mode) & set("wax+"):
            raise OSError(
                f"{self}: a file of an object store is not written in place; use a workspace on a disk"
            )
        return Path(self.__fspath__()).open(mode, *args, **options)

    def glob(self, pattern: str, **_: Any) -> "Iterator[RemotePath]":  # type: ignore[override]
        """What is below and fits.

        Args:
            pattern: As of pathlib.

        Returns:
            The paths, in order.
        """
        return self._below(pattern)

    def rglob(self, pattern: str, **_: Any) -> "Iterator[RemotePath]":  # type: ignore[override]
        """What is below, at any depth, and fits.

        Args:
            pattern: As of pathlib.

        Returns:
            The paths, in order.
        """
        return self._below(f"**/{pattern}")

    def iterdir(self) -> "Iterator[RemotePath]":  # type: ignore[override]
        """What is directly below.

        Returns:
            The paths, in order.
        """
        return self._below("*")

    def mkdir(self, *_: Any, **__: Any) -> None:
        """Nothing: a folder is part of the names of its files."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object.

        Args:
            missing_ok: Whether it may be missing.

        Raises:
            FileNotFoundError: If it is missing.
        """
        system, key = self.store
        try:
            self._call(system.rm_file, key)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def absolute(self) -> "RemotePath":
        """Itself: an address is absolute.

        Returns:
            The same.
        """
        return self

    def expanduser(self) -> "RemotePath":
        """Itself: an address has no home folder.

        Returns:
            The same.
        """
        return self

    def resolve(self, strict: bool = False) -> "RemotePath":
        """Itself: there are no links.

        Args:
            strict: As of pathlib.

        Returns:
            The same.
        """
        return self
