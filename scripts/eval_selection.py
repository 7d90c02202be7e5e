"""Evaluate the selection: how many of the unknown objects the selected segments lead to.

    python scripts/eval_selection.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid

Needs the predictions and the segment tables, and a trained meta model for args.select_by=predicted_iou alone. Saves
tables, bar charts, and the objects found against the segments inspected, in order of every score.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.evaluate.selection.settings import SelectionSettings

    run_script(
        lambda configuration: SelectionSettings(
            dataset=configuration.defaults["DATASET"],  # entry of DATASETS in configuration.py
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
        ),
        "oodretrieval.stages.evaluate.selection.eval_selection:eval_selection",
        only_reads=True,
    )
