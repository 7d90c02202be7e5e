"""Charts of retrieval: the mean average precision of every class, next to chance."""

from matplotlib.figure import Figure

from oodretrieval.charts.bars_and_lines import bar_chart
from oodretrieval.evaluation import RetrievalMeasures


def retrieval_figure(measures: RetrievalMeasures, chance: RetrievalMeasures, title: str) -> Figure:
    """Mean average precision by class, the best on top, with that of a random embedding.

    Args:
        measures: Of the embedding.
        chance: Of random vectors, of the same classes.
        title: Above the chart.

    Returns:
        The chart.
    """
    figure = Figure(figsize=(8, 1.9 + 0.42 * len(measures.per_class)), layout="constrained")
    bar_chart(
        figure.subplots(),
        {str(name): value for name, value in measures.per_class.items()},
        {str(name): count for name, count in measures.num_queries.items()},
        {str(name): value for name, value in chance.per_class.items()},
        value_name="mean average precision",
        reference_name="random embedding",
        lines=[("mean over classes", measures.mean), ("weighted by queries", measures.weighted)],
    )
    figure.suptitle(title, fontsize=11)
    return figure
