"""Which evaluations a report shows, and which are missing that the dataset could have."""

import shlex
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from oodretrieval.labels import LabelSet
from oodretrieval.results.result import result_folder
from oodretrieval.results.saved_results import SavedResult, read_results
from oodretrieval.stages.report.settings import ReportSettings
from oodretrieval.stores import Catalogue, Stored, Workspace

EVALUATIONS = {
    "segmentation": "eval_segmentation.py",
    "iou": "eval_iou.py",
    "meta": "eval_meta.py",
    "selection": "eval_selection.py",
    "ood": "eval_ood.py",
    "discovery": "eval_discovery.py",
    "retrieval": "eval_retrieval.py",
}
"""Stem of a result, up to its first underscore → the script that makes it."""
OF_CLASSES = ("segmentation", "iou", "meta")
"""Those that need to know which class is where, not only what is unknown."""
OF_UNKNOWN = ("ood", "discovery")
"""Those that need something unknown."""
CLASSES = "candidate"
"""The same of candidate classes, which come before all others and need no truth."""
OF_CATALOGUES = {CLASSES: "discover_classes.py", "retrieval": EVALUATIONS["retrieval"]}
"""The same of what is measured on the rows of a catalogue, and lies in its folder."""


def saved_evaluations(
    settings: ReportSettings,
    workspace: Workspace,
    catalogue: Catalogue | None,
    label_set: LabelSet | None,
    missing: list[str],
) -> list[SavedResult]:
    """Results of this network on this dataset, as stored.

    Args:
        settings: What is reported.
        workspace: Where results lie.
        catalogue: Of its candidates, if there is one.
        label_set: Of the dataset; None without truth.
        missing: Gets what has not run yet, or on other rows of the catalogue, with its command, and what cannot be
            read.

    Returns:
        Candidate classes, then the order of :data:`EVALUATIONS`, then all others.
    """
    found = [
        evaluation
        for evaluation in read_results(result_folder(workspace.path), missing)
        if (evaluation.context["dataset"], evaluation.context["model"])
        == (settings.dataset, settings.model_name)
    ]
    before: list[SavedResult] = []
    if catalogue is not None:
        of_rows = read_results(result_folder(catalogue.path), missing)
        found += [result for result in of_rows if result.catalogue == catalogue.key]
        before = [result for result in of_rows if result.catalogue != catalogue.key]
        missing += [_again(result, settings, catalogue) for result in before]
    kinds, there = _kinds(found), {*_kinds(found), *_kinds(before)}
    missing += [
        f"{kind}: scripts/{script} with {_arguments(kind, settings, catalogue)}"
        for kind, script in EVALUATIONS.items()
        if kind not in there and can_be_evaluated(kind, label_set, catalogue)
    ]
    if catalogue is not None and CLASSES not in there:
        missing.append(
            f"candidate classes: scripts/{OF_CATALOGUES[CLASSES]} with {_of_catalogue(settings, catalogue)}"
        )
    order = [CLASSES, *EVALUATIONS]
    places = [order.index(kind) if kind in order else len(order) for kind in kinds]
    return [found[i] for i in np.argsort(places, kind="stable")]


def _kinds(results: Sequence[SavedResult]) -> list[str]:
    """What was measured: one of :data:`EVALUATIONS`, :data:`CLASSES`, or something else."""
    return [result.stem.split("_")[0] for result in results]


def _again(result: SavedResult, settings: ReportSettings, catalogue: Catalogue) -> str:
    """What is said of a result of rows that were selected before the catalogue's of today."""
    (kind,) = _kinds([result])
    script = f"scripts/{OF_CATALOGUES.get(kind, '<its script>.py')}"
    why = (
        "of rows that were selected before" if result.catalogue else "which does not note of which rows it is"
    )
    return f"{result.title} ({result.stem}), {why}: {script} with {_of_catalogue(settings, catalogue)}"


def can_be_evaluated(kind: str, label_set: LabelSet | None, catalogue: Catalogue | None) -> bool:
    """Whether a dataset can be evaluated in some way.

    Args:
        kind: One of :data:`EVALUATIONS`.
        label_set: Of the dataset; None without truth.
        catalogue: Of its candidates, if there is one.

    Returns:
        Whether its labels say what that needs.
    """
    if label_set is None or (kind == "retrieval" and catalogue is None):
        return False
    if kind in OF_CLASSES:
        return bool(label_set.pred_mapping)
    return kind not in OF_UNKNOWN or bool(label_set.unknown_ids)


def _of_catalogue(settings: ReportSettings, catalogue: Catalogue) -> str:
    """What an evaluation of a catalogue is called with, which is found by its workspace alone."""
    places = replace(settings.common, root="").places
    return shlex.join((f"args.embeddings_file={catalogue.name}", *places))


def _arguments(kind: str, settings: ReportSettings, catalogue: Catalogue | None) -> str:
    """What an evaluation that is missing is called with."""
    if kind == "retrieval" and catalogue is not None:
        return _of_catalogue(settings, catalogue)
    arguments = Stored(settings.model_name, settings.dataset, settings.common.places).arguments
    if kind not in ("segmentation", "discovery"):
        arguments += " " + shlex.quote(f"args.meta_model_name={settings.meta_model_name}")
    return f"{arguments} args.dataset_train=…" if kind == "meta" else arguments
