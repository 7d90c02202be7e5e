"""Stage 3b: fit the novelty score of a network, which compute_embeddings selects by.

    python scripts/train_novelty.py with args.dataset=camvid_train args.model_name=deeplabv3plus_camvid

Needs the predictions, with their logits, and the segment tables of a dataset with truth. It learns from known
segments alone. The networks that ship have theirs.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.fit.settings import TrainNoveltySettings

    run_script(
        lambda configuration: TrainNoveltySettings(
            dataset=configuration.defaults["TRAIN_DATASET"],  # segments to learn from
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
        ),
        "oodretrieval.stages.fit.train_novelty:train_novelty",
    )
