"""Scripts as sacred experiments: settings, logging and exit codes in one place."""

import errno
import logging
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from sacred import SETTINGS, Experiment

from oodretrieval.errors import OODRetrievalError, PartialFailure, SettingsError, StoreError, UnknownNameError
from oodretrieval.execution import progress
from oodretrieval.experiment.configuration import Configuration, load_configuration
from oodretrieval.experiment.descriptions import describe, settable
from oodretrieval.experiment.logs import Transcript, readers_may_leave, set_up_logs
from oodretrieval.experiment.settings import flat, from_mapping, paths

if TYPE_CHECKING:
    from oodretrieval.experiment.run import Run
    from oodretrieval.stores import Workspace

logger = logging.getLogger(__name__)
S = TypeVar("S")
DONE, FAILED, SOME_IMAGES_FAILED, INTERRUPTED = 0, 1, 3, 130
SACREDS_OWN = {"args", "seed"}
CANNOT_WRITE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
Stage = Callable[[S, "Run"], Any]

SETTINGS.CONFIG.READ_ONLY_CONFIG = False
SETTINGS.CAPTURE_MODE = "no"  # capturing would hide from tqdm whether it writes to a terminal


def run_script(
    defaults: Callable[[Configuration], S], stage: Stage[S] | str, *, only_reads: bool = False
) -> NoReturn:
    """Run a script's command line and exit.

    Exit codes: 0 done; 1 failed, with one line that says what and what to do; 3 done, but some images failed;
    130 interrupted, by Ctrl-C or SIGTERM.

    Names, values and entries are checked before anything heavy is imported: a stage imports what it needs itself.

    Args:
        defaults: Configuration → default settings of this script.
        stage: What to run: a function, or ``module:function``, which is imported once the settings are checked.
        only_reads: The stage can do without writing to the workspace; where nothing can be written to it, only the
            record of the run is missing.
    """
    caller = sys._getframe(1).f_globals
    transcript = set_up_logs()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    with readers_may_leave():
        try:
            configuration = load_configuration()
            settings = defaults(configuration)
            _check_command(sys.argv, paths(type(settings)))
            described = Path(caller["__file__"]), caller["__doc__"] or ""
            experiment = _experiment(*described, settings, configuration, stage)
            _keep_record(experiment, type(settings), configuration, transcript, only_reads)
            experiment.run_commandline(_in_args(sys.argv, _groups(settings)))
        except OODRetrievalError as error:
            sys.exit(report_error(error))
        except KeyboardInterrupt:
            logger.error("interrupted%s; run the same command again to go on", progress.left_off())
            sys.exit(INTERRUPTED)
    sys.exit(DONE)


def _experiment(
    script: Path, doc: str, defaults: S, configuration: Configuration, stage: Stage[S] | str
) -> Any:
    experiment: Any = Experiment(script.stem, save_git_info=False, base_dir=str(script.parent))
    experiment.doc = f"{doc.strip()}\n\nSettings (args.…):\n{describe(defaults)}"
    experiment.logger = logging.getLogger(script.stem)
    experiment.logger.setLevel(logging.CRITICAL)  # what went wrong is said by us, once
    experiment.add_config({"args": _plain(settable(defaults))})

    def run(args: Mapping[str, Any], _run: Any) -> Any:
        settings = from_mapping(type(defaults), args)
        try:
            from oodretrieval.experiment.run import Run  # with all that a stage needs

            workspace = _workspace(settings, configuration)
            in_use = Run(configuration.with_named_folder(settings), workspace)
            if flat(settings)["dry_run"]:
                from oodretrieval.experiment.dry_run import dry_run

                return dry_run(script.stem, settings, in_use)
            perform = _imported(stage) if isinstance(stage, str) else stage
            return _jsonable(perform(settings, in_use))
        except Exception as error:
            if _run.pdb:
                raise
            sys.exit(report_error(error, _run.debug))

    run.__name__ = script.stem
    run.__doc__ = doc.strip().splitlines()[0] if doc.strip() else script.stem
    experiment.main(run)
    return experiment


def _imported(stage: str) -> Stage[Any]:
    module, _, function = stage.partition(":")
    found: Stage[Any] = getattr(import_module(module), function)
    return found


def _keep_record(
    experiment: Any, kind: type[S], configuration: Configuration, transcript: Transcript, only_reads: bool
) -> None:
    """Check the settings once they are complete, and then record the run."""

    def check(config: dict[str, Any], command_name: str, logger: logging.Logger) -> dict[str, Any]:
        try:
            settings = _settings(kind, config)
            configuration.with_named_folder(settings).require_names(settings)
            if command_name == experiment.path and not flat(settings)["dry_run"]:
                _add_record(_workspace(settings, configuration))
        except OODRetrievalError as error:
            sys.exit(report_error(error))
        return {}

    def _add_record(workspace: "Workspace") -> None:
        from oodretrieval.experiment.record import RunRecord, require_writable

        try:
            require_writable(workspace.runs_folder)
        except StoreError as error:
            if not only_reads:
                raise
            logger.info("no record of this run is kept, as the workspace cannot be written to")
            logger.debug("%s", error)
            return
        experiment.observers.append(RunRecord(workspace.runs_folder, transcript))

    experiment.config_hook(check)


def _workspace(settings: object, configuration: Configuration) -> "Workspace":
    from oodretrieval.stores import Workspace

    named = flat(settings)["workspace"]
    return Workspace(named or configuration.workspace)


def _check_command(argv: Sequence[str], names: Collection[str]) -> None:
    """Refuse settings that are not spelt as settings, which sacred answers by its whole usage or by a traceback.

    Raises:
        SettingsError: Saying how the command is written.
    """
    start = argv.index("with") if "with" in argv else len(argv)
    before, following = argv[1:start], argv[start + 1 :]
    misplaced = []
    for word, previous in zip(before, ["", *before], strict=False):
        option = word.removeprefix("--").partition("=")[0] if word.startswith("--") else ""
        if option in names:
            misplaced.append(f"args.{word[2:]}" if "=" in word else f"args.{option}=<value>")
        elif not word.startswith("-") and not previous.startswith("-") and "=" in word:
            misplaced.append(word)
    if misplaced:
        words = (word if word.endswith("<value>") else shlex.quote(word) for word in (*misplaced, *following))
        raise SettingsError(f"settings follow the word with: python {argv[0]} with {' '.join(words)}")
    if "with" in argv and not following:
        raise SettingsError(f"no setting follows: python {argv[0]} with args.<name>=<value>")
    for update in takewhile(lambda text: not text.startswith("-"), following):
        if "=" not in update and not Path(update).is_file():
            raise SettingsError(
                f"{update!r} sets nothing; write args.<name>=<value>, without spaces around ="
            )


def _groups(settings: object) -> list[str]:
    return [name for name, value in flat(settings).items() if isinstance(value, dict)]


def _in_args(argv: Sequence[str], groups: Sequence[str]) -> list[str]:
    """A command line in which groups of settings stand below ``args``.

    The published scripts know them next to it (``tsne.perplexity=50``); both spellings are understood.
    """
    start = argv.index("with") + 1 if "with" in argv else len(argv)
    named = [f"args.{text}" if text.partition(".")[0] in groups else text for text in argv[start:]]
    return [*argv[:start], *named]


def _settings(kind: type[S], config: Mapping[str, Any]) -> S:
    """Settings from sacred's whole configuration, in which nothing else may stand."""
    args = config["args"]
    if not isinstance(args, Mapping):
        raise SettingsError(f"args is a group of settings; set args.<name>=…, not args={args!r}")
    for name in config:
        if name not in SACREDS_OWN:
            raise UnknownNameError("setting", name, [f"args.{known}" for known in paths(kind)])
    return from_mapping(kind, args)


def report_error(error: Exception, debug: bool = False) -> int:
    """Say in one line what went wrong.

    Args:
        error: What a stage raised.
        debug: With a traceback.

    Returns:
        The exit code.
    """
    trace = error if debug else None
    if isinstance(error, OSError) and error.errno in CANNOT_WRITE:
        error = StoreError(
            f"cannot write {error.filename or 'a file'} ({error.strerror}); make room or make it writable, or "
            "choose another args.workspace, or args.save_dir where a script has it"
        )
    if _is_lack_of_memory(error):
        said = (str(error).strip().splitlines() or ["none is left"])[0]
        logger.error("out of memory (%s); lower args.num_cores, or end other programs, then run again", said)
        return FAILED
    if not isinstance(error, OODRetrievalError):
        hint = "" if debug else " (run again with -d to see where, and please report it)"
        logger.error("unexpected %s: %s%s", type(error).__name__, error, hint, exc_info=trace)
        return FAILED
    logger.error("%s", error, exc_info=trace)
    if isinstance(error, PartialFailure):
        return SOME_IMAGES_FAILED
    if isinstance(error, SettingsError):
        logger.info("-h lists all settings, print_config shows their values")
    return FAILED


def _is_lack_of_memory(error: Exception) -> bool:
    """Whether Python, NumPy or torch, which has words of its own for it, got no memory."""
    text = str(error)
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
    )


def _plain(value: Any) -> Any:
    """Tuples as lists, for sacred compares types."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _jsonable(result: Any) -> Any:
    return _plain(asdict(result)) if is_dataclass(result) and not isinstance(result, type) else result
