"""Files as earlier versions wrote them: without a checksum, so that tests can change what stands in them."""

import json

import h5py
import numpy as np


def without_checksum(path):
    """Take the checksum off a prediction file, or a file of JSON."""
    if path.suffix == ".json":
        content = json.loads(path.read_text())
        content.pop("checksum", None)
        path.write_text(json.dumps(content))
        return
    with h5py.File(path, "a") as file:
        metadata = json.loads(file["metadata"][()])
        del metadata["checksum"], file["metadata"]
        file["metadata"] = np.bytes_(json.dumps(metadata))
    path.write_bytes(path.read_bytes().replace(b"crc32:", b"------"))  # HDF5 leaves what was deleted
