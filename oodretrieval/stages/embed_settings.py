"""Settings of the stage that selects, cuts out and embeds segments."""

from dataclasses import dataclass

from oodretrieval.stages.selecting import SelectBy, SelectionRule
from oodretrieval.stages.settings import CommonSettings, require_at_least


@dataclass(frozen=True)
class EmbedSettings(CommonSettings):
    """Which segments are selected, how they are cut out, and what embeds them.

    Attributes:
        dataset: Name of the dataset, or several as a list.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model.
        net: Embedding network.
        select_by: What is selected: ``novelty``, the best of the scores, or ``nearest_neighbour``, ``energy``,
            ``max_logit``, ``entropy``, ``variation_ratio``; ``predicted_iou`` is the published rule.
        select_quantile: Segments that score above this quantile of the known training segments are selected, 0…1.
        select_number: If positive, the so many segments of each dataset that score highest instead.
        iou_threshold: For ``select_by=predicted_iou``: segments of a predicted IoU below this are selected.
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
    select_by: SelectBy = "novelty"
    select_quantile: float = 0.95
    select_number: int = 0
    iou_threshold: float = 0.5
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
        _ = self.rule

    @property
    def rule(self) -> SelectionRule:
        """Its part that says what is selected."""
        return SelectionRule(self.select_by, self.iou_threshold, self.select_quantile, self.select_number)
