"""What a result says of the datasets and the network that it was measured on."""

from collections.abc import Iterable
from typing import Any

from oodretrieval.experiment.run import Run
from oodretrieval.results.result import Context


def measured_on(run: Run, datasets: Iterable[str], model: str = "", **rules: Any) -> Context:
    """The rules of a result, with what the configuration says of datasets and network.

    A catalogue can be searched where its datasets and its network are not configured: those have no split, no weights.

    Args:
        run: Whose configuration has the entries.
        datasets: Names of the datasets; one whose entry names no split is its own.
        model: Name of the network; empty where none took part.
        **rules: All else that a :class:`~oodretrieval.results.result.Context` says.

    Returns:
        The rules.
    """
    entries, names = run.configuration.datasets, [str(name) for name in datasets]
    splits = [str(entries[name].kwargs.get("split", name)) for name in names if name in entries]
    weights = run.weights_hash(model) if model in run.configuration.models else ""
    return Context(dataset=", ".join(names), split=", ".join(splits), model=model, weights=weights, **rules)
