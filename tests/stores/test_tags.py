"""Tags: steps add up, can be taken back, and are on disk whatever happens to their writers."""

import json
import os
import subprocess
import sys
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oodretrieval.errors import StoreError
from oodretrieval.stores.tag_journal import TagJournal
from oodretrieval.stores.tags import CandidateKey, TagStep, TagTable, tag_name

KEYS = [CandidateKey(dataset, image, number) for dataset in "ab" for image in "xy" for number in (1, 2)]
NAMES = ["bin", "cone", "pony"]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("tagging"), st.lists(st.sampled_from(KEYS)), st.sampled_from(NAMES)),
        st.tuples(st.just("untagging"), st.lists(st.sampled_from(KEYS)), st.sampled_from(NAMES)),
        st.tuples(st.just("renaming"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("removing"), st.sampled_from(NAMES)),
        st.tuples(st.just("recolouring"), st.sampled_from(NAMES), st.sampled_from(["#111111", "#222222"])),
    ),
    max_size=12,
)


def step_of(table, what):
    """The step of a table that was drawn; None where it is refused, as for a tag that there is not."""
    kind, *arguments = what
    try:
        return getattr(table, kind)(*arguments, *(["#ABCDEF"] if kind == "tagging" else []))
    except StoreError:
        return None


def content(table):
    return {name: (table.colours[name], table.candidates(name)) for name in table.names}


@given(steps)
def test_steps_mean_what_plain_sets_say_and_can_all_be_taken_back(drawn):
    table, plain, done, befores = TagTable(), {}, [], []
    for what in drawn:
        step = step_of(table, what)
        kind, *rest = what
        if step is None:
            assert rest[0] not in plain
            continue
        befores.append(content(table))
        table.apply(TagStep.from_plain(json.loads(json.dumps(step.to_plain()))))
        done.append(step)
        if kind == "tagging":
            plain.setdefault(rest[1], set()).update(rest[0])
        elif kind == "untagging":
            plain.get(rest[1], set()).difference_update(rest[0])
        elif kind == "renaming" and rest[0] != rest[1]:
            plain.setdefault(rest[1], set()).update(plain.pop(rest[0]))
        elif kind == "removing":
            del plain[rest[0]]
        assert {name: set(table.candidates(name)) for name in table.names} == plain
    for step, before in zip(reversed(done), reversed(befores), strict=True):
        table.apply(step.inverse())
        assert content(table) == before


@settings(max_examples=25)
@given(steps, st.integers(0, 400))
def test_a_journal_cut_off_anywhere_holds_every_step_before_and_takes_the_next(tmp_path_factory, drawn, cut):
    journal = TagJournal(tmp_path_factory.mktemp("catalogue"))
    table, said = TagTable(), []
    for what in drawn:
        step = step_of(table, what)
        if step is not None:
            table.apply(step)
            journal.append(step)
            said.append(step.to_plain())
    if not said:
        return
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[: max(len(whole) - cut, 0)])  # killed in the middle of writing
    kept = whole[: max(len(whole) - cut, 0)].count(b"\n")
    again = TagJournal(journal.path.parents[1])
    assert [step.to_plain() for step in again.read()] == said[:kept] and again.problem == ""
    new = TagTable().tagging(KEYS[:1], "new", "#000000")
    again.append(new)
    last = TagJournal(journal.path.parents[1])
    assert [step.to_plain() for step in last.read()] == [*said[:kept], new.to_plain()]
    assert last.problem == ""


def test_two_writers_merge_what_they_say(tmp_path):
    one, other = TagJournal(tmp_path), TagJournal(tmp_path)
    tables = TagTable(), TagTable()
    for number, (journal, table) in enumerate([*zip((one, other), tables, strict=True)] * 3):
        for step in journal.append(table.tagging([KEYS[number]], NAMES[number % 2], "#000000")):
            table.apply(step)
    for journal, table in zip((one, other), tables, strict=True):
        for step in journal.read():
            table.apply(step)
    assert content(tables[0]) == content(tables[1]) and not one.is_replaced
    assert {name: len(tables[0].candidates(name)) for name in tables[0].names} == {"bin": 3, "cone": 3}


def test_a_tag_that_somebody_uses_while_it_is_removed_stays():
    ours, theirs = TagTable(), TagTable()
    first = ours.tagging(KEYS[:2], "bin", "#111111")
    ours.apply(first)
    theirs.apply(first)
    used, removed = theirs.tagging(KEYS[2:3], "bin", "#111111"), ours.removing("bin")
    for table in (ours, theirs):
        table.apply(used)
        table.apply(removed)
    assert content(ours) == content(theirs) and ours.candidates("bin") == {KEYS[2]}


@pytest.mark.parametrize("harm", ["bit", "line", "garbage"])
def test_a_damaged_line_is_left_out_and_the_file_kept_aside(tmp_path, harm):
    journal = TagJournal(tmp_path)
    for number in range(3):
        journal.append(TagTable().tagging([KEYS[number]], NAMES[number], "#000000"))
    lines = journal.path.read_bytes().splitlines(keepends=True)
    lines[1] = {"bit": lines[1].replace(b"cone", b"core"), "line": b"?\n", "garbage": b"\xff\x00\n"}[harm]
    journal.path.write_bytes(b"".join(lines))
    again = TagJournal(tmp_path)
    assert [set(step.added) for step in again.read()] == [{"bin"}, {"pony"}]
    assert "1 line(s)" in again.problem and "damaged" in again.problem
    (aside,) = journal.path.parent.glob("journal-damaged-*.jsonl")
    assert aside.read_bytes() == b"".join(lines) and aside.name in again.problem
    assert TagJournal(tmp_path).read() and len(list(journal.path.parent.glob("journal-*"))) == 1


def test_a_file_that_was_put_back_is_read_from_its_start(tmp_path):
    journal = TagJournal(tmp_path)
    journal.append(TagTable().tagging(KEYS[:1], "bin", "#000000"))
    old = journal.path.read_bytes()
    journal.append(TagTable().tagging(KEYS[1:2], "cone", "#000000"))
    journal.path.write_bytes(old)
    assert journal.is_replaced
    assert [set(step.added) for step in journal.read()] == [{"bin"}] and not journal.is_replaced


def test_what_cannot_be_written_is_said_and_not_read_later(tmp_path, monkeypatch):
    journal = TagJournal(tmp_path)
    journal.append(TagTable().tagging(KEYS[:1], "bin", "#000000"))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="not saved.*No space left"):
            journal.append(TagTable().tagging(KEYS[:1], "cone", "#000000"))
    assert [set(step.added) for step in TagJournal(tmp_path).read()] == [{"bin"}]


def test_a_step_of_another_form_is_damage(tmp_path):
    journal = TagJournal(tmp_path)
    journal.path.parent.mkdir()
    text = b'{"title":"x"}'
    journal.path.write_bytes(b"%08x %s\n" % (zlib.crc32(text), text))
    assert journal.read() == [] and "damaged" in journal.problem


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "x" * 81])
def test_names_that_are_none(name):
    with pytest.raises(StoreError, match="a tag is one line"):
        tag_name(name)
    with pytest.raises(StoreError, match="a tag is one line"):
        TagTable().tagging(KEYS, name, "#000000")


def test_an_unknown_tag_is_refused_with_those_that_there_are():
    table = TagTable()
    table.apply(table.tagging(KEYS[:1], "bin", "#000000"))
    with pytest.raises(StoreError, match="no tag 'bun'; there are: bin"):
        table.renaming("bun", "can")


WRITER = """
import sys
from pathlib import Path
from oodretrieval.stores.tag_journal import TagJournal
from oodretrieval.stores.tags import CandidateKey, TagTable
journal = TagJournal(Path(sys.argv[1]))
for number in range(10**6):
    journal.append(TagTable().tagging([CandidateKey(sys.argv[2], "x", number)], "bin", "#000000"))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def test_no_confirmed_step_is_lost_when_two_writers_are_killed(tmp_path):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), name], stdout=subprocess.PIPE, text=True
        )
        for name in "ab"
    ]
    confirmed = []
    for writer in writers:
        for _ in range(5):
            writer.stdout.readline()
    for writer in writers:
        writer.kill()
        rest = writer.communicate()[0].splitlines()
        confirmed.append(4 + len([line for line in rest if line.strip()]))
    table = TagTable()
    for step in TagJournal(tmp_path).read():
        table.apply(step)
    found = table.candidates("bin")
    for name, last in zip("ab", confirmed, strict=True):
        assert {CandidateKey(name, "x", number) for number in range(last)} <= found
