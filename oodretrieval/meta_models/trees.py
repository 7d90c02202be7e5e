"""Meta models of scikit-learn's trees on disk: skops, one trusted type, and every node checked before use.

A ``.skops`` file is a zip of arrays and of a JSON schema that names the types to build. skops itself trusts those of
numpy and scikit-learn that cannot run code. The one type to trust beyond them, ``TreePredictor``, runs no code
either, but its nodes are read without bounds in compiled code: so they are checked here.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

from oodretrieval.errors import WeightsError
from oodretrieval.files import CHECKSUM, UNSEALED, require_checksum, sealed_path, verify
from oodretrieval.meta_models.boosting import CLASSES, BoostedMetaModel

TRUSTED = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
TREES_SUFFIX = BoostedMetaModel.suffix
_SCHEMA = "schema.json"


def is_skops(path: Path) -> bool:
    """Whether the file at ``path`` is a zip with a schema of skops (PyTorch's files are zips as well)."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _SCHEMA in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False


def save_trees(content: Mapping[str, Any], path: Path) -> None:
    """Write plain values, arrays and boosted trees, atomically.

    Args:
        content: Texts, arrays, and ``"estimators"``: task → estimator.
        path: File to write.
    """
    import skops.io  # not above: it makes a list of all types of scikit-learn and SciPy first

    noted = {**content, CHECKSUM: "comment of the archive"}
    data = io.BytesIO(skops.io.dumps(noted, compression=zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(data, "a") as archive:
        archive.comment = UNSEALED.encode()
    with sealed_path(path) as temporary:
        temporary.write_bytes(data.getvalue())


def load_trees(path: Path) -> dict[str, Any]:
    """Read what :func:`save_trees` wrote; no code of the file is run.

    Args:
        path: The file.

    Returns:
        The content, estimators checked.

    Raises:
        WeightsError: If the file is damaged, names a type beyond the trusted ones, or its trees lead astray.
    """
    import skops.io

    try:
        sealed = verify(path)
        strange = sorted(set(skops.io.get_untrusted_types(file=path)) - {TRUSTED})
        if strange:
            raise WeightsError(
                f"{str(path)!r} asks for types that a meta model does not need and that may run code: "
                f"{', '.join(strange)}; do not use it, train it again with train_meta_nn"
            )
        content = skops.io.load(path, trusted=[TRUSTED])
        checked = _checked(content)
        require_checksum(sealed, checked.get(CHECKSUM))
        return checked
    except WeightsError:
        raise
    except Exception as error:  # a damaged or malicious file raises whatever its objects raise
        raise WeightsError(
            f"the meta model {str(path)!r} is damaged ({type(error).__name__}: {error}); train or copy it again"
        ) from error


def _checked(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict) or not isinstance(content.get("estimators"), dict):
        raise ValueError("expected a dict with estimators")
    for task, estimator in content["estimators"].items():
        if type(estimator) is not CLASSES.get(task):
            raise ValueError(f"{task} is a {type(estimator).__name__}")
        features = estimator.n_features_in_
        for iteration in estimator._predictors:
            (tree,) = iteration
            _check_nodes(tree.nodes, features)
        if estimator.is_categorical_ is not None or estimator._preprocessor is not None:
            raise ValueError("trees of categories")
    return content


def _check_nodes(nodes: Any, features: int) -> None:
    """Children come after their parent and inside the tree, features exist: every walk ends at a leaf."""
    if not isinstance(nodes, np.ndarray) or nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1:
        raise ValueError("the nodes of a tree are not those of the scikit-learn that is installed")
    ids = np.arange(len(nodes))
    inner = nodes["is_leaf"] == 0
    if not len(nodes) or nodes["is_categorical"].any():
        raise ValueError("a tree without nodes, or of categories")
    for side in ("left", "right"):
        child = nodes[side][inner].astype(np.int64)
        if not ((child > ids[inner]) & (child < len(nodes))).all():
            raise ValueError(f"{side} leads out of the tree")
    feature = nodes["feature_idx"][inner].astype(np.int64)
    if not ((feature >= 0) & (feature < features)).all():
        raise ValueError(f"a tree asks for more than the {features} features")
