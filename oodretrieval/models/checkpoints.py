"""Reading and writing weights, without running code from a file unless the user says so."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from warnings import catch_warnings

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from oodretrieval.errors import ChecksumError, WeightsError
from oodretrieval.files import CHECKSUM, UNSEALED, require_checksum, sealed_path, verify
from oodretrieval.models.weights_files import classes_of_folder
from oodretrieval.torch_files import read_without_code, zip_members

LISTED = 8
NOT_ALLOWED = re.compile(r"(?:GLOBAL|but got <class) '?([\w.]+)|(TorchScript)|(Unsupported operand)")
"""How torch names what it refuses to import, or to run, while it reads a file."""
PICKLE = b"\x80"
"""First byte of a pickle of protocol 2 and later."""
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "network", "net")
"""Keys below which training scripts put the named tensors."""
NESTED = 4
"""Containers to search, one below the other."""
PREFIXES = ("module.", "_orig_mod.", "model.")
"""What training on several GPUs, torch.compile and Lightning put before names."""
COUNTER = "num_batches_tracked"


def load_weights(module: nn.Module, path: str | Path, source: str = "", *, run_code: bool = False) -> None:
    """Load weights into a network; every key must be there and fit.

    Half precision in the file is converted to the network's own type. What training scripts put around the tensors
    (a ``state_dict`` key and its like) and before all of their names (``module.`` and its like) is taken off.
    Counters of batch norm, which evaluation does not use and old files do not have, may be missing.

    Args:
        module: The network.
        path: ``.safetensors``, or a PyTorch file (any other suffix).
        source: Where to get the file; shown when it is missing.
        run_code: Read a PyTorch file that holds more than tensors by running the code in it. **Dangerous**: it can
            do whatever you can. Only for files from someone you trust.

    Raises:
        WeightsError: If the file is missing, damaged, would need to run code, or if keys are missing,
            unexpected, of another shape, or hold no dense real numbers; each is named.
    """
    own = module.state_dict()
    state = without_prefixes(read_state(path, source, run_code=run_code), own)
    state = {**{key: value for key, value in own.items() if key.endswith(COUNTER)}, **state}
    problems = [
        _listed("missing", [key for key in own if key not in state]),
        _listed("unexpected", [key for key in state if key not in own]),
        _listed(
            "of another shape",
            [
                f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
                for key in own
                if key in state and state[key].shape != own[key].shape
            ],
        ),
        _listed("sparse, complex or without values", [key for key in state if not _is_plain(state[key])]),
    ]
    found = [problem for problem in problems if problem]
    if found:
        raise WeightsError(
            f"{path} does not fit {type(module).__name__}: {'; '.join(found)}. "
            "Correct the entry's class or arguments in configuration.py, or its weights"
        )
    module.load_state_dict(state)


def without_prefixes(state: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names without what a wrapper put before all of them, unless the network's own names begin so.

    Args:
        state: Tensors as they were read.
        own: The network's.

    Returns:
        The same tensors, under their names in the network where those begin alike.
    """
    foreign = [prefix for prefix in PREFIXES if not all(key.startswith(prefix) for key in own)]
    while prefix := next((p for p in foreign if state and all(key.startswith(p) for key in state)), ""):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _is_plain(value: Tensor) -> bool:
    return value.layout == torch.strided and not (value.is_complex() or value.is_meta)


def _listed(what: str, keys: list[str]) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - LISTED} more" if len(keys) > LISTED else ""
    return f"{len(keys)} key(s) {what}: {', '.join(keys[:LISTED])}{more}"


def read_state(path: str | Path, source: str = "", *, run_code: bool = False) -> dict[str, Tensor]:
    """Tensors of a weights file by name; see :func:`load_weights`.

    Args:
        path: ``.safetensors``, or a PyTorch file (any other suffix).
        source: Where to get the file; shown when it is missing.
        run_code: Read a PyTorch file that holds more than tensors by running the code in it. **Dangerous**.

    Returns:
        Name → tensor, as stored; prefixes that wrappers put before names are still there.

    Raises:
        WeightsError: If the file is missing, damaged, or would need to run code.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(no_weights_file(path, source))
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, framework="pt") as file:
                noted = (file.metadata() or {}).get(CHECKSUM)
            require_checksum(verify(path), noted)
            return load_file(path)
        except (SafetensorError, OSError, ChecksumError) as error:
            raise _damaged(path, error) from error
    return _unwrapped(_read_torch(path, run_code), path)


def no_weights_file(path: str | Path, source: str = "") -> str:
    """What to say of weights that are not there.

    Args:
        path: Where they should be.
        source: Where to get them; by default, that they can be made.

    Returns:
        A sentence.
    """
    remedy = "make it with scripts/train_segmentation.py, or set `weights` of its entry to where it lies"
    return f"no weights file {str(path)!r}; {source or remedy}"


def _damaged(path: str | Path, reason: object) -> WeightsError:
    return WeightsError(f"{path} is damaged, or not what its suffix says ({reason}); fetch or train it again")


def _read_torch(path: Path, run_code: bool) -> Any:
    try:
        return read_without_code(path)
    except Exception as error:  # damaged files raise anything from OSError to KeyError
        refused = _refused(path, str(error))
        if refused and run_code:
            return _run(path)
        if refused:
            raise WeightsError(
                f"{path} holds more than tensors ({refused}), and loading it would run code from it; convert its "
                "state dict to safetensors where you trust it, or let its code run by run_code=True of its entry in "
                "configuration.py (of load_weights)"
            ) from error
        reason = (str(error).strip().splitlines() or [""])[0]
        if (
            isinstance(error, UnpicklingError) or not reason
        ):  # torch's text would advise to load it all the same
            reason = "it is nothing that torch.save wrote"
        raise _damaged(path, reason) from error


def _refused(path: Path, text: str) -> str:
    """What torch refuses in a file that is whole, or nothing."""
    found = NOT_ALLOWED.search(text)
    if found is None:
        return ""
    with path.open("rb") as file:
        pickled = file.read(1) == PICKLE or zip_members(path) is not None
    return found[1] or found[2] or ("a pickle that only running it can read" if pickled else "")


def _run(path: Path) -> Any:
    """Content of a file whose code the user allowed to run."""
    try:
        with catch_warnings(action="ignore", category=UserWarning):  # that a program is loaded, as asked
            return torch.load(path, map_location="cpu", weights_only=False)  # with run_code=True alone  # nosec B614
    except Exception as error:  # whatever that code raises
        raise WeightsError(
            f"{path} cannot be loaded although its code may run ({type(error).__name__}: {error}); it needs the "
            "modules that its network was defined in, next to configuration.py or installed"
        ) from error


def _unwrapped(content: Any, path: Path) -> dict[str, Tensor]:
    """The named tensors, which may lie in a network, or below keys that training scripts use."""
    for _ in range(NESTED):
        if isinstance(content, nn.Module):
            content = content.state_dict()
        if not isinstance(content, Mapping):
            break
        if all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()):
            return dict(content)
        content = next((content[key] for key in WRAPPERS if key in content), None)
    raise WeightsError(f"{path} holds no named tensors; save the network's state_dict() and nothing else")


def save_weights(
    module: nn.Module, path: str | Path, metadata: Mapping[str, Any], half: bool = False
) -> None:
    """Write the weights of a network to safetensors, atomically and with a checksum.

    Args:
        module: The network.
        path: File to write; missing folders are made.
        metadata: Anything JSON can hold: classes, normalisation, recipe, quality.
        half: Store weights and biases as float16; running statistics stay float32.
    """
    state = {
        key: value.half() if half and value.is_floating_point() and "running_" not in key else value
        for key, value in module.state_dict().items()
    }
    contiguous = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    described = {key: json.dumps(value) for key, value in metadata.items()}
    with sealed_path(Path(path)) as temporary:
        save_file(contiguous, temporary, {**described, CHECKSUM: UNSEALED})


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Read what :func:`save_weights` noted with the weights, or the classes of a folder.

    Args:
        path: File or folder of weights.

    Returns:
        Name → value; empty for other kinds of files.

    Raises:
        WeightsError: If the file is missing or damaged.
    """
    if Path(path).is_dir():
        return {"classes": classes_of_folder(Path(path))}
    if Path(path).suffix != ".safetensors":
        return {}
    if not Path(path).is_file():
        raise WeightsError(no_weights_file(path))
    try:
        with safe_open(path, framework="pt") as file:
            noted = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error
    metadata = {}
    for key, value in noted.items():
        if key == CHECKSUM:
            continue
        try:
            metadata[key] = json.loads(value)
        except json.JSONDecodeError:
            metadata[key] = value
    return metadata
