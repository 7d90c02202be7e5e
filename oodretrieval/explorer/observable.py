"""Attributes that announce when they change. Knows no toolkit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, overload

V = TypeVar("V")
Observer = Callable[[frozenset[str]], None]
"""Takes the names of the attributes that changed."""

_COMPARED = (type(None), bool, int, float, str, frozenset)
"""Types of values that change when they are no longer equal; others change when they are replaced."""


class Observable:
    """Announces changes of its :class:`Observed` attributes to whoever subscribed.

    Example:
        >>> class Lamp(Observable):
        ...     lit = Observed[bool]()
        ...     colour = Observed[str]()
        ...
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.lit, self.colour = False, "white"
        >>> lamp = Lamp()
        >>> stop = lamp.subscribe(lambda changed: print(sorted(changed)))
        >>> lamp.lit = True
        ['lit']
        >>> with lamp.together():
        ...     lamp.lit, lamp.colour = False, "red"
        ['colour', 'lit']
    """

    def __init__(self) -> None:
        self._observers: list[Observer] = []
        self._changed: set[str] = set()
        self._together = 0

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Have every change announced.

        Args:
            observer: Called after each change, in the thread that made it. What it raises reaches whoever made
                the change.

        Returns:
            Ends the subscription.
        """
        self._observers.append(observer)

        def end() -> None:
            if observer in self._observers:
                self._observers.remove(observer)

        return end

    @contextmanager
    def together(self) -> Iterator[None]:
        """Announce at once, at the end, what changes inside.

        Yields:
            Nothing.
        """
        self._together += 1
        try:
            yield
        finally:
            self._together -= 1
            self.announce()

    def announce(self, *names: str) -> None:
        """Announce changes; inside :meth:`together`, at its end.

        Args:
            names: Of the attributes that changed.
        """
        self._changed.update(names)
        if self._together or not self._changed:
            return
        changed, self._changed = frozenset(self._changed), set()
        for observer in tuple(self._observers):
            observer(changed)


class Observed(Generic[V]):
    """An attribute of an :class:`Observable`: setting it to something else is announced under its name.

    Its first value, which the constructor sets, is no change.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name, self._kept = name, f"_{name}"

    @overload
    def __get__(self, instance: None, owner: type) -> "Observed[V]": ...

    @overload
    def __get__(self, instance: Observable, owner: type) -> V: ...

    def __get__(self, instance: Observable | None, owner: type) -> "Observed[V] | V":
        if instance is None:
            return self
        value: V = instance.__dict__[self._kept]
        return value

    def __set__(self, instance: Observable, value: V) -> None:
        first = self._kept not in instance.__dict__
        before = instance.__dict__.get(self._kept)
        instance.__dict__[self._kept] = value
        if not first and not is_same(before, value):
            instance.announce(self._name)


def is_same(before: Any, value: Any) -> bool:
    """Whether a value is the one from before.

    Args:
        before: What it was.
        value: What it is.

    Returns:
        For plain values whether they are equal, for others whether they are the same object.
    """
    return before is value or (
        isinstance(before, _COMPARED) and isinstance(value, _COMPARED) and bool(before == value)
    )
