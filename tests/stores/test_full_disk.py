"""Writes that really fail half-way, by a limit on the size of files."""

import sys

import pytest

from .test_workspace import names_in, run_python

WRITERS = {
    "prediction": """
        logits = rng.normal(size=(19, 64, 64)).astype(np.float32)
        write_prediction(path / "x.h5", Prediction(np.zeros((64, 64), np.uint8), logits=logits, num_classes=19))
    """,
    "segments": """
        rows = pd.DataFrame({"image_id": ["a"] * 9000, "segment_id": rng.integers(0, 1 << 60, 9000)})
        write_segments(Workspace(path), Stored("m", "d"), 0, rows, {"a": ""}, {})
    """,
    "catalogue": """
        with CatalogueWriter(path, {}) as writer:
            writer.add_part(pd.DataFrame({"a": [1] * 900}), rng.normal(size=(900, 99)), embedding="n")
    """,
    "json": """
        write_json(path / "x.json", list(range(9000)))
    """,
}

FRAME = """
    import resource, signal, sys
    from pathlib import Path
    import numpy as np
    import pandas as pd
    from oodretrieval.errors import StoreError
    from oodretrieval.stores import *
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    path, rng = Path(sys.argv[1]), np.random.default_rng(0)
    try:{body}
    except StoreError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs setrlimit")
@pytest.mark.parametrize("kind", WRITERS)
def test_a_write_that_fails_half_way_is_one_line_and_leaves_nothing(tmp_path, kind):
    answer = run_python(FRAME.format(body=WRITERS[kind]), tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    assert answer.stdout.startswith("cannot write ") and answer.stdout.count("\n") == 1
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    # The catalogue's table was whole before its vectors failed; nothing lists it, and a commit removes it.
    assert {path.name for path in files} <= {".lock", "part-00000.parquet"}
    assert kind == "catalogue" or files == []
    assert "manifest.json" not in names_in(tmp_path)
