"""Discovery by what a catalogue holds: how many unknown objects its candidates touch, find and outline."""

from oodretrieval.errors import TableError
from oodretrieval.evaluation import DiscoveryCurve, unknown_objects
from oodretrieval.evaluation.discovery import curve_of_matches, match
from oodretrieval.experiment.run import Run
from oodretrieval.stores import PREDICTED_IOU, SELECT_SCORE, Catalogue


def catalogue_curve(run: Run, catalogue: Catalogue) -> DiscoveryCurve:
    """The discovery curve of a catalogue's candidates, in the order of the score that selected them.

    Args:
        run: In whose workspace the predictions lie, which hold the truth.
        catalogue: With masks; its images are those that its candidates were selected from.

    Returns:
        The curve.

    Raises:
        TableError: If it keeps no masks, or its images show no unknown object.
        StoreError: If a prediction is missing or damaged.
    """
    rows, masks = catalogue.segments.reset_index(drop=True), catalogue.masks
    if any(mask is None for mask in masks):
        raise TableError(f"catalogue {catalogue.name!r} keeps no masks; make it again by compute_embeddings")
    unknown = catalogue.settings["unknown_ids"]
    works = {name: run.stored(catalogue.settings["model"], name) for name in unknown}
    places = rows.groupby(["dataset", "image_id"]).indices
    matches, scores = [], []
    images = catalogue.table(PREDICTED_IOU)[["dataset", "image_id"]].drop_duplicates()
    for dataset, image in images.itertuples(index=False, name=None):
        labels = works[dataset].prediction(image).labels
        if labels is None:
            continue
        here = [int(place) for place in places.get((dataset, image), ())]
        known = [mask for place in here if (mask := masks[place]) is not None]
        matches.append(match(known, unknown_objects(labels, unknown[dataset]).masks))
        scores.append(rows[SELECT_SCORE].to_numpy(float)[here])
    if not sum(found.iou.shape[1] for found in matches):
        raise TableError(
            f"the images of catalogue {catalogue.name!r} show no unknown object, or have no truth"
        )
    return curve_of_matches(matches, scores)
