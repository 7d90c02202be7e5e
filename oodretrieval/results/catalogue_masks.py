"""Masks of candidates, wherever a catalogue of any age keeps them."""

from oodretrieval.errors import StoreError
from oodretrieval.masks import RunLengthMask, encode_mask
from oodretrieval.stores import Catalogue, Prediction, Stored, Workspace, stored_prediction
from oodretrieval.stores.tags import CandidateKey


class CatalogueMasks:
    """The masks of a catalogue's candidates; of one that keeps none, from the predictions.

    Args:
        catalogue: Whose.
        workspace: Where the predictions lie.
        places: Arguments by which a script finds that workspace, where they were given.
    """

    def __init__(self, catalogue: Catalogue, workspace: Workspace, places: tuple[str, ...] = ()) -> None:
        self._catalogue, self._workspace, self._places = catalogue, workspace, places
        self._last: tuple[tuple[str, str], Prediction] | None = None

    def mask(self, row: int, key: CandidateKey) -> RunLengthMask:
        """The mask of a candidate.

        Args:
            row: Of the candidate.
            key: What it is known by.

        Returns:
            The mask.

        Raises:
            StoreError: If neither the catalogue nor a prediction has it.
        """
        kept = self._catalogue.masks[row]
        if kept is not None:
            return kept
        if self._catalogue.candidates != "segments":
            raise StoreError(
                f"catalogue {self._catalogue.name} keeps no masks of its objects; make it again with "
                "args.overwrite=True"
            )
        inside = self.prediction(key).components() == key.candidate
        if not inside.any():
            raise StoreError(
                f"the prediction of {key.image_id} has no segment {key.candidate}; it was made again since: make "
                "the catalogue again, too"
            )
        return encode_mask(inside)

    def prediction(self, key: CandidateKey) -> Prediction:
        """What the network predicted for a candidate's image; the last one is kept.

        Args:
            key: What the candidate is known by.

        Returns:
            The prediction.

        Raises:
            StoreError: If it is missing or damaged.
        """
        image = key.dataset, key.image_id
        if self._last is None or self._last[0] != image:
            model = str(self._catalogue.settings.get("model", ""))
            self._last = (
                image,
                stored_prediction(self._workspace, Stored(model, image[0], self._places), image[1]),
            )
        return self._last[1]
