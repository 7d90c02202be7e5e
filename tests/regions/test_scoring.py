"""Scores of regions: what a reference is, what a score adds up, what is shown."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.errors import TableError
from oodretrieval.masks import decode_mask
from oodretrieval.regions import (
    Choice,
    RegionReference,
    ScoreWeights,
    choose_regions,
    order_scores,
    pool_evidence,
    pool_features,
    propose_regions,
    region_terms,
    score_regions,
)
from oodretrieval.regions.scoring import CONTRAST


def terms_of(count, seed=0, **more):
    rng = np.random.default_rng(seed)
    shares = np.exp(rng.uniform(-8, -1, count))
    names = (
        "energy",
        "energy_contrast",
        "distance",
        "window_distance",
        "local_window_distance_contrast",
        "local_distance_spread",
        "perimeter",
        "top",
        "bottom",
        CONTRAST,
    )
    plain = {name: rng.normal(size=count) for name in names}
    return {"share": shares, "sides": np.zeros(count), **plain, **more}


def test_a_reference_takes_size_away():
    terms = terms_of(4000)
    terms["energy"] = 3 * np.log(terms["share"]) + np.random.default_rng(1).normal(size=4000)
    reference = RegionReference.of([terms], ["energy"])
    standard = reference.standardise(terms, "energy")
    # larger ones are not higher any more, and the noise has about its own deviation
    assert abs(np.corrcoef(standard, np.log(terms["share"]))[0, 1]) < 0.3
    assert np.corrcoef(terms["energy"], np.log(terms["share"]))[0, 1] > 0.9


def test_a_few_unknown_objects_do_not_move_the_reference():
    terms = terms_of(2000)
    spoilt = {**terms, "energy": np.where(np.arange(2000) % 20 == 0, 1e6, terms["energy"])}
    plain, other = (RegionReference.of([t], ["energy"]) for t in (terms, spoilt))
    np.testing.assert_allclose(plain.centres["energy"], other.centres["energy"], atol=0.2)


@given(st.floats(0.1, 100), st.floats(-100, 100))
def test_the_unit_of_a_map_does_not_matter(factor, offset):
    terms = terms_of(300)
    changed = {**terms, "energy": factor * terms["energy"] + offset}
    scores = [
        score_regions(t, RegionReference.of([t], ScoreWeights().standardised)) for t in (terms, changed)
    ]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)


def test_a_score_is_the_weighted_sum():
    terms = terms_of(50, sides=np.arange(50) % 3)
    weights = ScoreWeights(
        evidence={"energy": 2.0}, perimeter=-0.5, sides=-3.0, log_share=0.1, contrast=0.7, middle=0.3
    )
    reference = RegionReference.of([terms], weights.standardised)
    expected = (
        2 * reference.standardise(terms, "energy")
        - 0.5 * reference.standardise(terms, "perimeter")
        + 0.3 * reference.standardise(terms, "middle")
        - 3 * terms["sides"]
        + 0.1 * np.log(terms["share"])
        + 0.7 * np.clip(np.log10(terms["share"] / 0.05), 0, 1) * reference.standardise(terms, CONTRAST)
    )
    np.testing.assert_allclose(score_regions(terms, reference, weights), expected)


def test_of_two_alike_the_one_further_down_scores_higher():
    terms = terms_of(400)
    rows = np.argsort(terms["share"])[200:202]  # of about one size, else alike
    for name in terms:
        terms[name][rows[1]] = terms[name][rows[0]]
    terms["top"][rows], terms["bottom"][rows] = [0.1, 0.7], [0.2, 0.8]
    reference = RegionReference.of([terms], ScoreWeights().standardised)
    above, below = score_regions(terms, reference)[rows]
    assert below > above
    level = ScoreWeights(middle=0.0)
    above, below = score_regions(terms, RegionReference.of([terms], level.standardised), level)[rows]
    assert below == pytest.approx(above)


def test_maps_of_any_resolution_are_pooled_as_each_by_itself():
    random = np.random.default_rng(2)
    image = np.repeat(np.repeat(random.integers(0, 255, (6, 8, 3)), 10, 0), 10, 1).astype(np.uint8)
    tree = propose_regions(image, novelty=random.normal(size=(6, 8)))
    maps = {"fine": random.normal(size=(60, 80)), "coarse": random.normal(size=(5, 7))}
    together = region_terms(tree, maps)
    for name, values in maps.items():
        alone = pool_evidence(tree, values[None])
        np.testing.assert_allclose(together[name], alone.inside[:, 0])
        np.testing.assert_allclose(together[f"{name}_contrast"], alone.contrast[:, 0], atol=1e-12)
        np.testing.assert_allclose(together[f"{name}_spread"], alone.spread[:, 0])
    assert set(region_terms(tree, {})) < set(together)


def test_one_region_is_enough_for_a_reference():
    terms = terms_of(1)
    reference = RegionReference.of([terms], ["energy"])
    assert reference.standardise(terms, "energy").tolist() == [0]


def test_refuses_missing_terms():
    terms = terms_of(5)
    with pytest.raises(
        TableError, match="needs the term 'novelty' of every region; there are bottom, distance, energy"
    ):
        RegionReference.of([terms], ["novelty"])
    with pytest.raises(TableError, match="needs the term 'perimeter'"):
        evidence = [*ScoreWeights().evidence, CONTRAST]
        score_regions(terms, RegionReference.of([terms], evidence))


def test_refuses_a_reference_of_nothing():
    with pytest.raises(TableError, match="at least one region"):
        RegionReference.of([], ["energy"])


def scene():
    """A thing of two colours that is novel, and one that is not; noise over both."""
    rng = np.random.default_rng(0)
    image = np.full((90, 120, 3), 100.0)
    image[30:60, 20:35], image[30:60, 35:50], image[20:60, 80:100] = (
        (200, 50, 50),
        (50, 200, 50),
        (60, 60, 220),
    )
    image += rng.normal(0, 3, image.shape)
    novelty = np.zeros((90, 120))
    novelty[30:60, 20:50] = 1.0
    return np.clip(image, 0, 255).astype(np.uint8), novelty + rng.normal(0, 0.02, novelty.shape)


def test_a_novel_thing_of_two_halves_is_shown_as_a_whole():
    image, novelty = scene()
    tree = propose_regions(image, novelty=novelty)
    scores = (
        4 * region_terms(tree, {"energy": novelty})["energy"]
    )  # both halves, and both together, have about 4
    shown = choose_regions(tree, scores, Choice(size_power=0.5))
    first = decode_mask(tree.masks[int(shown[0])])
    truth = np.zeros((90, 120), bool)
    truth[30:60, 20:50] = True
    assert (first & truth).sum() / (first | truth).sum() > 0.75


def test_a_choice_keeps_its_limits():
    image, novelty = scene()
    tree = propose_regions(image, novelty=novelty)
    scores = np.random.default_rng(0).normal(size=len(tree))
    shown = choose_regions(tree, scores, Choice(threshold=0.5, min_share=0.01, limit=3))
    assert 0 < len(shown) <= 3
    assert (scores[shown] > 0.5).all()
    assert (np.diff(scores[shown]) <= 0).all()
    assert (tree.areas[shown] >= 0.01 * 90 * 120).all()
    masks = np.array([decode_mask(tree.masks[int(i)]) for i in shown])
    assert masks.sum(axis=0).max() == 1


def test_nothing_is_shown_below_the_threshold():
    image, novelty = scene()
    tree = propose_regions(image, novelty=novelty)
    assert len(choose_regions(tree, np.zeros(len(tree)), Choice(threshold=0.0))) == 0


def test_pooled_features_are_the_means_over_the_masks():
    image, novelty = scene()
    tree = propose_regions(image, novelty=novelty)
    features = np.random.default_rng(0).normal(size=(3, 6, 8))
    full = features.repeat(15, 1).repeat(15, 2)
    expected = [[values[decode_mask(mask)].mean() for values in full] for mask in tree.masks[:20]]
    np.testing.assert_allclose(pool_features(tree, features)[:20], expected)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_spread_is_the_deviation_of_the_pixels_of_each_region(offset):
    image, novelty = scene()
    tree = propose_regions(image, novelty=novelty)
    values = np.random.default_rng(0).normal(size=image.shape[:2])
    found = pool_evidence(tree, (values + offset)[None]).spread[:, 0]
    expected = [values[decode_mask(mask)].std() for mask in tree.masks]
    np.testing.assert_allclose(found, expected, atol=1e-6 + 1e-6 * offset)
    assert pool_evidence(tree, np.full((1, 6, 8), offset)).spread.max() == 0


def test_refuses_a_map_with_channels():
    image, novelty = scene()
    with pytest.raises(ValueError, match="expected the map 'energy'"):
        region_terms(propose_regions(image, novelty=novelty), {"energy": novelty[None]})


def test_each_better_one_of_an_image_takes_from_its_place_and_none_overtakes_another():
    scores = np.array([3.0, 9.0, 2.5, 2.9])
    np.testing.assert_allclose(order_scores(scores, Choice(crowding=0.2)), [2.8, 9, 1.9, 2.5])
    np.testing.assert_array_equal(np.argsort(order_scores(scores)), np.argsort(scores))
    np.testing.assert_allclose(order_scores(np.array([1.0, 1.0]), Choice(crowding=0.2)), [1, 0.8])
