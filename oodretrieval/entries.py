"""Entries of ``configuration.py``: what to build, from which module, with which arguments."""

import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from sysconfig import get_path
from typing import Any, TypeVar

from oodretrieval.errors import ConfigurationError, OODRetrievalError, UnknownNameError

K = TypeVar("K")

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LITE_MEAN = (127 / 255,) * 3
LITE_STD = (128 / 255,) * 3
"""EfficientNet-Lite expects RGB as ``(x - 127) / 128``; here for images scaled to 0…1."""


@dataclass(frozen=True)
class Entry:
    """A class by module path, and its keyword arguments.

    Attributes:
        module: Importable path, e.g. ``"oodretrieval.datasets.camvid"`` or one of your own.
        class_name: Class (or function that returns an instance) in that module.
        kwargs: Keyword arguments it is called with.
    """

    module: str
    class_name: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetEntry(Entry):
    """A dataset: its class yields ``Sample``, or the published project's ``(image, ground_truth, path)``."""


@dataclass(frozen=True)
class ModelEntry(Entry):
    """A segmentation network.

    Attributes:
        weights: File with its weights; None for a class that brings its own.
        mean: Mean of each channel (RGB, images scaled to 0…1) to subtract before the network.
        std: Standard deviation of each channel to divide by.
        source: Where to get the weights, or how to make them; shown when the file is missing.
        implicit_background: Extend the class's K logits by an implicit background, predicted id 0. Class and
            weights know nothing of it; the dataset has K + 1 predicted classes, background first.
        run_code: Read weights that are more than tensors by running the code in their file. **Dangerous**: it can
            do whatever you can. Only for files from someone you trust.
        novelty: File of its novelty model; None for ``novelty_models/`` of the workspace.
        meta_model: Name of the meta model that goes with it, where the command line names none; empty for the
            configuration's ``META_MODEL``.
        size: Height and width of the images that it was trained on. Images more than half as large again are shrunk
            to it before they are shown to the network (``args.resize=0`` switches that off); None to leave all as
            they are.
    """

    weights: str | Path | None = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    source: str = ""
    implicit_background: bool = False
    run_code: bool = False
    novelty: str | Path | None = None
    meta_model: str = ""
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class EmbeddingEntry(Entry):
    """A network that turns crops into vectors: a class derived from ``EmbeddingNetwork``.

    Attributes:
        weights: File or folder of its weights, handed to the class as ``weights_file``; None for a class that brings
            its own.
    """

    weights: str | Path | None = None


@dataclass(frozen=True)
class MetaModelEntry(Entry):
    """A meta model.

    Attributes:
        path: File it is read from and saved to by training; None for ``meta_models/`` of the workspace.
    """

    path: str | Path | None = None


def build(entry: Entry, *args: Any, **overrides: Any) -> Any:
    """Import the entry's module and call its class.

    Args:
        entry: What to build.
        *args: Positional arguments in front.
        **overrides: Keyword arguments that take precedence over the entry's.

    Returns:
        The instance.

    Raises:
        ConfigurationError: If module, class or arguments are wrong.
    """
    where = _where(entry)
    factory = factory_of(entry)
    kwargs = {**entry.kwargs, **overrides}
    try:
        signature = inspect.signature(factory)
    except ValueError:  # a class written in C may not say
        signature = inspect.Signature.from_callable(lambda *args, **kwargs: None)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise ConfigurationError(f"{where}: {error}; its signature is {signature}") from error
    try:
        return factory(*args, **kwargs)
    except OODRetrievalError:
        raise
    except Exception as error:
        line = raised_in(error, factory)
        if not line and not isinstance(error, TypeError | ValueError):
            raise
        raise ConfigurationError(f"{where} with {kwargs}: {line or error}") from error


def build_kind(entry: Entry, kind: type[K], words: str, *args: Any, **overrides: Any) -> K:
    """As :func:`build`, and refuse what is of another kind.

    Args:
        entry: What to build.
        kind: Class that it must be of.
        words: The kind, with its article, for the message.
        *args: Positional arguments in front.
        **overrides: Keyword arguments that take precedence over the entry's.

    Returns:
        The instance.

    Raises:
        ConfigurationError: If module, class or arguments are wrong, or it is of another kind.
    """
    built = build(entry, *args, **overrides)
    if not isinstance(built, kind):
        raise ConfigurationError(
            f"{_where(entry)} must build {words}, built {type(built).__name__}; derive its class from {kind.__name__}, "
            "or correct `class_name` in configuration.py"
        )
    return built


def factory_of(entry: Entry) -> Callable[..., Any]:
    """Import the entry's module and look up its class, or function, without calling it.

    Args:
        entry: What it names.

    Returns:
        The class or function.

    Raises:
        ConfigurationError: If the module cannot be imported, or has nothing of that name that can be called.
    """
    try:
        module = import_module(entry.module)
    except Exception as error:  # whatever a module of the user raises
        raise ConfigurationError(
            f"{_where(entry)}: cannot import module {entry.module!r} ({type(error).__name__}: {error}); correct "
            "`module` in configuration.py, or install the package that it needs"
        ) from error
    factory: Any = getattr(module, entry.class_name, None)
    if factory is None:
        known = [name for name, value in vars(module).items() if inspect.isclass(value)]
        raise ConfigurationError(str(UnknownNameError(f"class in {entry.module}", entry.class_name, known)))
    if not callable(factory):
        raise ConfigurationError(
            f"{_where(entry)} must be a class or a function, is a {type(factory).__name__}; "
            "correct `class_name` in configuration.py"
        )
    found: Callable[..., Any] = factory
    return found


def is_ours(thing: object) -> bool:
    """Whether ``thing``, a class, a function or an object of a class, is of this package."""
    module = getattr(thing if inspect.isroutine(thing) else _class_of(thing), "__module__", "")
    return str(module).partition(".")[0] == __name__.partition(".")[0]


def described(thing: object) -> str:
    """Name and file of ``thing``, a class, a function or an object of a class, for messages.

    Example:
        >>> import ast
        >>> described(ast.NodeVisitor()).rpartition("/")[2]
        'ast.py'
    """
    kind = thing if inspect.isroutine(thing) else _class_of(thing)
    return f"{getattr(kind, '__name__', kind)} in {_file_of(kind) or 'a file that is not known'}"


def raised_in(error: BaseException, thing: object) -> str:
    """The last line of a user's code that an error went through.

    Args:
        error: What was raised.
        thing: A class of the user, an object of it, or a function.

    Returns:
        File, line, function, kind of error and its text; empty if no code of the file (or of files in its folder) had
        a part in it, or that code is ours.
    """
    kind = thing if inspect.isroutine(thing) else _class_of(thing)
    bases = [kind] if inspect.isroutine(kind) else inspect.getmro(_class_of(kind))
    files = {_file_of(base) for base in bases if base is kind or not _is_installed(_file_of(base))}
    files -= {"", *(_file_of(base) for base in bases if is_ours(base))}
    folders = {str(Path(file).parent) for file in files if not _is_installed(file)}
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename in files or str(Path(f.filename).parent) in folders]
    if not any(frame.filename in files for frame in own):
        return ""
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{own[-1].filename}:{own[-1].lineno}, in {own[-1].name}: {type(error).__name__}: {text}"


@contextmanager
def code_of(
    thing: object, where: str, expected: str, but: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Run code of a class that an entry names; what goes wrong in it is said to be its own.

    Args:
        thing: The class, an object of it, or a function.
        where: What to call it.
        expected: What it must do.
        but: Errors that are not touched.

    Yields:
        Nothing.

    Raises:
        ConfigurationError: If the class's own code raises; with file and line of it.
    """
    try:
        yield
    except Exception as error:
        line = "" if isinstance(error, (OODRetrievalError, *but)) else raised_in(error, thing)
        if not line:
            raise
        raise ConfigurationError(f"{where} fails at {line}; expected {expected}") from error


def _class_of(thing: object) -> type:
    return thing if isinstance(thing, type) else type(thing)


def _file_of(kind: Any) -> str:
    try:
        return inspect.getsourcefile(kind) or ""
    except (OSError, TypeError):  # written in C, or made without a file
        return ""


def _is_installed(file: str) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    return any(Path(file).is_relative_to(get_path(name)) for name in ("stdlib", "purelib", "platlib"))


def _where(entry: Entry) -> str:
    return f"entry {entry.module}.{entry.class_name}"
