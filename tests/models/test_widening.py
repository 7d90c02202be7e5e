"""Weights of a network in one of more classes: the old classes say what they said."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from oodretrieval.errors import WeightsError
from oodretrieval.models import FCN, DeepLabV3Plus, PSPNet, WithImplicitBackground
from oodretrieval.models.widening import load_widened_weights

NETWORKS = {
    "deeplab": lambda classes: DeepLabV3Plus(classes, channels=16, pretrained=False),
    "fcn": lambda classes: FCN(classes, pretrained=False),
    "pspnet": lambda classes: PSPNet(classes, pretrained=False),
    "with background": lambda classes: WithImplicitBackground(
        DeepLabV3Plus(classes, channels=16, pretrained=False)
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_of_the_old_classes_stay_and_the_new_ones_are_not_predicted_at_first(name, tmp_path):
    torch.manual_seed(0)
    old, new = (NETWORKS[name](classes).eval() for classes in (5, 7))
    save_file(old.state_dict(), tmp_path / "old.safetensors")
    widened = load_widened_weights(new, tmp_path / "old.safetensors")
    assert widened
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before, after = old(image), new(image)
    kept = before.shape[1]
    extra = after.shape[1] - kept
    assert extra == 2
    first = 1 if name == "with background" else 0  # the background weighs all other classes
    torch.testing.assert_close(after[:, first:kept], before[:, first:])


def test_what_does_not_fit_is_refused(tmp_path):
    save_file(nn.Conv2d(3, 5, 3).state_dict(), tmp_path / "old.safetensors")
    with pytest.raises(WeightsError, match="nothing to add"):
        load_widened_weights(nn.Conv2d(3, 5, 3), tmp_path / "old.safetensors")
    with pytest.raises(WeightsError, match="weight is .5, 3, 3, 3. instead of .7, 4, 3, 3."):
        load_widened_weights(nn.Conv2d(4, 7, 3), tmp_path / "old.safetensors")
    with pytest.raises(WeightsError, match="0.weight is missing"):
        load_widened_weights(nn.Sequential(nn.Conv2d(3, 7, 3)), tmp_path / "old.safetensors")
