"""Stage 2: split every prediction into segments and compute their metrics.

    python scripts/compute_metrics.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid

Writes one row per segment below <workspace>/segments/<model>/<dataset>/. Blocks that are done are skipped.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.experiment.settings import CommonSettings
    from oodretrieval.stages.measure.settings import MetricsSettings

    run_script(
        lambda configuration: MetricsSettings(
            dataset=configuration.defaults["DATASET"],  # entry of DATASETS in configuration.py
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
            common=CommonSettings(num_cores=2),
        ),
        "oodretrieval.stages.measure.compute_metrics:compute_metrics",
    )
