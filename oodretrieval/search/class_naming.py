"""Names for candidate classes, from a network that has crops and texts in one space."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oodretrieval.directions import unit_vectors
from oodretrieval.parted_arrays import PartedArray, row_blocks
from oodretrieval.search.class_ranking import CandidateClass

_WORDS = """
    person, child, cyclist, wheelchair, pushchair, skateboard, scooter, bicycle, parked bicycles, motorcycle,
    car, van, truck, pickup truck, trailer, caravan, bus, tram, train, tractor, excavator, crane, ambulance,
    fire engine, carriage, boat, aeroplane, helicopter, dog, cat, cow, sheep, horse, goat, pig, donkey, camel,
    elephant, zebra, giraffe, bear, deer, wild boar, fox, rabbit, monkey, bird, duck, swan, goose, chicken,
    peacock, ostrich, traffic cone, barrier, road block, bollard, traffic sign, traffic light, billboard,
    poster, flag, banner, lamp post, mast, telephone box, post box, parking meter, fire hydrant, bus stop,
    bench, chair, sofa, table, umbrella, parasol, market stall, tent, shopping trolley, suitcase, bag, box,
    crate, pallet, barrel, rubbish bin, rubbish bags, skip, bottle, tyre, wheel, ball, toy, pipe, plank, log,
    branch, rock, pile of stones, pile of leaves, bale of straw, potted plant, hedge, tree stump, fountain,
    statue, bridge, tunnel, gate, fence, wall, railing, stairs, ladder, scaffolding, garage door, window,
    awning, balloon, kite, puddle, snow, mud, manhole cover, pothole, road marking, rail tracks, shadow,
    reflection, smoke, fire, sky, cloud, building, tree, bush, grass, road, pavement
"""
VOCABULARY = tuple(" ".join(name.split()) for name in _WORDS.split(","))
"""What one may meet on and along a street, known and unknown, in plain words."""
PROMPT = "a photo of a {}"
"""Networks that learned from captions know a sentence better than a word (Radford et al.)."""


def proposed_names(
    classes: Sequence[CandidateClass],
    vectors: NDArray[np.floating] | PartedArray,
    texts: NDArray[np.floating],
    words: Sequence[str],
    most: int = 3,
) -> list[list[tuple[str, float]]]:
    """The words that fit a class better than they fit the other candidates.

    A word that fits every crop of a street, such as ``street``, says nothing of a class: of each word's cosines, the
    mean over all candidates is taken off before they are averaged over the members.

    Args:
        classes: Candidate classes.
        vectors: Of all candidates, ``(n, D)``.
        texts: Of the words, in the same space, ``(k, D)``.
        words: ``k`` words.
        most: Names for a class, at most.

    Returns:
        For each class its best words, best first, each with how much nearer than to other candidates it lies, -2…2.

    Raises:
        ValueError: If there are not as many words as texts, or they lie in another space.

    Source:
        Radford et al., Learning transferable visual models from natural language supervision, arXiv:2103.00020.
    """
    if len(words) != len(texts) or (len(words) and texts.shape[1] != vectors.shape[1]):
        raise ValueError(
            f"expected a vector of {vectors.shape[1]} dimensions for each of {len(words)} words, got {texts.shape}"
        )
    directions = unit_vectors(np.asarray(texts, np.float64)).T
    cosines = np.empty((len(vectors), len(words)))
    for rows, block in row_blocks(vectors):
        cosines[rows] = unit_vectors(np.asarray(block, np.float64)) @ directions
    excess = cosines - cosines.mean(axis=0) if len(cosines) else cosines
    found = []
    for one in classes:
        fit = excess[one.rows].mean(axis=0)
        order = np.argsort(-fit, kind="stable")[:most]
        found.append([(str(words[i]), float(fit[i])) for i in order])
    return found
