"""Settings of selection and embedding."""

from dataclasses import dataclass
from typing import get_args

from oodretrieval.choices import (
    CROPS_TOGETHER,
    DEFAULT_NET,
    DISTANCE,
    MASKED,
    NOVELTY,
    OBJECTS,
    OBJECTS_AN_IMAGE,
    POOLED,
    PUBLISHED,
    SEGMENTATION,
    SEGMENTS,
    SMALLEST_SIDE,
    CandidateKind,
    Proposals,
    SelectBy,
    views_of,
)
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.settings import RAY, CommonSettings, DatasetName, ModelName, require_at_least


@dataclass(frozen=True)
class SelectionRule:
    """By what, and how much of it, segments are selected.

    Attributes:
        select_by: What is selected: ``novelty``, the best of the scores, or ``nearest_neighbour``, ``energy``,
            ``max_logit``, ``entropy``, ``variation_ratio``; ``predicted_iou`` is the published rule.
        select_quantile: Segments that score above this quantile of the known training segments are selected, 0…1, and
            where these are fewer than one an image, the highest up to that number; objects above that of all regions
            of the images searched, at most five an image in the mean.
        select_number: If positive, that number of candidates of each dataset instead: those that score highest.
        iou_threshold: For ``select_by=predicted_iou``: segments of a predicted IoU below this are selected.
    """

    select_by: SelectBy = NOVELTY
    select_quantile: float = 0.95
    select_number: int = 0
    iou_threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.select_by not in get_args(SelectBy):
            known = ", ".join(get_args(SelectBy))
            raise SettingsError(f"args.select_by must be one of {known}, got {self.select_by!r}")
        if not 0 <= self.select_quantile <= 1:
            raise SettingsError(f"args.select_quantile must be within 0…1, got {self.select_quantile:g}")
        require_at_least(self, 0, "select_number")
        unset = type(self).__dataclass_fields__["iou_threshold"].default
        if self.select_by != PUBLISHED and self.iou_threshold != unset:
            raise SettingsError(
                f"args.iou_threshold={self.iou_threshold:g} means nothing to args.select_by={self.select_by}; add "
                "args.select_by=predicted_iou, or set args.select_quantile or args.select_number instead"
            )

    @property
    def needs_novelty_model(self) -> bool:
        """Whether the score, or its quantile, comes from a novelty model."""
        by_quantile = self.select_by != PUBLISHED and not self.select_number
        return self.select_by in (NOVELTY, DISTANCE) or by_quantile

    def words(self, candidates: str = SEGMENTS) -> str:
        """What is selected, for people.

        Args:
            candidates: segments or objects.

        Returns:
            A few words.
        """
        if self.select_number:
            return f"the {self.select_number} highest by {self.select_by}"
        if self.select_by == PUBLISHED:
            return f"predicted IoU < {self.iou_threshold:g}"
        bound = f"{self.select_by} above the {self.select_quantile:g} quantile of"
        if candidates == SEGMENTS:
            return f"{bound} known training segments"
        return f"{bound} all regions of the images, at most {OBJECTS_AN_IMAGE} an image in the mean"


@dataclass(frozen=True)
class ObjectSettings:
    """What proposes objects.

    Attributes:
        proposals: ``regions`` of image, logits and features; or ``sam``, ``sam2``: masks by Segment Anything, for those
            who have its weights.
        proposals_weights: Folder of the network of ``sam`` or ``sam2``, as ``save_pretrained`` writes it.
    """

    proposals: Proposals = "regions"
    proposals_weights: str = ""

    def __post_init__(self) -> None:
        if (self.proposals == "regions") == bool(self.proposals_weights):
            raise SettingsError(
                "args.proposals_weights is the folder of the network that args.proposals=sam or sam2 needs, and "
                f"nothing else; got args.proposals={self.proposals} args.proposals_weights={self.proposals_weights!r}"
            )


@dataclass(frozen=True)
class EmbedSettings:
    """Which candidates are selected, how they are cut out, and what embeds them.

    Attributes:
        dataset: Name of the dataset, or several as a list.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model, which only ``select_by=predicted_iou`` needs; empty for the one that
            the entry of model_name names.
        candidates: ``segments``, the predicted ones, as published; ``objects``: regions that may be an object, whatever
            the classes inside (docs/objects.md).
        net: Embedding network: a name of oodretrieval.embedding, of timm or of EMBEDDINGS; ``segmentation`` for the
            features of the segmentation network itself.
        embedded: What is embedded of a candidate: ``masked``, its own pixels in its crop; ``crop``, as published;
            ``context``, more around it; ``dimmed``, less of its background; ``pooled``, its own pixels in the whole
            image; or the mean of several, joined by ``+`` (docs/embeddings.md).
        min_height: Smallest height of a segment's box, pixels.
        min_width: Smallest width of a segment's box, pixels.
        min_pixels: Fewest pixels of a segment.
        min_crop_height: Crops are enlarged to this height, pixels.
        min_crop_width: Crops are enlarged to this width, pixels.
        crop_size: Side that all crops are resized to before they are embedded; 0 embeds at native size, as published.
        batch_size: Crops a batch.
        mixed_precision: Embed in float16 on a GPU, in bfloat16 on a CPU: faster where the hardware has it, with nearly
            the same neighbours (docs/embeddings.md).
        devices: Devices that share the embedding, a process for each, such as ``cuda:0,cuda:1``; by default
            ``args.gpu`` alone.
        load_file: Name of a catalogue whose segments are embedded again, with ``net``, instead of selecting.
        save_file: Name of the catalogue; by default that of the dataset or of ``load_file``.
    """

    dataset: tuple[DatasetName, ...] = ()
    model_name: ModelName = ""
    meta_model_name: str = ""
    candidates: CandidateKind = SEGMENTS
    net: str = DEFAULT_NET
    embedded: str = MASKED
    min_height: int = SMALLEST_SIDE
    min_width: int = SMALLEST_SIDE
    min_pixels: int = 0
    min_crop_height: int = 64
    min_crop_width: int = 64
    crop_size: int = 224
    batch_size: int = CROPS_TOGETHER
    mixed_precision: bool = False
    devices: tuple[str, ...] = ()
    load_file: str = ""
    save_file: str = ""
    objects: ObjectSettings = ObjectSettings()
    rule: SelectionRule = SelectionRule()
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        require_at_least(self, 1, "batch_size")
        require_at_least(self, 0, "min_height", "min_width", "min_pixels", "crop_size")
        require_at_least(self, 1, "min_crop_height", "min_crop_width")
        if self.devices and self.common.engine == RAY:
            raise SettingsError(
                f"args.devices={','.join(self.devices)} shares the work of one machine, and args.engine={RAY} that of "
                "several, each of which chooses its devices; leave one of them out"
            )
        views = views_of(self.embedded)
        if self.net == SEGMENTATION and views != (POOLED,):
            raise SettingsError(
                f"args.net={self.net} sees whole images; add args.embedded={POOLED}, got args.embedded={self.embedded}"
            )
        if self.candidates != OBJECTS and self.objects != ObjectSettings():
            raise SettingsError(
                f"args.proposals={self.objects.proposals} means nothing to args.candidates={self.candidates}; add "
                "args.candidates=objects"
            )
        if self.candidates == OBJECTS and self.rule.select_by == PUBLISHED:
            raise SettingsError(
                "args.select_by=predicted_iou is a score of predicted segments; choose args.candidates=segments, or "
                "args.select_by=novelty, nearest_neighbour, energy, max_logit, entropy or variation_ratio"
            )


@dataclass(frozen=True)
class MergeSettings:
    """Which catalogues are put together.

    Attributes:
        catalogues: Their names; what several hold is taken from the first of them.
        save_file: Name of the new catalogue; by default theirs, joined by ``+``.
    """

    catalogues: tuple[str, ...] = ()
    save_file: str = ""
    common: CommonSettings = CommonSettings()
