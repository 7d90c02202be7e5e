"""Judge an embedding space: mean average precision per class, beside random vectors, with a bar chart.

    python scripts/eval_retrieval.py with args.embeddings_file=camvid_val args.groups=frames

As published: args.method=tsne args.embedding_size=2
"""

from oodretrieval.experiment.script import run_script
from oodretrieval.stages.evaluate.eval_retrieval import RetrievalSettings, eval_retrieval

if __name__ == "__main__":
    run_script(
        lambda configuration: RetrievalSettings(
            embeddings_file=configuration.defaults["DATASET"],  # name of the catalogue
            groups="none",  # or image, or frames: what is left out of a query's ranking beside itself
        ),
        eval_retrieval,
        only_reads=True,
    )
