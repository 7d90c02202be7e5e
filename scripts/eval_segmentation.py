"""Evaluate the segmentation: IoU, Dice and accuracy of every class, and the background, from the stored predictions.

    python scripts/eval_segmentation.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid

Where the dataset has a background (as camvid_val_background has), also expected non-distinctiveness in both modes,
and the pixel AUROC of background and of what is unknown by the background's softmax.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.evaluate.settings import SegmentationSettings

    run_script(
        lambda configuration: SegmentationSettings(
            dataset=configuration.defaults["DATASET"],  # entry of DATASETS in configuration.py
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
        ),
        "oodretrieval.stages.evaluate.eval_segmentation:eval_segmentation",
        only_reads=True,
    )
