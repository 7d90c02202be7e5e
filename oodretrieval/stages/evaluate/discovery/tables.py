"""Tables of discovery for people."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from oodretrieval.evaluation.discovery import AREA_LOOKS
from oodretrieval.results.tables import interval_words
from oodretrieval.stages.evaluate.discovery.measures import (
    ANSWERED,
    AREA,
    SHARES,
    Measures,
    WayMeasures,
    key,
    reported_looks,
)

INTERVAL_AT = 5
"""Looks an image whose shares are shown with their interval."""


def looks_table(ways: Mapping[str, WayMeasures], share: str) -> pd.DataFrame:
    """Share of objects touched, found or outlined after each number of looks, one row for each way.

    After more looks than there are candidates there is no share.

    Args:
        ways: Name → measures.
        share: touched, found or outlined.

    Returns:
        The table.
    """
    rows = {}
    for name, way in ways.items():
        row: dict[str, Any] = {}
        for looks, per_image in reported_looks():
            title, measure = (
                f"{looks} {'an image' if per_image else 'in all'}",
                key(share, looks, per_image=per_image),
            )
            beyond = not per_image and way.candidates is not None and looks > way.candidates
            row[title] = float("nan") if beyond else way.values[measure]
            if per_image and looks == INTERVAL_AT:
                row[f"{title}, interval"] = interval_words(way.interval(measure))
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(f"objects {share}, by looks")


def area_table(scenes: Mapping[str, Mapping[str, WayMeasures]]) -> pd.DataFrame:
    """Area under the curve of objects found.

    Args:
        scenes: Scene → way of inspecting → measures.

    Returns:
        A row for each scene, columns for each way.
    """
    rows = {}
    for scene, ways in scenes.items():
        row: dict[str, Any] = {}
        for name, way in ways.items():
            row |= {name: way.values[AREA], f"{name}, interval": interval_words(way.interval(AREA))}
        rows[scene] = {
            title: value for title, value in row.items() if value != interval_words((float("nan"),) * 2)
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(
        f"area under the found curve to {AREA_LOOKS} looks an image"
    )


def oracle_table(oracles: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Share of objects that candidates hold, in whatever order.

    Args:
        oracles: What is held → found, outlined → share.

    Returns:
        The table.
    """
    return pd.DataFrame.from_dict(dict(oracles), orient="index").rename_axis("what the candidates hold")


def answers_table(answered: Mapping[str, Mapping[str, Measures]]) -> pd.DataFrame:
    """What answers change: unknown candidates and objects after a number of looks.

    Args:
        answered: Kind of candidates → how the person answers → measures.

    Returns:
        The table.
    """
    rows = {}
    for kind, ways in answered.items():
        for way, measures in ways.items():
            row: dict[str, Any] = {}
            for looks in ANSWERED:
                unknown = measures.get(f"unknown after {looks} looks")
                row[f"unknown after {looks}"] = "" if unknown is None else f"{unknown:.1f}"
                row |= {
                    f"{share} after {looks}": measures.get(key(share, looks, per_image=False), float("nan"))
                    for share in SHARES[:2]
                }
            rows[f"{kind}, answers: {way}"] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("learning from answers")
