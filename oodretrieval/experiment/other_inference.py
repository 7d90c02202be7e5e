"""Models that were fitted on predictions of a network that saw its images in another way."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from oodretrieval.experiment.provenance import inference_of
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.stores import differing_settings

logger = logging.getLogger(__name__)


def warn_of_other_inference(
    work: StoredWork, what: str, made_by: Mapping[str, Any], images: Iterable[str]
) -> None:
    """Say that a model was fitted on predictions of a network that saw its images in another way.

    It is not refused: whoever has no truth cannot fit one of their own. Nothing is said of the precision, nor of
    ``resize``, which brings images to the size that a network knows.

    Args:
        work: The predictions that it is used on.
        what: The model, for people.
        made_by: What it notes of its making; models of earlier versions were fitted with the defaults of inference.
        images: Ids of the images that it is used on; the first that has a prediction speaks for all, as they are made
            alike.
    """
    found = (work.records([image]) for image in images)
    here = next((inference_of(record.settings) for records in found for record in records.values()), None)
    if here is None:
        return
    differing = differing_settings(made_by.get("inference", {}), here)
    listed = [
        f"{key}: {was!r}, here {now!r}"
        for key, (was, now) in differing.items()
        if key not in ("mixed_precision", "resize")
    ]
    if listed:
        logger.warning(
            "%s was fitted on predictions made in another way than those of %r (%s); what it says of them may be off",
            what,
            work.names.dataset,
            "; ".join(listed),
        )
