"""Stage 3: train a meta model that predicts each segment's IoU, and judge it beside its baselines.

    python scripts/train_meta_nn.py with args.dataset=camvid_train args.dataset_val=camvid_val \
        args.model_name=deeplabv3plus_camvid

Needs the segment tables of both datasets (compute_metrics).
"""

from oodretrieval.stages.experiment import run_script
from oodretrieval.stages.train_meta import TrainMetaSettings, train_meta

if __name__ == "__main__":
    run_script(
        lambda configuration: TrainMetaSettings(
            dataset=configuration.defaults["TRAIN_DATASET"],  # segments to learn from
            dataset_val=configuration.defaults["VAL_DATASET"],  # segments to be judged on
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
            meta_model_name=configuration.defaults["META_MODEL"],  # entry of META_MODELS
            strict=True,  # do not learn from segments that are mostly void or unknown
        ),
        train_meta,
    )
