"""Images in a row that go to one part of a segment table or catalogue."""

from collections.abc import Iterator

BLOCK = 64
"""Images in one part of a segment table or catalogue."""


def blocks(count: int) -> Iterator[tuple[int, range]]:
    """Numbered blocks of indices: (0, 0…63), (1, 64…127), ….

    Args:
        count: Of all images.

    Returns:
        Number of each block and its indices.
    """
    for number, start in enumerate(range(0, count, BLOCK)):
        yield number, range(start, min(start + BLOCK, count))
