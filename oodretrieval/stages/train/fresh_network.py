"""The network of an entry, not yet trained, for the classes of a dataset."""

from inspect import signature

from torch import nn

from oodretrieval.entries import ModelEntry, build, factory_of
from oodretrieval.errors import ConfigurationError
from oodretrieval.labels import LabelSet
from oodretrieval.models import WithImplicitBackground

PRETRAINED: dict[str, bool | str] = {"packaged": "packaged", "download": True, "no": False}


def fresh_network(entry: ModelEntry, name: str, label_set: LabelSet, pretrained: str) -> nn.Module:
    """Build a network with as many classes as the dataset predicts, and an implicit background where wanted.

    Args:
        entry: The network; what it does not say of classes and ImageNet weights is passed to it, if it takes that.
        name: Its name, for messages.
        label_set: Tables of the dataset.
        pretrained: ``packaged``, ``download`` or ``no``.

    Returns:
        Normalised images ``(N, 3, H, W)`` → logits ``(N, C, H, W)``, C the predicted classes of the dataset.

    Raises:
        ConfigurationError: If entry and dataset disagree about the classes, or the entry cannot be built.
    """
    known = signature(factory_of(entry)).parameters
    implicit = entry.implicit_background
    if implicit and label_set.background_id != 0:
        raise ConfigurationError(
            f"the entry {name!r} has an implicit background, but predicted id 0 of the dataset is "
            f"{label_set.pred_mapping[0][0]!r}; choose a dataset with background "
            "(see oodretrieval.datasets.with_background)"
        )
    classes = label_set.num_classes - implicit
    if entry.kwargs.get("num_classes", classes) != classes:
        raise ConfigurationError(
            f"the entry {name!r} has num_classes={entry.kwargs['num_classes']}, the dataset {classes} predicted "
            f"classes{' besides the background' * implicit}; correct the entry, or choose another dataset"
        )
    offered = {"num_classes": classes, "pretrained": PRETRAINED[pretrained]}
    network: nn.Module = build(entry, **{k: v for k, v in offered.items() if k in known})
    return WithImplicitBackground(network) if implicit else network
