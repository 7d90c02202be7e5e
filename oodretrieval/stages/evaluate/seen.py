"""Which images an evaluation leaves out, as the models that it evaluates were fitted on them."""

import logging
from collections.abc import Sequence

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import TableError, WeightsError
from oodretrieval.experiment.fitted_images import Carried, SeenImages, seen_images
from oodretrieval.experiment.inputs import open_meta_model
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.experiment.stored import segments_in_use
from oodretrieval.stages.select.selecting import open_novelty_model

logger = logging.getLogger(__name__)


def seen_by(
    settings: CommonSettings,
    run: Run,
    names: tuple[str, str],
    dataset: SegmentationDataset,
    *,
    meta_models: Sequence[str] = (),
    novelty: bool = False,
) -> SeenImages:
    """The images that meta models or the novelty model were fitted on; says how many.

    Args:
        settings: ``root`` and ``limit`` of the dataset.
        run: Configuration and workspace.
        names: Name of the network, name of the dataset.
        dataset: The dataset.
        meta_models: Names of meta models; empty ones are passed over.
        novelty: Whether the novelty model of the network takes part, if there is one.

    Returns:
        Images to leave out, and a note for the result.

    Raises:
        TableError: If none would be left.
        StoreError: If there is no segment table.
        WeightsError: If a meta model is not trained.
    """
    models: dict[str, Carried] = {}
    for name in dict.fromkeys(filter(None, meta_models)):
        models[f"meta model {name!r}"] = open_meta_model(run, name, names[0]).quality
    if novelty:
        try:
            made_by = open_novelty_model(run, names[0]).made_by
            models[f"the novelty model of {names[0]!r}"] = made_by
        except (WeightsError, TableError) as error:
            logger.info("no novelty model takes part: %s", error)
    if not models:
        return SeenImages()
    table = segments_in_use(settings, run, names)
    seen = seen_images(run.configuration, names[1], dataset, table, models)
    for note in seen.notes:
        logger.warning("%s", note)
    return seen
