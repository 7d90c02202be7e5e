"""What a result says of the dataset and the network that it was measured on."""

from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.provenance import weights_hash_if_there


def split_of(configuration: Configuration, dataset: str) -> str:
    """The split that a dataset's entry names; the dataset's name where it names none."""
    return str(configuration.dataset(dataset).kwargs.get("split", dataset))


def model_context(configuration: Configuration, model: str) -> dict[str, str]:
    """``model`` and ``weights`` of a :class:`~oodretrieval.results.result.Context`."""
    return {"model": model, "weights": weights_hash_if_there(configuration.model(model))}
