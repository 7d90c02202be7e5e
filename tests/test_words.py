"""One word for one thing: the house's list, held in README, docs and every Python source."""

import io
import re
import tokenize

import pytest
from documented import PAGES, ROOT

INSTEAD = {
    r"told|tells?|telling": "predicted, estimated, given, said, distinguished",
    r"anew": "again",
    r"so many": "n, at most n, this number of",
    r"judges?|judged|judging|judgement": "evaluate, measure, compare",
    r"beside": "compared with, next to",
    r"came": "got, is from, was made from",
    r"looked at|look orders?|inspection looks?": "inspected, read, checked; a look is of METRICS.md",
    r"drawing": "resampling (a chart is drawn, too, but by draw_…)",
}
"""Words of no other meaning here, as whole words in text and as parts of names → what to say."""
FORBIDDEN = re.compile(rf"(?<![a-z])(?:{'|'.join(INSTEAD)})(?![a-z])")
SOURCES = {
    path.relative_to(ROOT).as_posix(): path
    for folder in ("oodretrieval", "scripts", "benchmarks", "tests", "docs")
    for path in sorted((ROOT / folder).rglob("*.py"))
} | {"configuration.py": ROOT / "configuration.py"}
"""Every Python source."""


def words(text):
    """Text in lower case, with the parts of its names as words of their own: ``judgedOn_it`` → ``judged on it``."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return re.sub(r"[\s_]+", " ", apart).lower()


def found(text):
    """Words of the list in a text, with what stands around them."""
    flat = words(text)
    return [flat[max(0, hit.start() - 30) : hit.end() + 20] for hit in FORBIDDEN.finditer(flat)]


def written(source):
    """What is written in a source: each name, text and run of comments, with its line."""
    comment, line = "", 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comment, line = f"{comment} {token.string.lstrip('#')}", line or token.start[0]
        elif token.type not in (tokenize.NL, tokenize.NEWLINE):
            if comment:
                yield line, comment
                comment, line = "", 0
            if token.type in (tokenize.NAME, tokenize.STRING):
                yield token.start[0], token.string
    if comment:
        yield line, comment


def test_pages_use_the_words_of_the_house():
    wrong = {page: hit for page, path in PAGES.items() if (hit := found(path.read_text(encoding="utf-8")))}
    assert wrong == {}


def hits(source):
    """Words of the list in a source, by line. Taking it apart is slow: only where the whole text has one."""
    if not found(source.replace("#", " ")):
        return {}
    return {line: hit for line, text in written(source) for hit in found(text)}


def test_sources_use_the_words_of_the_house():
    wrong = {
        f"{source}:{line}": hit
        for source, path in SOURCES.items()
        if source != "tests/test_words.py"
        for line, hit in hits(path.read_text(encoding="utf-8")).items()
    }
    assert wrong == {}


WINDOW = "discover_embedding_space"
"""Its module is named by what it holds: a window."""


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").glob("*.py")), ids=lambda path: path.stem)
def test_script_module_and_function_have_one_stem(script):
    ((module, function),) = re.findall(r'"(oodretrieval[\w.]*):(\w+)"', script.read_text(encoding="utf-8"))
    assert function == script.stem
    assert module.rpartition(".")[2] == script.stem or script.stem == WINDOW


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("judged = 1  # anew", 2),
        ('"""It was\n    told."""', 1),
        ("class MetaJudging: ...", 1),
        ("camera = foretold + besides  # so  \n# many", 1),
        ("x = f'draw_{drawing_of}'", 1),
        ("look = looked_at", 1),
    ],
)
def test_this_test_notices(text, number):
    assert sum(len(found(each)) for _, each in written(text + "\n")) == number
    assert hits(text + "\n")
