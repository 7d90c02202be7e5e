"""Semantic segmentation of the package ``transformers``: SegFormer, UperNet, Mask2Former, OneFormer and their kin."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from oodretrieval.errors import ConfigurationError, UnknownNameError, WeightsError
from oodretrieval.extras import require_extra
from oodretrieval.models.adapters.file_kinds import first_sentence, unreadable
from oodretrieval.models.adapters.hub import cached_repository, repository_folder
from oodretrieval.models.adapters.mask_classification import mask_log_probabilities
from oodretrieval.models.contract import SegmentationNetwork

TASK = "the task is semantic"
TRAINING_ONLY = "criterion."
VOCABULARIES = ("tokenizer.json", "vocab.json")
Head = Callable[..., Tensor]


class TransformersNetwork(SegmentationNetwork):
    """A semantic segmentation network of ``transformers``; the extra ``[transformers]`` brings the package.

    No code of a repository is run: weights are safetensors or, where there are none, a ``pytorch_model.bin`` read as
    tensors and nothing else. Networks that classify masks (Mask2Former,
    MaskFormer, OneFormer) give the logarithms of their class probabilities per pixel.

    Args:
        repository: Id at the hub, e.g. ``"nvidia/segformer-b0-finetuned-cityscapes-1024-1024"``; taken from the
            cache (``HF_HOME``, ``HF_HUB_CACHE``), downloaded only if it is not there.
        revision: Its branch, tag or commit; None for the main branch as it was when downloaded.
        weights_file: Folder that ``save_pretrained`` wrote, instead.

    Raises:
        ConfigurationError: If the package is missing, or the folder holds another kind of network.
        WeightsError: If tensors are missing or do not fit, or the hub cannot be reached.
    """

    def __init__(
        self,
        repository: str | None = None,
        revision: str | None = None,
        weights_file: str | Path | None = None,
    ) -> None:
        super().__init__()
        if (repository is None) == (weights_file is None):
            raise ConfigurationError(
                "a network of transformers comes from the hub (`repository` among the entry's arguments) or from a "
                "folder that save_pretrained wrote (`weights` of the entry); name one of the two"
            )
        require_extra("transformers", "transformers")
        folder = (
            Path(weights_file) if weights_file is not None else repository_folder(str(repository), revision)
        )
        kind, config = _configuration(folder)
        self._head: Head = HEADS.get(kind, _logits)
        self.network = _load(folder, kind, config)
        self.num_classes = int(config.num_labels)
        if kind == "oneformer":
            self.register_buffer("task", _task_tokens(folder, config.task_seq_len), persistent=False)

    @staticmethod
    def cached_weights(repository: str, revision: str | None = None, **_: Any) -> Path | None:
        """Find the repository in the hub's cache.

        Args:
            repository: Its name on the hub.
            revision: Branch, tag or commit; None for the main branch.

        Returns:
            Its folder; None before it is downloaded.
        """
        return cached_repository(repository, revision)

    def low_resolution_logits(self, x: Tensor) -> Tensor:
        """Normalised images ``(N, 3, H, W)`` → logits ``(N, C, h, w)`` at the network's own stride."""
        head: Head = self._head
        return head(self.network, x, *self.buffers(recurse=False))


def _logits(network: Any, x: Tensor) -> Tensor:
    logits: Tensor = network(pixel_values=x).logits
    return logits


def _upernet(network: Any, x: Tensor) -> Tensor:
    """Its own forward resizes the logits to the image."""
    logits: Tensor = network.decode_head(network.backbone(x).feature_maps)
    return logits


def _masks(network: Any, x: Tensor) -> Tensor:
    found = network(pixel_values=x)
    return mask_log_probabilities(found.class_queries_logits, found.masks_queries_logits)


def _oneformer(network: Any, x: Tensor, task: Tensor) -> Tensor:
    found = network(pixel_values=x, task_inputs=task.expand(len(x), -1))
    return mask_log_probabilities(found.class_queries_logits, found.masks_queries_logits)


HEADS: dict[str, Head] = {
    "upernet": _upernet,
    "mask2former": _masks,
    "maskformer": _masks,
    "oneformer": _oneformer,
}
"""Kinds of networks whose forward is not just ``logits`` at a low resolution."""


def _configuration(folder: Path) -> tuple[str, Any]:
    """The kind of the network in a folder, and its configuration."""
    transformers = require_extra("transformers", "transformers")
    if not (folder / "config.json").is_file():
        raise unreadable(
            folder, "a folder of save_pretrained", "TransformersNetwork", "it has no config.json"
        )
    config = saved_configuration(folder)
    known = {*HEADS, *_semantic_kinds(transformers)}
    if config.model_type not in known:
        raise ConfigurationError(
            str(UnknownNameError(f"kind of network in {folder}", config.model_type, known))
        )
    return config.model_type, config


def _semantic_kinds(transformers: Any) -> list[str]:
    mapping = transformers.models.auto.modeling_auto.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES
    return list(mapping)


def _load(folder: Path, kind: str, config: Any) -> nn.Module:
    transformers = require_extra("transformers", "transformers")
    masks = kind in HEADS and kind not in _semantic_kinds(transformers)
    name = "AutoModelForUniversalSegmentation" if masks else "AutoModelForSemanticSegmentation"
    try:
        with quiet(transformers):
            network, found = getattr(transformers, name).from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
                trust_remote_code=False,
                use_safetensors=any(folder.glob("*.safetensors")),
                weights_only=True,
            )
    except Exception as error:  # files missing or damaged, code in them, other shapes: anything
        raise unloadable(folder, kind, error) from error
    wanted = {name for name, _ in network.named_parameters() if not name.startswith(TRAINING_ONLY)}
    missing = sorted(wanted & set(found["missing_keys"]))
    if missing:
        raise WeightsError(
            f"{folder} lacks {len(missing)} tensor(s) of the network ({', '.join(missing[:4])}, …): it was saved for "
            "another task; choose one that was trained for semantic segmentation"
        )
    loaded: nn.Module = network
    return loaded


def _task_tokens(folder: Path, length: int) -> Tensor:
    """The text that asks OneFormer for its task, as ids, zero where it has ended: ``(1, length)``."""
    transformers = require_extra("transformers", "transformers")
    if not any((folder / name).is_file() for name in VOCABULARIES):  # it would be taken for an empty one
        raise WeightsError(
            f"{folder} lacks OneFormer's tokenizer (no {' or '.join(VOCABULARIES)}); save the processor into the same "
            "folder, by its save_pretrained"
        )
    try:
        with quiet(transformers):
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # of a damaged vocabulary anything from KeyError to OSError
        raise WeightsError(
            f"the tokenizer of {folder} cannot be read ({first_sentence(error)}); save or fetch it again"
        ) from error
    found = tokenizer(TASK, padding="max_length", max_length=length, truncation=True)
    return torch.tensor([found["input_ids"]]) * torch.tensor([found["attention_mask"]])


def saved_configuration(folder: Path) -> Any:
    """What a folder of ``save_pretrained`` says of its network, read without running code.

    Args:
        folder: Of a file ``config.json``.

    Returns:
        The package's configuration.

    Raises:
        ConfigurationError: If it describes no network that the package knows.
    """
    transformers = require_extra("transformers", "transformers")
    try:
        return transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # of a broken or foreign config.json anything from KeyError to OSError
        raise ConfigurationError(
            f"{folder / 'config.json'} describes no network that transformers knows without running code of the "
            f"repository ({first_sentence(error)})"
        ) from error


def unloadable(folder: Path, kind: str, reason: object) -> WeightsError:
    """The error for a folder whose weights cannot be loaded.

    Args:
        folder: As ``save_pretrained`` writes it.
        kind: Of network.
        reason: What went wrong.

    Returns:
        The error, for the caller to raise.
    """
    return WeightsError(
        f"{folder} has no weights that can be loaded as {kind} without running code ({first_sentence(reason)}); "
        "fetch it again, or save_pretrained the network into a folder where you trust what it comes from"
    )


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """Without the package's progress bars and reports: what matters of them becomes an error.

    Args:
        transformers: The package.

    Returns:
        Nothing; while it is entered, the package is silent.
    """
    logging = transformers.utils.logging
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
