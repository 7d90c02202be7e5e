"""What a network did with an image: every operation on it in order, and the values to look into again.

Recorded while the network runs, below its modules and its Python code, so that whatever runs can be explained: control
flow that depends on sizes (timm's "same" padding), and code that ``torch.fx`` cannot trace. Operations are those of
ATen, freed of in-place changes by ``functionalize``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functionalize
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from oodretrieval.errors import ConfigurationError

KEPT_BYTES = 2**31
"""Values of operations that are kept at a time; what was before them is computed again when it is needed."""


class CallOutput(NamedTuple):
    """A tensor that depends on the image.

    Attributes:
        call: Number of the operation that gives it; -1 for the image itself.
        output: Which of its outputs it is.
    """

    call: int
    output: int = 0


IMAGE = CallOutput(-1)
Values = dict[CallOutput, Tensor]


@dataclass(frozen=True, eq=False)
class Call:
    """An operation on what depends on the image.

    Attributes:
        number: Its place in the order.
        operation: Of ATen, or a custom one.
        arguments: By name; a :class:`CallOutput` stands for each tensor that depends on the image.
    """

    number: int
    operation: Any
    arguments: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Without its overload, e.g. ``"aten::convolution"``."""
        name: str = self.operation.name()
        return name.partition(".")[0]

    def given(self, values: Values) -> dict[str, Any]:
        """The arguments, each with ``values`` in place of sources."""
        return {name: _replaced(argument, values) for name, argument in self.arguments.items()}

    def run(self, values: Values) -> None:
        """Compute it again from ``values``, and add what it gives to them."""
        _keep(values, self.number, self.operation(**self.given(values)))


@dataclass(eq=False)
class Block:
    """Operations whose values are kept together.

    Attributes:
        values: What is known: all that they take and give, or, of a block that is over, what they take from earlier.
        calls: In order.
    """

    values: Values
    calls: list[Call] = field(default_factory=list)


class Recording:
    """What a network does with an image.

    Args:
        model: In evaluation mode.
        image: Normalised, ``(1, 3, H, W)``, on the device of the model.
        kept_bytes: Values that are kept at a time.

    Attributes:
        image: As given.
        output: What the network gave.
        source: Which of all tensors that is.

    Raises:
        ConfigurationError: If the network gives no tensor that depends on the image.
    """

    def __init__(self, model: nn.Module, image: Tensor, kept_bytes: int = KEPT_BYTES) -> None:
        recorder = _Recorder(image, kept_bytes)
        run: Any = functionalize(model)
        with torch.no_grad(), recorder:
            output = run(image)
        if not isinstance(output, Tensor) or output not in recorder.sources:
            raise ConfigurationError(
                f"{type(model).__name__} gave {type(output).__name__}; expected a tensor of logits made from the image"
            )
        self.image, self.output = image, output
        self.source: CallOutput = recorder.sources[output]
        self._blocks = recorder.blocks

    @property
    def held_bytes(self) -> int:
        """Size of all values that are kept."""
        kept = {id(value): value.nbytes for block in self._blocks for value in block.values.values()}
        return sum(kept.values())

    def backwards(self) -> Iterator[tuple[Call, Values]]:
        """All operations, the last one first.

        Yields:
            Each, and the values around it.
        """
        last = self._blocks[-1]
        for block in reversed(self._blocks):
            values = block.values
            if block is not last:
                values = dict(values)
                with torch.no_grad():
                    for call in block.calls:
                        call.run(values)
            for call in reversed(block.calls):
                yield call, values


class _Recorder(TorchDispatchMode):
    """Sees every operation below functionalize, where no tensor changes once it is made.

    A block is over when its values reach a size. What then still lives, the network holds: only that can be an argument
    of later operations, and it is kept.
    """

    def __init__(self, image: Tensor, kept_bytes: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sources: Any = WeakTensorKeyDictionary()
        self.sources[image] = IMAGE
        self.blocks = [Block({IMAGE: image})]
        self._taken: Values = {IMAGE: image}
        self._limit, self._bytes, self._count = kept_bytes, 0, 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        arguments = _named(func, args, kwargs)
        sources = {name: self._sourced(argument) for name, argument in arguments.items()}
        if any(map(_depends, sources.values())):
            if self._bytes > self._limit:
                self._begin_block()
            block = self.blocks[-1]
            block.calls.append(Call(self._count, func, sources))
            before = set(block.values)
            _keep(block.values, self._count, result)
            for source in block.values.keys() - before:
                self.sources[block.values[source]] = source
                self._bytes += block.values[source].nbytes
            self._count += 1
        return result

    def _sourced(self, argument: Any) -> Any:
        """An argument with sources in place of tensors that depend on the image."""
        if isinstance(argument, Tensor):
            return self.sources.get(argument, argument)
        if isinstance(argument, list | tuple) and not isinstance(argument, CallOutput):
            return [self._sourced(item) for item in argument]
        return argument

    def _begin_block(self) -> None:
        self.blocks[-1].values = self._taken
        living = {source: tensor for tensor, source in list(self.sources.items())}
        self._taken = living
        self.blocks.append(Block(dict(living)))
        self._bytes = 0


def _named(operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by their names, defaults included."""
    schema: Any = operation._schema.arguments
    given = {a.name: value for a, value in zip(schema, args, strict=False)} | dict(kwargs)
    return {a.name: given.get(a.name, a.default_value) for a in schema}


def _depends(argument: Any) -> bool:
    if isinstance(argument, CallOutput):
        return True
    return isinstance(argument, list) and any(map(_depends, argument))


def _replaced(argument: Any, values: Values) -> Any:
    if isinstance(argument, CallOutput):
        return values[argument]
    if isinstance(argument, list):
        return [_replaced(item, values) for item in argument]
    return argument


def _keep(values: Values, number: int, result: Any) -> None:
    outputs = result if isinstance(result, list | tuple) else [result]
    values |= {
        CallOutput(number, i): output for i, output in enumerate(outputs) if isinstance(output, Tensor)
    }
