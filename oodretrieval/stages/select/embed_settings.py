"""Settings of the stage that selects, cuts out and embeds segments."""

from dataclasses import dataclass

from oodretrieval.experiment.settings import require_at_least
from oodretrieval.stages.select.selecting import SelectionRule


@dataclass(frozen=True)
class EmbedSettings(SelectionRule):
    """Which segments are selected, how they are cut out, and what embeds them.

    Attributes:
        dataset: Name of the dataset, or several as a list.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model, which only ``select_by=predicted_iou`` needs; empty for the one that
            the entry of model_name names.
        net: Embedding network.
        min_height: Smallest height of a segment's box, pixels.
        min_width: Smallest width of a segment's box, pixels.
        min_pixels: Fewest pixels of a segment.
        min_crop_height: Crops are enlarged to this height, pixels.
        min_crop_width: Crops are enlarged to this width, pixels.
        crop_size: Side that all crops are resized to before they are embedded; 0 embeds at native size.
        batch_size: Crops a batch.
        load_file: Name of a catalogue whose segments are embedded again, with ``net``, instead of selecting.
        save_file: Name of the catalogue; by default that of the dataset or of ``load_file``.
    """

    dataset: tuple[str, ...] = ()
    model_name: str = ""
    meta_model_name: str = ""
    net: str = "efficientnet_lite0"
    min_height: int = 16
    min_width: int = 16
    min_pixels: int = 0
    min_crop_height: int = 64
    min_crop_width: int = 64
    crop_size: int = 0
    batch_size: int = 32
    load_file: str = ""
    save_file: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, 1, "batch_size")
        require_at_least(self, 0, "min_height", "min_width", "min_pixels", "crop_size")
        require_at_least(self, 1, "min_crop_height", "min_crop_width")
