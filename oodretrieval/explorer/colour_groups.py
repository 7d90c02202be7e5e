"""From what colours mean to the group that each segment is in. Knows no toolkit."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.palette import UNIFORM
from oodretrieval.errors import SettingsError, UnknownNameError
from oodretrieval.explorer.catalogue_segments import CatalogueSegments
from oodretrieval.explorer.categories import Group, Grouping, by_cluster, by_column, by_name, by_tag, by_value
from oodretrieval.explorer.tagging import Tagging
from oodretrieval.results.columns import Columns
from oodretrieval.search.row_comparisons import Groups

COLOURINGS = ("truth", "prediction", "score", "uniform", "clusters", "tags")
"""What colours can mean besides columns."""
_SAME = {"predicted": "prediction", "cluster": "clusters", "tag": "tags"}
"""Columns, and what colours by them are called."""


def checked_colouring(name: str, segments: CatalogueSegments, columns: Columns) -> str:
    """What colours are to mean, if they can.

    Args:
        name: One of :data:`COLOURINGS` or a column.
        segments: Of the catalogue.
        columns: What is known of them.

    Returns:
        The name; that of :data:`COLOURINGS` for a column that has one.

    Raises:
        UnknownNameError: If there is no such column.
        SettingsError: If the catalogue has no truth, or no score.
    """
    name = _SAME.get(name, name)
    if name == "truth" and not segments.classes.has_truth:
        raise SettingsError("no truth in this catalogue; h colours by predicted class")
    if name == "score" and not segments.select_by:
        raise SettingsError("no score in this catalogue; compute_embeddings writes it")
    if name not in COLOURINGS and name not in columns:
        raise UnknownNameError("colouring", name, [*COLOURINGS, *columns])
    return name


def colour_groups(
    name: str,
    segments: CatalogueSegments,
    columns: Columns,
    clusters: NDArray[np.int64] | None,
    tags: Tagging,
) -> Grouping:
    """The group of every segment.

    Args:
        name: What colours mean.
        segments: Of the catalogue.
        columns: What is known of them.
        clusters: Group of each, ``(n,)``; None before the first clustering.
        tags: What they are named.

    Returns:
        Their groups.
    """
    classes = segments.classes
    if name == "truth":
        tables = map(classes.label_mapping, classes.datasets)
        colours = {called: colour for table in tables for called, colour in table.values()}
        return by_name(classes.truths, colours, classes.unknown)
    if name == "prediction":
        known = np.zeros(len(segments), np.bool_)
        return by_name(classes.predictions, dict(classes.pred_mapping.values()), known)
    if name == "score" and segments.select_by:
        return by_value(segments.scores, segments.score_name)
    if name == "clusters" and clusters is not None:
        return by_cluster(clusters)
    if name == "tags":
        return by_tag(tags.groups, {tag: tags.colour(tag) for tag in tags.names})
    values = columns.get(name)
    if values is None or isinstance(values, Groups) or name == "clusters":
        return Grouping(np.zeros(len(segments), np.intp), (Group("segments", UNIFORM),))
    return by_column(values, name)
