"""Laws of region trees, over every source of regions, and against slow, plain definitions."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from oodretrieval.errors import UnknownNameError
from oodretrieval.masks import decode_mask
from oodretrieval.regions import (
    Weights,
    best_cut,
    pool_evidence,
    propose_regions,
    region_shapes,
    tree_of_masks,
    without_overlap,
)
from oodretrieval.regions.description import means, resized
from oodretrieval.regions.merging import merge_by_height, merge_similar
from oodretrieval.regions.superpixels import contacts, superpixels

EIGHT = np.ones((3, 3), bool)


def scene(seed, size=(24, 32), **options):
    """Tree of a random blocky image with logits and features at stride 4."""
    rng = np.random.default_rng(seed)
    height, width = size
    blocks = rng.integers(0, 255, (-(-height // 6), -(-width // 8), 3), np.uint8)
    image = blocks.repeat(6, 0).repeat(8, 1)[:height, :width]
    coarse = (-(-height // 4), -(-width // 4))
    logits, features = rng.normal(size=(3, *coarse)).astype(np.float32), rng.normal(size=(5, *coarse))
    defaults = {"min_superpixel": 4, "min_share": 0.0, "max_share": 1.0}
    return image, logits, propose_regions(image, logits=logits, features=features, **(defaults | options))


SCENES = {
    "whole": {"seed": 0},
    "shrunk": {"seed": 1, "size": (23, 31), "max_cells": 200},
    "limited": {"seed": 2, "min_share": 0.02, "max_share": 0.3},
}


@cache
def scene_of(name):
    return scene(**SCENES[name])


@pytest.fixture(params=SCENES)
def found(request):
    """Each scene; computed when a test first asks, since the kernels are compiled then."""
    return scene_of(request.param)


def bitmaps(tree):
    return np.array([decode_mask(mask) for mask in tree.masks])


def test_masks_fit_boxes_areas_and_the_image(found):
    image, _, tree = found
    masks = bitmaps(tree)
    assert masks.shape[1:] == image.shape[:2] == tree.size
    assert len(tree) > 20
    np.testing.assert_array_equal(masks.sum(axis=(1, 2)), tree.areas)
    for mask, box in zip(tree.masks, tree.boxes, strict=True):
        assert mask.box == tuple(box)


def test_a_region_lies_strictly_inside_its_parent_which_comes_later(found):
    masks, parent = bitmaps(found[2]), found[2].parent
    for region, above in enumerate(parent):
        if above >= 0:
            assert above > region
            assert not (masks[region] & ~masks[above]).any()
            assert masks[region].sum() < masks[above].sum()
            assert found[2].source[region] == found[2].source[above]


def test_regions_of_one_tree_are_nested_or_apart(found):
    tree = found[2]
    masks = bitmaps(tree).reshape(len(tree), -1).astype(int)
    shared, areas = masks @ masks.T, masks.sum(axis=1)
    same = tree.source[:, None] == tree.source
    nested = (shared == areas[:, None]) | (shared == areas)
    assert (nested | (shared == 0))[same].all()


def test_no_region_is_proposed_twice(found):
    assert len(np.unique(bitmaps(found[2]).reshape(len(found[2]), -1), axis=0)) == len(found[2])


def test_regions_hang_together(found):
    for mask in bitmaps(found[2]):
        assert ndimage.label(mask, EIGHT)[1] == 1


def test_limits_of_size_hold():
    _, _, tree = scene_of("limited")
    assert tree.areas.min() >= 0.02 * 24 * 32
    assert tree.areas.max() <= 0.3 * 24 * 32


def test_predicted_segments_are_among_the_regions():
    image, logits, tree = scene_of("whole")
    prediction = resized(logits, image.shape[:2]).argmax(axis=0)
    proposed = {mask.tobytes() for mask in bitmaps(tree)}
    for c in range(3):
        components, number = ndimage.label(prediction == c, EIGHT)
        for i in range(1, number + 1):
            assert (components == i).tobytes() in proposed


def test_components_of_a_novelty_map_are_among_the_regions():
    image = np.zeros((20, 30, 3), np.uint8)
    image[5:9, 5:12] = 200
    image[12:18, 20:28] = 100
    novelty = np.zeros((20, 30))
    novelty[5:9, 5:12] = 2
    novelty[12:18, 20:28] = 1
    options = {"scale": 1.0, "min_superpixel": 1, "hierarchies": {}}
    tree = propose_regions(image, novelty=novelty, **options)
    assert set(tree.source) == {"novelty"}
    values = resized(novelty[None], (20, 30))[0]
    proposed = {mask.tobytes() for mask in bitmaps(tree)}
    for height in (2, 1):
        components, number = ndimage.label(values >= height, EIGHT)
        assert {(components == i).tobytes() for i in range(1, number + 1)} <= proposed


def test_a_plain_thing_on_plain_ground_is_found_by_colour_alone():
    image = np.full((60, 80, 3), 90, np.uint8)
    image[20:45, 30:50] = (200, 60, 30)
    tree = propose_regions(image)
    truth = np.zeros((60, 80), bool)
    truth[20:45, 30:50] = True
    masks = bitmaps(tree)
    iou = (masks & truth).sum(axis=(1, 2)) / (masks | truth).sum(axis=(1, 2))
    assert iou.max() > 0.8  # its blurred border may go to either side


def test_the_same_seed_gives_the_same_regions():
    one, other = scene(4)[2], scene(4)[2]
    np.testing.assert_array_equal(one.members, other.members)
    np.testing.assert_array_equal(one.spans, other.spans)


def test_an_image_of_one_colour_has_no_region():
    assert len(propose_regions(np.zeros((9, 9, 3), np.uint8))) == 0


def test_refuses_to_propose_from_nothing():
    with pytest.raises(ValueError, match="nothing to propose regions from"):
        propose_regions(np.zeros((9, 9, 3), np.uint8), hierarchies={})


def test_refuses_unknown_options():
    with pytest.raises(UnknownNameError, match="did you mean 'scale'"):
        propose_regions(np.zeros((9, 9, 3), np.uint8), scales=3)


@pytest.mark.parametrize(
    ("image", "maps", "message"),
    [
        (np.zeros((9, 9), np.uint8), {}, "expected an image"),
        (np.zeros((9, 9, 3)), {}, "expected an image"),
        (
            np.zeros((9, 9, 3), np.uint8),
            {"logits": np.zeros((9, 9))},
            r"expected logits \(channels, h, w\), finite, got \(9, 9\)",
        ),
        (np.zeros((9, 9, 3), np.uint8), {"features": np.full((2, 3, 3), np.nan)}, "expected features"),
        (np.zeros((9, 9, 3), np.uint8), {"novelty": np.zeros((1, 9, 9))}, r"expected novelty \(h, w\)"),
    ],
)
def test_refuses_what_is_no_image_or_map(image, maps, message):
    with pytest.raises(ValueError, match=message):
        propose_regions(image, **maps)


# superpixels


@given(
    arrays(np.float32, (7, 8, 2), elements=st.integers(0, 4)),
    arrays(np.int64, (7, 8), elements=st.integers(0, 1)),
)
@settings(deadline=None)
def test_superpixels_partition_the_image_within_classes(colours, classes):
    labels = superpixels(colours, classes=classes, scale=2.0, min_size=3)
    first = [np.flatnonzero(labels.ravel() == i)[0] for i in range(labels.max() + 1)]
    assert first == sorted(first)
    for i in range(labels.max() + 1):
        assert len(np.unique(classes[labels == i])) == 1
        assert ndimage.label(labels == i, EIGHT)[1] == 1


def plain_superpixels(colours, scale):
    """Felzenszwalb and Huttenlocher's definition over the eight-neighbours, sets instead of union-find."""
    height, width = colours.shape[:2]
    edges = []
    for y, x in np.ndindex(height, width):
        for v, u in ((y, x + 1), (y + 1, x - 1), (y + 1, x), (y + 1, x + 1)):
            if v < height and 0 <= u < width:
                edges.append((float(np.linalg.norm(colours[y, x] - colours[v, u])), (y, x), (v, u)))
    sets = {p: ({p}, 0.0) for p in np.ndindex(height, width)}
    for weight, one, other in sorted(edges, key=lambda e: e[0]):
        (a, inner_a), (b, inner_b) = sets[one], sets[other]
        if a is not b and weight <= min(inner_a + scale / len(a), inner_b + scale / len(b)):
            joined = (a | b, weight)
            for pixel in joined[0]:
                sets[pixel] = joined
    return sets


@given(arrays(np.float32, (4, 5, 1), elements=st.integers(0, 5)), st.sampled_from([0.5, 3.5, 9.5]))
@settings(deadline=None)
def test_superpixels_are_those_of_the_definition(colours, scale):
    labels, plain = superpixels(colours, scale=scale, min_size=1), plain_superpixels(colours, scale)
    for pixel in np.ndindex(labels.shape):
        assert {tuple(p) for p in np.argwhere(labels == labels[pixel])} == plain[pixel][0]


def test_no_superpixel_is_smaller_than_asked_for():
    noise = np.random.default_rng(0).normal(size=(20, 20, 3))
    assert np.bincount(superpixels(noise, scale=0.0, min_size=7).ravel()).min() >= 7


def test_contacts_are_the_pairs_of_eight_neighbours():
    labels = np.array([[0, 0, 1], [2, 2, 1], [2, 3, 3]])
    found = contacts(labels, labels[..., None].astype(float))
    pairs = {}
    for y, x in np.ndindex(3, 3):
        for v, u in ((y, x + 1), (y + 1, x - 1), (y + 1, x), (y + 1, x + 1)):
            if v < 3 and 0 <= u < 3 and labels[y, x] != labels[v, u]:
                pair = tuple(sorted((int(labels[y, x]), int(labels[v, u]))))
                pairs[pair] = pairs.get(pair, 0) + 1
    assert dict(zip(map(tuple, found.pairs.tolist()), found.lengths.tolist(), strict=True)) == pairs


# merging


def plain_merge(vectors, areas, touching, border, power):
    """The same by search over all pairs: the sets of superpixels in the order of their making."""
    sets = [frozenset([i]) for i in range(len(areas))]
    lengths = {tuple(p): n for p, n in zip(touching.pairs.tolist(), touching.lengths, strict=True)}
    sums = {
        tuple(p): n * s
        for p, n, s in zip(touching.pairs.tolist(), touching.lengths, touching.strengths, strict=True)
    }
    alive, made = set(range(len(sets))), []

    def between(table, a, b):
        return sum(value for (i, j), value in table.items() if (i in a and j in b) or (i in b and j in a))

    def difference(a, b):
        n = [sum(areas[i] for i in s) for s in (a, b)]
        v = [sum(areas[i] * vectors[i] for i in s) / m for s, m in zip((a, b), n, strict=True)]
        strength = between(sums, a, b) / between(lengths, a, b)
        return (n[0] * n[1] / sum(n)) ** power * (((v[0] - v[1]) ** 2).sum() + border * strength**2)

    while True:
        pairs = [
            (difference(sets[i], sets[j]), i, j)
            for i in alive
            for j in alive
            if i < j and between(lengths, sets[i], sets[j])
        ]
        if not pairs:
            return made
        _, i, j = min(pairs)
        made.append(sets[i] | sets[j])
        sets.append(made[-1])
        alive = alive - {i, j} | {len(sets) - 1}


@pytest.mark.parametrize("seed", range(6))
def test_merging_is_that_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    labels = superpixels(rng.normal(size=(7, 9, 1)), scale=0.0, min_size=5)
    touching = contacts(labels, rng.normal(size=(7, 9, 1)))
    vectors, areas = rng.normal(size=(labels.max() + 1, 2)), np.bincount(labels.ravel())
    tree = merge_similar(vectors, areas, touching, border=0.7, size_power=0.5)
    made = [frozenset(tree.order[a:b].tolist()) for a, b in tree.spans[len(areas) :]]
    assert made == plain_merge(vectors, areas, touching, 0.7, 0.5)


@pytest.mark.parametrize("seed", range(4))
def test_every_component_above_a_height_is_a_node(seed):
    rng = np.random.default_rng(seed)
    labels = superpixels(rng.normal(size=(8, 9, 1)), scale=0.0, min_size=3)
    heights = rng.integers(0, 5, labels.max() + 1).astype(float)
    tree = merge_by_height(heights, contacts(labels, labels[..., None].astype(float)))
    nodes = {frozenset(tree.order[a:b].tolist()) for a, b in tree.spans}
    for height in range(5):
        components, number = ndimage.label(heights[labels] >= height, EIGHT)
        for i in range(1, number + 1):
            assert frozenset(np.unique(labels[components == i]).tolist()) in nodes


# evidence


def test_evidence_inside_is_the_mean_over_the_mask(found):
    image, _, tree = found
    maps = np.random.default_rng(0).normal(size=(2, *tree.superpixels.shape))
    full = maps.repeat(tree.step, 1).repeat(tree.step, 2)[:, : image.shape[0], : image.shape[1]]
    if tree.step > 1:
        pytest.skip("cells at the border are cut: means differ by their share")
    expected = [[values[mask].mean() for values in full] for mask in bitmaps(tree)]
    np.testing.assert_allclose(pool_evidence(tree, maps).inside, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("source", ["hierarchies", "masks"])
def test_the_ring_is_that_of_a_plain_loop(source):
    _, _, tree = scene_of("whole")
    if source == "masks":  # their trees lay out every region for itself
        tree = tree_of_masks(bitmaps(tree)[::7], tree.size, "masks")
    values = np.random.default_rng(5).normal(size=(1, *tree.size))
    flat = means(tree.superpixels, values.transpose(1, 2, 0))[tree.superpixels][
        ..., 0
    ]  # of each one's superpixel
    width = max(1, round(0.015 * tree.superpixels.size**0.5))
    evidence = pool_evidence(tree, values)
    for region, mask in enumerate(bitmaps(tree)):
        ends = []
        for y, x in [(0, 1), (1, 0), (1, 1), (1, -1), (0, -1), (-1, 0), (-1, -1), (-1, 1)]:
            for row, column in np.argwhere(mask):
                v, u = row + y * width, column + x * width
                if 0 <= v < mask.shape[0] and 0 <= u < mask.shape[1] and not mask[v, u]:
                    ends.append(flat[v, u])
        expected = np.mean(ends) if ends else flat[mask].mean()
        np.testing.assert_allclose(evidence.ring[region, 0], expected, atol=1e-6)


def test_a_thing_above_its_surroundings_has_contrast():
    image = np.zeros((60, 80, 3), np.uint8)
    image[20:40, 30:50] = 200
    novelty = (image[..., 0] > 0).astype(float)
    tree = propose_regions(image, novelty=novelty)
    evidence = pool_evidence(tree, novelty[None])
    masks = bitmaps(tree)
    iou = (masks & (novelty > 0)).sum(axis=(1, 2)) / (masks | (novelty > 0)).sum(axis=(1, 2))
    assert evidence.contrast[iou.argmax(), 0] > 0.6
    assert evidence.ring[iou.argmax(), 0] < 0.1


def test_shapes_are_those_of_the_masks(found):
    tree = found[2]
    shapes, (height, width) = region_shapes(tree), tree.size
    for i, mask in enumerate(bitmaps(tree)):
        rows, columns = np.nonzero(mask)
        assert shapes["share"][i] == pytest.approx(mask.mean())
        assert shapes["height"][i] == pytest.approx((np.ptp(rows) + 1) / height)
        assert shapes["width"][i] == pytest.approx((np.ptp(columns) + 1) / width)
        assert shapes["fill"][i] == pytest.approx(mask.sum() / ((np.ptp(rows) + 1) * (np.ptp(columns) + 1)))
        touched = [rows.min() == 0, columns.min() == 0, rows.max() == height - 1, columns.max() == width - 1]
        assert shapes["sides"][i] == sum(touched)


# the best set


def plain_best(tree, values):
    """The largest sum over all sets of regions of one tree without overlap, by trying them all."""
    best = 0.0
    sets = [frozenset(tree.superpixels_of(i).tolist()) for i in range(len(tree))]

    def extend(start, used, total):
        nonlocal best
        best = max(best, total)
        for i in range(start, len(sets)):
            if not used & sets[i]:
                extend(i + 1, used | sets[i], total + values[i])

    extend(0, frozenset(), 0.0)
    return best


@pytest.mark.parametrize("seed", range(8))
def test_the_cut_of_one_tree_has_the_largest_sum(seed):
    options = {"hierarchies": {"one": Weights()}, "heights": False, "segments": False, "min_share": 0.02}
    tree = scene(seed, (16, 20), **options, scale=300.0)[2]
    values = np.random.default_rng(seed).normal(size=len(tree))
    chosen = best_cut(tree, values)
    assert len(tree) <= 40
    assert values[chosen].sum() == pytest.approx(plain_best(tree, values))


@pytest.mark.parametrize("cut", [best_cut, without_overlap])
def test_no_two_regions_taken_overlap(found, cut):
    tree = found[2]
    values = np.random.default_rng(1).normal(size=len(tree))
    chosen = cut(tree, values)
    assert len(chosen)
    assert bitmaps(tree)[chosen].sum(axis=0).max() == 1
    assert (np.diff(values[chosen]) <= 0).all()


def test_the_cut_takes_nothing_without_worth():
    tree = scene_of("whole")[2]
    assert len(best_cut(tree, np.zeros(len(tree)))) == 0


def test_refuses_values_of_another_length():
    with pytest.raises(ValueError, match="expected values"):
        best_cut(scene_of("whole")[2], np.zeros(3))
