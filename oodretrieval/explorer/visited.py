"""What was inspected, to go back and forward through. Knows no toolkit."""

from typing import Generic, TypeVar

V = TypeVar("V")


class Visited(Generic[V]):
    """What was inspected, in order.

    Args:
        first: What is inspected now.
        size: How many are kept.

    Example:
        >>> visited = Visited("a")
        >>> visited.visit("b"); visited.visit("c")
        >>> visited.move(-1), visited.move(-1), visited.move(-1), visited.can(-1)
        ('b', 'a', 'a', False)
        >>> visited.visit("d"); visited.can(1)
        False
    """

    def __init__(self, first: V, size: int = 50) -> None:
        self._visited, self._place, self._size = [first], 0, size

    def visit(self, seen: V) -> None:
        """Look at something else; what was ahead is forgotten.

        Args:
            seen: What is inspected now; nothing happens where it is already.
        """
        if seen is self._visited[self._place]:
            return
        self._visited = [*self._visited[: self._place + 1], seen][-self._size :]
        self._place = len(self._visited) - 1

    @property
    def now(self) -> V:
        """What is inspected."""
        return self._visited[self._place]

    def renew(self, seen: V) -> None:
        """Put something in the place of what is inspected: the same, drawn again; what is ahead stays.

        Args:
            seen: What is inspected now.
        """
        self._visited[self._place] = seen

    def can(self, by: int) -> bool:
        """Whether there is something that far away.

        Args:
            by: How many steps; negative ones lead back.

        Returns:
            Whether there is.
        """
        return 0 <= self._place + by < len(self._visited)

    def move(self, by: int) -> V:
        """Go back or forward.

        Args:
            by: How many steps; negative ones lead back.

        Returns:
            What is inspected then; the same where there is nothing that far away.
        """
        if self.can(by):
            self._place += by
        return self._visited[self._place]
