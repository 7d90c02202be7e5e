"""What README and docs/ show a reader: commands, code, links. Shell blocks are read by bash itself."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))}

RECORDER = """
set -eu
PATH=
source() { :; }
make() { :; }
pip() { :; }
python() { printf '%s\\0' "$@"; printf '\\0'; }
"""


@dataclass(frozen=True)
class Command:
    """A ``python …`` of a page: the program, and its arguments as the shell hands them over."""

    program: str
    arguments: tuple[str, ...]

    def __str__(self):
        return " ".join((self.program, *self.arguments))


def blocks(page, language):
    """Fenced blocks of a language."""
    fenced = rf"^```{language}\n(.*?)^```$"
    return re.findall(fenced, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(page):
    """Every ``python`` of a page's shell blocks, in sequence, with loops unrolled and variables set."""
    return recorded("\n".join(blocks(page, "sh")))


def inline_commands(page):
    """Every ``<script>.py with …`` in the running text, with the variables that the page's shell blocks set."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    quoted = (" ".join(text.split()) for text in re.findall(r"`([^`]+)`", prose))
    started = [text for text in quoted if re.match(r"(python (scripts|benchmarks)/)?\w+\.py ", text)]
    whole = [text if text.startswith("python ") else f"python scripts/{text}" for text in started]
    before = commands(page)
    return recorded("\n".join([*blocks(page, "sh"), *whole]))[len(before) :]


def recorded(shell):
    """The ``python`` commands that a piece of shell runs; anything else that it runs fails."""
    done = subprocess.run(["/bin/bash", "-c", RECORDER + shell], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"bash: {done.stderr}\n{shell}"
    each = [text.split("\0") for text in done.stdout.split("\0\0")[:-1]]
    return [Command(program, tuple(arguments)) for program, *arguments in each]


def links(page):
    """Targets of links and pictures that lead to files: path and anchor, either may be empty."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [tuple(target.partition("#")[::2]) for target in targets if not re.match(r"\w+:", target)]


def anchors(page):
    """Anchors of a page's headings, as GitHub and the site make them."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
