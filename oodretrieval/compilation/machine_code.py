"""Compilation of the kernels: machine code, kept on disk where that is possible, without the GIL."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

Function = TypeVar("Function", bound=Callable[..., Any])
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


def compiled(function: Function) -> Function:
    """Compile a function with numba when it is first called; sums are taken in the order that is written.

    The machine code is kept next to the source, or in the user's cache folder where that cannot be written
    (``NUMBA_CACHE_DIR`` names another), and nowhere if neither can be: then every process compiles again.
    It is never kept in a temporary folder, where others could leave code of theirs.

    Args:
        function: Numeric code in the subset of Python that numba knows.

    Returns:
        The compiled function. It releases the GIL, divides as numpy does and may contract ``a * b + c``.
    """
    return _kept(function, _OPTIONS)


def compiled_in_any_order(function: Function) -> Function:
    """As :func:`compiled`, for sums whose terms may be added in any order: their loops become vector code.

    Args:
        function: As of :func:`compiled`.

    Returns:
        As of :func:`compiled`; the same values are always added in the same order.
    """
    return _kept(function, {**_OPTIONS, "fastmath": {"contract", "reassoc", "nsz"}})


def _kept(function: Function, options: dict[str, Any]) -> Function:
    dispatcher: Any = njit(**options)(function)
    # Where no folder can be written numba raises, at import, instead of doing without.
    with suppress(RuntimeError, OSError):
        dispatcher._cache = _Cache(function)
    return cast(Function, dispatcher)


def inlined(function: Function) -> Function:
    """As :func:`compiled`, for an expression inside loops, which become vector code only if it is inlined.

    Args:
        function: As of :func:`compiled`.

    Returns:
        The function, for calls from compiled code only.
    """
    return cast(Function, njit(forceinline=True, **_OPTIONS)(function))


class _Cache(FunctionCache):
    """Numba's cache, which forgets a function when any kernel changes, and survives a full disk.

    Numba checks the function's own file only, and would go on using the old code of a changed callee.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        stamp = _source_stamp(Path(function.__code__.co_filename).parent)
        names = self._cache_path, self._impl.filename_base, stamp
        self._cache_file = IndexDataCacheFile(*names)  # type: ignore[no-untyped-call]

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except (OSError, EOFError):
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError:
            self.disable()  # type: ignore[no-untyped-call]


@cache
def _source_stamp(package: Path) -> str:
    """Of all sources that a package's kernels may call: its own, and those of this folder."""
    digest = hashlib.sha256()
    for folder in dict.fromkeys((Path(__file__).parent, package)):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
