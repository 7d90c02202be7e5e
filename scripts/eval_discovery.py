"""Evaluate the discovery of unknown objects: how many a person has found after a number of looks at candidates.

    python scripts/eval_discovery.py with args.dataset=camvid_val args.model_name=deeplabv3plus_camvid

Needs the predictions with logits, the segment tables and a novelty model. Proposes regions that may be objects where
that has not been done yet, and compares them with predicted segments, with random order, and with the best that any
order could do; measures, too, what a simulated person's answers change.
Several datasets, each a scene of its own, and the mean over them: args.dataset=camvid_0006r0,road_anomaly_21
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.evaluate.discovery.settings import DiscoverySettings

    run_script(
        lambda configuration: DiscoverySettings(
            dataset=(configuration.defaults["DATASET"],),  # one dataset, or several as a list
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
        ),
        "oodretrieval.stages.evaluate.discovery.eval_discovery:eval_discovery",
    )
