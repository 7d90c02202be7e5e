"""Once per network, for the standardised maximum logit: the largest logits on its training images, by class.

    python scripts/compute_logit_statistics.py with args.dataset=camvid_train args.model_name=deeplabv3plus_camvid

Needs the predictions of the training images, with keep=logits. The networks that ship bring theirs.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.fit.settings import LogitStatisticsSettings

    run_script(
        lambda configuration: LogitStatisticsSettings(
            dataset="streets_train",  # what the network was trained on
            model_name=configuration.defaults["MODEL"],  # entry of MODELS in configuration.py
        ),
        "oodretrieval.stages.fit.compute_logit_statistics:compute_logit_statistics",
    )
