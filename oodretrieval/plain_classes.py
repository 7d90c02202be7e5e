"""Names and colours of classes as plain values, as files keep them."""

from collections.abc import Mapping
from typing import Any

from oodretrieval.labels import ClassMapping


def plain_classes(classes: ClassMapping) -> dict[str, list[Any]]:
    """Classes as JSON can hold them.

    Args:
        classes: Id → (name, colour).

    Returns:
        Id as text → name and colour, in the order of the ids.

    Example:
        >>> plain_classes({0: ("road", (128, 64, 128))})
        {'0': ['road', [128, 64, 128]]}
    """
    return {str(key): [name, list(colour)] for key, (name, colour) in sorted(classes.items())}


def classes_of(plain: Mapping[str, Any]) -> ClassMapping:
    """What :func:`plain_classes` gave, read back.

    Args:
        plain: Id as text → name and colour.

    Returns:
        Id → (name, colour).

    Example:
        >>> classes_of({"0": ["road", [128, 64, 128]]})
        {0: ('road', (128, 64, 128))}
    """
    return {int(key): (str(name), (int(c[0]), int(c[1]), int(c[2]))) for key, (name, c) in plain.items()}
