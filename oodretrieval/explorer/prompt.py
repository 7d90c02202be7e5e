"""A question that is asked and answered in the view. Knows no toolkit."""

from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Prompt:
    """A line of text that keys write into. While it is open, keys are text and no commands.

    Attributes:
        question: What is asked.
        submit: Takes the text on Enter; returns what is wrong with it, or an empty text.
        text: What was typed so far.
        problem: What was wrong with the last answer.
    """

    question: str
    submit: Callable[[str], str]
    text: str = ""
    problem: str = ""

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
        if key == "backspace":
            return replace(self, text=self.text[:-1])
        letter = key.removeprefix("shift+")
        typed = letter if letter.isprintable() and len(letter) == 1 else ""
        return replace(self, text=self.text + typed)
