"""Settings of the pipeline: what runs through all stages, and a group for each stage."""

from dataclasses import dataclass

from oodretrieval.choices import DEFAULT_NET, SEGMENTS, CandidateKind
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.descriptions import shared_names
from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName, flat, group, paths
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.report.settings import ReportSettings
from oodretrieval.stages.select.settings import EmbedSettings, SelectionRule

GROUPS = ("predict", "embed", "report")


@dataclass(frozen=True)
class PipelineSettings:
    """What runs through all stages; what a stage alone understands is in its group.

    Attributes:
        dataset: Name of the dataset; a folder of photographs needs none, args.root is enough.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model.
        net: Embedding network.
        candidates: ``segments``, the predicted ones, or ``objects``: regions that may be an object, whatever the
            classes inside.
        save_file: Name of the catalogue; by default that of the dataset.
        explore: Open the explorer at the end; else, or where there is no display, an HTML report is written.
        predict: Group of settings of scripts/pred_images.py.
        embed: Group of settings of scripts/compute_embeddings.py; embed.overwrite=True makes the catalogue alone again,
            args.overwrite=True everything.
        report: Group of settings of scripts/report.py; report.save_file is the page, args.save_file the catalogue.
    """

    dataset: DatasetName = ""
    model_name: ModelName = ""
    meta_model_name: str = ""
    net: str = DEFAULT_NET
    candidates: CandidateKind = SEGMENTS
    save_file: str = ""
    explore: bool = True
    predict: PredictSettings = group(PredictSettings, own=())
    embed: EmbedSettings = group(EmbedSettings, own=("overwrite",))
    report: ReportSettings = group(ReportSettings, own=("save_file",))
    rule: SelectionRule = SelectionRule()
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        for name in GROUPS:
            _require_unset(name, getattr(self, name))


def shared(group: object) -> set[str]:
    """Names of those settings of ``group``, the settings of one stage, that are set once for all stages."""
    return paths(PipelineSettings).keys() & paths(type(group)).keys()


def _require_unset(name: str, group: object) -> None:
    """Refuse settings in a group that are set for all stages at once."""
    values, default = flat(group), flat(type(group)())
    for both in sorted(shared_names(PipelineSettings)[name]):
        if values[both] != default[both]:
            raise SettingsError(f"args.{name}.{both} is the same in all stages; set args.{both} instead")
