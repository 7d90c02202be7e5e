"""Stage 4: cut out the segments of low predicted IoU and embed them.

    python scripts/compute_embeddings.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid

Needs the segment tables (compute_metrics) and a trained meta model (train_meta_nn). Writes a catalogue.
To embed the same segments with another network: args.load_file=camvid_val args.net=efficientnet_lite1
"""

from oodretrieval.stages.embed import EmbedSettings, compute_embeddings
from oodretrieval.stages.embed_again import embed_again
from oodretrieval.stages.experiment import run_script

if __name__ == "__main__":
    run_script(
        lambda configuration: EmbedSettings(
            dataset=(configuration.defaults["DATASET"],),  # one dataset, or several as a list
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
            meta_model_name=configuration.defaults["META_MODEL"],  # entry of META_MODELS
            net=configuration.defaults["EMBEDDING"],  # embedding network
            iou_threshold=0.5,  # segments below are selected
        ),
        lambda settings, *where: (embed_again if settings.load_file else compute_embeddings)(
            settings, *where
        ),
    )
