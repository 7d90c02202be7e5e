"""A question that is asked and answered in the window. Knows no toolkit."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
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

    def press(self, key: str) -> bool:
        """Take a key.

        Args:
            key: As matplotlib names it.

        Returns:
            Whether the question is still open.
        """
        if key == "escape":
            return False
        if key in ("enter", "return", "kp_enter"):
            self.problem = self.submit(self.text.strip())
            return bool(self.problem)
        if key == "backspace":
            self.text = self.text[:-1]
        elif key.removeprefix("shift+").isprintable() and len(key.removeprefix("shift+")) == 1:
            self.text += key.removeprefix("shift+")
        return True
