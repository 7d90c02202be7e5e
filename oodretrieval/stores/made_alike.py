"""Whether work on disk was made with the settings that are asked for now."""

from collections.abc import Mapping
from typing import Any

from oodretrieval.errors import SettingsMismatchError
from oodretrieval.stores.json_files import plain


def require_same_settings(
    where: object,
    recorded: Mapping[str, Any],
    asked: Mapping[str, Any],
    instead: str = "another args.workspace",
) -> None:
    """Refuse to go on with work that was made with other settings.

    Args:
        where: The existing work, for the message.
        recorded: Settings it was made with.
        asked: Settings wanted now. Both are compared in their :func:`plain` form.
        instead: What can be chosen so that both works are kept, for the message.

    Raises:
        SettingsMismatchError: Naming every key that differs or is missing on one side.
    """
    if differences := differing_settings(recorded, asked):
        remedy = f"add args.overwrite=True to make it again, or choose {instead}"
        raise SettingsMismatchError(where, differences, remedy)


def require_asked_settings(where: object, recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """:func:`require_same_settings` of work that notes more of its making than is asked for.

    Args:
        where: The existing work, for the message.
        recorded: All that it notes; None stands for what it does not.
        asked: Settings wanted now.

    Raises:
        SettingsMismatchError: Naming every setting asked for that differs.
    """
    require_same_settings(where, {name: recorded.get(name) for name in asked}, asked)


def differing_settings(
    recorded: Mapping[str, Any], asked: Mapping[str, Any]
) -> dict[str, tuple[object, object]]:
    """Compare settings, in their :func:`plain` form.

    Args:
        recorded: Name → value, as they were.
        asked: Name → value, as they are asked for.

    Returns:
        Name of every setting that differs, or is missing on one side → both values.

    Example:
        >>> differing_settings({"size": (1, 2), "flip": False}, {"size": [1, 2], "flip": True})
        {'flip': (False, True)}
    """
    old, new = plain(dict(recorded)), plain(dict(asked))
    return {
        key: (old.get(key, _NOT_SET), new.get(key, _NOT_SET))
        for key in sorted(old.keys() | new.keys())
        if key not in old or key not in new or old[key] != new[key]
    }


class _NotSet:
    def __repr__(self) -> str:
        return "not set"


_NOT_SET = _NotSet()
