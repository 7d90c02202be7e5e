"""Looking at images, embedding spaces and neighbours.

The way of a click to its picture: a view (``desktop/explorer.py``) hands what it was given to ``commands/triggers.py``,
which finds its command in ``commands/table.py``; the command changes the state (``state.py``), what is presented
(``presentation.py``), or starts work whose result does (``work.py``); the views that subscribed to these draw what
changed (``desktop/figure_view.py``). Only ``desktop`` knows a toolkit.
"""

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
