import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.choices import VIEWS, views_of
from oodretrieval.embedding import (
    EmbeddingNetwork,
    ImageCandidates,
    SegmentationFeatures,
    View,
    embed_candidates,
    embed_views,
    embedding_name,
    embedding_network,
    network_of,
)
from oodretrieval.embedding.views import LEFT_OF_BACKGROUND, crop_views, dimmed, mean_of_views
from oodretrieval.errors import ConfigurationError, SettingsError, UnknownNameError
from oodretrieval.masks import encode_mask
from oodretrieval.models import DeepLabV3Plus

HEIGHT, WIDTH = 24, 40


def colours(min_size=1):
    """A network whose vector is the mean colour: what every view should give can be computed by hand."""
    return EmbeddingNetwork(
        "colour", torch.nn.Identity(), 3, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), min_size=min_size
    )


@pytest.fixture(scope="module")
def scene():
    """An image with three candidates in boxes of their own sizes."""
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    masks, boxes = [], [(0, 0, 12, 10), (5, 3, 30, 24), (39, 0, 40, 24)]
    for left, top, right, bottom in boxes:
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[top:bottom, left:right] = random.random((bottom - top, right - left)) < 0.4
        mask[top, left] = True
        masks.append(mask)
    return image, boxes, masks


def by_hand(image, box, mask, name):
    left, top, right, bottom = box
    if name == "context":
        x, y = round((right - left) / 2), round((bottom - top) / 2)
        part = image[max(top - y, 0) : bottom + y, max(left - x, 0) : right + x]
        return part.reshape(-1, 3).mean(0) / 255
    if name in ("masked", "pooled"):
        return image[mask].mean(0) / 255
    part = image[top:bottom, left:right]
    if name == "dimmed":
        part = dimmed(part, mask[top:bottom, left:right])
    return part.reshape(-1, 3).mean(0) / 255


@pytest.mark.parametrize("name", VIEWS)
def test_views_are_what_they_are_called(scene, name):
    image, boxes, masks = scene
    candidates = ImageCandidates(image, boxes, [encode_mask(mask) for mask in masks])
    vectors = embed_candidates(colours(), [candidates, candidates], [name])
    expected = [by_hand(image, box, mask, name) for box, mask in zip(boxes, masks, strict=True)]
    np.testing.assert_allclose(vectors, np.array(expected * 2), atol=1e-5)


@given(st.lists(st.sampled_from(VIEWS), min_size=2, max_size=5, unique=True))
def test_several_views_are_the_mean_of_their_unit_vectors(views):
    random = np.random.default_rng(len(views))
    mask = np.zeros((9, 8), bool)
    mask[2:6, 3:8] = True
    images = [
        ImageCandidates(
            random.integers(0, 256, (9, 8, 3), dtype=np.uint8),
            [(2, 1, 8, 7)] * number,
            [encode_mask(mask)] * number,
        )
        for number in (2, 0, 1)
    ]
    single = [embed_candidates(colours(), images, [view]).astype(float) for view in views]
    expected = np.mean([one / np.linalg.norm(one, axis=1)[:, None] for one in single], axis=0)
    np.testing.assert_allclose(embed_candidates(colours(), images, views), expected, atol=1e-5)


def test_a_candidate_without_a_mask_counts_as_its_box(scene):
    image, boxes, _ = scene
    for name in ("masked", "pooled", "dimmed"):
        without = embed_candidates(colours(), [ImageCandidates(image, boxes, [None] * 3)], [name])
        crops = embed_candidates(colours(), [ImageCandidates(image, boxes, [None] * 3)], ["crop"])
        np.testing.assert_allclose(without, crops, atol=1e-5)


def test_a_mask_changes_nothing_outside_it(scene):
    """What lies in the background of a dimmed crop matters less, in a crop of colours by the factor it is dimmed by."""
    image, (_, box, _), _ = scene
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:14, 10:14] = True
    other = image.copy()
    other[3:7, 20:30] = 255 - other[3:7, 20:30]
    views = [
        next(crop_views(picture, [box], [encode_mask(mask)], "dimmed")).image for picture in (image, other)
    ]
    change = np.abs(views[0].astype(int) - views[1]).sum() / np.abs(image.astype(int) - other).sum()
    assert change == pytest.approx(LEFT_OF_BACKGROUND, abs=0.02)
    inside = mask[box[1] : box[3], box[0] : box[2]]
    assert np.array_equal(views[0][inside], image[mask])


def test_an_image_is_seen_once_for_all_of_its_candidates(scene):
    image, boxes, masks = scene
    seen = []

    class Watching(torch.nn.Module):
        def forward(self, x):
            seen.append(tuple(x.shape))
            return x

    network = EmbeddingNetwork("spy", Watching(), 3, (0, 0, 0), (1, 1, 1), min_size=1)
    embed_candidates(network, [ImageCandidates(image, boxes, [encode_mask(m) for m in masks])], ["pooled"])
    assert seen == [(1, 3, HEIGHT, WIDTH)]


@pytest.mark.parametrize("step", [1, 4, 7])
def test_sizes_in_steps(step):
    seen = set()

    class Watching(torch.nn.Module):
        def forward(self, x):
            seen.add(tuple(x.shape[2:]))
            return x

    network = EmbeddingNetwork("spy", Watching(), 3, (0, 0, 0), (1, 1, 1), min_size=6, multiple_of=2)
    sizes = [(1, 5), (8, 9), (30, 11)]
    embed_views(network, [View(np.zeros((*size, 3), np.uint8)) for size in sizes], step=step)
    together = np.lcm(step, 2)
    expected = {
        tuple(max(-(-6 // together), round(side / together + 1e-9)) * together for side in size)
        for size in sizes
    }
    assert seen == expected


def test_the_features_of_a_segmentation_network_are_what_its_classifier_reads():
    torch.manual_seed(0)
    network = DeepLabV3Plus(5, "test_efficientnet").eval()
    own = SegmentationFeatures(network, (0.5,) * 3, (0.5,) * 3).eval()
    x = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        logits = network.classifier(own.feature_map(x))
        torch.testing.assert_close(logits, network.low_resolution_logits(x))
    assert own.dim == network.classifier.in_channels
    with pytest.raises(ConfigurationError, match="Linear has no convolution"):
        SegmentationFeatures(torch.nn.Linear(1, 1), (0.5,) * 3, (0.5,) * 3)


def test_masks_that_fit_nothing_are_refused():
    image = np.zeros((4, 5, 3), np.uint8)
    for masks in ([], [np.ones((5, 4), bool)], [np.zeros((4, 5), bool)]):
        with pytest.raises(ValueError, match="needs masks of its height and width"):
            embed_views(colours(), [View(image, masks)])


def test_names_of_views():
    assert views_of("masked+crop") == ("masked", "crop")
    with pytest.raises(UnknownNameError, match="did you mean 'masked'"):
        views_of("maskd")
    with pytest.raises(SettingsError, match="names a view twice"):
        views_of("crop+crop")


@given(
    st.sampled_from(
        [
            "efficientnet_lite0",
            "efficientnet_lite0_layers",
            "vit_small_patch14_dinov2.lvd142m",
            "my_pooled_net",
            "segmentation",
        ]
    ),
    st.lists(st.sampled_from(VIEWS), min_size=1, max_size=5, unique=True).map("+".join),
    st.sampled_from(["", "native", "160"]),
    st.booleans(),
)
def test_the_network_is_read_from_the_name(net, embedded, size, mixed):
    assert network_of(embedding_name(net, embedded, size, mixed)) == net


def test_no_candidates():
    network = embedding_network(pretrained=False)
    assert embed_candidates(network, []).shape == (0, network.dim)
    assert len(mean_of_views([np.ones((2, 3), np.float32)])) == 2
