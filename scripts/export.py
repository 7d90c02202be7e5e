"""Take along what was named in the explorer: tagged candidates as COCO, label images, tables, folders of crops.

    python scripts/export.py with args.embeddings_file=streets_test

Writes to exports/<catalogue> in the workspace. Some tags: args.tags=bin,cone; only what a filter means:
args.filter="predicted_iou < 0.4"; one form: args.formats=coco
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.export.settings import ExportSettings

    run_script(
        lambda configuration: ExportSettings(
            embeddings_file=configuration.defaults["DATASET"],  # name of the catalogue
        ),
        "oodretrieval.stages.export.export:export",
    )
