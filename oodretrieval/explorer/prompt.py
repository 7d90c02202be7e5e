"""A question that is asked and answered in the view. Knows no toolkit."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import takewhile

_CLEARS = ("delete", "ctrl+u", "ctrl+backspace")
"""Keys that take the whole text away."""


@dataclass(frozen=True)
class Prompt:
    """A line of text that keys write into. While it is open, keys are text and no commands.

    Attributes:
        question: What is asked.
        submit: Takes the text on Enter; returns what is wrong with it, or an empty text.
        text: What was typed so far.
        problem: What was wrong with the last answer.
        choices: Words that an answer may be made of; Tab completes to them.
    """

    question: str
    submit: Callable[[str], str]
    text: str = ""
    problem: str = ""
    choices: tuple[str, ...] = ()

    def press(self, key: str) -> "Prompt | None":
        """Take a key.

        Args:
            key: As matplotlib names it.

        Returns:
            The question after it; None if it is closed.
        """
        if key == "escape":
            return None
        if key in ("enter", "return", "kp_enter"):
            problem = self.submit(self.text.strip())
            return replace(self, problem=problem) if problem else None
        if key == "tab":
            return replace(self, text=self._completed())
        if key == "backspace":
            return replace(self, text=self.text[:-1])
        if key in _CLEARS:
            return replace(self, text="")
        letter = " " if key == "space" else key.removeprefix("shift+")
        typed = letter if letter.isprintable() and len(letter) == 1 else ""
        return replace(self, text=self.text + typed)

    def _completed(self) -> str:
        """The text, its end completed as far as all choices agree that begin with it."""
        starts = [0, *(place + 1 for place, letter in enumerate(self.text) if letter in " (=<>")]
        for start in starts:
            begun = self.text[start:]
            found = [choice for choice in self.choices if choice.lower().startswith(begun.lower())]
            if begun and found:
                return self.text[:start] + _common_start(found)
        return self.text


def _common_start(words: list[str]) -> str:
    letters = takewhile(lambda column: len(set(column)) == 1, zip(*words, strict=False))
    return "".join(column[0] for column in letters)
