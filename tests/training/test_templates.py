"""Template losses against plain loops, and where their gradients go."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oodretrieval.errors import UnknownNameError
from oodretrieval.training import template_loss
from oodretrieval.training.templates import class_templates, template_attraction, template_repulsion

CLASSES = 4


def plain_similarity(a, b, similarity):
    if similarity == "correlation":
        a = [v - sum(a) / len(a) for v in a]
        b = [v - sum(b) / len(b) for v in b]
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


def plain(logits, target, similarity):
    """Attraction and repulsion, pixel by pixel and pair by pair."""
    attractions, repulsions = [], []
    for image, truth in zip(logits, target, strict=True):
        pixels = {}
        for row in range(truth.shape[0]):
            for column in range(truth.shape[1]):
                pixels.setdefault(int(truth[row, column]), []).append(image[:, row, column].tolist())
        pixels.pop(255, None)
        if not pixels:
            continue
        best = {c: max(vectors, key=lambda v, c=c: v[c]) for c, vectors in pixels.items()}
        unlike = [
            sum(1 - plain_similarity(v, best[c], similarity) for v in vectors) / len(vectors)
            for c, vectors in pixels.items()
        ]
        attractions.append(sum(unlike) / len(unlike))
        pairs = [max(0, plain_similarity(best[c], best[d], similarity)) for c in best for d in best if c < d]
        if pairs:
            repulsions.append(sum(pairs) / len(pairs))
    return [sum(values) / len(values) if values else 0.0 for values in (attractions, repulsions)]


def scene(seed, ignored=0.3, classes=CLASSES):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, CLASSES, 3, 5, generator=generator, dtype=torch.float64)
    target = torch.randint(0, classes, (3, 3, 5), generator=generator)
    target[torch.rand(3, 3, 5, generator=generator) < ignored] = 255
    return logits, target


similarities = pytest.mark.parametrize("similarity", ["cosine", "correlation"])


@similarities
@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), ignored=st.floats(0, 1), classes=st.integers(1, CLASSES))
def test_is_the_plain_loop(similarity, seed, ignored, classes):
    logits, target = scene(seed, ignored, classes)
    attraction, repulsion = plain(logits, target, similarity)
    assert float(template_loss(logits, target, 1, 0, similarity)) == pytest.approx(attraction, abs=1e-9)
    assert float(template_loss(logits, target, 0, 1, similarity)) == pytest.approx(repulsion, abs=1e-9)
    both = float(template_loss(logits, target, 0.3, 0.2, similarity))
    assert both == pytest.approx(0.3 * attraction + 0.2 * repulsion, abs=1e-9)


def test_templates_are_the_best_pixels_of_the_classes_present():
    logits, target = scene(0)
    target[1] = 255
    templates, present = class_templates(logits, target)
    for n in range(3):
        for c in range(CLASSES):
            own = target[n] == c
            assert bool(present[n, c]) == bool(own.any())
            if own.any():
                best = logits[n, c][own].argmax()
                assert torch.equal(templates[n, c], logits[n][:, own][:, best])


@similarities
def test_gradients_of_the_attraction_are_right(similarity):
    logits, target = scene(1)
    templates, present = (part.detach() for part in class_templates(logits, target))
    logits.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z: template_attraction(z, target, templates, present, similarity), logits
    )


@similarities
def test_gradients_of_the_repulsion_are_right(similarity):
    logits, target = scene(2)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z: template_repulsion(*class_templates(z, target), similarity), logits
    )


def test_the_templates_are_not_pulled_to_the_pixels():
    logits, target = scene(3)
    logits.requires_grad_()
    template_loss(logits, target, 1).backward()
    _, present = class_templates(logits, target)
    for n, c in present.nonzero().tolist():
        own = target[n] == c
        at_best = logits.grad[n][:, own][:, logits[n, c][own].argmax()]
        torch.testing.assert_close(at_best, torch.zeros_like(at_best))  # it is like itself


def test_the_repulsion_moves_the_templates_and_nothing_else():
    logits, target = scene(4, ignored=0)
    logits.requires_grad_()
    template_loss(logits, target, 0, 1).backward()
    moved = logits.grad.abs().sum(1) > 0
    assert moved.any()
    for n in range(3):
        for c in range(CLASSES):
            own = target[n] == c
            assert int(moved[n][own].sum()) <= 1


@similarities
def test_ignored_pixels_count_nowhere(similarity):
    logits, target = scene(5, ignored=0.4)
    other = torch.where((target == 255)[:, None], 100 * torch.randn_like(logits), logits)
    expected = template_loss(logits, target, 1, 1, similarity)
    torch.testing.assert_close(template_loss(other, target, 1, 1, similarity), expected)
    other.requires_grad_()
    template_loss(other, target, 1, 1, similarity).backward()
    assert not other.grad.movedim(1, -1)[target == 255].any()


def test_pixels_that_are_alike_cost_nothing():
    logits = torch.eye(CLASSES)[:, :, None, None].expand(CLASSES, CLASSES, 2, 2) * 5
    target = torch.arange(CLASSES)[:, None, None].expand(CLASSES, 2, 2)
    assert float(template_loss(logits, target, 1, 1)) == pytest.approx(0, abs=1e-6), "one class an image"


def test_equal_templates_repel_most():
    logits = torch.ones(1, CLASSES, 1, 2)
    assert float(template_loss(logits, torch.tensor([[[0, 1]]]), 0, 1)) == pytest.approx(1)


def test_without_a_class_anywhere_loss_and_gradient_are_zero():
    logits = torch.randn(2, CLASSES, 2, 2, requires_grad=True)
    loss = template_loss(logits, torch.full((2, 2, 2), 255), 1, 1)
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None and not logits.grad.any()


def test_half_precision_is_summed_in_single():
    logits, target = scene(6)
    assert template_loss(logits.bfloat16(), target, 1, 1).dtype == torch.float32


def test_zero_logits_have_finite_gradients():
    logits = torch.zeros(1, CLASSES, 2, 2, requires_grad=True)
    template_loss(logits, torch.tensor([[[0, 1], [1, 2]]]), 1, 1, "correlation").backward()
    assert logits.grad.isfinite().all()


def test_unknown_similarities_are_named():
    with pytest.raises(UnknownNameError, match="unknown similarity 'cosin'; did you mean 'cosine'"):
        template_loss(*scene(0), 1, 0, "cosin")
