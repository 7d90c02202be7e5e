"""Neural meta regression: the published network and its recipe."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodretrieval.errors import SettingsError
from oodretrieval.execution import progress
from oodretrieval.meta_models.contract import Arrays, MetaModel, Problem, Task
from oodretrieval.meta_models.sampling import held_out_rows

_HIDDEN = (50, 40, 30, 20, 10)
_MILESTONES = (20, 40)


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
        """Estimate the IoU, before the sigmoid.

        Args:
            features: Standardised, ``(N, F)``.

        Returns:
            ``(N, 1)``; its sigmoid is the IoU.
        """
        output: Tensor = self.layers(features)
        return output


class NeuralMetaModel(MetaModel):
    """A small network whose sigmoid is the IoU, trained as published, and another for the probability of IoU > 0.

    Binary cross-entropy on the soft IoU (or on the class), Adam, learning rate ×0.1 after 20 and 40 epochs,
    weights of the epoch with the best validation loss. Without a validation table a fifth of the images (not of
    the segments) is held out; with only one image, or without the column ``image_id``, the training loss decides.

    Args:
        features: Columns to learn from; None for all of the published network.
        epochs: Passes over the training set, >= 1.
        learning_rate: Adam's step, > 0.
        weight_decay: Adam's L2 penalty, >= 0.
        batch_size: Segments per step, >= 1.
        patience: Stop after this number of epochs in a row without a better validation loss; 0 to do all epochs, as
            published.
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
        patience: int = 15,
        seed: int = 0,
        network: Callable[[int], nn.Module] = MetaNetwork,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__(features, seed)
        if min(epochs, batch_size) < 1 or not learning_rate > 0 or weight_decay < 0 or patience < 0:
            raise ValueError(
                "expected epochs >= 1, batch_size >= 1, learning_rate > 0, weight_decay >= 0, patience >= 0, "
                f"got {epochs}, {batch_size}, {learning_rate}, {weight_decay}, {patience}"
            )
        self.epochs, self.learning_rate, self.weight_decay = epochs, learning_rate, weight_decay
        self.batch_size, self.patience, self.device = batch_size, patience, torch.device(device)
        self.build_network = network

    @property
    def settings(self) -> dict[str, Any]:
        """How it is trained."""
        names = ("epochs", "learning_rate", "weight_decay", "batch_size", "patience", "seed")
        return {name: getattr(self, name) for name in names}

    def arrays_of(self, task: Task) -> Arrays:
        """The state dict of the network."""
        network: nn.Module = self.learned[task]
        return {name: tensor.numpy() for name, tensor in network.state_dict().items()}

    def restore(self, task: Task, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what :meth:`arrays_of` gave."""
        network = self.build_network(len(self.feature_names))
        try:
            network.load_state_dict(
                {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
            )
        except RuntimeError as error:
            raise ValueError(" ".join(str(error).split())) from error
        self.learned[task] = network.eval()

    def _learn(self, problem: Problem) -> nn.Module:
        features, target, validation = problem.features, problem.target, problem.validation
        rows = np.ones(len(target), bool)
        if validation is None:
            rows = ~held_out_rows(problem.table, self.seed)
            held_out = ~rows if not rows.all() else rows
            validation = features[held_out], target[held_out]
        training = _tensors(features[rows], target[rows], self.device)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            network = self.build_network(features.shape[1]).to(self.device)
        best_loss, best_epoch, best_state = math.inf, 0, copy.deepcopy(network.state_dict())
        for epoch, loss in self._epochs(problem.task, network, training, _tensors(*validation, self.device)):
            if loss < best_loss:
                best_loss, best_epoch, best_state = loss, epoch, copy.deepcopy(network.state_dict())
            elif self.patience and epoch - best_epoch >= self.patience:
                break
        if not best_epoch:
            raise SettingsError(
                "the training of the meta model diverged (no finite loss); "
                f"lower learning_rate={self.learning_rate}"
            )
        network.load_state_dict(best_state)
        self.quality |= {
            f"{problem.task}_validation_loss": best_loss,
            f"{problem.task}_best_epoch": best_epoch,
        }
        return network.cpu().eval()

    def _epochs(
        self,
        task: Task,
        network: nn.Module,
        training: tuple[Tensor, Tensor],
        validation: tuple[Tensor, Tensor],
    ) -> Iterator[tuple[int, float]]:
        """Train, and after every epoch (from 1) give its validation loss."""
        criterion = nn.BCEWithLogitsLoss()
        optimiser = torch.optim.Adam(network.parameters(), self.learning_rate, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, list(_MILESTONES), gamma=0.1)
        order = torch.Generator().manual_seed(self.seed)
        features, target = training
        bar = progress(range(1, self.epochs + 1), f"meta model, {task}", unit="epoch")
        for epoch in bar:
            network.train()
            for batch in _batches(
                torch.randperm(len(target), generator=order).to(self.device), self.batch_size
            ):
                optimiser.zero_grad()
                criterion(network(features[batch]), target[batch]).backward()
                optimiser.step()
            schedule.step()
            network.eval()
            with torch.inference_mode():
                loss = float(criterion(network(validation[0]), validation[1]))
            bar.set_postfix(refresh=False, validation_loss=f"{loss:.4f}")
            yield epoch, loss

    def _estimate(self, task: Task, features: NDArray[np.float64]) -> NDArray[np.float64]:
        # in float64 a segment's prediction does not depend on which others are predicted along with it
        network = copy.deepcopy(self.learned[task]).double()
        with torch.inference_mode():
            estimate: NDArray[np.float64] = torch.sigmoid(network(torch.from_numpy(features)))[:, 0].numpy()
        return estimate


def _batches(rows: Tensor, size: int) -> Iterator[Tensor]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _tensors(
    features: NDArray[np.float64], target: NDArray[np.float64], device: torch.device
) -> tuple[Tensor, Tensor]:
    return (
        torch.tensor(features, dtype=torch.float32, device=device),
        torch.tensor(target, dtype=torch.float32, device=device)[:, None],
    )
