"""Stage 4: cut out the segments that look unknown and embed them.

    python scripts/compute_embeddings.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid

Needs the segment tables (compute_metrics) and a novelty model (train_novelty; the networks that ship have theirs), or
for the published rule a meta model (train_meta_nn). Writes a catalogue.
The published rule, everything below a predicted IoU: args.select_by=predicted_iou
To embed the same segments with another network: args.load_file=camvid_val args.net=efficientnet_lite1
"""

from oodretrieval.experiment.script import run_script
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.embed_again import embed_again
from oodretrieval.stages.select.embed_settings import EmbedSettings

if __name__ == "__main__":
    run_script(
        lambda configuration: EmbedSettings(
            dataset=(configuration.defaults["DATASET"],),  # one dataset, or several as a list
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
            meta_model_name="",  # entry of META_MODELS; empty: the one that the entry of model_name names
            net=configuration.defaults["EMBEDDING"],  # embedding network
            select_by="novelty",  # the score that selects
            select_quantile=0.95,  # segments above this quantile of known training segments are selected
            iou_threshold=0.5,  # with select_by="predicted_iou": segments below are selected
        ),
        lambda settings, *where: (embed_again if settings.load_file else compute_embeddings)(
            settings, *where
        ),
    )
