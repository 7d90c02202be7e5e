"""All stages in sequence: predict, measure, select, embed, then open the explorer or write a report.

    python scripts/pipeline.py with args.root=photos
    python scripts/pipeline.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid

args.root alone is a folder of photographs, which needs no entry in configuration.py. What is done is skipped, so the
same command goes on where a run broke off. Settings of one stage are in its group, as in predict.keep=nothing
embed.min_pixels=200.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.pipeline_settings import PipelineSettings

    run_script(
        lambda configuration: PipelineSettings(
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
            net=configuration.defaults["EMBEDDING"],  # embedding network
        ),
        "oodretrieval.pipeline:pipeline",
    )
