"""Stage 4: cut out what looks unknown, predicted segments or objects, and embed it.

    python scripts/compute_embeddings.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid

Needs the segment tables (compute_metrics) and a novelty model (train_novelty; the networks that ship have theirs), or
for the published rule a meta model (train_meta_nn). Writes a catalogue.
Regions that may be an object, whatever the classes inside: args.candidates=objects args.save_file=camvid_val_objects
The published rule, everything below a predicted IoU: args.select_by=predicted_iou
To embed the same segments with another network: args.load_file=camvid_val args.net=efficientnet_lite1
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.select.settings import EmbedSettings

    run_script(
        lambda configuration: EmbedSettings(
            dataset=(configuration.defaults["DATASET"],),  # one dataset, or several as a list
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
            net=configuration.defaults["EMBEDDING"],  # embedding network
        ),
        "oodretrieval.stages.select.compute_embeddings:compute_embeddings",
    )
