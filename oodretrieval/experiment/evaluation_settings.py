"""What every evaluation over images understands."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oodretrieval.experiment.settings import require_at_least

if TYPE_CHECKING:
    from oodretrieval.datasets import SegmentationDataset
    from oodretrieval.results.rules import Resampling


@dataclass(frozen=True)
class EvaluationSettings:
    """What every evaluation over images understands.

    Attributes:
        repetitions: Resamples of the bootstrap that makes the 95 % intervals.
        block: Images in a row that are taken together; by default 20 in video, whose frames resemble each other,
            else 1.
        save_dir: Folder for tables and charts; by default ``evaluation`` in the workspace, or in the catalogue where
            that is what is evaluated.
    """

    repetitions: int = 500
    block: int = 0
    save_dir: str = ""

    def __post_init__(self) -> None:
        require_at_least(self, 1, "repetitions")
        require_at_least(self, 0, "block")

    def resampling(self, *datasets: "SegmentationDataset") -> "Resampling":
        """How the images of datasets are resampled.

        Args:
            *datasets: What is evaluated.

        Returns:
            The rule.
        """
        from oodretrieval.results.rules import Resampling

        return Resampling.of(self.block, self.repetitions, *datasets)
