"""Analyse a trained meta model: measures, correlation and importance of the metrics, charts, rating pictures.

    python scripts/eval_meta.py with args.dataset=camvid_val args.dataset_train=camvid_train \
        args.model_name=deeplabv3plus_camvid args.meta_model_name=meta_nn_camvid "args.images=['0016E5_07959']"

Needs the segment tables (compute_metrics), the predictions (pred_images) and a trained meta model (train_meta_nn).
Saves tables and charts: correlation of each metric with the IoU, which metrics matter, lasso path, ROC, predicted over
true IoU, and for each chosen image its true and predicted IoU next to truth and prediction.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.evaluate.meta.settings import EvalMetaSettings

    run_script(
        lambda configuration: EvalMetaSettings(
            dataset=configuration.defaults["VAL_DATASET"],  # not what the meta model learned from
            dataset_train=configuration.defaults["TRAIN_DATASET"],  # segments of the lasso path
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
        ),
        "oodretrieval.stages.evaluate.meta.eval_meta:eval_meta",
        only_reads=True,
    )
