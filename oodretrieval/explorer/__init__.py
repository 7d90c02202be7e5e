"""Looking at images, embedding spaces and neighbours."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oodretrieval.explorer.desktop.explorer import Explorer

__all__ = ["Explorer"]


def __getattr__(name: str) -> Any:
    # Only when asked for: the processes of `worker_process` and whoever wants the state alone need no matplotlib.
    if name == "Explorer":
        from oodretrieval.explorer.desktop.explorer import Explorer

        return Explorer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
