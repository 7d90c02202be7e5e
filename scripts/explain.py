"""Draw why the network said so: the pixels that the evidence for each predicted class is followed back to.

    python scripts/explain.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid args.number=2

One picture an image: points, and their heat map, for each class; args.classes="['car', 'road']" for some of them,
"args.images=['0016E5_07959']" for these images, with args.segment=12 for one segment of the segment table. Needs no
predictions: the network sees the images again. docs/explain.md says what is followed.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.explain.settings import ExplainSettings

    run_script(
        lambda configuration: ExplainSettings(
            dataset=configuration.defaults["DATASET"],  # entry of DATASETS in configuration.py
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
        ),
        "oodretrieval.stages.explain.explain:explain",
        only_reads=True,
    )
