"""Pictures of why the network said so, for the classes of images and for one segment."""

import numpy as np
import pytest
import torch
from PIL import Image

from oodretrieval.errors import SettingsError, UnknownNameError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.explain import Explainer
from oodretrieval.stages.explain.explain import explain
from oodretrieval.stages.explain.settings import ExplainSettings

CHOSEN = {"dataset": "val", "model_name": "colour", "gpu": -1}


@pytest.fixture
def run(configuration, workspace):
    return Run(configuration, workspace)


def explained(run, **more):
    return explain(from_mapping(ExplainSettings, {**CHOSEN, **more}), run)["files"]


def test_a_picture_an_image(run):
    files = explained(run, number=2)
    assert len(files) == 2
    with Image.open(files[0]) as picture:
        shown = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(shown, axis=0)) > 500


def test_of_one_segment_and_of_some_classes(run):
    image = run.dataset("val").ids[1]
    assert len(explained(run, images=[image], segment=1)) == 1
    assert len(explained(run, images=[image], classes=["road"], outliers=False)) == 1
    with pytest.raises(SettingsError, match=r"segment must be 1 …"):
        explained(run, images=[image], segment=9999)
    with pytest.raises(UnknownNameError, match="unknown class 'rode'; did you mean 'road'"):
        explained(run, images=[image], classes=["rode"])
    with pytest.raises(UnknownNameError, match="unknown image of val 'nowhere'"):
        explained(run, images=["nowhere"])


def test_of_a_smaller_image_the_fixations_lie_in_the_image(run):
    """The network sees a quarter of the pixels; where it looks is said in pixels of the image as it is."""
    sample = run.dataset("val")[0]
    height, width = sample.image.shape[:2]
    explainer = Explainer(run.configuration.model("colour"), torch.device("cpu"))
    seen = explainer.see(sample.image, (height // 2, width // 2))
    assert seen.prediction.shape == (height, width)
    mask = seen.prediction == 3
    found = seen.explain(mask, title="road")
    assert len(found.points) > 20 and found.points.max(axis=0)[1] > width // 2
    assert found.share_inside > mask.mean() and found.heat.shape == mask.shape
