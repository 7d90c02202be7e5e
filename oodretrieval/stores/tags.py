"""Names that a person gave to candidates: steps that can be taken back, and the table that they add up to.

A candidate is known by dataset, image and number in the image, never by its row: a catalogue that is made again has
other rows. How steps are kept on disk is in :mod:`oodretrieval.stores.tag_journal`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from oodretrieval.errors import StoreError


class CandidateKey(NamedTuple):
    """What a candidate is known by wherever its row may be.

    Attributes:
        dataset: Name of its dataset.
        image_id: Id of its image there.
        candidate: Its number in the image: ``segment_id`` of the catalogue.
    """

    dataset: str
    image_id: str
    candidate: int


Given = Mapping[str, frozenset[CandidateKey]]
"""Tag → candidates."""


@dataclass(frozen=True)
class TagStep:
    """One thing that a person did, and what takes it back.

    Attributes:
        title: What was done, for people.
        added: Tag → candidates that have it since then.
        removed: Tag → candidates that had it before.
        colours: Tag → its colour before and after as ``#rrggbb``; None where there was, or is, no such tag.
    """

    title: str
    added: Given = field(default_factory=dict)
    removed: Given = field(default_factory=dict)
    colours: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes by it."""
        changed = any(before != after for before, after in self.colours.values())
        return not (changed or any(self.added.values()) or any(self.removed.values()))

    def inverse(self) -> "TagStep":
        """The step that takes this one back.

        Returns:
            A step of the same title.
        """
        turned = {name: (after, before) for name, (before, after) in self.colours.items()}
        return TagStep(self.title, self.removed, self.added, turned)

    def to_plain(self) -> dict[str, Any]:
        """The step as JSON can hold it.

        Returns:
            ``title``, ``added`` and ``removed`` (tag → dataset → image → numbers), ``colours``.
        """
        return {
            "title": self.title,
            "added": {name: _by_image(keys) for name, keys in self.added.items() if keys},
            "removed": {name: _by_image(keys) for name, keys in self.removed.items() if keys},
            "colours": {name: list(change) for name, change in self.colours.items()},
        }

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> "TagStep":
        """The step that :meth:`to_plain` wrote.

        Args:
            content: Plain values.

        Returns:
            The step.

        Raises:
            ValueError: If it is none.
        """
        try:
            added, removed = (
                {str(name): _keys(images) for name, images in content[kind].items()}
                for kind in ("added", "removed")
            )
            colours = {
                str(name): (before and str(before), after and str(after))
                for name, (before, after) in content["colours"].items()
            }
            return cls(str(content["title"]), added, removed, colours)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no step of tags: {type(error).__name__} {error}") from error


class TagTable:
    """Which candidates have which tags; several tags on one candidate are possible.

    Example:
        >>> table, key = TagTable(), CandidateKey("streets", "0001", 3)
        >>> table.apply(table.tagging([key], "bin", "#0072B2"))
        >>> sorted(table.candidates("bin")) == [key], table.colours["bin"]
        (True, '#0072B2')
    """

    def __init__(self) -> None:
        self._candidates: dict[str, set[CandidateKey]] = {}
        self._colours: dict[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Tags, sorted."""
        return tuple(sorted(self._colours))

    @property
    def colours(self) -> Mapping[str, str]:
        """Tag → its colour as ``#rrggbb``."""
        return MappingProxyType(self._colours)

    def candidates(self, name: str) -> frozenset[CandidateKey]:
        """The candidates with a tag.

        Args:
            name: Of the tag.

        Returns:
            Their keys; none for an unknown tag.
        """
        return frozenset(self._candidates.get(name, ()))

    def apply(self, step: TagStep) -> None:
        """Take a step; one that was taken by somebody else meanwhile does no harm.

        Args:
            step: What changes.
        """
        for name, keys in step.removed.items():
            self._candidates.get(name, set()).difference_update(keys)
        for name, (_, after) in step.colours.items():
            if after is None:
                self._colours.pop(name, None)
            else:
                self._colours[name] = after
        for name, keys in step.added.items():
            if keys:
                self._candidates.setdefault(name, set()).update(keys)
                self._colours.setdefault(name, _COLOUR_OF_THE_UNNAMED)
        for name in [name for name in self._candidates if name not in self._colours]:
            # somebody else tagged with it while it was removed here: what was said stays said
            if self._candidates[name]:
                self._colours[name] = _COLOUR_OF_THE_UNNAMED
            else:
                del self._candidates[name]

    # -- steps ---------------------------------------------------------------------------------------------

    def tagging(self, keys: Iterable[CandidateKey], name: str, colour: str) -> TagStep:
        """The step that gives a tag to candidates.

        Args:
            keys: Of the candidates.
            name: Of the tag; a new one is made.
            colour: Of a new tag.

        Returns:
            What changes: candidates that have it already are not in it.

        Raises:
            StoreError: If the name is empty or no single line.
        """
        name = tag_name(name)
        new = frozenset(keys) - self._candidates.get(name, set())
        colours = {} if name in self._colours else {name: (None, colour)}
        return TagStep(f"tag {len(new)} as {name}", {name: new}, {}, colours)

    def untagging(self, keys: Iterable[CandidateKey], name: str) -> TagStep:
        """The step that takes a tag off candidates.

        Args:
            keys: Of the candidates.
            name: Of the tag.

        Returns:
            What changes: candidates without it are not in it.
        """
        had = frozenset(keys) & self._candidates.get(name, set())
        return TagStep(f"take {name} off {len(had)}", {}, {name: had})

    def renaming(self, name: str, other: str) -> TagStep:
        """The step that renames a tag; into one that there is already, it merges the two.

        Args:
            name: Of the tag.
            other: Its new name.

        Returns:
            What changes.

        Raises:
            StoreError: If there is no such tag, or the new name is empty or no single line.
        """
        other, colour = tag_name(other), self._known(name)
        if other == name:
            return TagStep(f"rename {name}")
        keys = self.candidates(name)
        there = other in self._colours
        colours: dict[str, tuple[str | None, str | None]] = {name: (colour, None)}
        if not there:
            colours[other] = (None, colour)
        title = f"merge {name} into {other}" if there else f"rename {name} to {other}"
        return TagStep(title, {other: keys - self.candidates(other)}, {name: keys}, colours)

    def removing(self, name: str) -> TagStep:
        """The step that removes a tag from all its candidates.

        Args:
            name: Of the tag.

        Returns:
            What changes.

        Raises:
            StoreError: If there is no such tag.
        """
        colours: dict[str, tuple[str | None, str | None]] = {name: (self._known(name), None)}
        return TagStep(f"remove the tag {name}", {}, {name: self.candidates(name)}, colours)

    def recolouring(self, name: str, colour: str) -> TagStep:
        """The step that gives a tag another colour.

        Args:
            name: Of the tag.
            colour: As ``#rrggbb``.

        Returns:
            What changes.

        Raises:
            StoreError: If there is no such tag.
        """
        return TagStep(f"colour {name}", {}, {}, {name: (self._known(name), colour)})

    def _known(self, name: str) -> str:
        if name not in self._colours:
            raise StoreError(f"there is no tag {name!r}; there are: {', '.join(self.names) or 'none'}")
        return self._colours[name]


_COLOUR_OF_THE_UNNAMED = "#7F7F7F"
LONGEST_NAME = 80
"""Letters of a tag's name, at most."""


def tag_name(text: str) -> str:
    """A text as the name of a tag.

    Args:
        text: As it was typed.

    Returns:
        The text without spaces around it.

    Raises:
        StoreError: If nothing is left, it is no single line, or it has more than :data:`LONGEST_NAME` letters.

    Example:
        >>> tag_name(" traffic cone ")
        'traffic cone'
    """
    name = text.strip()
    if not name or not name.isprintable() or len(name) > LONGEST_NAME:
        raise StoreError(f"a tag is one line of 1 to {LONGEST_NAME} letters, got {text[:100]!r}")
    return name


def _by_image(keys: Iterable[CandidateKey]) -> dict[str, dict[str, list[int]]]:
    found: dict[str, dict[str, list[int]]] = {}
    for dataset, image_id, candidate in sorted(keys):
        found.setdefault(dataset, {}).setdefault(image_id, []).append(candidate)
    return found


def _keys(images: Mapping[str, Mapping[str, Iterable[int]]]) -> frozenset[CandidateKey]:
    return frozenset(
        CandidateKey(str(dataset), str(image_id), int(candidate))
        for dataset, of_images in images.items()
        for image_id, candidates in of_images.items()
        for candidate in candidates
    )
