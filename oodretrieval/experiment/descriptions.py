"""What a settings dataclass says of its settings: read from its docstrings, where each is explained once."""

import inspect
import re
from dataclasses import is_dataclass
from typing import get_type_hints


def describe(kind: type) -> str:
    """The settings of a dataclass, one a line, as ``-h`` shows them.

    Args:
        kind: A settings dataclass.

    Returns:
        Lines of name and description; a group is followed by its own settings.
    """
    texts = descriptions(kind)
    width = max((len(name) for name in texts), default=0)
    return "\n".join(f"  {name:<{width}}  {text}" for name, text in texts.items())


def descriptions(kind: type) -> dict[str, str]:
    """Name of every setting → what the ``Attributes`` of the docstrings say of it.

    Args:
        kind: A settings dataclass.

    Returns:
        In the order of the docstrings, those of base classes first; settings of a group as ``group.name``.
    """
    own: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        section = inspect.getdoc(base) if is_dataclass(base) else None
        for name, text in re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", section or "", re.MULTILINE):
            own[name] = " ".join(text.split())
    hints, texts = get_type_hints(kind), dict[str, str]()
    for name, text in own.items():
        texts[name] = text
        if is_dataclass(hints.get(name)):
            texts |= {f"{name}.{inner}": words for inner, words in descriptions(hints[name]).items()}
    return texts
