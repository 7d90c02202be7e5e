"""The size at which a network sees an image. Needs no torch."""

LARGER = 1.5
"""Images are shrunk whose longest side is more than this times that of the training images."""


def shrinking_to(trained: tuple[int, int] | None) -> tuple[int, int]:
    """What images are shrunk to where nobody says: the size of those that the network was trained on.

    Args:
        trained: Height and width of these; None if that is not said.

    Returns:
        The longest side that images are shrunk to, 0 for none, and the one above which they are; pixels.

    Example:
        >>> shrinking_to((360, 480)), shrinking_to(None)
        ((480, 720), (0, 0))
    """
    longest = 0 if trained is None else max(trained)
    return longest, int(LARGER * longest)


def shrunk_size(height: int, width: int, longest: int, above: int) -> tuple[int, int]:
    """The size of an image once it is shrunk.

    Args:
        height: Of the image, pixels.
        width: Of the image, pixels.
        longest: Longest side that it is shrunk to, pixels; 0 for none.
        above: Longest side above which it is.

    Returns:
        Height and width, pixels.

    Example:
        >>> shrunk_size(1080, 1920, 480, 720), shrunk_size(360, 640, 480, 720), shrunk_size(1080, 1920, 0, 0)
        ((270, 480), (360, 640), (1080, 1920))
    """
    if not 0 < longest < max(height, width) or max(height, width) <= above:
        return height, width
    factor = longest / max(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))
