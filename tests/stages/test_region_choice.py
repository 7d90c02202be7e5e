"""In which order the regions of all images are inspected: what looks alike shares its score."""

import numpy as np
import pandas as pd
import pytest

from oodretrieval.novelty.likeness import PER_NEIGHBOUR
from oodretrieval.regions import Choice
from oodretrieval.stages.select.region_choice import ChosenRegions, in_order
from oodretrieval.stores import OWN_SCORE, SELECT_SCORE

NOT_CROWDED = Choice(crowding=0.0)


def two_kinds(count, seen=True):
    """Two images of ``count`` regions; one kind is unknown but for one score, the other known but for one."""
    rng = np.random.default_rng(0)
    kind = np.arange(2 * count) % 2
    scores = np.where(kind == 0, 6.0, 1.0) + rng.normal(0, 0.1, 2 * count)
    scores[0], scores[1] = 3.0, 4.0
    features, shapes = 9 * kind[:, None] + rng.normal(size=(2 * count, 5)), rng.normal(size=(2 * count, 3))
    images = []
    for number, places in enumerate(np.split(np.arange(2 * count), 2)):
        rows = pd.DataFrame({"image_id": str(number), SELECT_SCORE: scores[places]})
        images.append(ChosenRegions(rows, (features[places], shapes[places]) if seen else None))
    return images, scores


def test_what_looks_like_unknown_things_comes_before_what_looks_like_known_ones():
    images, scores = two_kinds(PER_NEIGHBOUR)
    table = in_order(images, NOT_CROWDED)
    found = table[SELECT_SCORE]
    assert scores[0] < scores[1]
    assert found[0] > found[1]
    np.testing.assert_array_equal(table[OWN_SCORE], scores)


def test_nothing_is_shared_where_that_is_asked_for():
    images, scores = two_kinds(PER_NEIGHBOUR)
    found = in_order(images, Choice(crowding=0.0, shared=0.0))[SELECT_SCORE]
    np.testing.assert_allclose(found, scores)


def test_without_features_each_keeps_its_own_score():
    images, scores = two_kinds(PER_NEIGHBOUR, seen=False)
    np.testing.assert_array_equal(in_order(images, NOT_CROWDED)[SELECT_SCORE], scores)


def test_better_ones_of_the_same_image_alone_take_from_a_score():
    images, _ = two_kinds(PER_NEIGHBOUR)
    free, crowded = in_order(images, NOT_CROWDED), in_order(images, Choice(crowding=0.5))
    for _, places in free.groupby("image_id").indices.items():
        taken = free[SELECT_SCORE][places] - crowded[SELECT_SCORE][places]
        better = (-free[SELECT_SCORE][places]).rank() - 1
        np.testing.assert_allclose(taken, 0.5 * better)


@pytest.mark.parametrize("images", [1, 3])
def test_images_without_regions(images):
    rows = pd.DataFrame({"image_id": [], SELECT_SCORE: np.zeros(0)})
    empty = ChosenRegions(rows, (np.zeros((0, 5)), np.zeros((0, 3))))
    assert len(in_order([empty] * images, Choice())) == 0
