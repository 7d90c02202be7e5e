"""The one table of commands: complete, unambiguous, and what the documentation shows."""

import inspect
from pathlib import Path

import pytest

import oodretrieval
from oodretrieval.explorer.commands.table import (
    COMMANDS,
    KEYS,
    MOUSE,
    Command,
    SegmentCommand,
    command_for,
    help_lines,
    keys_table,
)
from oodretrieval.explorer.commands.triggers import trigger_of_key

PAGE = Path(oodretrieval.__file__).parents[1] / "docs" / "explorer.md"
START, END = "<!-- keys -->", "<!-- /keys -->"


def test_every_trigger_does_one_thing():
    triggers = [command.trigger for command in COMMANDS]
    more = [trigger for command in KEYS for trigger in command.also]
    assert len({*triggers, *more}) == len(triggers) + len(more)
    assert {command_for(trigger) for trigger in more} <= set(KEYS)
    assert [command_for(trigger) for trigger in triggers] == list(COMMANDS) == [*MOUSE, *KEYS]
    assert command_for("f5") is None


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.trigger)
def test_a_command_runs_a_documented_function_that_takes_what_the_command_gives(command):
    assert inspect.getdoc(command.run)
    takes = list(inspect.signature(command.run).parameters)
    assert takes == {Command: ["session"], SegmentCommand: ["session", "row"]}[type(command)]


def test_keys_need_no_segment_under_the_pointer():
    assert {type(command) for command in KEYS} == {Command}


@pytest.mark.parametrize(("key", "trigger"), [("shift+#", "#"), ("G", "g"), ("escape", "escape"), (None, "")])
def test_spellings_of_keys(key, trigger):
    assert trigger_of_key(key) == trigger


def test_the_table_as_markdown():
    lines = keys_table().splitlines()
    assert len(lines) == len(help_lines()) + 2 == len(COMMANDS) + 2
    assert lines[-1] == "| Ctrl + w | close the window; asks while something is being saved |"
    assert all(line.count("|") == 3 for line in lines)


def test_the_documentation_has_this_table():
    """Between the markers; write it again with ``keys_table()`` when the commands change."""
    text = PAGE.read_text(encoding="utf-8")
    assert text.split(START)[1].split(END)[0].strip() == keys_table()
