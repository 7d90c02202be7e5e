"""Laws of every score of how unknown a segment is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oodretrieval.errors import TableError, UnknownNameError
from oodretrieval.novelty import SCORES, NoveltyModel, dispersion_score, known_rows
from oodretrieval.novelty.model import DISTANCE, LEVELS, NOVELTY
from oodretrieval.novelty.neighbours import (
    BANK_PER_CLASS,
    FeatureBank,
    bank_rows,
    known_bank,
    require_comparable,
)
from oodretrieval.novelty.terms import energy_less_image, log_thickness

CLASSES, DIMENSIONS, PER_IMAGE = 3, 6, 10


def scene(seed, segments=300, shift=0.0, unknown=0.0):
    """A table and its features: classes lie apart; ``shift`` moves the features off and lowers the energy."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, CLASSES, segments)
    size = rng.integers(100, 20000, segments)
    energy = 8 + np.log(size) / 2 + 2 * classes + rng.normal(0, 1, segments) - 2 * shift
    centres = np.random.default_rng(99).normal(0, 5, (CLASSES, DIMENSIONS))
    features = centres[classes] + rng.normal(0, 1, (segments, DIMENSIONS))
    features += shift * rng.choice([-1, 1], features.shape)
    table = pd.DataFrame(
        {
            "image_id": [f"image {i // PER_IMAGE}" for i in range(segments)],
            "class": classes,
            "S": size,
            "S_rel": np.sqrt(size) / 4 * rng.uniform(0.3, 1, segments),
            "E": np.exp(-energy / 10),
            "V": np.exp(-energy / 8),
            "max_logit": energy - 0.1,
            "energy": energy,
            "unknown_fraction": unknown,
            "void_fraction": 0.0,
        }
    )
    return table, features.astype(np.float32)


@pytest.fixture(scope="module")
def model():
    table, features = scene(0)
    return NoveltyModel.fit(table, features, num_classes=CLASSES)


def test_unknown_segments_score_higher(model):
    known, strange = scene(1), scene(2, shift=3.0)
    for name in (NOVELTY, DISTANCE):
        usual, unusual = model.score(*known, name), model.score(*strange, name)
        assert np.mean(usual[:, None] < unusual[None]) > 0.95, name
        above = [np.mean(scores > model.threshold(name, 0.95)) for scores in (usual, unusual)]
        assert above[0] < 0.15 and above[1] > 0.6, name
    for name in SCORES:
        usual, unusual = dispersion_score(known[0], name), dispersion_score(strange[0], name)
        assert np.mean(usual[:, None] < unusual[None]) > 0.8, name


def test_each_part_alone_raises_the_novelty(model):
    table, features = scene(1)
    before = model.score(table, features)
    one = np.arange(len(table)) == 7
    assert model.score(table.assign(energy=table["energy"] - one), features)[one] > before[one]
    far = features + 20 * np.sign(features - features.mean(axis=0))
    assert (model.score(table, far) > before).all()
    assert (model.score(table.assign(S_rel=2 * table["S_rel"]), features) > before).all()


def test_novelty_is_a_weighted_sum_of_terms_in_deviations_of_all_known_segments(model):
    """Not by class: what a class showed in training means little on streets never seen."""
    (table, features), (probe, vectors) = scene(0), scene(1)
    classes, places = table["class"].to_numpy(), np.arange(len(table)) // PER_IMAGE
    _, apart = known_bank(features, classes, places, seed=0)
    energies, thicknesses = [], []
    for part in (table, probe):
        energy, thickness = np.zeros(len(part)), np.zeros(len(part))
        for image in set(part["image_id"]):
            rows = (part["image_id"] == image).to_numpy()
            mean = np.average(part["energy"][rows], weights=part["S"][rows] ** 0.5)
            energy[rows] = mean - part["energy"][rows]
            thickness[rows] = np.log(part["S_rel"][rows] / part["S"][rows].sum() ** 0.5)
        energies.append(energy)
        thicknesses.append(thickness)
    terms = [(1, *energies), (2, apart, model.score(probe, vectors, DISTANCE)), (1, *thicknesses)]
    expected = np.zeros(len(probe))
    for weight, known, searched in terms:
        middle = np.median(known)
        expected += weight * (searched - middle) / (1.4826 * np.median(np.abs(known - middle)))
    assert np.allclose(model.score(probe, vectors), expected, rtol=0, atol=1e-6)


def test_thickness_is_the_same_at_any_resolution():
    table, _ = scene(1, 40)
    larger = table.assign(S=16 * table["S"], S_rel=4 * table["S_rel"])
    assert np.allclose(log_thickness(larger), log_thickness(table), rtol=0, atol=1e-12)
    with pytest.raises(TableError, match="novelty needs S_rel.*compute_metrics"):
        log_thickness(table.drop(columns="S_rel"))


def test_less_evidence_in_the_whole_image_is_not_novel(model):
    """Dusk and haze lower the evidence of everything that is seen."""
    table, features = scene(1)
    darker = table["image_id"] == "image 3"
    assert np.allclose(
        model.score(table.assign(energy=table["energy"] - 5 * darker), features), model.score(table, features)
    )
    with pytest.raises(TableError, match="novelty needs image_id"):
        energy_less_image(table.drop(columns="image_id"))


def test_nothing_unknown_and_nothing_void_is_learned_from(model):
    table, features = scene(0)
    for column in ("unknown_fraction", "void_fraction"):
        strange, vectors = scene(3, 200, shift=5.0)
        strange[column] = 0.2
        strange["image_id"] = "another " + strange["image_id"]
        both = pd.concat([table, strange], ignore_index=True)
        polluted = NoveltyModel.fit(both, np.concatenate([features, vectors]), num_classes=CLASSES)
        assert not known_rows(strange).any()
        probe = scene(4)
        assert polluted.score(*probe).tolist() == model.score(*probe).tolist()
        assert polluted.threshold(NOVELTY, 0.95) == model.threshold(NOVELTY, 0.95)


def test_small_segments_and_those_without_truth_are_not_learned_from():
    table, _ = scene(0)
    assert known_rows(table).all()
    assert not known_rows(table.assign(S=99)).any()
    assert not known_rows(table.assign(unknown_fraction=-1.0, void_fraction=-1.0)).any()


@settings(deadline=None, max_examples=15)
@given(st.permutations(range(40)))
def test_the_order_of_the_segments_plays_no_part(model, order):
    table, features = scene(5, 40)
    for name in (NOVELTY, DISTANCE):
        scores = model.score(table, features, name)
        shuffled = model.score(table.iloc[order], features[order], name)
        assert np.allclose(shuffled, scores[order], rtol=0, atol=1e-5)
    for name in SCORES:
        assert (
            dispersion_score(table.iloc[order], name).tolist()
            == dispersion_score(table, name)[order].tolist()
        )


def test_the_same_seed_gives_the_same_model_whatever_else_was_random(model):
    np.random.default_rng().random()
    again = NoveltyModel.fit(*scene(0), num_classes=CLASSES)
    assert again.bank.vectors.tolist() == model.bank.vectors.tolist()


def test_distances_are_those_of_a_plain_loop():
    table, features = scene(6, 60)
    classes = table["class"].to_numpy()
    bank = FeatureBank.of(features, classes, np.arange(40))
    found = bank.log_distance(features, classes)
    standardised = (features - features.mean(axis=0)) / features.std(axis=0)
    for row in range(60):
        own = [k for k in range(40) if classes[k] == classes[row]]
        distances = [np.linalg.norm(standardised[row] - bank.vectors[k].astype(np.float64)) for k in own]
        assert found[row] == pytest.approx(np.log(max(min(distances), 1e-3)), abs=2e-2 if row >= 40 else 7)
        assert row < 40 or found[row] == pytest.approx(np.log(min(distances)), abs=1e-3)


def test_distances_to_any_class_are_those_of_a_plain_loop():
    random = np.random.default_rng(3)
    features = random.normal(size=(300, 12)) + 5
    bank = FeatureBank.of(features, random.integers(0, 3, 300), np.arange(200))
    standardised = (features - bank.mean) / bank.std
    expected = [
        min(np.linalg.norm(row - known) for known in bank.vectors.astype(float)) for row in standardised
    ]
    found = bank.log_distance_to_any(features)
    np.testing.assert_allclose(found[200:], np.log(expected[200:]), atol=1e-4)
    assert found[:200].max() < found[200:].min(), "those that are known are nearest"
    np.testing.assert_array_equal(bank.log_distance_to_any(features[50:61]), found[50:61])


def test_distances_in_more_components_than_are_searched_are_of_near_vectors():
    random = np.random.default_rng(4)
    base = random.normal(size=(400, 20)) @ random.normal(size=(20, 150))
    features = base + 0.3 * random.normal(size=base.shape)
    bank = FeatureBank.of(features, np.zeros(400, int), np.arange(300))
    queries = features[300:]
    exact = bank.log_distance(queries, np.zeros(100, int))
    found = bank.log_distance_to_any(queries)
    assert (found >= exact - 1e-4).all(), "never nearer than the nearest"
    assert np.mean(found < exact + 1e-4) > 0.9


def test_training_segments_do_not_find_themselves_or_their_neighbours_in_time():
    features = np.repeat(np.arange(8.0)[:, None], 2, axis=1)
    bank = FeatureBank.of(features, np.zeros(8, int), np.arange(8))
    places = np.arange(8)
    apart = bank.log_distance(features, np.zeros(8, int), (places, places, 2))
    step = np.log(np.sqrt(2) * 3 / features.std(axis=0)[0])
    assert np.allclose(apart, step, atol=1e-2), "the nearest one that counts is three images away"
    assert np.isnan(bank.log_distance(features, np.zeros(8, int), (places, places, 9))).all()


def test_a_known_segment_that_only_near_frames_resemble_takes_the_median_of_the_others():
    images = np.array([0, 5, 10, 20, 21])
    classes = np.array([0, 0, 0, 1, 1])
    features = np.array([[0.0], [1.0], [3.0], [7.0], [7.5]])
    bank, apart = known_bank(features, classes, images, seed=0)
    steps = np.log(np.array([1.0, 1.0, 2.0]) / features.std())
    assert len(bank.vectors) == 5
    assert np.allclose(apart, [*steps, np.nan, np.nan], atol=1e-2, equal_nan=True)
    many = np.concatenate([np.repeat(steps, 10), [np.nan, np.nan]])
    assert np.allclose(require_comparable(many, 20)[-2:], np.median(steps), atol=1e-2)


@pytest.mark.parametrize("images", [1, 3, 4, 5, 30])
def test_too_few_images_are_refused_with_what_is_needed(images):
    """Of three images each lies within two places of the others: nothing would be left but a scale of 1e-7."""
    table, features = scene(0, segments=images * PER_IMAGE)
    if images < 4:
        with pytest.raises(
            TableError, match=rf"needs 20 segments.*these {images} images have \d+ \({10 * images} known"
        ):
            NoveltyModel.fit(table, features, num_classes=CLASSES)
        return
    fitted = NoveltyModel.fit(table, features, num_classes=CLASSES)
    assert fitted.distance.scale > 0.01
    above = fitted.score(*scene(5)) > fitted.threshold(NOVELTY, 0.95)
    assert above.mean() < 0.5


def test_a_class_without_training_segments_is_compared_with_all(model):
    table, features = scene(0)
    kept = (table["class"] != 2).to_numpy()
    without = NoveltyModel.fit(table[kept], features[kept], num_classes=CLASSES)
    scores = without.score(table, features)
    assert np.isfinite(scores).all()
    assert np.median(scores[~kept]) > np.median(scores[kept])


def test_the_bank_is_bounded():
    classes = np.repeat([0, 1, 4], [2000, 3, 900])
    rows = bank_rows(classes, seed=0)
    assert np.bincount(classes[rows]).tolist() == [BANK_PER_CLASS, 3, 0, 0, BANK_PER_CLASS]
    assert (np.diff(rows) > 0).all()


def test_an_image_that_cannot_be_read_has_no_score(model):
    table, features = scene(1, 20)
    features[3] = np.nan
    scores = model.score(table, features)
    assert np.isnan(scores[3]) and np.isfinite(np.delete(scores, 3)).all()


def test_quantiles_are_those_of_the_known_segments(model):
    table, _ = scene(0)
    for name in SCORES:
        values = dispersion_score(table, name)
        assert model.quantiles[name].shape == LEVELS.shape
        assert model.threshold(name, 0.5) == pytest.approx(np.median(values))
    with pytest.raises(UnknownNameError, match="score of the novelty model"):
        model.threshold("luck", 0.5)


def test_what_is_missing_is_named(model):
    table, features = scene(1)
    with pytest.raises(TableError, match="'energy'.*args.keep=logits"):
        model.score(table.drop(columns="energy"), features)
    with pytest.raises(TableError, match="'E'.*compute_metrics"):
        dispersion_score(table.drop(columns="E"), "entropy")
    with pytest.raises(UnknownNameError, match="entropy"):
        dispersion_score(table, "entropie")
    with pytest.raises(UnknownNameError, match="nearest_neighbour"):
        model.score(table, features, "energie")
    with pytest.raises(TableError, match="class 7.*3 classes"):
        model.score(table.assign(**{"class": 7}), features)
    with pytest.raises(TableError, match=r"\(300, 6\)"):
        model.score(table, features[:, :4])
    with pytest.raises(TableError, match="void_fraction"):
        known_rows(table.drop(columns="void_fraction"))
    with pytest.raises(TableError, match="none to learn from"):
        NoveltyModel.fit(table.assign(unknown_fraction=1.0), features, num_classes=CLASSES)
