"""Judge the selection: how many of the unknown objects the selected segments lead to.

    python scripts/eval_selection.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid

Needs the predictions, the segment tables and a trained meta model. Saves tables, bar charts, and the objects found
against the segments looked at, in order of every score.
"""

from oodretrieval.experiment.script import run_script
from oodretrieval.stages.evaluate.selection.eval_selection import SelectionSettings, eval_selection

if __name__ == "__main__":
    run_script(
        lambda configuration: SelectionSettings(
            dataset=configuration.defaults["DATASET"],  # entry of DATASETS in configuration.py
            model_name=configuration.defaults["MODEL"],  # entry of MODELS
            meta_model_name="",  # entry of META_MODELS; empty: the one that the entry of model_name names
            select_by="novelty",  # the score that selects; "predicted_iou" is the published rule
            select_quantile=0.95,  # segments above this quantile of known training segments are selected
            iou_threshold=0.5,  # with select_by="predicted_iou": segments below are selected
        ),
        eval_selection,
        only_reads=True,
    )
