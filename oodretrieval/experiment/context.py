"""What a result says of the dataset and the network that it was measured on."""

from oodretrieval.experiment.run import Run


def split_of(run: Run, dataset: str) -> str:
    """The split that a dataset's entry names.

    Args:
        run: Whose configuration has the entry.
        dataset: Name of the dataset.

    Returns:
        Its split; its own name where the entry names none.
    """
    return str(run.configuration.dataset(dataset).kwargs.get("split", dataset))


def model_context(run: Run, model: str) -> dict[str, str]:
    """What a result says of the network that it was measured with.

    Args:
        run: Whose configuration has the entry.
        model: Name of the network.

    Returns:
        ``model`` and ``weights`` of a :class:`~oodretrieval.results.result.Context`.
    """
    return {"model": model, "weights": run.weights_hash(model)}
