"""All stages in sequence: predict, measure, select, embed, then open the explorer or write a report.

    python scripts/pipeline.py with args.root=photos
    python scripts/pipeline.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid

args.root alone is a folder of photographs, which needs no entry in configuration.py. What is done is skipped, so the
same command goes on where a run broke off. Settings of one stage are in its group, as in predict.keep=nothing
embed.min_pixels=200.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.pipeline import PipelineSettings, pipeline

    run_script(
        lambda configuration: PipelineSettings(
            dataset="",  # entry of DATASETS in configuration.py; not needed where args.root is set
            model_name=configuration.defaults["MODEL"],  # entry of MODELS
            meta_model_name="",  # entry of META_MODELS; empty: the one that goes with the network
            net=configuration.defaults["EMBEDDING"],  # embedding network
            select_by="novelty",  # the score that selects
            select_quantile=0.95,  # segments above this quantile of known training segments are selected
            explore=True,  # open the explorer at the end, where there is a display
        ),
        pipeline,
    )
