"""Evaluate the segmentation: IoU of every class, from the stored predictions.

    python scripts/eval_iou.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid

With args.meta_model_name=meta_nn_camvid also the mean IoU above and below every threshold of the predicted IoU, which
needs the segment tables.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.evaluate.settings import IouSettings

    run_script(
        lambda configuration: IouSettings(
            dataset=configuration.defaults["DATASET"],  # entry of DATASETS in configuration.py
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
        ),
        "oodretrieval.stages.evaluate.eval_iou:eval_iou",
        only_reads=True,
    )
