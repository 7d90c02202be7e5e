"""Judge how well each score finds what the network never learned, pixel by pixel and object by object.

    python scripts/eval_ood.py with args.dataset=camvid_val args.dataset_val=camvid_train \
        args.model_name=deeplabv3plus_camvid args.meta_model_name=meta_nn_camvid

Needs the predictions (keep=logits for all scores) and, for the expected IoU, segment tables and a meta model. Saves
tables, ROC and precision-recall curves, and maps of the scores. Where args.dataset_val shows nothing unknown, as
streets_val: args.threshold_rule=fpr
"""

from oodretrieval.experiment.script import run_script
from oodretrieval.stages.evaluate.ood.eval_ood import OodSettings, eval_ood

if __name__ == "__main__":
    run_script(
        lambda configuration: OodSettings(
            dataset=configuration.defaults["DATASET"],  # entry of DATASETS in configuration.py
            dataset_val="",  # where the thresholds of the components are chosen; empty for the oracle's alone
            model_name=configuration.defaults["MODEL"],  # entry of MODELS
            meta_model_name="",  # entry of META_MODELS; empty: the one that model_name's entry names, if it is there
        ),
        eval_ood,
        only_reads=True,
    )
