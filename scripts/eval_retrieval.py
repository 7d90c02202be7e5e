"""Evaluate an embedding space: mean average precision per class, compared with random vectors, with a bar chart.

    python scripts/eval_retrieval.py with args.embeddings_file=camvid_val args.groups=frames

As published: args.method=tsne args.embedding_size=2
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.experiment.script import run_script
    from oodretrieval.stages.evaluate.settings import RetrievalSettings

    run_script(
        lambda configuration: RetrievalSettings(
            embeddings_file=configuration.defaults["DATASET"],  # name of the catalogue
        ),
        "oodretrieval.stages.evaluate.eval_retrieval:eval_retrieval",
        only_reads=True,
    )
