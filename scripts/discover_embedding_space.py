"""Look around in an embedding space, in a window: every segment of a catalogue is a point.

    python scripts/discover_embedding_space.py with args.embeddings_file=streets_test

? in the window shows what mouse and keys do. Groups of settings may stand beside args, as published:
tsne.perplexity=50 mainplot.legend=False
"""

from oodretrieval.experiment.script import run_script
from oodretrieval.explorer.desktop import discover_embedding_space
from oodretrieval.explorer.settings import ExplorerSettings, MainPlotSettings, TsneSettings

if __name__ == "__main__":
    run_script(
        lambda configuration: ExplorerSettings(
            embeddings_file=configuration.defaults["DATASET"],  # name of the catalogue
            distance_metric="euclidean",  # or cosine
            method="tsne",  # projection: tsne, isomap or pca
            embedding_size=0,  # dimensions of the space that is searched; 0: the embedding itself, 2: as published
            overwrite_embeddings=False,  # compute cached projections anew
            save_dir="",  # folder for saved pictures; by default in the catalogue
            mainplot=MainPlotSettings(legend=True),
            tsne=TsneSettings(perplexity=30.0, learning_rate="auto", early_exaggeration=12.0),
        ),
        discover_embedding_space,
        only_reads=True,
    )
