"""What a result says of the dataset and the network that it was measured on."""

from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.provenance import weights_hash_if_there


def split_of(configuration: Configuration, dataset: str) -> str:
    """The split that a dataset's entry names.

    Args:
        configuration: Where the entry is.
        dataset: Name of the dataset.

    Returns:
        Its split; its own name where the entry names none.
    """
    return str(configuration.dataset(dataset).kwargs.get("split", dataset))


def model_context(configuration: Configuration, model: str) -> dict[str, str]:
    """What a result says of the network that it was measured with.

    Args:
        configuration: Where the entry is.
        model: Name of the network.

    Returns:
        ``model`` and ``weights`` of a :class:`~oodretrieval.results.result.Context`.
    """
    return {"model": model, "weights": weights_hash_if_there(configuration.model(model))}
