"""The commands of the one table as menus and buttons."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from oodretrieval.explorer.commands.table import COMMANDS, Command, SegmentCommand

MENUS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "Candidates": {
            "s": "Contact sheet",
            "pagedown": "Next page",
            "pageup": "Page before",
            "n": "Next candidate",
            "p": "Candidate before",
            ",": "Back",
            ".": "Forward",
            "+": "Raise threshold",
            "-": "Lower threshold",
            "e": "Why the network says so",
        },
        "Review": {
            "v": "Start or go on",
            "1": "Of interest",
            "0": "Not of interest",
            "2": "A name",
            "arrow right": "Next one",
            "arrow left": "One before",
            "enter": "Rank again, next twelve",
        },
        "Select": {
            "l": "Lasso",
            "r": "Rectangle",
            "k": "Same colour",
            "o": "Neighbours shown",
            "a": "All shown",
            "i": "Invert",
            "x": "Nothing",
            "/": "Show only …",
        },
        "Names": {
            "w": "Name …",
            "q": "Take a name off …",
            "z": "Rename, merge, remove …",
            "ctrl+z": "Undo",
            "ctrl+y": "Do again",
            "f": "Export what is named",
        },
        "View": {
            "g": "Colour by truth",
            "h": "Colour by predicted class",
            "u": "Colour by score",
            "y": "Colour by name",
            "j": "Colour by column …",
            "b": "One colour",
            "d": "Density",
            "home": "Show all points",
            "wheel up": "Zoom in",
            "wheel down": "Zoom out",
            "ctrl+s": "Save the view …",
        },
        "Neighbours": {
            ";": "Search …",
            "]": "One more",
            "[": "One less",
            "m": "Next distance",
            "=": "Repeats once, or all",
        },
        "Clusters": {"c": "Find clusters …", "#": "Next method"},
        "Help": {
            "?": "Mouse and keys",
            "escape": "One step back",
            "backspace": "Cancel what is under way",
            "ctrl+w": "Close the window",
        },
    }
)
"""Menu → trigger → label; a command that is in none is in the last menu, under what it does."""
BUTTONS: Mapping[str, str] = MappingProxyType(
    {
        "left": "Image",
        "middle": "Four panels",
        "right": "Neighbours",
        "shift+left": "Select",
        "ctrl+left": "Save image",
        "ctrl+middle": "Save panels",
        "t+left": "Save crop",
    }
)
"""Trigger → label of the buttons for one candidate."""
IN_NO_MENU = frozenset({"pointer", "ctrl+wheel up", "ctrl+wheel down"})
"""Triggers of commands that are there by another trigger, or that need the pointer."""
ON_THE_PAGE = IN_NO_MENU | {"?", "escape", "/", "backspace", "ctrl+w"}
"""Those, and what the page has its own place for: the help button, the filter field, *Cancel*, the browser itself."""
LAST = "More"


def menus(
    commands: Iterable[Command | SegmentCommand] = COMMANDS, elsewhere: Collection[str] = ON_THE_PAGE
) -> list[dict[str, Any]]:
    """The commands of keys and wheel, by menu.

    Args:
        commands: Of the table.
        elsewhere: Triggers of those that are in no menu.

    Returns:
        Each menu's ``label`` and ``items``, with ``trigger``, ``label``, ``shown`` and ``text``.
    """
    places = {trigger: (menu, label) for menu, labels in MENUS.items() for trigger, label in labels.items()}
    found: dict[str, list[dict[str, str]]] = {menu: [] for menu in (*MENUS, LAST)}
    for command in commands:
        if isinstance(command, Command) and command.trigger not in elsewhere:
            menu, label = places.get(command.trigger, (LAST, _first_words(command.text)))
            found[menu].append(_item(command, label))
    return [{"label": menu, "items": items} for menu, items in found.items() if items]


def candidate_buttons(commands: Iterable[Command | SegmentCommand] = COMMANDS) -> list[dict[str, str]]:
    """The commands for one candidate, as buttons next to what is known of it.

    Args:
        commands: Of the table.

    Returns:
        As the items of :func:`menus`.
    """
    return [
        _item(command, BUTTONS.get(command.trigger, _first_words(command.text)))
        for command in commands
        if isinstance(command, SegmentCommand) and command.trigger not in IN_NO_MENU
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
