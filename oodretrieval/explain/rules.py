"""How evidence passes through an operation: one rule for each, and the table of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from oodretrieval.errors import UnknownOperationError
from oodretrieval.explain.points import Points
from oodretrieval.explain.recording import Call, CallOutput, Values


@dataclass(frozen=True, eq=False)
class Step:
    """An operation of the network, with its values, and which of its outputs points are in.

    Attributes:
        name: Of the operation, e.g. ``"aten::convolution"``.
        operation: To call it again.
        arguments: By name, with their values.
        outputs: All that it gave, by number.
        which: Number of the output that the points are in.
        followed: Names of the arguments that depend on the image; of the others, points are dropped.
    """

    name: str
    operation: Any
    arguments: Mapping[str, Any]
    outputs: Mapping[int, Tensor]
    which: int
    followed: frozenset[str]

    @classmethod
    def of(cls, call: Call, values: Values, which: int) -> "Step":
        """A recorded operation.

        Args:
            call: The operation.
            values: All that it took and gave.
            which: Number of an output.

        Returns:
            What a rule is given.
        """
        outputs: dict[int, Any] = {}
        while (source := CallOutput(call.number, len(outputs))) in values:
            outputs[source.output] = values[source]
        followed = frozenset(name for name, argument in call.arguments.items() if _followed(argument))
        return cls(call.name, call.operation, call.given(values), outputs, which, followed)

    @property
    def output(self) -> Tensor:
        """The output that the points are in."""
        return self.outputs[self.which]


Led = Mapping[str, Points | Sequence[Points]]
"""Argument → the points in it; of a list of tensors, those in each."""
Rule = Callable[[Step, Points], Led]
_RULES: dict[str, Rule] = {}


def register_rule(*operations: str) -> Callable[[Rule], Rule]:
    """Say how evidence passes through operations, one's own or one that has no rule yet.

    Args:
        operations: Names as torch spells them, without overload, e.g. ``"aten::pixel_shuffle"``.

    Returns:
        A decorator for a function of the operation and the points in its output, which returns the points in its
        arguments.

    Example:
        >>> @register_rule("my_library::twice")
        ... def follow_twice(step, points):
        ...     return {"x": points}
    """

    def register(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(operations, rule))
        return rule

    return register


def rule_of(name: str) -> Rule:
    """The rule of an operation.

    Args:
        name: As in :func:`register_rule`.

    Returns:
        The rule.

    Raises:
        UnknownOperationError: If it has none.
    """
    if name not in _RULES:
        raise UnknownOperationError(name, _RULES)
    return _RULES[name]


def _followed(argument: Any) -> bool:
    if isinstance(argument, list):
        return any(map(_followed, argument))
    return isinstance(argument, CallOutput)
