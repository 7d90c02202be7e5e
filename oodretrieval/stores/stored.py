"""Whose work lies in a workspace: that of a network on a dataset."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stored:
    """The names that predictions and segments lie under.

    Attributes:
        model: Name of the network's entry.
        dataset: Name of the dataset's entry.
        places: Arguments by which a script finds the dataset and the workspace, where they were given.

    Example:
        >>> print(Stored("deeplab", "camvid_val"))
        'deeplab' on 'camvid_val'
    """

    model: str
    dataset: str
    places: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.model!r} on {self.dataset!r}"

    @property
    def arguments(self) -> str:
        """What a script is given to work on it.

        Example:
            >>> Stored("deeplab", "camvid_val").arguments
            'args.dataset=camvid_val args.model_name=deeplab'
        """
        return shlex.join((f"args.dataset={self.dataset}", f"args.model_name={self.model}", *self.places))


def catalogue_name(chosen: str, parts: Sequence[str]) -> str:
    """What a catalogue is called.

    Args:
        chosen: Its name; empty for the default.
        parts: Names of the datasets, or of the catalogues, that it is made of.

    Returns:
        The name.

    Example:
        >>> catalogue_name("", ["one", "other"]), catalogue_name("mine", ["one"])
        ('one+other', 'mine')
    """
    return chosen or "+".join(parts)
