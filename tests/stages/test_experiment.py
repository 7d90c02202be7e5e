"""Scripts as experiments: a made-up one, with every kind of setting and outcome, run in this process."""

import errno
import json
import logging
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import pytest
from in_process import run_in_process

from oodretrieval.errors import DatasetNotFoundError, PartialFailure
from oodretrieval.execution import progress
from oodretrieval.experiment.configuration import VARIABLE
from oodretrieval.experiment.descriptions import describe
from oodretrieval.experiment.record import code_commit
from oodretrieval.experiment.settings import CommonSettings, group
from oodretrieval.results.result import Context, Result, save_result

CONFIGURATION = """
from oodretrieval.entries import DatasetEntry
DATASETS = {"meadow": DatasetEntry("m", "C"), "hills": DatasetEntry("m", "C")}
MODELS = META_MODELS = {}
WORKSPACE = "work"
DATASET = TRAIN_DATASET = VAL_DATASET = "meadow"
MODEL = META_MODEL = EMBEDDING = ""
"""
SCRIPT = '''"""Count the sheep of a meadow.

    python scripts/count_sheep.py with args.dataset=hills
"""

from oodretrieval.experiment.script import run_script

run_script(DEFAULTS, STAGE, only_reads=ONLY_READS)
'''


@dataclass(frozen=True)
class Plot:
    """How to draw.

    Attributes:
        legend: Whether there is a legend.
    """

    legend: bool = True


@dataclass(frozen=True)
class SheepSettings:
    """Sheep.

    Attributes:
        dataset: Name of the meadow,
            or of the hills.
        names: What the sheep are called.
        keep: What is kept.
        rate: Sheep a second.
        mainplot: The group of settings of the plot.
    """

    dataset: str = ""
    names: tuple[str, ...] = ("Dolly",)
    keep: Literal["all", "nothing"] = "all"
    rate: float = 1.0
    mainplot: Plot = group(Plot)
    common: CommonSettings = CommonSettings()


@pytest.fixture
def sheep(tmp_path, monkeypatch, capsys):
    """Runs the made-up script with a command line; gives exit code, stdout, stderr and the settings seen."""
    (tmp_path / "configuration.py").write_text(CONFIGURATION)
    script = tmp_path / "count_sheep.py"
    script.write_text(SCRIPT)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "configuration.py"))
    monkeypatch.delenv("OODRETRIEVAL_WORKSPACE", raising=False)

    def run(*arguments, outcome=None, only_reads=False):
        seen = []

        def stage(settings, run):
            seen.append((settings, run.workspace.path))
            run.configuration.dataset(settings.dataset)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome() if callable(outcome) else outcome

        def defaults(configuration):
            return SheepSettings(dataset=configuration.defaults["DATASET"])

        variables = {"DEFAULTS": defaults, "STAGE": stage, "ONLY_READS": only_reads}
        code, out, err = run_in_process(script, arguments, capsys, **variables)
        return code, out, err, seen

    return run


def record(folder):
    (run,) = (path for path in folder.iterdir() if path.name.isdigit())
    return json.loads((run / "run.json").read_text()), json.loads((run / "config.json").read_text())


def test_done_is_zero_and_leaves_a_record_in_the_workspace(sheep, tmp_path):
    code, out, err, [(settings, workspace)] = sheep(outcome={"sheep": 7})
    assert code == 0
    assert out == err == ""
    assert settings == SheepSettings(dataset="meadow")
    assert workspace == tmp_path / "work"
    run, config = record(tmp_path / "work" / "runs")
    assert (run["status"], run["result"]) == ("COMPLETED", {"sheep": 7})
    assert config["args"]["dataset"] == "meadow"
    assert config["args"]["names"] == ["Dolly"]


def test_settings_come_from_the_command_line(sheep):
    code, _, err, [(settings, _)] = sheep(
        "with",
        "args.dataset=hills",
        "args.gpu=-1",
        "args.names=['Shaun', 'Timmy']",
        "args.keep=nothing",
        "args.rate=2",
        "args.overwrite=True",
        "args.mainplot.legend=False",
    )
    assert (code, err) == (0, "")
    assert settings == SheepSettings(
        dataset="hills",
        names=("Shaun", "Timmy"),
        keep="nothing",
        rate=2.0,
        mainplot=Plot(legend=False),
        common=CommonSettings(gpu=-1, overwrite=True),
    )


def test_groups_may_stand_next_to_args_as_published(sheep):
    code, _, err, [(settings, _)] = sheep("with", "args.dataset=hills", "mainplot.legend=False")
    assert (code, err) == (0, "")
    assert settings == SheepSettings(dataset="hills", mainplot=Plot(legend=False))
    code, _, err, seen = sheep("with", "mainplot.legnd=1")
    assert (code, seen) == (1, [])
    assert "unknown setting 'args.mainplot.legnd'; did you mean 'args.mainplot.legend'?" in err


def test_a_file_of_settings_will_do(sheep, tmp_path):
    (tmp_path / "sheep.json").write_text(json.dumps({"args": {"dataset": "hills", "rate": 3}}))
    code, _, _, [(settings, _)] = sheep("with", str(tmp_path / "sheep.json"), "args.gpu=-1", "-c", "comment")
    assert code == 0
    assert settings == SheepSettings(dataset="hills", rate=3.0, common=CommonSettings(gpu=-1))


def test_a_single_name_is_a_tuple_of_one(sheep):
    *_, [(settings, _)] = sheep("with", "args.names=Shaun")
    assert settings.names == ("Shaun",)


def test_args_workspace_is_where_everything_goes(sheep, tmp_path):
    code, _, _, [(_, workspace)] = sheep("with", f"args.workspace={tmp_path / 'other'}")
    assert code == 0
    assert workspace == tmp_path / "other"
    assert record(tmp_path / "other" / "runs")[0]["status"] == "COMPLETED"
    assert not (tmp_path / "work").exists()


def test_sacreds_own_observer_works_next_to_ours(sheep, tmp_path):
    code, *_ = sheep("-F", str(tmp_path / "mine"), "with", "args.gpu=-1")
    assert code == 0
    for folder in (tmp_path / "mine", tmp_path / "work" / "runs"):
        run, config = record(folder)
        assert run["status"] == "COMPLETED"
        assert config["args"]["gpu"] == -1


@pytest.mark.parametrize(
    ("update", "said"),
    [
        (
            "args.datset=hills",
            "unknown setting 'args.datset'; did you mean 'args.dataset'? Known: args.dataset",
        ),
        ("datset=hills", "unknown setting 'datset'; did you mean 'args.dataset'?"),
        ("dataset=hills", "unknown setting 'dataset'; did you mean 'args.dataset'?"),
        ("args.mainplot.legnd=1", "did you mean 'args.mainplot.legend'?"),
        ("args.gpu=one", "args.gpu must be of type int, got 'one' (str)"),
        ("args.gpu=1.5", "args.gpu must be of type int, got 1.5 (float)"),
        ("args.keep=some", "args.keep must be one of all, nothing, got 'some'"),
        ("args.mainplot=3", "args.mainplot is a group of settings"),
        ("args.gpu", "'args.gpu' sets nothing; write args.<name>=<value>"),
        ("args=3", "args is a group of settings; set args.<name>=…, not args=3"),
    ],
)
def test_a_wrong_setting_fails_in_one_line_before_anything_happens(sheep, tmp_path, update, said):
    code, _, err, seen = sheep("with", update)
    assert code == 1
    assert seen == []
    first, hint = err.splitlines()
    assert said in first
    assert "-h" in hint
    assert not (tmp_path / "work").exists(), "no record of what never ran"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["args.gpu=1"], " with args.gpu=1"),
        (["args.gpu=1", "args.dataset=hills"], " with args.gpu=1 args.dataset=hills"),
        (["args.gpu=1", "with", "args.dataset=hills"], " with args.gpu=1 args.dataset=hills"),
        (["--gpu=1"], " with args.gpu=1"),
        (["--gpu", "1"], " with args.gpu=<value>"),
        (["print_config", "args.gpu=1"], " with args.gpu=1"),
        (["args.dataset=my hills", "with", "args.gpu=1"], " with 'args.dataset=my hills' args.gpu=1"),
        (["with"], "no setting follows"),
    ],
)
def test_settings_without_the_word_with_are_shown_as_they_are_written(sheep, words, said):
    code, _, err, seen = sheep(*words)
    assert (code, seen) == (1, [])
    assert said in err.splitlines()[0]


def test_a_comment_may_look_like_a_setting(sheep):
    code, _, _, seen = sheep("-c", "gpu=1", "with", "args.dataset=hills")
    assert code == 0
    assert len(seen) == 1


def test_an_unknown_name_of_an_entry_lists_the_known_ones(sheep):
    code, _, err, _ = sheep("with", "args.dataset=hlls")
    assert code == 1
    assert err.splitlines()[0] == "unknown dataset 'hlls'; did you mean 'hills'? Known: hills, meadow"


def test_a_failure_is_one_line_and_a_traceback_only_with_d(sheep, tmp_path):
    failure = DatasetNotFoundError("no sheep below 'meadow'; set `root`")
    code, out, err, _ = sheep(outcome=failure)
    assert (code, out, err) == (1, "", "no sheep below 'meadow'; set `root`\n")
    run, _ = record(tmp_path / "work" / "runs")
    assert run["status"] == "FAILED"
    assert "no sheep below" in "".join(run["fail_trace"])
    code, _, err, _ = sheep("-d", outcome=failure)
    assert code == 1
    assert "Traceback" in err
    assert err.startswith("no sheep below")


def test_an_unexpected_error_says_what_and_how_to_see_more(sheep):
    code, out, err, _ = sheep(outcome=ZeroDivisionError("sheep by zero"))
    assert (code, out) == (1, "")
    assert (
        err
        == "unexpected ZeroDivisionError: sheep by zero (run again with -d to see where, and please report it)\n"
    )
    code, _, err, _ = sheep("-d", outcome=ZeroDivisionError("sheep by zero"))
    assert code == 1
    assert "Traceback" in err
    assert err.splitlines()[0] == "unexpected ZeroDivisionError: sheep by zero"


def test_some_images_failed_is_three_and_lists_them(sheep):
    code, _, err, _ = sheep(outcome=PartialFailure("count", {"a/1": "too dark", "b/2": "no sheep"}))
    assert code == 3
    assert err.splitlines()[1:] == ["  a/1: too dark", "  b/2: no sheep"]


def test_interrupted_is_130_and_says_how_to_go_on(sheep, tmp_path):
    code, _, err, _ = sheep(outcome=KeyboardInterrupt())
    assert code == 130
    assert err == "interrupted; run the same command again to go on\n"
    assert record(tmp_path / "work" / "runs")[0]["status"] == "INTERRUPTED"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_and_says_what_was_done(sheep, number):
    # a shell that starts the tests in the background lets them ignore Ctrl-C, and so everything that they start
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def count():
        for animal in progress(range(7), desc="counting", unit="animal"):
            if animal == 3:
                os.kill(os.getpid(), number)

    try:
        code, _, err, _ = sheep(outcome=count)
    finally:
        signal.signal(signal.SIGINT, before)
    assert code == 130
    assert err == "interrupted (counting: 3 of 7 animals); run the same command again to go on\n"


def test_a_dry_run_does_nothing_and_keeps_no_record(sheep, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("oodretrieval.experiment.dry_run.dry_run", lambda *given: asked.append(given[0]))
    code, _, err, seen = sheep("with", "args.dry_run=True")
    assert (code, err, seen) == (0, "", [])
    assert len(asked) == 1 and not (tmp_path / "work" / "runs").exists()


def test_a_workspace_that_cannot_be_written_fails_in_one_line(sheep, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, _, err, seen = sheep("with", f"args.workspace={tmp_path / 'file'}")
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "cannot write to the workspace" in err
    assert "args.workspace" in err
    assert seen == []


@pytest.fixture
def read_only(monkeypatch):
    """The workspace's folders are there, and refuse every file; permissions would not hold the root user back."""

    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("oodretrieval.experiment.record.TemporaryFile", refuse)


def test_what_writes_needs_a_workspace_that_can_be_written(sheep, read_only):
    code, out, err, seen = sheep()
    assert (code, out, seen) == (1, "", [])
    assert len(err.splitlines()) == 1
    assert "cannot write to the workspace" in err and "Read-only" in err


def test_what_only_reads_needs_none(sheep, tmp_path, read_only):
    code, _, err, seen = sheep(only_reads=True)
    assert (code, len(seen)) == (0, 1)
    assert err == "no record of this run is kept, as the workspace cannot be written to\n"
    assert list((tmp_path / "work" / "runs").iterdir()) == []


@pytest.mark.parametrize("outcome", [{"sheep": 7}, DatasetNotFoundError("no sheep")])
@pytest.mark.parametrize("call", ["save_json", "save_cout"])
def test_a_disk_that_fills_up_costs_the_record_and_nothing_else(sheep, monkeypatch, call, outcome):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(f"oodretrieval.experiment.record.RunRecord.{call}", full)
    code, _, err, seen = sheep(outcome=outcome)
    assert len(seen) == 1
    failed = isinstance(outcome, Exception)
    assert code == failed
    assert err.startswith("no sheep" if failed else "the record of this run is not kept")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_stage_that_cannot_write_fails_in_one_line(sheep, number):
    code, _, err, _ = sheep(outcome=OSError(number, os.strerror(number), "pictures/a.png"))
    assert code == 1
    assert len(err.splitlines()) == 1
    assert err.startswith("cannot write pictures/a.png (") and "unexpected" not in err


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 9 TiB"),
        RuntimeError("CUDA out of memory. Tried to\nuse 1"),
    ],
)
def test_a_lack_of_memory_is_said_as_such(sheep, error):
    code, _, err, _ = sheep(outcome=error)
    assert code == 1
    assert err.startswith("out of memory (") and "args.num_cores" in err and len(err.splitlines()) == 1


def test_results_go_to_standard_output_and_all_lines_to_the_record(sheep, tmp_path):
    def evaluate():
        logging.getLogger("oodretrieval.stages.some").info("reading")
        table = pd.DataFrame({"IoU": [0.5]}, index=pd.Index(["road"], name="class"))
        result = Result("Sheep", "sheep", Context("d", "s", 3, "v", "r"), {}, {}, {"by class": table})
        save_result(tmp_path / "out", result)

    code, out, err, _ = sheep(outcome=evaluate)
    assert code == 0
    assert "Sheep" in out and "road" in out and "0.500" in out
    assert "Sheep" not in err and err.startswith("reading\n") and "saved " in err
    (said,) = (tmp_path / "work" / "runs").glob("*/cout.txt")
    assert said.read_text() == "reading\n" + out + err.removeprefix("reading\n")


def test_the_record_of_a_failure_says_what_was_said(sheep, tmp_path):
    sheep(outcome=DatasetNotFoundError("no sheep below"))
    (said,) = (tmp_path / "work" / "runs").glob("*/cout.txt")
    assert said.read_text() == "no sheep below\n"


def test_the_record_names_the_commit(sheep, tmp_path, monkeypatch):
    monkeypatch.setattr("oodretrieval.experiment.record.code_commit", lambda: "0123-dirty")
    sheep()
    run, _ = record(tmp_path / "work" / "runs")
    assert run["experiment"]["commit"] == "0123-dirty"


def test_the_commit_of_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    inner = tmp_path / "checkout" / "installed"
    inner.mkdir(parents=True)
    assert code_commit(inner) == "", "no checkout at all"
    git = ["git", "-C", str(inner.parent), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert code_commit(inner.parent) == "", "nothing was committed"
    (inner / "x.py").write_text("1")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    subprocess.run([*git, "tag", "v1"], check=True)
    assert code_commit(inner.parent) == head.strip()
    assert code_commit(inner) == "", "a checkout of something else around the package"
    (inner / "x.py").write_text("2")
    assert code_commit(inner.parent) == f"{head.strip()}-dirty"
    monkeypatch.setenv("PATH", "")
    assert code_commit(inner.parent) == "", "no git at hand"


def test_a_broken_configuration_fails_in_one_line(sheep, tmp_path):
    (tmp_path / "configuration.py").write_text("1 / 0")
    code, _, err, _ = sheep()
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "configuration.py fails: ZeroDivisionError" in err


def test_help_gives_the_command_and_every_setting_with_its_text(sheep, tmp_path):
    code, out, err, seen = sheep("-h")
    assert (code, err, seen) == (0, "", [])
    assert "Count the sheep of a meadow." in out
    assert "python scripts/count_sheep.py with args.dataset=hills" in out
    for text in (
        "Name of the meadow, or of the hills.",
        "What the sheep are called.",
        "Number of the GPU; -1 for the CPU.",
        "Only the first images, at most this number; 0 for all. [0]",
    ):
        assert text in out
    assert "print_config" in out
    assert not (tmp_path / "work").exists()


def test_print_config_shows_the_values_and_runs_nothing(sheep, tmp_path):
    code, out, err, seen = sheep("print_config", "with", "args.dataset=hills")
    assert (code, err, seen) == (0, "", [])
    for line in ("dataset = 'hills'", "gpu = 0", "names = ['Dolly']", "legend = True"):
        assert line in out
    assert not (tmp_path / "work").exists()


def test_print_config_checks_too(sheep):
    code, _, err, _ = sheep("print_config", "with", "args.datset=hills")
    assert code == 1
    assert "did you mean 'args.dataset'" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["-u"],
        ["-c", "a comment"],
        ["-p"],
        ["-n", "name"],
        ["-l", "WARNING"],
        ["with", "seed=3"],
        ["count_sheep"],
    ],
    ids=" ".join,
)
def test_sacreds_other_options_work_too(sheep, arguments):
    code, _, err, seen = sheep(*arguments)
    assert (code, err) == (0, "")
    assert len(seen) == 1


def test_an_unknown_command_fails(sheep):
    code, out, *_ = sheep("print_cofnig")
    assert code == 1
    assert "print_cofnig" in out


def test_the_lines_of_a_stage_go_to_stderr_as_they_are(sheep):
    def talk():
        logging.getLogger("oodretrieval.stages.some").info("7 sheep")
        logging.getLogger("oodretrieval.stages.some").debug("bleat")

    assert sheep(outcome=talk)[:3] == (0, "", "7 sheep\n")


def test_a_dataclass_as_result_is_recorded(sheep, tmp_path):
    sheep(outcome=Plot(legend=False))
    assert record(tmp_path / "work" / "runs")[0]["result"] == {"legend": False}


def test_describe_joins_the_texts_of_all_classes():
    lines = describe(SheepSettings()).splitlines()
    texts = dict(line.split(None, 1) for line in lines)
    assert next(iter(texts)) == "workspace"
    assert texts["dataset"] == "Name of the meadow, or of the hills. [empty]"
    assert texts["mainplot.legend"] == "Whether there is a legend. [True]"
    assert texts["limit"] == "Only the first images, at most this number; 0 for all. [0]"
    assert len({len(line) - len(line.split(None, 1)[1]) for line in lines}) == 1, "in one column"
