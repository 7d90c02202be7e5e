"""The training loop: one epoch after the other, resumable, with the best weights kept."""

import logging
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from oodretrieval.errors import SettingsMismatchError, StoreError, UnknownNameError
from oodretrieval.execution import progress
from oodretrieval.files import atomic_path

logger = logging.getLogger(__name__)
Batch = tuple[Tensor, Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn.

    Attributes:
        epochs: Passes over the training set.
        learning_rate: Of everything but the encoder, at the start; falls by the poly rule to 0.
        encoder_factor: The encoder learns at this share of it.
        weight_decay: On weights of two and more dimensions.
        optimiser: ``"adamw"`` or ``"sgd"`` (momentum 0.9).
        power: Exponent of the poly rule.
        warmup: Steps of linear warm-up.
        average_decay: Decay of the moving average of the weights, which is what is validated and kept;
            0 for none.
        validate_every: Epochs between validations; the last epoch is always validated.
    """

    epochs: int
    learning_rate: float
    encoder_factor: float
    weight_decay: float
    optimiser: str
    average_decay: float
    validate_every: int
    power: float = 0.9
    warmup: int = 50


def build_optimiser(model: nn.Module, schedule: Schedule) -> Optimizer:
    """Optimiser with a smaller rate for ``model.encoder`` and no decay on norms and biases.

    Args:
        model: The network to train.
        schedule: Kind of optimiser, learning rate and decay.

    Returns:
        The optimiser, with a group of parameters for each rate and decay.

    Raises:
        UnknownNameError: If the optimiser is unknown.
    """
    encoder = getattr(model, "encoder", None)
    slower = (
        {id(parameter) for parameter in encoder.parameters()} if isinstance(encoder, nn.Module) else set()
    )
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        groups.setdefault((id(parameter) in slower, parameter.ndim > 1), []).append(parameter)
    described = [
        {
            "params": parameters,
            "lr": schedule.learning_rate * (schedule.encoder_factor if encoder else 1),
            "weight_decay": schedule.weight_decay if decayed else 0.0,
        }
        for (encoder, decayed), parameters in groups.items()
    ]
    if schedule.optimiser == "adamw":
        return AdamW(described)
    if schedule.optimiser == "sgd":
        return SGD(described, momentum=0.9)
    raise UnknownNameError("optimiser", schedule.optimiser, ("adamw", "sgd"))


def poly(step: int, total: int, power: float, warmup: int) -> float:
    """Factor on the learning rate: linear warm-up, then ``(1 - step / total) ** power``.

    Args:
        step: Steps done, 0…total.
        total: Steps in all, >= 1.
        power: Exponent of the decay; 1 is linear.
        warmup: Steps over which the rate rises; 0 for none.

    Returns:
        The factor, 0…1.

    Example:
        >>> poly(50, 100, 1.0, 0)
        0.5
    """
    rising = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return float(rising * max(0.0, 1 - step / total) ** power)


def _require_whole(path: Path) -> None:
    """Compare the parts of a file of ``torch.save`` with their checksums, which torch itself passes over."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of {damaged} is another")


class Trainer:
    """Trains one network.

    Args:
        model: The network; an attribute ``encoder`` learns at its own rate.
        loader: Batches of images ``(N, 3, H, W)`` and targets ``(N, H, W)``.
        loss: Logits and targets → scalar.
        schedule: How long and how fast.
        accelerator: Device, precision, accumulation and processes.
        state_path: Where the state after each epoch is kept; training goes on from it if it is there.
        recipe: Settings that must not change between a start and its continuation.
    """

    def __init__(
        self,
        model: nn.Module,
        loader: DataLoader[Batch],
        loss: Loss,
        schedule: Schedule,
        accelerator: Accelerator,
        state_path: Path,
        recipe: dict[str, Any],
    ) -> None:
        self.schedule, self.accelerator, self.loss = schedule, accelerator, loss
        self.state_path, self.recipe = state_path, recipe
        channels_last = model.to(memory_format=torch.channels_last)
        optimiser = build_optimiser(channels_last, schedule)
        self.model, self.optimiser, self.loader = accelerator.prepare(channels_last, optimiser, loader)
        updates = max(1, -(-len(self.loader) // accelerator.gradient_accumulation_steps)) * schedule.epochs
        self.rates = LambdaLR(
            self.optimiser, lambda step: poly(step, updates, schedule.power, schedule.warmup)
        )
        bare = accelerator.unwrap_model(self.model)
        decay = schedule.average_decay
        self.average = (
            AveragedModel(bare, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)  # type: ignore[no-untyped-call]
            if decay
            else None
        )
        self.epoch = 0
        self.best = -1.0

    @property
    def evaluated(self) -> nn.Module:
        """The network that is validated and kept: the moving average where there is one."""
        bare: nn.Module = self.accelerator.unwrap_model(self.model)
        return self.average.module if self.average is not None else bare

    def fit(
        self, validate: Callable[[nn.Module], float], keep: Callable[[nn.Module, float, int], None]
    ) -> float:
        """Train to the last epoch.

        Args:
            validate: Network in evaluation mode → its quality, larger is better.
            keep: Called with network, quality and epoch whenever the quality is the best so far.

        Returns:
            The best quality.

        Raises:
            SettingsMismatchError: If the kept state belongs to another recipe.
            StoreError: If it is damaged, or does not fit the network.
        """
        self._resume()
        self.accelerator.wait_for_everyone()
        if not self.state_path.is_file():
            self._save()  # before any weights are kept: those without a state would not be ours to write again
        while self.epoch < self.schedule.epochs:
            loss = self._train_epoch()
            self.epoch += 1
            logger.info("epoch %d/%d: loss %.4f", self.epoch, self.schedule.epochs, loss)
            if self.epoch % self.schedule.validate_every == 0 or self.epoch == self.schedule.epochs:
                self._validate(validate, keep)
            self._save()
        return self.best

    def _validate(
        self, validate: Callable[[nn.Module], float], keep: Callable[[nn.Module, float, int], None]
    ) -> None:
        quality = validate(self.evaluated.eval())
        logger.info("epoch %d/%d: validation %.4f", self.epoch, self.schedule.epochs, quality)
        if quality > self.best:
            self.best = quality
            if self.accelerator.is_main_process:
                keep(self.evaluated, quality, self.epoch)

    def _train_epoch(self) -> float:
        self.model.train()
        total = 0.0
        bar: Iterable[Batch] = progress(
            self.loader,
            f"epoch {self.epoch + 1}/{self.schedule.epochs}",
            unit="step",
            disable=not self.accelerator.is_main_process,
        )
        for images, targets in bar:
            with self.accelerator.accumulate(self.model):
                inputs = images.contiguous(memory_format=torch.channels_last)
                with self.accelerator.autocast():
                    logits = self.model(inputs)
                loss = self.loss(logits, targets)
                self.accelerator.backward(loss)
                if self.accelerator.sync_gradients:
                    self.accelerator.clip_grad_norm_(self.model.parameters(), 5.0)
                self.optimiser.step()
                self.optimiser.zero_grad()
                if self.accelerator.sync_gradients:
                    self.rates.step()
                    if self.average is not None:
                        self.average.update_parameters(self.accelerator.unwrap_model(self.model))
            total += float(loss.detach())
        return total / max(1, len(self.loader))

    def _save(self) -> None:
        if not self.accelerator.is_main_process:
            return
        state = {
            "recipe": self.recipe,
            "epoch": self.epoch,
            "best": self.best,
            "model": self.accelerator.unwrap_model(self.model).state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rates": {"last_epoch": self.rates.last_epoch},
            "average": None if self.average is None else self.average.state_dict(),
            "scaler": None if self.accelerator.scaler is None else self.accelerator.scaler.state_dict(),
            "random": torch.get_rng_state(),
        }
        with atomic_path(self.state_path) as temporary:
            try:
                torch.save(state, temporary)
            except RuntimeError as error:  # torch's word for what cannot be written, which helps nobody
                raise OSError("the file could not be written whole") from error

    def _resume(self) -> None:
        if not self.state_path.is_file():
            return
        try:
            _require_whole(self.state_path)
            state = torch.load(self.state_path, map_location="cpu", weights_only=True)
            recipe = dict(state["recipe"])
        except Exception as error:  # damaged files raise anything from OSError to KeyError
            raise self._unusable("is damaged", error) from error
        if recipe != self.recipe:
            keys = recipe.keys() | self.recipe.keys()
            raise SettingsMismatchError(
                self.state_path,
                {
                    key: (recipe.get(key), self.recipe.get(key))
                    for key in sorted(keys)
                    if recipe.get(key) != self.recipe.get(key)
                },
            )
        try:
            self._restore(state)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise self._unusable("does not fit this network", error) from error
        logger.info("going on after epoch %d, best validation %.4f", self.epoch, self.best)

    def _unusable(self, why: str, error: Exception) -> StoreError:
        reason = (str(error).strip().splitlines() or [repr(error)])[0]
        return StoreError(f"{self.state_path} {why} ({reason}); add args.overwrite=True to start again")

    def _restore(self, state: dict[str, Any]) -> None:
        self.accelerator.unwrap_model(self.model).load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rates.last_epoch = state["rates"]["last_epoch"]
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        if self.accelerator.scaler is not None and state.get("scaler"):
            self.accelerator.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])
        if (
            self.accelerator.process_index
        ):  # the state is the first process's; the others have other random numbers
            torch.manual_seed(int(torch.randint(2**62, ())) + self.accelerator.process_index)
        self.epoch, self.best = state["epoch"], state["best"]
