"""From what a view was given (keys, buttons, the wheel, the pointer) to the commands of the table."""

from oodretrieval.explorer.commands.leaving import leave, toggle_help
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
    command = command_for(trigger_of_key(key))
    if not isinstance(command, Command):
        return
    if presentation.help and command.run not in (toggle_help, leave):
        toggle_help(session)
    command.run(session)


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
    else:
        command.run(session, row)


def turn_wheel(session: Session, up: bool) -> None:
    """Take a turn of the wheel where segments are.

    Args:
        session: Whose view.
        up: Whether away from the person.
    """
    command = command_for("wheel up" if up else "wheel down")
    if isinstance(command, Command):
        command.run(session)


def trigger_of_key(key: str | None) -> str:
    """A key in the spelling of the table: shift is part of the character.

    Args:
        key: As matplotlib names it.

    Returns:
        Its trigger; empty for no key.

    Example:
        >>> trigger_of_key("shift+?"), trigger_of_key("M")
        ('?', 'm')
    """
    name = (key or "").removeprefix("shift+")
    return name.lower() if len(name) == 1 else name
