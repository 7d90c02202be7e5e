"""Images come and go, are predicted again, in other ways: what is read is right, and only what is new is computed."""

import os
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from oodretrieval.errors import PartialFailure, SettingsMismatchError, StoreError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import Stored, Workspace, existing_parts, read_segments
from oodretrieval.stores.table_layout import part_numbers

NAMES = {"dataset": "images", "model_name": "colour"}
KEYS = "colour", "images"
FIRST = [3, 4, 5, 6, 7, 8, 9]
CHANGES = {
    "grew at the front": range(10),
    "grew in the middle": [3, 4, 5, 13, 14, 6, 7, 8, 9],
    "grew at the back": range(3, 12),
    "shrank at the front": [6, 7, 8, 9],
    "shrank in the middle": [3, 4, 9],
    "shrank to one block": [3, 4, 5],
    "added and removed": [0, 1, 4, 6, 8, 10, 12],
    "others altogether": [0, 1, 2, 10],
}
QUICK = ("grew in the middle", "shrank to one block", "added and removed")


@pytest.fixture(autouse=True)
def in_small_blocks(monkeypatch):
    monkeypatch.setattr("oodretrieval.stores.blocks.BLOCK", 4)


@pytest.fixture(scope="module")
def pictures():
    """Fifteen images, of different segments."""
    rng = np.random.default_rng(3)
    colours = np.array([(120, 170, 230), (150, 90, 70), (90, 90, 95), (30, 40, 150)])
    return [
        Image.fromarray(np.kron(colours[rng.integers(0, 4, (3, 4))], np.ones((8, 8, 1))).astype(np.uint8))
        for _ in range(15)
    ]


class Project:
    """A folder of images, its workspace, and the stages on it."""

    def __init__(self, configuration, workspace, folder, pictures, keep="logits"):
        self.configuration, self.workspace = configuration, workspace
        self.root, self.pictures, self.keep = folder / "photos", pictures, keep
        self.root.mkdir()

    def show(self, numbers):
        """Let the folder hold these images; 13 and 14 lie between 5 and 6."""
        shutil.rmtree(self.root)
        self.root.mkdir()
        for number in numbers:
            self.pictures[number].save(self.path(number))
        return [self.path(number).stem for number in numbers]

    def path(self, number):
        place = 5 + (number - 12) / 10 if number > 12 else number
        return self.root / f"p{place:04.1f}.png"

    def run(self, **options):
        """Predict and measure; returns how many images each of the two worked on."""
        common = {**NAMES, "root": str(self.root)}
        workspace, metrics = self.workspace, {k: v for k, v in options.items() if k in ("limit", "overwrite")}
        settings = from_mapping(
            PredictSettings, {**common, "gpu": -1, "num_cores": 0, "keep": self.keep, **options}
        )
        predicted = pred_images(settings, Run(self.configuration, workspace))["predicted"]
        if self.keep == "nothing":
            return predicted, predicted
        measured = compute_metrics(
            from_mapping(MetricsSettings, {**common, **metrics}), Run(self.configuration, workspace)
        )
        return predicted, measured["images"]

    def read(self, **options):
        settings = from_mapping(MetricsSettings, {**NAMES, "root": str(self.root), **options})
        return Run(self.configuration, self.workspace).stored(*KEYS, settings.common).table()

    def parts(self):
        return {
            number: list(part.images)
            for number, part in existing_parts(self.workspace, Stored(*KEYS)).items()
        }


@pytest.fixture(params=["logits", pytest.param("softmax", marks=pytest.mark.slow), "nothing"])
def project(request, configuration, workspace, tmp_path, pictures):
    return Project(configuration, workspace, tmp_path, pictures, request.param)


@pytest.fixture
def fresh(configuration, tmp_path, project):
    """Images → the table of a workspace that never held others."""

    def table(numbers, **options):
        other = Workspace(tmp_path / f"fresh {len(list(tmp_path.iterdir()))}")
        project.show(numbers)
        mine, project.workspace = project.workspace, other
        project.run(**options)
        rows, project.workspace = project.read(), mine
        return rows

    return table


def same(ours, expected):
    """Equal to the last bit, columns and types too."""
    pd.testing.assert_frame_equal(ours, expected, check_exact=True)
    for name in ours.select_dtypes("number"):
        assert ours[name].to_numpy().tobytes() == expected[name].to_numpy().tobytes()


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param(numbers, id=name, marks=() if name in QUICK else pytest.mark.slow)
        for name, numbers in CHANGES.items()
    ],
)
def test_only_what_is_new_is_computed_and_all_is_right(project, fresh, numbers):
    numbers = list(numbers)
    wanted = fresh(numbers)
    project.show(FIRST)
    assert project.run() == (7, 7)
    shown = project.show(numbers)
    new = len(set(numbers) - set(FIRST))
    assert project.run() == (new, new)
    same(project.read(), wanted)
    assert project.read()["image_id"].unique().tolist() == shown
    project.show(FIRST)  # what was there before is known still
    assert project.run() == (0, 0)
    project.show(numbers)
    assert project.run(overwrite=True) == (len(numbers), len(numbers))
    same(read_segments(project.workspace, *KEYS), wanted)
    assert project.parts() == {n // 4: shown[n : n + 4] for n in range(0, len(shown), 4)}


def test_limit_with_overwrite_predicts_as_many_as_it_says(project, fresh):
    wanted = fresh(FIRST)
    project.run()
    assert project.run(limit=2, overwrite=True) == (2, 2)
    same(project.read(), wanted)
    assert project.run() == (0, 0)


def test_some_predicted_in_another_way_are_refused_until_all_are(project, fresh):
    flipped = fresh(FIRST, flip=True)
    project.show(FIRST)
    project.run()
    assert project.run(flip=True, limit=2, overwrite=True) == (2, 2)
    same(project.read(limit=2), flipped[flipped["image_id"].isin(flipped["image_id"].unique()[:2])])
    with pytest.raises(
        StoreError, match=r"'p03.0' and 'p05.0' differ in flip: True and not set.*pred_images"
    ):
        project.read()
    with pytest.raises(SettingsMismatchError, match="flip"):
        project.run(flip=True)
    project.run(flip=True, overwrite=True)
    same(project.read(), flipped)
    assert sorted(project.parts()) == [0, 1]


def test_an_image_that_was_replaced_and_predicted_again(project, fresh, pictures):
    project.show(FIRST)
    project.run()
    pictures[12].save(project.path(5))
    project.workspace.prediction_path(Stored(*KEYS), project.path(5).stem).unlink()
    assert project.run() == (1, 1)
    mixed = Workspace(project.workspace.path.parent / "mixed")
    mine, project.workspace = project.workspace, mixed
    project.run()
    wanted, project.workspace = project.read(), mine
    same(project.read(), wanted)
    assert not wanted.equals(fresh(FIRST))


def test_predictions_newer_than_the_table_are_not_mistaken_for_it(
    configuration, workspace, tmp_path, pictures
):
    project = Project(configuration, workspace, tmp_path, pictures)
    project.show(FIRST)
    project.run()
    pictures[12].save(project.path(5))
    settings = from_mapping(
        PredictSettings, {**NAMES, "root": str(project.root), "gpu": -1, "limit": 3, "overwrite": True}
    )
    pred_images(settings, Run(configuration, workspace))
    with pytest.raises(
        StoreError, match="1 images of 'images', e.g. 'p05.0', were predicted again.*compute_met"
    ):
        project.read()
    assert project.run() == (0, 1)
    assert len(project.read()) > 0


def test_logits_are_not_thrown_away_unasked(configuration, workspace, tmp_path, pictures):
    project = Project(configuration, workspace, tmp_path, pictures)
    project.show(FIRST[:2])
    settings = {**NAMES, "root": str(project.root), "gpu": -1}
    pred_images(from_mapping(PredictSettings, {**settings}), Run(configuration, workspace))
    for keep, other in (("nothing", "logits"), ("logits", "nothing")):
        with pytest.raises(SettingsMismatchError, match=f"keep: was '{other}', now '{keep}'.*args.overwrite"):
            pred_images(
                from_mapping(PredictSettings, {**settings, "keep": keep}), Run(configuration, workspace)
            )
        pred_images(
            from_mapping(PredictSettings, {**settings, "keep": keep, "overwrite": True}),
            Run(configuration, workspace),
        )


class Killed(BaseException):
    """Nothing happens after it."""


@pytest.mark.parametrize("overwrite", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_whenever_it_is_killed_it_goes_on(project, fresh, monkeypatch, tmp_path, overwrite):
    numbers = [0, 4, 5, 6, 8, 9, 10]
    wanted = fresh(numbers)
    project.show(FIRST)
    project.run()
    project.show(numbers)
    before, replace = project.workspace, os.replace
    for after in range(0, 20, 3):
        project.workspace = Workspace(tmp_path / f"killed {after}")
        shutil.copytree(before.path, project.workspace.path)
        done = []

        def until(source, target, done=done, after=after):
            if len(done) >= after:
                raise Killed
            done.append(target)
            return replace(source, target)

        with monkeypatch.context() as patch:
            patch.setattr("oodretrieval.files.os.replace", until)
            killed = False
            try:
                project.run(overwrite=overwrite)
            except (Killed, PartialFailure):
                killed = True
        rows = project.read()  # whatever there is, is right
        same(rows, wanted[wanted["image_id"].isin(rows["image_id"])].reset_index(drop=True))
        project.run()
        same(project.read(), wanted)
        if not killed:
            break
    else:
        pytest.fail("it was killed each time")


def test_parts_are_filled_before_new_ones_begin():
    ids = [f"{i:02d}" for i in range(12)]
    assert part_numbers(ids, ids, {}) == {image: place // 4 for place, image in enumerate(ids)}
    held = {0: ids[1:5], 1: ids[5:8]}
    assert part_numbers(ids, ["00", "08", "09"], held) == {"00": 1, "08": 2, "09": 2}
    assert part_numbers(ids, ["03"], held) == {"03": 0}
    assert part_numbers(ids, ["00", "01"], {}, taken=[0, 7]) == {"00": 8, "01": 8}
