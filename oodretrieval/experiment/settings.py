"""Settings dataclasses ↔ the plain dicts of the command line, checked by name and type."""

import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from oodretrieval.errors import SettingsError, UnknownNameError

S = TypeVar("S")


@dataclass(frozen=True)
class CommonSettings:
    """What every stage understands.

    Attributes:
        workspace: Folder that all stages write to; the configuration's if empty.
        root: Root of the dataset in use, instead of its entry's.
        gpu: Number of the GPU; -1 for the CPU. Without a GPU the CPU is used.
        num_cores: Worker processes.
        overwrite: Make existing work anew.
        limit: Only the first so many images; 0 for all.
        verify: Compare large vectors with their checksums too, which reads them whole; all else always is.
    """

    workspace: str = ""
    root: str = ""
    gpu: int = 0
    num_cores: int = 1
    overwrite: bool = False
    limit: int = 0
    verify: bool = False

    def __post_init__(self) -> None:
        require_at_least(self, 0, "num_cores", "limit")


def require_at_least(settings: object, minimum: float, *names: str) -> None:
    """Refuse settings below a bound.

    Raises:
        SettingsError: If one of the named attributes is smaller than ``minimum``.
    """
    for name in names:
        value = getattr(settings, name)
        if value < minimum:
            raise SettingsError(f"args.{name} must be at least {minimum:g}, came {value:g}")


def from_mapping(kind: type[S], values: Mapping[str, Any], where: str = "args") -> S:
    """Build a settings dataclass from a command line's dict.

    Args:
        kind: The dataclass.
        values: Field name → value; nested dataclasses as dicts.
        where: Prefix of names in messages.

    Returns:
        The settings; whole numbers are taken as floats and single texts as tuples of one where those are due.

    Raises:
        UnknownNameError: If a name is no field.
        SettingsError: If a value has the wrong type.
    """
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in names:
            raise UnknownNameError("setting", f"{where}.{name}", [f"{where}.{known}" for known in names])
    return kind(**{name: _convert(hints[name], value, f"{where}.{name}") for name, value in values.items()})


def _convert(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise SettingsError(
                f"{where} is a group of settings; set {where}.<name>=…, not {where}={value!r}"
            )
        return from_mapping(hint, value, where)
    if get_origin(hint) in (Union, types.UnionType):
        return _convert_union(get_args(hint), value, where)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            options = ", ".join(str(option) or "''" for option in get_args(hint))
            raise SettingsError(f"{where} must be one of {options}, came {value!r}")
        return value
    if get_origin(hint) is tuple:
        return _convert_tuple(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise _wrong_type(hint, value, where)
    return value


def _convert_tuple(hint: Any, value: Any, where: str) -> tuple[Any, ...]:
    items = [value] if isinstance(value, (str, int, float)) else value
    kinds = get_args(hint)
    if isinstance(value, str) and value.startswith(("[", "(")):
        raise SettingsError(
            f"{where}: texts in a list need quotes of their own, as in \"{where}=['a', 'b']\"; came {value}"
        )
    if not isinstance(items, (list, tuple)):
        raise _wrong_type(hint, value, where)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(items)
    if len(items) != len(kinds):
        raise SettingsError(f"{where} must have {len(kinds)} values, came {value!r}")
    return tuple(_convert(kind, item, where) for kind, item in zip(kinds, items, strict=True))


def _convert_union(options: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in options:
        return None
    errors = []
    for option in options:
        if option is not type(None):
            try:
                return _convert(option, value, where)
            except SettingsError as error:
                errors.append(str(error))
    raise SettingsError("; or ".join(errors))


def _wrong_type(hint: Any, value: Any, where: str) -> SettingsError:
    name = hint.__name__ if isinstance(hint, type) else str(hint)
    return SettingsError(f"{where} must be of type {name}, came {value!r} ({type(value).__name__})")
