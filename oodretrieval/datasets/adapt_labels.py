"""The label tables of a dataset class that does not offer a ``LabelSet``."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from oodretrieval.errors import ConfigurationError
from oodretrieval.labels import NO_CLASS, ClassMapping, LabelSet

VOID_NAMES = frozenset({"void", "unlabeled", "unlabelled", "ignore", "ignored"})
"""Names (in any letter case) of labels that mean nothing, for classes that do not say it by ``void_ids``."""


def attribute(source: Any, name: str) -> Any:
    """An attribute of a dataset, or of the module that its class is from.

    Args:
        source: The dataset.
        name: Of the attribute.

    Returns:
        Its value, the dataset's own first; None where neither has it.
    """
    if hasattr(source, name):
        return getattr(source, name)
    return getattr(sys.modules.get(type(source).__module__), name, None)


def same_names(labels: ClassMapping, predicted: ClassMapping) -> dict[int, int]:
    """The predicted class of the same name as each label.

    Args:
        labels: Label id → (name, colour).
        predicted: Predicted id → (name, colour); of equal names the first counts.

    Returns:
        Label id → predicted id; 255 where there is none.
    """
    ids: dict[str, int] = {}
    for key in sorted(predicted):
        ids.setdefault(predicted[key][0], key)
    return {key: ids.get(name, NO_CLASS) for key, (name, _) in labels.items()}


def ids_of_members(classes: ClassMapping, members: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """The class that each label is counted as.

    Args:
        classes: Id → (name, colour).
        members: Name of a class → names of the labels that are counted as it.

    Returns:
        Name of a label → id of its class.
    """
    ids = {name: key for key, (name, _) in classes.items()}
    return {label: ids[name] for name, labels in members.items() for label in labels}


def label_set_of(source: Any, where: str) -> LabelSet | None:
    """Tables made of ``label_mapping``, ``pred_mapping``, ``label_to_pred`` and ``void_ids``.

    Rules, in this order:

    - An attribute ``label_set`` is taken as it is. Without ``label_mapping`` there is no truth.
    - Negative ids are dropped from both mappings, 255 from ``pred_mapping``: no file holds them, no network
      outputs them. 255 is always a label id, and void.
    - ``void_ids`` where offered; otherwise the labels whose name is one of :data:`VOID_NAMES`.
    - Without ``pred_mapping`` the predicted ids are the label ids (255 left out), each mapping to itself.
    - ``label_to_pred`` where offered. Otherwise a label maps to the predicted id of the **same name** (the
      lowest, if several carry it), and to 255 where there is none: such a label is unknown.
    - Void labels always map to 255, whatever the tables say.

    Args:
        source: The dataset.
        where: What to call it in messages.

    Returns:
        The tables; None where there is no truth.

    Raises:
        ConfigurationError: If a table is not id → (name, (r, g, b)), or they contradict each other.
    """
    offered = getattr(source, "label_set", None)
    if offered is not None:
        if not isinstance(offered, LabelSet):
            raise ConfigurationError(f"{where}: `label_set` must be a LabelSet, got {type(offered).__name__}")
        return offered
    mapping = getattr(source, "label_mapping", None)
    if not mapping:
        return None
    labels = {NO_CLASS: ("void", (0, 0, 0)), **_checked(mapping, "label_mapping", where)}
    void = _void_ids(source, labels)
    pred = getattr(source, "pred_mapping", None)
    predicted = _predicted(pred or mapping, where)
    table = getattr(source, "label_to_pred", None)
    if table is not None:
        to_pred = {NO_CLASS: NO_CLASS, **{int(k): int(v) for k, v in table.items() if int(k) >= 0}}
    else:
        to_pred = same_names(labels, predicted) if pred else {key: key for key in labels}
    try:
        return LabelSet(
            labels, predicted, {k: NO_CLASS if k in void else v for k, v in to_pred.items()}, void
        )
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _predicted(mapping: Any, where: str) -> ClassMapping:
    checked = _checked(mapping, "pred_mapping", where)
    predicted = {key: value for key, value in checked.items() if key != NO_CLASS}
    if sorted(predicted) != list(range(len(predicted))):
        raise ConfigurationError(
            f"{where}: predicted ids must run from 0 without gaps, got {sorted(predicted)}; give the class a "
            "`pred_mapping` with the classes of the network, id → (name, (r, g, b))"
        )
    return predicted


def _void_ids(source: Any, labels: ClassMapping) -> frozenset[int]:
    offered: Iterable[int] | None = attribute(source, "void_ids")
    if offered is not None:
        return frozenset(int(key) for key in offered if int(key) >= 0) | {NO_CLASS}
    return frozenset(key for key, (name, _) in labels.items() if name.lower() in VOID_NAMES) | {NO_CLASS}


def _checked(mapping: Any, name: str, where: str) -> dict[int, tuple[str, tuple[int, int, int]]]:
    """The mapping with plain ints and tuples, negative ids dropped."""
    if not isinstance(mapping, Mapping):
        raise ConfigurationError(f"{where}: `{name}` must be a dict, got {type(mapping).__name__}")
    checked = {}
    for key, value in mapping.items():
        try:
            text, (red, green, blue) = value
            entry = (str(text), (int(red), int(green), int(blue)))
            number = int(key)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"{where}: `{name}` must map an id to (name, (red, green, blue)), got {key!r}: {value!r}"
            ) from error
        if number >= 0:
            checked[number] = entry
    return checked
