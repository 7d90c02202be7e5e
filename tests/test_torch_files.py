import os
import struct
from collections import OrderedDict
from pickle import UnpicklingError

import numpy as np
import pytest
import torch

from oodretrieval.models.adapters.file_kinds import adapter_for
from oodretrieval.torch_files import read_without_code, zip_members


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint16", "int32", "int64", "float16", "float32", "float64"]
)
def test_numbers_and_arrays_of_numpy_come_back(tmp_path, dtype):
    number, array = np.dtype(dtype).type(1), np.arange(6).reshape(2, 3).astype(dtype)
    torch.save({"number": number, "array": array}, tmp_path / "f.pth")
    read = read_without_code(tmp_path / "f.pth")
    assert read["number"] == number and type(read["number"]) is type(number)
    assert read["array"].dtype == array.dtype
    np.testing.assert_array_equal(read["array"], array)


def test_tensors_and_plain_containers_come_back(tmp_path):
    content = OrderedDict(a=torch.arange(3), b=[1, 2.5, "three", None, True], c={"d": (4,)})
    torch.save(content, tmp_path / "f.pth")
    read = read_without_code(tmp_path / "f.pth")
    assert torch.equal(read.pop("a"), content.pop("a"))
    assert read == content


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_everything_else_is_refused(tmp_path):
    witness = tmp_path / "was_here"
    for call in (Call(os.mkdir, str(witness)), np.array([Call(os.mkdir, str(witness))], object)):
        torch.save({"a": torch.zeros(1), "b": call}, tmp_path / "f.pth")
        with pytest.raises(UnpicklingError):
            read_without_code(tmp_path / "f.pth")
    assert not witness.exists()


def test_what_is_allowed_here_is_allowed_nowhere_else(tmp_path):
    torch.save({"a": np.float64(1)}, tmp_path / "f.pth")
    read_without_code(tmp_path / "f.pth")
    with pytest.raises(UnpicklingError):
        torch.load(tmp_path / "f.pth", weights_only=True)


def test_archives_are_known_by_their_names_and_damaged_ones_are_none(tmp_path):
    path = tmp_path / "f.pth"
    torch.save({"a": torch.arange(3)}, path)
    assert "f/data.pkl" in zip_members(path)
    whole = path.read_bytes()
    end = whole.rindex(b"PK\5\6")
    of_two_disks = whole[:end] + struct.pack("<4sLQL", b"PK\6\7", 0, 0, 2) + whole[end:]
    for content in (b"", b"PK", whole[:-30], of_two_disks, whole[:end] + whole[end : end + 4]):
        path.write_bytes(content)
        assert zip_members(path) is adapter_for(path) is None
    assert zip_members(tmp_path) is zip_members(tmp_path / "none") is None
