"""One self-contained HTML page of a run: measures, charts, pictures, best and worst segments, clusters.

python scripts/report.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid \
    args.meta_model_name=meta_nn_camvid
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.report.settings import ReportSettings

    run_script(
        lambda configuration: ReportSettings(
            dataset=configuration.defaults["DATASET"],  # entry of DATASETS in configuration.py
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
        ),
        "oodretrieval.stages.report.report:report",
        only_reads=True,
    )
