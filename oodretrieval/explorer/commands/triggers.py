"""From what a view was given (keys, buttons, the wheel, the pointer) to the commands of the table."""

from functools import partial

from oodretrieval.explorer.commands.candidates import turn_shown
from oodretrieval.explorer.commands.leaving import step_back, toggle_help
from oodretrieval.explorer.commands.pointer import leave_segment
from oodretrieval.explorer.commands.table import Command, SegmentCommand, command_for
from oodretrieval.explorer.session import Session


def press_key(session: Session, key: str | None) -> None:
    """Take a key: text for an open question, else the command that it is bound to.

    Args:
        session: Whose view.
        key: As matplotlib names it; None for one that it does not know.
    """
    presentation = session.presentation
    prompt = presentation.prompt
    if prompt is not None:
        after = prompt.press(key or "")
        if presentation.prompt is prompt:  # an answer may have asked something else
            presentation.prompt = after
        return
    presentation.key = trigger_of_key(key)
    command = command_for(presentation.key)
    if not isinstance(command, Command):
        return
    if presentation.help and command.run not in (toggle_help, step_back):
        toggle_help(session)
    session.obey(partial(command.run, session))


def choose_command(session: Session, trigger: str) -> None:
    """Take an item of a menu, or a button: away from the points, and whatever is open.

    Args:
        session: Whose view.
        trigger: Of a command of the table; others do nothing.
    """
    command, presentation = command_for(trigger), session.presentation
    if isinstance(command, Command):
        presentation.key, presentation.focus = trigger, None
        session.obey(partial(command.run, session))


def move_pointer(session: Session, row: int | None, pointer: tuple[float, float]) -> None:
    """Take a movement of the pointer.

    Args:
        session: Whose view.
        row: Of the segment under the pointer; None if there is none.
        pointer: Where it is, in the view's own units.
    """
    session.presentation.pointer = pointer
    if row is None:
        leave_segment(session)
    else:
        press_button(session, "pointer", row)


def press_button(session: Session, trigger: str, row: int | None) -> None:
    """Take a click where segments are.

    Args:
        session: Whose view.
        trigger: The button with what is held, as the table spells it.
        row: Of the segment under the pointer; None if there is none.
    """
    command = command_for(trigger)
    if not isinstance(command, SegmentCommand):
        return
    if row is None:
        session.say("no segment under the pointer")
    elif trigger == "pointer":  # only a movement: what a command said stays
        session.attempt(partial(command.run, session, row))
    else:
        session.obey(partial(command.run, session, row))


def turn_wheel(session: Session, up: bool, held: str = "", focus: tuple[float, float] | None = None) -> None:
    """Take a turn of the wheel where segments are.

    Args:
        session: Whose view.
        up: Whether away from the person.
        held: What is held, as the table spells it: ``"ctrl+"`` or nothing.
        focus: Where the pointer is, in the coordinates of the projection; None outside the scatter.
    """
    session.presentation.focus = focus
    command = command_for(f"{held}wheel {'up' if up else 'down'}")
    if isinstance(command, Command):
        session.attempt(partial(command.run, session))


def scroll_sheet(session: Session, up: bool) -> None:
    """Take a turn of the wheel next to the scatter: another page of candidates, where these are shown.

    Args:
        session: Whose view.
        up: Whether away from the person.
    """
    session.attempt(partial(turn_shown, session, -1 if up else 1))


def trigger_of_key(key: str | None) -> str:
    """A key in the spelling of the table: shift is part of the character, and arrows are no buttons of the mouse.

    Args:
        key: As matplotlib names it.

    Returns:
        Its trigger; empty for no key.

    Example:
        >>> trigger_of_key("shift+?"), trigger_of_key("M"), trigger_of_key("ctrl+Z"), trigger_of_key("left")
        ('?', 'm', 'ctrl+z', 'arrow left')
    """
    name = (key or "").removeprefix("shift+").replace("cmd+", "ctrl+").replace("super+", "ctrl+")
    if name in ("left", "right"):
        return f"arrow {name}"
    held, plus, last = name.rpartition("+")
    return f"{held}{plus}{last.lower()}" if len(last) == 1 else name
