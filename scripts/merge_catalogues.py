"""Put catalogues together: candidates of several datasets, explored and searched as one.

    python scripts/merge_catalogues.py with args.catalogues=camvid_val,camvid_test args.save_file=camvid

Nothing is computed again. They must have been made alike: of one network, selected by one score.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.select.settings import MergeSettings

    run_script(
        lambda configuration: MergeSettings(),
        "oodretrieval.stages.select.merge_catalogues:merge_catalogues",
    )
