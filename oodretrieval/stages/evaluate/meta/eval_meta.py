"""The analysis of a meta model on segments with truth: its quality, what its metrics say, and rating pictures."""

from itertools import chain
from typing import Any

from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.results.result import Result
from oodretrieval.stages.evaluate.meta.analysed import IMPORTANCE_SEGMENTS, Analysed
from oodretrieval.stages.evaluate.meta.meta_pictures import analysis_pictures, rating_pictures
from oodretrieval.stages.evaluate.meta.settings import EvalMetaSettings
from oodretrieval.stages.fit.meta_evaluation import as_tables, evaluate_estimates


def eval_meta(settings: EvalMetaSettings, run: Run) -> dict[str, Any]:
    """Quality of a trained meta model, correlation and importance of the metrics, charts, and rating pictures.

    Args:
        settings: What to analyse.
        run: Configuration and workspace.

    Returns:
        ``figures``: set of segments → model → measures; ``features``: name → correlation and importance;
        ``files`` written.

    Raises:
        StoreError: If a stage before has not run.
        WeightsError: If the meta model is not trained.
        TableError: If the dataset has no truth of classes, or a model was fitted on all of its images.
        UnknownNameError: If an image is not among those of the dataset.
        PartialFailure: If some images could not be drawn; the result is written.
    """
    settings = run.with_meta_model(settings)
    analysed = Analysed.of(settings, run)
    evaluated = analysed.evaluated
    against = settings.meta_model_name if settings.others else ""
    measures = evaluate_estimates(analysed.table, analysed.estimates(), evaluated.resampling, against=against)
    path = analysed.lasso_path()
    features, kinds = analysed.importance(path)
    context = evaluated.context(
        analysed.table["image_id"].nunique(),
        "segments of the predictions at the size of the images",
        threshold="probability of IoU > 0 of the highest accuracy in training; 0.5 where the file does not say",
        meta_model=settings.meta_model_name,
    )
    result = Result(
        title=f"Predicted IoU of {settings.dataset} by {settings.meta_model_name}",
        stem=f"meta_analysis_{settings.meta_model_name}_{settings.model_name}_{settings.dataset}",
        context=context,
        settings=flat(settings),
        measures={"figures": measures, "features": features.to_dict("index"), "kinds": kinds},
        tables={**as_tables(measures), "metrics": features},
        notes=(*analysed.notes, *evaluated.scene_notes, *_sampled(len(analysed.known))),
    )
    pictures = chain(analysis_pictures(analysed, features, kinds, path), rating_pictures(analysed))
    files = evaluated.save(result, pictures)
    evaluated.require_all_read()
    return {"figures": measures, "features": features.to_dict("index"), "files": files}


def _sampled(known: int) -> tuple[str, ...]:
    if known <= IMPORTANCE_SEGMENTS:
        return ()
    return (f"The loss of R² is measured on {IMPORTANCE_SEGMENTS} of the {known} known segments, sampled.",)
