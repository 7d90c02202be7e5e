"""List which images of a dataset contain which class, with the pixels and objects of it.

    python scripts/search_classes.py with args.dataset=camvid_val "args.classes=['pedestrian', 'bicyclist']"

Saves a table of the classes and a list of all images (CSV). The label ids are what args.classindex of pred_images.py
takes: it then predicts the images that contain that class only.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.discover.settings import SearchSettings

    run_script(
        lambda configuration: SearchSettings(
            dataset=configuration.defaults["DATASET"],  # entry of DATASETS in configuration.py
        ),
        "oodretrieval.stages.discover.search_classes:search_classes",
        only_reads=True,
    )
