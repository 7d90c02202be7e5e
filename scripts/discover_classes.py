"""Stage 5: what the network does not know, as classes: clusters of a catalogue, the most promising first.

    python scripts/discover_classes.py with args.embeddings_file=streets_test

Saves a table, a sheet of all candidate classes and one of each, and a list of every member (CSV); report.py shows them.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.discover.settings import DiscoverClassesSettings

    run_script(
        lambda configuration: DiscoverClassesSettings(
            embeddings_file=configuration.defaults["DATASET"],  # name of the catalogue
        ),
        "oodretrieval.stages.discover.discover_classes:discover_classes",
        only_reads=True,
    )
