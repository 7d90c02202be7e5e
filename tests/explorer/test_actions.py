import inspect
from pathlib import Path

import pytest

import oodretrieval
from oodretrieval.explorer.actions import ACTIONS, KEYS, action_for, markdown_table, trigger_of_key
from oodretrieval.explorer.commands import Commands

PAGE = Path(oodretrieval.__file__).parents[1] / "docs" / "explorer.md"
START, END = "<!-- keys -->", "<!-- /keys -->"


def test_every_command_exists_and_every_trigger_does_one_thing():
    for action in ACTIONS:
        assert inspect.getdoc(getattr(Commands, action.command))
    triggers = [action.trigger for action in ACTIONS]
    assert len(set(triggers)) == len(triggers)
    assert [action_for(trigger) for trigger in triggers] == list(ACTIONS)
    assert action_for("x") is None


def test_keys_take_no_segment_and_the_pointer_takes_one():
    for action in ACTIONS:
        parameters = list(inspect.signature(getattr(Commands, action.command)).parameters)
        assert (parameters[1:2] == ["row"]) is (action not in KEYS)


@pytest.mark.parametrize(("key", "trigger"), [("shift+#", "#"), ("G", "g"), ("escape", "escape"), (None, "")])
def test_spellings_of_keys(key, trigger):
    assert trigger_of_key(key) == trigger


def test_the_table_as_markdown():
    lines = markdown_table().splitlines()
    assert len(lines) == len(ACTIONS) + 2
    assert lines[-1] == "| Escape | close the help, a question or the elbow; else leave |"
    assert all(line.count("|") == 3 for line in lines)


def test_the_documentation_has_this_table():
    """Between the markers; write it again with ``markdown_table()`` when the actions change."""
    text = PAGE.read_text(encoding="utf-8")
    assert text.split(START)[1].split(END)[0].strip() == markdown_table()
