"""Explore an embedding space in a window or in the browser: every segment of a catalogue is a point.

    python scripts/discover_embedding_space.py with args.embeddings_file=streets_test

args.host=browser serves it as a page, which needs the extra web; without a display that is done anyway.

? shows what mouse and keys do. Groups of settings may stand next to args, as published:
tsne.perplexity=50 mainplot.legend=False
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.explorer.settings import ExplorerSettings

    run_script(
        lambda configuration: ExplorerSettings(
            embeddings_file=configuration.defaults["DATASET"],  # name of the catalogue
        ),
        "oodretrieval.explorer.hosts:discover_embedding_space",
        only_reads=True,
    )
