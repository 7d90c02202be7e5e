"""How unknown a segment is: scores that rank segments by how little they resemble the known training segments.

Every score is higher where a segment is more unknown. None of them ever learns from an unknown thing.
"""

from oodretrieval.novelty.likeness import Likeness, likeness_values, sampled, shared_among
from oodretrieval.novelty.model import MIN_PIXELS, NoveltyModel, comparable, known_rows
from oodretrieval.novelty.pixels import pixel_novelty
from oodretrieval.novelty.scores import SCORES, dispersion_score, missing_columns
from oodretrieval.novelty.store import load_novelty_model, save_novelty_model
from oodretrieval.novelty.windows import WindowBank, known_windows, sampled_windows

__all__ = [
    "MIN_PIXELS",
    "SCORES",
    "Likeness",
    "NoveltyModel",
    "WindowBank",
    "comparable",
    "dispersion_score",
    "known_rows",
    "known_windows",
    "likeness_values",
    "load_novelty_model",
    "missing_columns",
    "pixel_novelty",
    "sampled",
    "sampled_windows",
    "save_novelty_model",
    "shared_among",
]
