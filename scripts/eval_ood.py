"""Evaluate how well each score finds what the network never learned, pixel by pixel and object by object.

    python scripts/eval_ood.py with args.dataset=camvid_val args.dataset_val=camvid_train \
        args.model_name=deeplabv3plus_camvid args.meta_model_name=meta_nn_camvid

Needs the predictions (keep=logits for all scores) and, for the expected IoU, segment tables and a meta model. Saves
tables, ROC and precision-recall curves, and maps of the scores. Where args.dataset_val shows nothing unknown, as
streets_val: args.threshold_rule=fpr
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.evaluate.ood.settings import OodSettings, ScoreSettings

    run_script(
        lambda configuration: OodSettings(
            scoring=ScoreSettings(
                dataset=configuration.defaults["DATASET"], model_name=configuration.defaults["MODEL"]
            ),
        ),
        "oodretrieval.stages.evaluate.ood.eval_ood:eval_ood",
        only_reads=True,
    )
