"""One self-contained HTML page of a run: figures, charts, pictures, best and worst segments, clusters.

python scripts/report.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid \
    args.meta_model_name=meta_nn_camvid
"""

from oodretrieval.experiment.script import run_script
from oodretrieval.stages.report.report import ReportSettings, report

if __name__ == "__main__":
    run_script(
        lambda configuration: ReportSettings(
            dataset=configuration.defaults["DATASET"],  # entry of DATASETS in configuration.py
            model_name=configuration.defaults["MODEL"],  # entry of MODELS
            meta_model_name="",  # entry of META_MODELS; empty: the one that the entry of model_name names
        ),
        report,
        only_reads=True,
    )
