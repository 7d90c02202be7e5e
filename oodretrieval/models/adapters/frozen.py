"""What networks have in common that come as a program in a file: sizes, named outputs, probabilities."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor

from oodretrieval.errors import ConfigurationError, UnknownNameError
from oodretrieval.models.adapters.file_kinds import first_sentence
from oodretrieval.models.contract import SegmentationNetwork
from oodretrieval.uncertainty import is_softmax

Gives = Literal["logits", "probabilities"]
PROBE = 256
"""Side of the empty image that shows the number of classes, where the program takes any size."""


class FrozenNetwork(SegmentationNetwork):
    """A network whose file holds the program itself; a subclass says how to run it.

    A program of a fixed size is given the image resized to it (bilinear, antialiased, the aspect ratio not kept),
    and its logits are resized to the image; so is one that wants sides divisible by ``multiple_of``.

    Args:
        path: The file, for messages.
        input_size: Height and width that every image is resized to first; None for any size.
        multiple_of: Round height and width up to a multiple of this.
        output: What the program gives; probabilities become their logarithms, whose softmax they are again.
        output_name: Which of several outputs: its name, or its number from 0.
        align_corners: Whether the resize from the program's output to the image aligns corners.
    """

    def __init__(
        self,
        path: str | Path,
        input_size: Sequence[int] | None = None,
        multiple_of: int = 1,
        output: Gives = "logits",
        output_name: str | int | None = None,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        if output not in ("logits", "probabilities"):
            raise ConfigurationError(f"output must be 'logits' or 'probabilities', got {output!r}")
        if multiple_of < 1 or (input_size is not None and (len(input_size) != 2 or min(input_size) < 1)):
            raise ConfigurationError(
                "input_size must be (height, width) and multiple_of at least 1, "
                f"got {input_size} and {multiple_of}"
            )
        self.path = Path(path)
        self.input_size = None if input_size is None else (int(input_size[0]), int(input_size[1]))
        self.multiple_of, self.output, self.output_name = multiple_of, output, output_name
        self.align_corners = align_corners
        self.one_by_one = False

    @abstractmethod
    def run(self, x: Tensor) -> Any:
        """Run the program.

        Args:
            x: Images ``(N, 3, H, W)``, normalised.

        Returns:
            Whatever the program gives: a tensor, or several by number or by name.
        """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Move or convert, but keep the memory layout that the program was made for: a `view` fails in another."""
        apply: Any = super()._apply
        return apply(lambda tensor: fn(tensor).contiguous(), recurse)

    @cached_property
    def num_classes(self) -> int:
        """Classes out, seen by running the program on an empty image."""
        place = next((parameter.device for parameter in self.parameters()), torch.device("cpu"))
        empty = torch.zeros(1, 3, *self._size(PROBE, PROBE), device=place)
        with torch.inference_mode():
            return int(self.low_resolution_logits(empty).shape[1])

    def low_resolution_logits(self, x: Tensor) -> Tensor:
        """Normalised images ``(N, 3, H, W)`` → logits ``(N, C, h, w)`` at the size that the program gives."""
        size = self._size(*x.shape[-2:])
        if size != tuple(x.shape[-2:]):
            x = F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)
        parts = [x[i : i + 1] for i in range(len(x))] if self.one_by_one else [x]
        return torch.cat([self._logits(part.contiguous()) for part in parts])

    def fix_size(self, height: object, width: object) -> None:
        """Take over the size that the program is fixed to.

        Args:
            height: Pixels; a text or None stands for any.
            width: Pixels; a text or None stands for any.

        Raises:
            ConfigurationError: If the entry asks for another one.
        """
        if not (isinstance(height, int) and isinstance(width, int)):
            return
        if self.input_size not in (None, (height, width)):
            raise ConfigurationError(
                f"{self.path} takes images of {height}×{width} (height × width) only, the entry's input_size is "
                f"{self.input_size}; leave it out"
            )
        self.input_size = (height, width)

    def fix_batch(self, count: object) -> None:
        """Take over the batch size that the program is fixed to.

        Args:
            count: Images; a text or None stands for any number.

        Raises:
            ConfigurationError: If it is neither 1 nor free.
        """
        if isinstance(count, int) and count != 1:
            raise ConfigurationError(
                f"{self.path} takes batches of {count} images only; export it for one image, or any number"
            )
        self.one_by_one = isinstance(count, int)

    def failed(self, size: Sequence[int], error: Exception) -> NoReturn:
        """Say which input the program fails on, and what that may come from.

        Args:
            size: Shape of the input, ``(N, 3, H, W)``.
            error: What the program raised.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(
            f"{self.path} fails on input of size {tuple(size)} ({first_sentence(error)}); where it was made for "
            "another size, set `input_size` (or `multiple_of`) among the arguments of its entry in configuration.py"
        ) from error

    def _size(self, height: int, width: int) -> tuple[int, int]:
        if self.input_size is not None:
            return self.input_size
        step = self.multiple_of
        return -(-height // step) * step, -(-width // step) * step

    def _logits(self, x: Tensor) -> Tensor:
        try:
            found = self.run(x)
        except torch.OutOfMemoryError:
            raise  # says nothing about the file
        except (RuntimeError, TypeError, ValueError, AssertionError) as error:
            self.failed(x.shape, error)
        scores = self._chosen(found)
        if scores.ndim != 4 or not scores.is_floating_point() or len(scores) != len(x) or scores.shape[1] < 2:
            raise ConfigurationError(
                f"{self.path} gives {scores.dtype} of shape {tuple(scores.shape)} for {len(x)} image(s), expected "
                "scores (N, C, h, w) of at least 2 classes; export the network before its argmax"
            )
        return self._checked(scores.float())

    def _chosen(self, found: Any) -> Tensor:
        named = {key: value for key, value in _named(found).items() if isinstance(value, Tensor)}
        if self.output_name is not None:
            if str(self.output_name) not in named:
                raise ConfigurationError(
                    str(UnknownNameError(f"output of {self.path}", str(self.output_name), named))
                )
            return named[str(self.output_name)]
        if len(named) != 1:
            raise ConfigurationError(
                f"{self.path} has {len(named)} outputs ({', '.join(named) or 'no tensor'}); set `output_name` among "
                "the arguments of its entry in configuration.py"
            )
        return next(iter(named.values()))

    def _checked(self, scores: Tensor) -> Tensor:
        """Logits of scores; the top row of pixels shows whether they are probabilities, as the entry says."""
        normalised = is_softmax(scores[:, :, 0].numpy(force=True), axis=1)
        if normalised != (self.output == "probabilities"):
            gives = "probabilities" if normalised else "logits"
            raise ConfigurationError(
                f"{self.path} gives {gives}, the entry says output={self.output!r}; set `output` to {gives!r} among "
                "its arguments in configuration.py"
            )
        return log_probabilities(scores) if normalised else scores


def log_probabilities(probabilities: Tensor) -> Tensor:
    """Logits whose softmax over dimension 1 is ``probabilities``, any shape; 0 becomes the smallest normal number.

    Example:
        >>> log_probabilities(torch.tensor([[0.25, 0.75]])).softmax(1).round(decimals=4).tolist()
        [[0.25, 0.75]]
    """
    return probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log()


def _named(found: Any) -> dict[str, Any]:
    if isinstance(found, Mapping):
        return {str(key): value for key, value in found.items()}
    if isinstance(found, list | tuple):
        return {str(number): value for number, value in enumerate(found)}
    return {"0": found}
