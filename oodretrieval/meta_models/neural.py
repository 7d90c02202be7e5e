"""Neural meta regression: the published network and its recipe."""

import copy
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from oodretrieval.errors import SettingsError
from oodretrieval.meta_models.contract import Arrays, MetaModel

_HIDDEN = (50, 40, 30, 20, 10)
_MILESTONES = (20, 40)
_VALIDATION_SHARE = 0.2
_ROWS_AT_ONCE = 65536


class MetaNetwork(nn.Module):
    """The published meta network: F-50-40-30-20-10-1 with ReLU between, one linear output.

    Args:
        num_features: ``F``; 75 for a segmentation network with 19 classes.

    Source:
        Oberdiek et al., arXiv:2005.06831, and its published code.

    Example:
        >>> MetaNetwork(75)(torch.zeros(2, 75)).shape
        torch.Size([2, 1])
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        widths = (num_features, *_HIDDEN)
        layers: list[nn.Module] = []
        for width, following in pairwise(widths):
            layers += [nn.Linear(width, following), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, features: Tensor) -> Tensor:
        """Standardised features ``(N, F)`` → ``(N, 1)``; its sigmoid is the IoU."""
        output: Tensor = self.layers(features)
        return output


class NeuralMetaModel(MetaModel):
    """A small network whose sigmoid is the IoU, trained as published.

    Binary cross-entropy on the soft IoU, Adam, learning rate ×0.1 after 20 and 40 epochs, weights of the
    epoch with the best validation loss. Without a validation table a fifth of the images (not of the
    segments) is held out; with only one image, or without the column ``image_id``, the training loss decides.

    Args:
        features: Columns to learn from; None for all of the published network.
        epochs: Passes over the training set, >= 1.
        learning_rate: Adam's step, > 0.
        weight_decay: Adam's L2 penalty, >= 0.
        batch_size: Segments per step, >= 1.
        seed: Seed of initial weights, order and split: the same seed gives the same model.
        network: Called with the number of features; gives a module ``(N, F) → (N, 1)``.
        device: Where it is trained; the trained network stays on the CPU.

    Source:
        Oberdiek et al., arXiv:2005.06831, and its published code.
    """

    kind: ClassVar[str] = "neural"

    def __init__(
        self,
        features: Sequence[str] | None = None,
        epochs: int = 50,
        learning_rate: float = 1e-4,
        weight_decay: float = 5e-4,
        batch_size: int = 256,
        seed: int = 0,
        network: Callable[[int], nn.Module] = MetaNetwork,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__(features)
        if epochs < 1 or batch_size < 1 or not learning_rate > 0 or weight_decay < 0:
            raise ValueError(
                "expected epochs >= 1, batch_size >= 1, learning_rate > 0, weight_decay >= 0, "
                f"got {epochs}, {batch_size}, {learning_rate}, {weight_decay}"
            )
        self.epochs, self.learning_rate, self.weight_decay = epochs, learning_rate, weight_decay
        self.batch_size, self.seed, self.device = batch_size, seed, torch.device(device)
        self.build_network = network
        self.network: nn.Module = nn.Identity()

    @property
    def settings(self) -> dict[str, Any]:
        """How it is trained."""
        names = ("epochs", "learning_rate", "weight_decay", "batch_size", "seed")
        return {name: getattr(self, name) for name in names}

    def arrays(self) -> Arrays:
        """The state dict of the network."""
        return {name: tensor.numpy() for name, tensor in self.network.state_dict().items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what :meth:`arrays` gave."""
        network = self.build_network(len(self.feature_names))
        try:
            network.load_state_dict(
                {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
            )
        except RuntimeError as error:
            raise ValueError(" ".join(str(error).split())) from error
        self.network = network.eval()

    def _learn(
        self,
        features: NDArray[np.float64],
        iou: NDArray[np.float64],
        table: pd.DataFrame,
        validation: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    ) -> None:
        rows = np.ones(len(iou), bool)
        if validation is None:
            rows = ~held_out_rows(table, self.seed)
            held_out = ~rows if not rows.all() else rows
            validation = features[held_out], iou[held_out]
        training = _tensors(features[rows], iou[rows], self.device)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            network = self.build_network(features.shape[1]).to(self.device)
        best_loss, best_epoch, best_state = math.inf, 0, copy.deepcopy(network.state_dict())
        held_out_tensors = _tensors(*validation, self.device)
        for epoch, loss in self._epochs(network, training, held_out_tensors):
            if loss < best_loss:
                best_loss, best_epoch, best_state = loss, epoch, copy.deepcopy(network.state_dict())
        if not best_epoch:
            raise SettingsError(
                "the training of the meta model diverged (no finite loss); "
                f"lower learning_rate={self.learning_rate}"
            )
        network.load_state_dict(best_state)
        self.network = network.cpu().eval()
        self.quality = {"validation_loss": best_loss, "best_epoch": best_epoch}

    def _epochs(
        self, network: nn.Module, training: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor]
    ) -> Iterator[tuple[int, float]]:
        """Train, and after every epoch (from 1) give its validation loss."""
        criterion = nn.BCEWithLogitsLoss()
        optimiser = torch.optim.Adam(network.parameters(), self.learning_rate, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, list(_MILESTONES), gamma=0.1)
        order = torch.Generator().manual_seed(self.seed)
        features, iou = training
        progress = tqdm(
            range(1, self.epochs + 1),
            "meta model",
            unit="epoch",
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
        )
        for epoch in progress:
            network.train()
            for batch in _batches(torch.randperm(len(iou), generator=order).to(self.device), self.batch_size):
                optimiser.zero_grad()
                criterion(network(features[batch]), iou[batch]).backward()
                optimiser.step()
            schedule.step()
            network.eval()
            with torch.inference_mode():
                loss = float(criterion(network(validation[0]), validation[1]))
            progress.set_postfix(validation_loss=f"{loss:.4f}")
            yield epoch, loss

    def _estimate(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        # in float64 a segment's prediction does not depend on which others are predicted along with it
        network = copy.deepcopy(self.network).double()
        with torch.inference_mode():
            chunks = _batches(torch.from_numpy(features), _ROWS_AT_ONCE)
            return torch.cat([torch.sigmoid(network(chunk))[:, 0] for chunk in chunks]).numpy()


def held_out_rows(table: pd.DataFrame, seed: int, share: float = _VALIDATION_SHARE) -> NDArray[np.bool_]:
    """Choose whole images to hold out for validation.

    Args:
        table: Segment table with ``image_id``.
        seed: Same seed, same choice.
        share: Share of the images, 0…1; at least one is held out and at least one is kept.

    Returns:
        ``(n,)``, True where a segment belongs to a held-out image; nowhere if there is only one image or no
        column ``image_id``.
    """
    if "image_id" not in table.columns:
        return np.zeros(len(table), bool)
    images = np.array(sorted(table["image_id"].astype(str).unique()), dtype=object)
    count = min(max(1, round(share * len(images))), len(images) - 1)
    chosen = np.random.default_rng(seed).permutation(images)[:count]
    return table["image_id"].astype(str).isin(chosen).to_numpy(bool)


def _batches(rows: Tensor, size: int) -> Iterator[Tensor]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _tensors(
    features: NDArray[np.float64], iou: NDArray[np.float64], device: torch.device
) -> tuple[Tensor, Tensor]:
    return (
        torch.tensor(features, dtype=torch.float32, device=device),
        torch.tensor(iou, dtype=torch.float32, device=device)[:, None],
    )
