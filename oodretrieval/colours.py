"""Colours of classes: as text, and where nobody chose one."""

from colorsys import hsv_to_rgb

NAMELESS = (150, 150, 150)
"""A class without a colour of its own; red, green, blue in 0…255."""

_GOLDEN_RATIO = 0.618034


def hex_colour(colour: tuple[int, int, int]) -> str:
    """A colour of a dataset as ``#rrggbb``.

    Args:
        colour: Red, green, blue in 0…255.

    Returns:
        What matplotlib and browsers understand.

    Example:
        >>> hex_colour((0, 114, 178))
        '#0072b2'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)


def rgb_colour(text: str) -> tuple[int, int, int]:
    """What :func:`hex_colour` gave, read back.

    Args:
        text: ``#rrggbb``.

    Returns:
        Red, green, blue in 0…255.

    Raises:
        ValueError: If it is anything else.

    Example:
        >>> rgb_colour("#0072b2")
        (0, 114, 178)
    """
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue


def numbered_colour(number: int, saturation: float, value: float) -> tuple[int, int, int]:
    """Hues a golden angle apart, which stay apart however many are taken.

    Args:
        number: Which.
        saturation: 0…1.
        value: 0…1.

    Returns:
        Red, green, blue in 0…255.
    """
    red, green, blue = hsv_to_rgb(number * _GOLDEN_RATIO % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)
