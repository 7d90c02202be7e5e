"""The commands of the one table as menus and buttons."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from oodretrieval.explorer.commands.table import COMMANDS, Command, SegmentCommand

LABELS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "s": ("Candidates", "Contact sheet"),
        "pagedown": ("Candidates", "Next page"),
        "pageup": ("Candidates", "Page before"),
        "n": ("Candidates", "Next candidate"),
        "p": ("Candidates", "Candidate before"),
        "+": ("Candidates", "Raise threshold"),
        "-": ("Candidates", "Lower threshold"),
        "g": ("Colour", "By truth"),
        "h": ("Colour", "By predicted class"),
        "u": ("Colour", "By score"),
        "b": ("Colour", "One colour"),
        "d": ("Colour", "Density"),
        "m": ("Neighbours", "Next distance"),
        "wheel up": ("Neighbours", "One more"),
        "wheel down": ("Neighbours", "One less"),
        "c": ("Clusters", "Find clusters …"),
        "#": ("Clusters", "Next method"),
        "left": ("", "Image"),
        "middle": ("", "Four panels"),
        "right": ("", "Neighbours"),
        "ctrl+left": ("", "Save image"),
        "ctrl+middle": ("", "Save panels"),
        "t+left": ("", "Save crop"),
    }
)
"""Trigger → menu and label; a command without an entry is in the last menu, under its key."""
_ELSEWHERE = ("pointer", "?", "escape")
"""Triggers that the page has its own place for: the pointer itself, the help button, closing."""
_LAST = "More"


def menus(commands: Iterable[Command | SegmentCommand] = COMMANDS) -> list[dict[str, Any]]:
    """The commands of keys and wheel, by menu.

    Args:
        commands: Of the table.

    Returns:
        Each menu's ``label`` and ``items``, with ``trigger``, ``label``, ``shown`` and ``text``.
    """
    found: dict[str, list[dict[str, str]]] = {menu: [] for menu, _ in LABELS.values() if menu}
    for command in commands:
        if isinstance(command, Command) and command.trigger not in _ELSEWHERE:
            menu, label = LABELS.get(command.trigger, (_LAST, _first_words(command.text)))
            found.setdefault(menu, []).append(_item(command, label))
    return [{"label": menu, "items": items} for menu, items in found.items() if items]


def candidate_buttons(commands: Iterable[Command | SegmentCommand] = COMMANDS) -> list[dict[str, str]]:
    """The commands for one candidate, as buttons next to what is known of it.

    Args:
        commands: Of the table.

    Returns:
        As the items of :func:`menus`.
    """
    return [
        _item(command, LABELS.get(command.trigger, ("", _first_words(command.text)))[1])
        for command in commands
        if isinstance(command, SegmentCommand) and command.trigger not in _ELSEWHERE
    ]


def _item(command: Command | SegmentCommand, label: str) -> dict[str, str]:
    return {
        "trigger": command.trigger,
        "label": label,
        "shown": command.shown,
        "text": command.text,
    }


def _first_words(text: str) -> str:
    short = text.split(":")[0].split(";")[0].split(",")[0]
    return short[:1].upper() + short[1:]
