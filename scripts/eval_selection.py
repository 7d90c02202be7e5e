"""Judge the selection: how many of the unknown objects the segments of low predicted IoU lead to.

    python scripts/eval_selection.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid

Needs the predictions, the segment tables and a trained meta model. Saves a table and a bar chart.
"""

from oodretrieval.stages.evaluate_selection import SelectionSettings, evaluate_selection
from oodretrieval.stages.experiment import run_script

if __name__ == "__main__":
    run_script(
        lambda configuration: SelectionSettings(
            dataset=configuration.defaults["DATASET"],  # entry of DATASETS in configuration.py
            model_name=configuration.defaults["MODEL"],  # entry of MODELS
            meta_model_name=configuration.defaults["META_MODEL"],  # entry of META_MODELS
            iou_threshold=0.5,  # segments below are selected
        ),
        evaluate_selection,
    )
