"""Stage 3: train a meta model that predicts each segment's IoU, and compare it with its baselines.

    python scripts/train_meta_nn.py with args.dataset=camvid_train args.dataset_val=camvid_val \
        args.model_name=deeplabv3plus_camvid args.meta_model=boosting
    python scripts/train_meta_nn.py with args.dataset=camvid_train args.model_name=deeplabv3plus_camvid \
        args.meta_model=logistic args.folds=3 args.features=extended

args.meta_model says which kind: linear, logistic, boosting or neural; it is saved under that name, or under
args.meta_model_name, by which the other scripts find it. Where that name has an entry in configuration.py, the entry
says the class, its options and the file, and args.meta_model can be left out.

Needs the segment tables of both datasets (compute_metrics).
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.fit.settings import TrainMetaSettings

    run_script(
        lambda configuration: TrainMetaSettings(
            dataset=configuration.defaults["TRAIN_DATASET"],  # segments to learn from
            dataset_val=configuration.defaults["VAL_DATASET"],  # segments to evaluate on
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
        ),
        "oodretrieval.stages.fit.train_meta_nn:train_meta_nn",
    )
