import pytest
import torch
from torch import nn

from oodretrieval.errors import ConfigurationError, UnknownNameError
from oodretrieval.models import DeepLabV3Plus
from oodretrieval.models.aspp import AtrousSpatialPyramidPooling, ImagePooling
from oodretrieval.models.convolution import atrous_convolution, resize_like

CLASSES = 5


def images(height, width):
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(height * width))


@pytest.mark.parametrize(
    ("backbone", "size"), [("tf_efficientnet_lite0", (9, 17)), ("convnext_atto", (8, 16))]
)
def test_low_resolution_logits_are_at_stride_four(backbone, size):
    """Rounded up, or down where the backbone cuts the image into patches."""
    network = DeepLabV3Plus(CLASSES, backbone, channels=16).eval()
    with torch.inference_mode():
        assert network.low_resolution_logits(images(35, 66)).shape == (1, CLASSES, *size)


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    network = DeepLabV3Plus(CLASSES, channels=16, dropout=0.5).eval()
    network.pyramid.train()
    for module in network.pyramid.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    x = images(64, 64)
    with torch.inference_mode():
        assert not torch.equal(network(x), network(x))


def test_a_separable_network_is_smaller():
    def size(separable):
        return sum(p.numel() for p in DeepLabV3Plus(CLASSES, separable=separable).parameters())

    assert size(True) < 0.6 * size(False)


@pytest.mark.parametrize("output_stride", [4, 32, 0])
def test_other_output_strides_are_refused(output_stride):
    with pytest.raises(ConfigurationError, match=f"must be 8 or 16, got {output_stride}"):
        DeepLabV3Plus(CLASSES, output_stride=output_stride)


@pytest.mark.parametrize("backbone", ["vgg11", "vit_tiny_patch16_224", "hrnet_w18_small"])
def test_a_backbone_without_the_stride_is_refused(backbone):
    with pytest.raises(ConfigurationError, match=f"{backbone}.*output stride 16.*choose another"):
        DeepLabV3Plus(CLASSES, backbone=backbone)


def test_an_unknown_backbone_lists_close_ones():
    with pytest.raises(UnknownNameError, match="did you mean 'resnet50'") as caught:
        DeepLabV3Plus(CLASSES, backbone="resnet5O")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("dilation", [1, 6])
def test_an_atrous_convolution_sees_as_far_as_its_rate(separable, dilation):
    """The gradient of the middle pixel reaches exactly the nine taps."""
    torch.manual_seed(0)
    convolution = atrous_convolution(2, 3, dilation, separable).eval()
    x = torch.randn(1, 2, 15, 15, requires_grad=True)
    y = convolution(x)
    assert y.shape == (1, 3, 15, 15)
    # without ReLU, which may be shut: the last convolution before its norm, summed over channels
    for module in convolution.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.bias, 10.0)
    convolution(x)[..., 7, 7].sum().backward()
    rows, columns = x.grad[0].abs().sum(0).nonzero(as_tuple=True)
    taps = {7 - dilation, 7, 7 + dilation}
    assert set(rows.tolist()) == taps
    assert set(columns.tolist()) == taps


def test_image_pooling_is_the_projected_mean():
    torch.manual_seed(0)
    pooling = ImagePooling(3, 4)
    x = torch.randn(2, 3, 5, 7)
    y = pooling(x)
    assert y.shape == (2, 4, 5, 7)
    convolution = pooling.project[0]
    expected = (convolution.weight[:, :, 0, 0] @ x.mean((2, 3)).T).T + convolution.bias
    torch.testing.assert_close(y[:, :, 3, 2], expected.relu())
    assert torch.equal(y, y[:, :, :1, :1].expand_as(y))


def test_the_pyramid_has_a_branch_for_each_rate_one_without_and_the_mean():
    pyramid = AtrousSpatialPyramidPooling(4, 8, rates=(2, 3), separable=False).eval()
    assert len(pyramid.branches) == 4
    dilations = [m.dilation[0] for m in pyramid.branches.modules() if isinstance(m, nn.Conv2d)]
    assert dilations == [1, 2, 3, 1]
    assert pyramid(torch.zeros(1, 4, 6, 9)).shape == (1, 8, 6, 9)


def test_resize_like_takes_the_size_and_nothing_else():
    reference = torch.zeros(7, 2, 5, 9)
    x = torch.arange(4.0).reshape(1, 1, 2, 2)
    assert resize_like(x, reference).shape == (1, 1, 5, 9)
    corners = resize_like(x, reference, align_corners=True)[0, 0]
    assert corners[0, 0] == 0
    assert corners[0, -1] == 1
    assert corners[-1, -1] == 3
