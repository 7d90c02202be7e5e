"""What a settings dataclass says of its settings: read from its docstrings, where each is explained once."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from oodretrieval.experiment.settings import flat, paths


def describe(settings: object) -> str:
    """Settings, one a line, as ``-h`` shows them.

    Args:
        settings: The defaults of a script.

    Returns:
        Lines of name, description and default; a group is followed by its own settings.
    """
    texts, defaults = descriptions(type(settings)), default_values(settings)
    width = max((len(name) for name in texts), default=0)
    lines = []
    for name, text in texts.items():
        default = f" [{_as_typed(defaults[name])}]" if name in defaults else ""
        lines.append(f"  {name:<{width}}  {text}{default}")
    return "\n".join(lines)


def settable(settings: object) -> dict[str, Any]:
    """The ``settings`` as :func:`~oodretrieval.experiment.settings.flat` gives them, each where it is set.

    What a group shares with the settings around it is set there, and left out of the group.
    """
    shared = shared_names(type(settings))
    return {
        name: {inner: own for inner, own in value.items() if inner not in shared[name]}
        if name in shared
        else value
        for name, value in flat(settings).items()
    }


def shared_names(kind: type) -> dict[str, set[str]]:
    """Which settings of groups are set once, outside of them.

    Args:
        kind: A settings dataclass.

    Returns:
        Name of each group that shares settings → their names.
    """
    hints, outside = get_type_hints(kind), paths(kind).keys()
    owns = {each.name: each.metadata.get("own") for each in fields(kind)}
    return {
        name: (outside & paths(hints[name]).keys()) - set(own)
        for name, own in owns.items()
        if own is not None
    }


def default_values(settings: object) -> dict[str, Any]:
    """Name of every setting → its value, those of a group as ``group.name``; of what is shared, once.

    Args:
        settings: The defaults of a script.

    Returns:
        The values.
    """
    return dict(_values(settable(settings)))


def _values(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _values(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _as_typed(value: Any) -> str:
    """A default as the command line spells it."""
    return str(list(value)) if isinstance(value, tuple) else str(value) if value != "" else "empty"


def descriptions(kind: type) -> dict[str, str]:
    """Name of every setting → what the ``Attributes`` of the docstrings say of it.

    Args:
        kind: A settings dataclass.

    Returns:
        Those of its parts first, then its own, which may say more of a part's; settings of a group as ``group.name``.
    """
    texts: dict[str, str] = {}
    for _, part in _parts(kind, group=False):
        texts |= descriptions(part)
    groups, shared = dict(_parts(kind, group=True)), shared_names(kind)
    for name, text in _own(kind).items():
        texts[name] = text
        if name in groups:
            inside = descriptions(groups[name]).items()
            texts |= {f"{name}.{each}": words for each, words in inside if each not in shared.get(name, ())}
    return texts


def _own(kind: type) -> dict[str, str]:
    found = re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", inspect.getdoc(kind) or "", re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _parts(kind: type, *, group: bool) -> Iterator[tuple[str, type]]:
    hints = get_type_hints(kind)
    for own in reversed(fields(kind)):
        if is_dataclass(hints[own.name]) and bool(own.metadata.get("group")) is group:
            yield own.name, hints[own.name]
