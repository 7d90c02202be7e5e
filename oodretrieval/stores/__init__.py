"""What the stages leave on disk: predictions, segment tables and catalogues, and where they lie.

Importing this package loads no torch, so that processes which only read stay light; regions, which need more, are in
:mod:`oodretrieval.stores.regions`.
"""

from oodretrieval.files import atomic_path
from oodretrieval.stores.catalogue import CANDIDATES, OWN_SCORE, PREDICTED_IOU, SELECT_SCORE, Catalogue
from oodretrieval.stores.catalogue_writer import CatalogueWriter
from oodretrieval.stores.current_segments import CurrentSegments, images_key
from oodretrieval.stores.failures import FAILURES, FailedImages, Failure, files_hash, read_failures
from oodretrieval.stores.joined_tables import joined
from oodretrieval.stores.json_files import FORMAT_VERSION, plain, read_json, require_format, write_json
from oodretrieval.stores.located_segments import (
    is_current,
    locate_segments,
    prediction_records,
    read_segment_settings,
    read_segments,
)
from oodretrieval.stores.locks import lock_folder
from oodretrieval.stores.made_alike import differing_settings, require_asked_settings, require_same_settings
from oodretrieval.stores.prediction import Prediction
from oodretrieval.stores.predictions import (
    PredictionRecord,
    read_prediction,
    read_prediction_file,
    read_prediction_record,
    stored_prediction,
    write_prediction,
)
from oodretrieval.stores.published import PublishedPredictions
from oodretrieval.stores.segment_features import (
    features_folder,
    features_path,
    read_features,
    write_features,
)
from oodretrieval.stores.segments import Part, existing_parts, read_part, remove_parts, write_segments
from oodretrieval.stores.stored import Stored
from oodretrieval.stores.workspace import Workspace

__all__ = [
    "CANDIDATES",
    "FAILURES",
    "FORMAT_VERSION",
    "OWN_SCORE",
    "PREDICTED_IOU",
    "SELECT_SCORE",
    "Catalogue",
    "CatalogueWriter",
    "CurrentSegments",
    "FailedImages",
    "Failure",
    "Part",
    "Prediction",
    "PredictionRecord",
    "PublishedPredictions",
    "Stored",
    "Workspace",
    "atomic_path",
    "differing_settings",
    "existing_parts",
    "features_folder",
    "features_path",
    "files_hash",
    "images_key",
    "is_current",
    "joined",
    "locate_segments",
    "lock_folder",
    "plain",
    "prediction_records",
    "read_failures",
    "read_features",
    "read_json",
    "read_part",
    "read_prediction",
    "read_prediction_file",
    "read_prediction_record",
    "read_segment_settings",
    "read_segments",
    "remove_parts",
    "require_asked_settings",
    "require_format",
    "require_same_settings",
    "stored_prediction",
    "write_features",
    "write_json",
    "write_prediction",
    "write_segments",
]
