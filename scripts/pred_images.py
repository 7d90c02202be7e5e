"""Stage 1: predict every image of a dataset and keep what the later stages need.

    python scripts/pred_images.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid args.gpu=0

Images that have a prediction are skipped: call it again to go on where it broke off.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.predict.settings import PredictSettings

    run_script(
        lambda configuration: PredictSettings(
            dataset=configuration.defaults["DATASET"],  # entry of DATASETS in configuration.py
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
        ),
        "oodretrieval.stages.predict.pred_images:pred_images",
    )
