"""Fixations of small networks whose answer is known by construction."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from oodretrieval.errors import ConfigurationError, SettingsError, UnknownOperationError
from oodretrieval.explain import Evidence, fixations, register_rule
from oodretrieval.models import ImplicitBackground

SIZE = (8, 10)


@pytest.fixture
def image():
    return torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0)) + 0.1


def at(*pixels):
    mask = np.zeros(SIZE, bool)
    for row, column in pixels:
        mask[row, column] = True
    return mask


def convolution(kernel, weight_at, channels=(3, 1), **options):
    """Weight 1 where named, (out, in, row, column) → 0 elsewhere."""
    layer = nn.Conv2d(*channels, kernel, bias=False, **options)
    nn.init.zeros_(layer.weight)
    with torch.no_grad():
        for place, weight in weight_at.items():
            layer.weight[place] = weight
    return layer.eval()


class Of(nn.Module):
    """A function as a network."""

    def __init__(self, function, *parts):
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)
        self.eval()

    def forward(self, x):
        return self.function(x, *self.parts)


def test_of_one_convolution_the_largest_contribution(image):
    model = convolution(
        3, {(0, c, i, j): 1.0 for c in range(3) for i in range(3) for j in range(3)}, padding=1
    )
    window = image[0, :, 3:6, 4:7]
    channel = int(window.sum((1, 2)).argmax())
    place = int(window[channel].argmax())
    assert fixations(model, image, at((4, 5)), 0).tolist() == [[3 + place // 3, 4 + place % 3]]


@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_a_shifted_kernel_shifts_all(image, dilation):
    """Its one tap lies above and to the right: each pixel is explained by the one there, the padded ones by none."""
    model = convolution(3, {(0, 1, 0, 2): 1.0}, padding=dilation, dilation=dilation)
    found = fixations(model, image, at((4, 3), (5, 6)), 0)
    assert found.tolist() == [[4 - dilation, 3 + dilation], [5 - dilation, 6 + dilation]]


def test_stride_and_groups(image):
    """Output (row, column) of group 2 sees input (2 row, 2 column) of its own channels only."""
    first = convolution(
        1, {(0, 0, 0, 0): 1.0, (1, 1, 0, 0): 9.0, (2, 2, 0, 0): 1.0, (3, 2, 0, 0): 2.0}, (3, 4)
    )
    second = convolution(1, {(0, 0, 0, 0): 1.0, (1, 1, 0, 0): 1.0}, (4, 2), groups=2, stride=2)
    model = nn.Sequential(first, second, nn.Upsample(SIZE, mode="nearest")).eval()
    assert fixations(model, image, at((5, 7)), 1).tolist() == [[4, 6]]


def test_of_two_branches_the_larger(image):
    one = convolution(3, {(0, 0, 1, 0): 1.0}, padding=1)  # looks left
    other = convolution(3, {(0, 0, 1, 2): 1.0}, padding=1)  # looks right
    image[0, 0, 2, 3], image[0, 0, 2, 5] = 2.0, 1.0
    image[0, 0, 6, 3], image[0, 0, 6, 5] = 1.0, 2.0
    for add in (lambda x, a, b: a(x) + b(x), lambda x, a, b: b(x).add_(a(x))):
        assert fixations(Of(add, one, other), image, at((2, 4), (6, 4)), 0).tolist() == [[2, 3], [6, 5]]
    taken = Of(
        lambda x, a, b: a(x) - b(x), one, other
    )  # what is taken away speaks for the sum where it is low
    image[0, 0, 2, 3], image[0, 0, 2, 5] = 1.0, -3.0
    assert fixations(taken, image, at((2, 4)), 0).tolist() == [[2, 5]]


def test_a_concatenation_leads_by_channel(image):
    left = convolution(3, {(0, 0, 1, 0): 1.0, (1, 0, 1, 0): 1.0}, (3, 2), padding=1)
    right = convolution(3, {(0, 0, 1, 2): 1.0}, padding=1)
    model = Of(lambda x, a, b: torch.cat([a(x), b(x)], 1), left, right)
    found = Evidence(model, image).fixations([(at((4, 4)), target) for target in range(3)])
    assert [pixels.tolist() for pixels in found] == [[[4, 3]], [[4, 3]], [[4, 5]]]


@pytest.mark.parametrize("align_corners", [False, True])
def test_a_resize_leads_to_a_neighbour_of_weight(image, align_corners):
    small = Of(
        lambda x: F.interpolate(F.max_pool2d(x, 2), SIZE, mode="bilinear", align_corners=align_corners)
    )
    image[:] = 0.1
    image[0, 0, 4, 6] = 5.0
    found = fixations(small, image, at((4, 6), (3, 6)), 0)
    assert found.tolist() == [[4, 6]]
    with torch.no_grad():
        seen = (small(image)[0, 0] > 0.11).numpy()  # wherever it weighs anything it is the strongest
    assert fixations(small, image, seen, 0).tolist() == [[4, 6]]
    assert [4, 6] not in fixations(small, image, ~seen, 0).tolist()


def test_a_gate_is_not_followed(image):
    model = Of(lambda x: x * torch.sigmoid(100 * x.roll(3, -1)))
    assert fixations(model, image, at((4, 4), (2, 1)), 0).tolist() == [[2, 1], [4, 4]]


def test_a_norm_of_negative_scale_turns_high_into_low(image):
    """The pixel that speaks for 1 - x is the lowest; norm and convolution act as the convolution they fold into."""
    around = convolution(3, {(0, 0, i, j): 1.0 for i in range(3) for j in range(3)}, (1, 1), padding=1)
    norm = nn.BatchNorm2d(1)
    nn.init.constant_(norm.weight, -1.0)
    window = image[0, 0, 3:6, 4:7]
    lowest = int(window.argmin())
    expected = [[3 + lowest // 3, 4 + lowest % 3]]
    assert (
        fixations(Of(lambda x, a, b: b(a(x[:, :1])), around, norm), image, at((4, 5)), 0).tolist() == expected
    )
    assert fixations(Of(lambda x, a: -a(x[:, :1]), around), image, at((4, 5)), 0).tolist() == expected


def test_global_pooling_leads_to_the_highest_place(image):
    image[0, 1, 6, 2] = 9.0
    model = Of(lambda x: x.mean((2, 3), keepdim=True).expand(-1, -1, *SIZE))
    assert fixations(model, image, at((0, 0), (7, 9)), 1).tolist() == [[6, 2]]


def test_a_classifier_follows_all_that_speaks_for_the_class(image):
    head = nn.Linear(3, 2, bias=False)
    head.weight.data = torch.tensor([[1.0, 2.0, -1.0], [0.0, 0.0, 1.0]])
    image[0, 0, 1, 1] = image[0, 1, 2, 2] = image[0, 2, 3, 3] = 9.0
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()
    assert fixations(model, image, None, 0).tolist() == [[1, 1], [2, 2]]
    assert fixations(model, image, None, 1).tolist() == [[3, 3]]


def test_a_transposed_convolution(image):
    """Its one tap is the lower left of each 2×2."""
    up = nn.ConvTranspose2d(3, 1, 2, stride=2, bias=False).eval()
    nn.init.zeros_(up.weight)
    up.weight.data[0, 0, 1, 0] = 1.0
    model = nn.Sequential(nn.MaxPool2d(2), up).eval()
    row, column = np.unravel_index(int(image[0, 0, 4:6, 6:8].argmax()), (2, 2))
    assert fixations(model, image, at((5, 6)), 0).tolist() == [[4 + row, 6 + column]]


def test_padding_leads_to_the_nearest_pixel(image):
    model = Of(lambda x: F.pad(x, (2, 0, 1, 0))[:, :, : SIZE[0], : SIZE[1]])
    assert fixations(model, image, at((0, 0), (5, 5)), 0).tolist() == [[0, 0], [4, 3]]


def test_what_only_moves(image):
    model = Of(lambda x: F.pixel_shuffle(F.pixel_unshuffle(x.flip(-1), 2).roll(1, 2), 2).permute(0, 1, 2, 3))
    assert fixations(model, image, at((4, 3)), 2).tolist() == [[2, 6]]


def test_a_class_without_evidence_has_no_fixations(image):
    model = Of(lambda x: torch.cat([torch.zeros(1, 1, *SIZE), x[:, :1]], 1))
    background, known = Evidence(model, image).fixations([(None, 0), (None, 1)])
    assert background.shape == (0, 2) and known.shape == (80, 2)


def test_the_implicit_background_is_followed_to_the_strongest_class(image):
    """It is likely where all classes are low, above all the strongest."""
    model = Of(lambda x: ImplicitBackground(1)(x[:, :2]))
    image[0, 0] = 0.0
    assert fixations(model, image, at((3, 3)), 0).tolist() == [[3, 3]]


def test_an_unknown_operation_is_named_and_can_be_given_a_rule(image):
    library = torch.library.Library("oodretrieval_test", "DEF")
    library.define("mirrored(Tensor x) -> Tensor")
    library.impl("mirrored", lambda x: x.flip(-1), "CompositeExplicitAutograd")
    model = Of(lambda x: torch.ops.oodretrieval_test.mirrored(x))
    with pytest.raises(UnknownOperationError, match=r"oodretrieval_test::mirrored.*register_rule"):
        fixations(model, image, at((4, 3)), 0)

    @register_rule("oodretrieval_test::mirrored")
    def follow_mirrored(step, points):
        width = step.output.shape[-1]
        return {"x": points.at(points.index // width * width + width - 1 - points.index % width)}

    assert fixations(model, image, at((4, 3)), 0).tolist() == [[4, 6]]


def test_attention_is_refused_by_name(image):
    model = Of(lambda x: (x.flatten(2)[0] @ x.flatten(2)[0].t() @ x.flatten(2)[0]).view(x.shape))
    with pytest.raises(UnknownOperationError, match="attention"):
        fixations(model, image, None, 0)


@pytest.mark.parametrize(
    ("mask", "target", "message"),
    [(np.ones(SIZE, bool), 3, r"0 … 2, got 3"), (np.ones((4, 4), bool), 0, r"mask is \(4, 4\)")],
)
def test_refuses_what_does_not_fit(image, mask, target, message):
    with pytest.raises(SettingsError, match=message):
        fixations(Of(lambda x: x * 2), image, mask, target)


def test_refuses_a_model_in_training_and_one_without_logits(image):
    with pytest.raises(SettingsError, match="eval"):
        fixations(nn.Conv2d(3, 1, 1), image, None, 0)
    with pytest.raises(ConfigurationError, match="expected a tensor"):
        Evidence(Of(lambda x: {"out": x * 2}), image)


def test_logits_at_a_stride_are_enough(image):
    model = Of(lambda x: F.avg_pool2d(x, 2))
    image[0, 0, 4, 6] = 5.0
    assert fixations(model, image, at((5, 7)), 0).tolist() == [[4, 6]]


def test_blocks_hold_what_is_needed_and_no_more(image):
    """Computed again in blocks, the values are the same, and of a block that is over only its inputs are kept."""
    model = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(12))).eval()
    whole, parts = Evidence(model, image), Evidence(model, image, kept_bytes=3 * image.nbytes)
    mask = at((2, 2), (5, 5))
    assert np.array_equal(*(each.fixations([(mask, 1)])[0] for each in (whole, parts)))
    assert whole.held_bytes == 13 * image.nbytes and parts.held_bytes <= 7 * image.nbytes
