"""What the network does not know, as classes: clusters of candidates, the most promising first."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from oodretrieval.errors import PartialFailure
from oodretrieval.experiment.context import measured_on
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.files import atomic_path
from oodretrieval.results.result import Context, Result, result_folder
from oodretrieval.results.segment_classes import SegmentClasses
from oodretrieval.results.tables import NO_VALUE
from oodretrieval.search import (
    CandidateClass,
    ClassEvidence,
    candidate_classes,
    cluster,
    noise_share,
    silhouette,
)
from oodretrieval.search.class_ranking import LEAST_THINGS
from oodretrieval.search.clustering import DENSITY_METHODS
from oodretrieval.search.principal_directions import principal_directions
from oodretrieval.stages.discover.class_evidence import CandidateTruth, class_evidence
from oodretrieval.stages.discover.class_names import class_names
from oodretrieval.stages.discover.class_pictures import ClassPictures
from oodretrieval.stages.discover.settings import DiscoverClassesSettings
from oodretrieval.stages.evaluate.evaluated import save_evaluation
from oodretrieval.stores import Catalogue

logger = logging.getLogger(__name__)
THINGS_A_CLUSTER = 6
FEWEST, MOST = 8, 60
"""Clusters by default: at least, and at most."""
NO_COLUMNS = ("predicted as", "unknown", "names")
"""What is said of a class elsewhere in its row of the table."""
FIRST = 10
"""Classes that a person is sure to see: what they hold is measured where there is truth."""


def discover_classes(settings: DiscoverClassesSettings, run: Run) -> dict[str, Any]:
    """Cluster the candidates of a catalogue, and rank the clusters as candidate classes.

    Args:
        settings: Which catalogue, and how.
        run: Configuration and workspace; without the work behind the catalogue the distance to what is known is left
            out.

    Returns:
        ``classes``: what was found of each; with truth ``first``: how many of the first ten are unknown kinds,
        and which kinds lead one; and ``files`` written, one of which lists every member.

    Raises:
        StoreError: If there is no such catalogue, it has no scores, or nothing can be written.
        UnknownNameError: If there is no such embedding or clustering method.
        SettingsError: If the file of names cannot be read.
        PartialFailure: If some images cannot be read: all is done, and their pictures are blank.
    """
    catalogue = Catalogue.named(run.workspace, settings.embeddings_file, verify=settings.common.verify)
    evidence = class_evidence(catalogue, run, settings.common)
    truth = CandidateTruth.of(catalogue)
    embedding = settings.net or catalogue.default_embedding
    vectors = catalogue.vectors_of(embedding)
    number = None if settings.method in DENSITY_METHODS else settings.clusters or default_number(evidence)
    with threadpool_limits(1):  # sums of several threads are rounded otherwise, and other clusters are merged
        directions = principal_directions(vectors, settings.components, seed=settings.seed)
        groups = cluster(directions, settings.method, number, settings.seed)
        found = candidate_classes(directions, groups, evidence)
    described = [_described(one, catalogue, truth) for one in found]
    names = class_names(catalogue, run, embedding, found, settings.vocabulary)
    for one, proposed in zip(described, names.of_classes or (), strict=False):
        one["names"] = proposed
    measures: dict[str, Any] = {
        "candidates": len(catalogue),
        "noise": noise_share(groups),
        "silhouette": silhouette(directions, groups, settings.seed),
        "classes": described,
    }
    if truth is not None:
        measures["first"] = first_classes(found[:FIRST], truth)
    result = Result(
        title=f"Candidate classes among the {catalogue.candidates} of {catalogue.name}",
        stem=f"candidate_classes_{settings.net or 'embedding'}_{settings.method}",
        context=_context(settings, run, catalogue, number, len(np.unique(evidence.images))),
        settings=flat(settings),
        measures=measures,
        tables={"classes": _table(described[: settings.classes])},
        notes=(*_notes(catalogue, found, evidence, measures, settings.classes), names.note),
    )
    folder = result_folder(catalogue.path, settings.save_dir)
    listing = _list_members(folder / f"{result.stem}_members.csv", catalogue, found)
    shown = found[: settings.classes]
    words = [_words(i, one) for i, one in enumerate(described[: settings.classes], 1)]
    sheets = ClassPictures(catalogue, evidence, truth)
    pictures = (
        p for some in ([sheets.all(shown, words, result.title)], sheets.each(shown, words)) for p in some
    )
    files = [*save_evaluation(folder, result, pictures), str(listing)]
    if sheets.pictures.unread:
        raise PartialFailure("discover_classes", sheets.pictures.unread)
    return {**measures, "files": files}


def default_number(evidence: ClassEvidence) -> int:
    """How many clusters to look for: one for every six different things, but at least 8, and at most 60.

    Args:
        evidence: Of the candidates.

    Returns:
        Their number; never more than there are candidates.
    """
    things = len(np.unique(evidence.things))
    return max(1, min(len(evidence.things), min(MOST, max(FEWEST, things // THINGS_A_CLUSTER))))


def first_classes(first: Sequence[CandidateClass], truth: CandidateTruth) -> dict[str, Any]:
    """What the first candidate classes are in truth.

    Args:
        first: The classes that a person is sure to see.
        truth: Of all candidates.

    Returns:
        ``classes`` (their number), ``unknown`` (how many are mostly of unknown kinds), ``kinds`` (unknown kind →
        candidates of it in all), ``led`` (unknown kind → rank of the first class in which it is the most frequent
        label).
    """
    led: dict[str, int] = {}
    for rank, one in enumerate(first, 1):
        name, _ = truth.leading(one)
        if name in truth.kinds:
            led.setdefault(name, rank)
    unknown = sum(truth.mostly_unknown(one) for one in first)
    return {"classes": len(first), "unknown": unknown, "kinds": truth.kinds, "led": led}


def _described(one: CandidateClass, catalogue: Catalogue, truth: CandidateTruth | None) -> dict[str, Any]:
    predicted = dict(Counter(SegmentClasses(catalogue).predicted_names[one.rows].tolist()).most_common())
    content: dict[str, Any] = {
        "candidates": len(one.rows),
        "things": one.things,
        "images": one.images,
        "drives": one.drives,
        "novelty": one.novelty,
        "strangeness": one.strangeness,
        "disagreement": one.disagreement,
        "cohesion": one.cohesion,
        "score": one.score,
        "looks like": None if one.like is None else one.like + 1,
        "predicted as": predicted,
    }
    if truth is not None:
        name, share = truth.leading(one)
        content |= {"truth": name or "void", "share": share, "unknown": truth.mostly_unknown(one)}
    return content


def _table(described: Sequence[dict[str, Any]]) -> pd.DataFrame:
    lines = []
    for one in described:
        line = {key: value for key, value in one.items() if key not in NO_COLUMNS}
        line["looks like"] = one["looks like"] or NO_VALUE
        if all(each["drives"] == 1 for each in described):
            del line["drives"]  # of photographs, and of one drive, it says nothing
        if "names" in one:
            line["proposed names"] = ", ".join(f"{name} {fit:.2f}" for name, fit in one["names"])
        line["predicted as"] = _listed(one["predicted as"])
        if "truth" in one:
            line["unknown kind"] = "yes" if one["unknown"] else "no"
        lines.append(line)
    return pd.DataFrame(lines, index=pd.Index(range(1, len(lines) + 1), name="rank"))


def _listed(predicted: dict[str, int], most: int = 3) -> str:
    return ", ".join(f"{name} {count}" for name, count in list(predicted.items())[:most])


def _words(rank: int, one: dict[str, Any]) -> list[str]:
    strange = one["strangeness"]
    words = [
        f"{rank}. {one['things']} things in {one['images']} images",
        *([f"looks like {one['looks like']}"] if one["looks like"] else []),
        *([f"“{one['names'][0][0]}”?"] if one.get("names") else []),
        f"novelty {one['novelty']:.1f}",
        f"far from the known: {NO_VALUE if np.isnan(strange) else format(strange, '.1f')}",
        "predicted as",
        *(f"  {name} {count}" for name, count in list(one["predicted as"].items())[:3]),
    ]
    return [*words, f"truth: {one['truth']} {one['share']:.0%}"] if "truth" in one else words


def _notes(
    catalogue: Catalogue,
    found: Sequence[CandidateClass],
    evidence: ClassEvidence,
    measures: dict[str, Any],
    shown: int,
) -> tuple[str, ...]:
    things = len(np.unique(evidence.things))
    notes = [
        f"{len(found)} clusters of {len(catalogue)} {catalogue.candidates}, {things} different things; "
        f"{measures['noise']:.0%} are noise, in no cluster. Mean silhouette {measures['silhouette']:.2f} (-1…1).",
        f"Ranked by score; those that look like an earlier one come after the others, and those of fewer than "
        f"{LEAST_THINGS} different things, however often they were seen, after all.",
    ]
    if len(found) > shown:
        notes.append(f"The first {shown} are shown; args.classes={len(found)} shows all.")
    first = measures.get("first")
    if first is not None:
        led = ", ".join(f"{name} ({rank})" for name, rank in first["led"].items()) or "none"
        notes.append(
            f"Of the first {first['classes']}, {first['unknown']} are mostly of unknown kinds. Of the "
            f"{len(first['kinds'])} unknown kinds among the candidates, {len(first['led'])} are the most frequent "
            f"label of one of them (rank): {led}."
        )
    return tuple(notes)


def _context(
    settings: DiscoverClassesSettings, run: Run, catalogue: Catalogue, number: int | None, images: int
) -> Context:
    clusters = "as many as the method finds" if number is None else str(number)
    if number is not None and not settings.clusters:
        clusters += f" (one for every six different things, but at least {FEWEST} or as many as there are candidates, "
        clusters += f"and at most {MOST})"
    return measured_on(
        run,
        catalogue.segments["dataset"].unique(),
        str(catalogue.settings.get("model", "")),
        images=images,
        void_rule="a candidate is what most of its pixels are; void ones are in no share of a truth",
        resolution=f"{settings.method} on {settings.components} principal components of "
        f"{settings.net or catalogue.default_embedding}, of unit length; clusters: {clusters}",
    )


def _list_members(path: Path, catalogue: Catalogue, found: Sequence[CandidateClass]) -> Path:
    """Every member of every class, the most central first."""
    columns = ["dataset", "image_id", "segment_id", "left", "top", "right", "bottom"]
    rows = np.array([row for one in found for row in one.rows], np.intp)
    members = catalogue.segments.iloc[rows][columns].set_index(pd.Index(rows, name="row"))
    members.insert(0, "rank", [rank for rank, one in enumerate(found, 1) for _ in one.rows])
    with atomic_path(path) as temporary:
        members.to_csv(temporary)
    logger.info("every member of every class: %s", path)
    return path
