"""Train a segmentation network on a labelled dataset.

    python scripts/train_segmentation.py with args.model_name=deeplabv3plus_camvid \
        args.dataset=camvid_train args.dataset_val=camvid_val args.gpu=0

Writes the best weights to the file that the model's entry names. Call it again to go on where it broke off.
On several GPUs: accelerate launch scripts/train_segmentation.py with …
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.train.settings import TrainSegmentationSettings

    run_script(
        lambda configuration: TrainSegmentationSettings(
            dataset="streets_train",  # images to learn from
            dataset_val="streets_val",  # images to choose the best epoch by
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
        ),
        "oodretrieval.stages.train.train_segmentation:train_segmentation",
    )
