"""Settings dataclasses ↔ the plain dicts of the command line, checked by name and type.

Settings are composed: a stage's dataclass holds those of its parts. On the command line all of them are spelled flat
(``args.gpu``, not ``args.common.gpu``), except a :func:`group`, which keeps its name (``args.tsne.perplexity``).
"""

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from oodretrieval.errors import SettingsError, UnknownNameError

S = TypeVar("S")
Path = tuple[str, ...]

DatasetName = Annotated[str, "dataset"]
"""Name of an entry of DATASETS."""
ModelName = Annotated[str, "model"]
"""Name of an entry of MODELS."""

RAY = "ray"
"""The engine that works on a cluster."""


@dataclass(frozen=True)
class CommonSettings:
    """What every stage understands.

    Attributes:
        workspace: Folder that all stages write to, or an address of an object store; the configuration's if empty.
        root: Root of the dataset in use, instead of its entry's.
        gpu: Number of the GPU; -1 for the CPU. Without a GPU the CPU is used.
        num_cores: Worker processes.
        engine: What works image by image runs in ``processes`` of this machine, in turn (``serial``), or on the workers
            of a Ray cluster (``ray``), which reach the images by the same paths, and the workspace by the same path or
            address. The files are the same.
        overwrite: Make existing work again.
        limit: Only the first images, at most this number; 0 for all.
        retry_failed: Try images again that failed before; else they are skipped and named until their files change.
        dry_run: Only say what would be done, and which files would be written.
        verify: Compare large vectors with their checksums too, which reads them whole; all else always is.
    """

    workspace: str = ""
    root: str = ""
    gpu: int = 0
    num_cores: int = 1
    engine: Literal["processes", "serial", "ray"] = "processes"
    overwrite: bool = False
    limit: int = 0
    retry_failed: bool = False
    dry_run: bool = False
    verify: bool = False

    def __post_init__(self) -> None:
        require_at_least(self, 0, "num_cores", "limit")

    @property
    def cores(self) -> int:
        """Worker processes of this machine; none where everything is done in turn."""
        return 0 if self.engine == "serial" else self.num_cores

    @property
    def places(self) -> tuple[str, ...]:
        """What another script must be given, too, to find the same dataset and workspace.

        Example:
            >>> CommonSettings(root="photos", gpu=1).places
            ('args.root=photos',)
        """
        given = {"root": self.root, "workspace": self.workspace}
        return tuple(f"args.{name}={value}" for name, value in given.items() if value)

    def require_one_root(self, datasets: Sequence[str]) -> None:
        """Refuse one root for several datasets.

        Args:
            datasets: Names of those in use.

        Raises:
            SettingsError: If ``root`` is set, and they are several.
        """
        if self.root and len(datasets) > 1:
            raise SettingsError(
                "args.root is the root of one dataset; set the roots of several in configuration.py"
            )


def group(kind: type[S], own: Sequence[str] | None = None) -> S:
    """A field of settings that keep their own name on the command line: ``args.<field>.<name>``.

    Args:
        kind: Their dataclass; its defaults are the field's.
        own: Where the group shares all names that are set around it, too: those of them that it does not share.

    Returns:
        A dataclass field.
    """
    made: S = field(default_factory=kind, metadata={"group": True, "own": own})
    return made


def require_at_least(settings: object, minimum: float, *names: str) -> None:
    """Refuse settings below a bound.

    Args:
        settings: The settings.
        minimum: The bound.
        *names: Attributes to check.

    Raises:
        SettingsError: If one of the named attributes is smaller than ``minimum``.
    """
    for name in names:
        value = getattr(settings, name)
        if value < minimum:
            raise SettingsError(f"args.{name} must be at least {minimum:g}, got {value:g}")


def paths(kind: type) -> dict[str, Path]:
    """Where each setting stands in a dataclass.

    Args:
        kind: A settings dataclass.

    Returns:
        Name on the command line → names of the attributes that lead to it.

    Example:
        >>> paths(CommonSettings)["gpu"]
        ('gpu',)
    """
    return {name: path for name, path, _ in _leaves(kind)}


def from_mapping(kind: type[S], values: Mapping[str, Any], where: str = "args") -> S:
    """Build a settings dataclass from a command line's dict.

    Args:
        kind: The dataclass.
        values: Flat name → value; groups as dicts.
        where: Prefix of names in messages.

    Returns:
        The settings; whole numbers are taken as floats and texts as tuples of what commas part where those are due.

    Raises:
        UnknownNameError: If a name is no setting.
        SettingsError: If a value has the wrong type.
    """
    return changed(kind(), values, where)


def changed(settings: S, values: Mapping[str, Any], where: str = "args") -> S:
    """Settings with some of them replaced, checked like those of a command line.

    Args:
        settings: What is taken where nothing is said.
        values: Flat name → value; groups as dicts.
        where: Prefix of names in messages.

    Returns:
        New settings.

    Raises:
        UnknownNameError: If a name is no setting.
        SettingsError: If a value has the wrong type.
    """
    leaves = {name: (path, hint) for name, path, hint in _leaves(type(settings))}
    for name in values:
        if name not in leaves:
            raise UnknownNameError("setting", f"{where}.{name}", [f"{where}.{known}" for known in leaves])
    new = {}
    for name, value in values.items():
        path, hint = leaves[name]
        new[path] = _convert(hint, value, f"{where}.{name}", _at(settings, path))
    return _rebuilt(settings, new)


def flat(settings: object) -> dict[str, Any]:
    """The ``settings`` as the command line spells them: flat name → value, groups as dicts.

    Example:
        >>> flat(CommonSettings(limit=3))["limit"]
        3
    """
    values = {name: _at(settings, path) for name, path in paths(type(settings)).items()}
    return {name: flat(value) if is_dataclass(value) else value for name, value in values.items()}


def names_in(settings: object) -> Iterator[tuple[str, str]]:
    """The names of entries among settings, so that they can be looked up before anything else is done.

    Args:
        settings: Of any stage.

    Returns:
        Kind of the entry (dataset, model) and its name; empty names are passed over.
    """
    for _, path, hint in _leaves(type(settings)):
        value = _at(settings, path)
        if is_dataclass(value):
            yield from names_in(value)
            continue
        inner = get_args(hint)[0] if get_origin(hint) is tuple else hint
        if get_origin(inner) is Annotated:
            names = value if isinstance(value, tuple) else (value,)
            yield from ((get_args(inner)[1], name) for name in names if name)


def _leaves(kind: type) -> Iterator[tuple[str, Path, Any]]:
    """Name, path and type of every setting."""
    hints = get_type_hints(kind, include_extras=True)
    for own in fields(kind):
        hint = hints[own.name]
        if is_dataclass(hint) and isinstance(hint, type) and not own.metadata.get("group"):
            yield from ((name, (own.name, *path), inner) for name, path, inner in _leaves(hint))
        else:
            yield own.name, (own.name,), hint


def _at(settings: object, path: Path) -> Any:
    for name in path:
        settings = getattr(settings, name)
    return settings


def _rebuilt(settings: S, new: Mapping[Path, Any]) -> S:
    """The settings with new values at some paths, every dataclass built, and so checked, once."""
    values = {}
    for own in fields(settings):  # type: ignore[arg-type]
        below = {path[1:]: value for path, value in new.items() if path[0] == own.name}
        kept = getattr(settings, own.name)
        values[own.name] = below[()] if () in below else _rebuilt(kept, below) if below else kept
    return type(settings)(**values)


def _convert(hint: Any, value: Any, where: str, default: Any = None) -> Any:
    if get_origin(hint) is Annotated:
        return _convert(get_args(hint)[0], value, where)
    if is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, hint):
            return value
        if not isinstance(value, Mapping):
            raise SettingsError(
                f"{where} is a group of settings; set {where}.<name>=…, not {where}={value!r}"
            )
        return changed(default, value, where)
    if get_origin(hint) in (Union, types.UnionType):
        return _convert_union(get_args(hint), value, where)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            options = ", ".join(str(option) or "''" for option in get_args(hint))
            raise SettingsError(f"{where} must be one of {options}, got {value!r}")
        return value
    if get_origin(hint) is tuple:
        return _convert_tuple(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise _wrong_type(hint, value, where)
    return value


def _convert_tuple(hint: Any, value: Any, where: str) -> tuple[Any, ...]:
    items = (
        value.split(",") if isinstance(value, str) else [value] if isinstance(value, (int, float)) else value
    )
    kinds = get_args(hint)
    if isinstance(value, str) and value.startswith(("[", "(")):
        raise SettingsError(
            f"{where}: texts in a list need quotes of their own, as in \"{where}=['a', 'b']\"; got {value}"
        )
    if not isinstance(items, (list, tuple)):
        raise _wrong_type(hint, value, where)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(items)
    if len(items) != len(kinds):
        raise SettingsError(f"{where} must have {len(kinds)} values, got {value!r}")
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
    return SettingsError(f"{where} must be of type {name}, got {value!r} ({type(value).__name__})")
