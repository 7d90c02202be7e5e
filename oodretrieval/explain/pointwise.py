"""Rules of operations on each value by itself: activations, norms, scales, gates, sums of branches."""

from typing import Any

import torch
from torch import Tensor

from oodretrieval.explain.points import Points, before_broadcast, coordinates
from oodretrieval.explain.rules import Led, Step, register_rule

RISING = (
    "relu hardtanh clamp clamp_min clamp_max leaky_relu elu hardswish silu gelu mish sigmoid hardsigmoid tanh softplus "
    "sqrt exp log _softmax _log_softmax dropout native_dropout clone detach alias contiguous lift_fresh _to_copy"
)
"""Operations that pass evidence on as it is; the softmax too, whose highest value is that of the highest logit."""


@register_rule(*(f"aten::{name}" for name in RISING.split()))
def _follow_rising(step: Step, points: Points) -> Led:
    """What is high after it was high before it, at the same place."""
    return {next(iter(step.arguments)): points}


@register_rule("aten::neg")
def _follow_negative(_step: Step, points: Points) -> Led:
    """What is high after it was low before it."""
    return {"self": points.turned(torch.ones_like(points.low))}


@register_rule("aten::pow", "aten::square", "aten::abs")
def _follow_power(step: Step, points: Points) -> Led:
    """The same place; of an even power, what is below zero speaks for it where it is low."""
    values = step.arguments["self"].flatten()[points.index]
    even = step.arguments.get("exponent", 2) % 2 == 0
    return {"self": points.turned((values < 0) & even)}


@register_rule(
    "aten::native_batch_norm", "aten::cudnn_batch_norm", "aten::_native_batch_norm_legit_no_training"
)
def _follow_batch_norm(step: Step, points: Points) -> Led:
    """The same place; a channel of negative scale turns high into low, which folds the norm into what is before it."""
    return {"input": _scaled(points, step.arguments["weight"], _channel(step.output, points))}


@register_rule("aten::native_group_norm")
def _follow_group_norm(step: Step, points: Points) -> Led:
    """As batch norm; that a value also moves the mean of its group is neglected."""
    return {"input": _scaled(points, step.arguments["weight"], _channel(step.output, points))}


@register_rule("aten::native_layer_norm")
def _follow_layer_norm(step: Step, points: Points) -> Led:
    """As group norm, with a scale for each of the last axes' values."""
    weight = step.arguments["weight"]
    place = points.index % (1 if weight is None else weight.numel())
    return {"input": _scaled(points, None if weight is None else weight.flatten(), place)}


@register_rule("aten::add", "aten::sub", "aten::rsub")
def _follow_sum(step: Step, points: Points) -> Led:
    """The branch with the larger value there, each with the sign that it has in the sum."""
    alpha = step.arguments["alpha"]
    signs = {"aten::add": (1, alpha), "aten::sub": (1, -alpha), "aten::rsub": (-alpha, 1)}[step.name]
    lots = {
        name: _operand(step, name, points).turned(torch.full_like(points.low, sign < 0))
        for name, sign in zip(("self", "other"), signs, strict=True)
        if name in step.followed
    }
    if len(lots) < 2:
        return lots
    strength = {
        name: lot.evidence(_at(step.arguments[name], lot)) * abs(sign)
        for (name, lot), sign in zip(lots.items(), signs, strict=True)
    }
    first = strength["self"] >= strength["other"]
    return {"self": lots["self"].where(first), "other": lots["other"].where(~first)}


@register_rule("aten::mul", "aten::div")
def _follow_product(step: Step, points: Points) -> Led:
    """The map, not its gate, turned where the gate is negative.

    A gate is a constant, or spread over more places than it has values, or 0…1 everywhere (a sigmoid's result); of two
    maps that are none, the one of larger magnitude at the place is followed.
    """
    lots: dict[str, Points] = {
        name: _operand(step, name, points) for name in ("self", "other") if name in step.followed
    }
    if len(lots) == 2 and step.name == "aten::mul":
        gate = next((name for name in ("other", "self") if _is_gate(step, name)), None)
        if gate is None:
            return _larger(step, lots)
        del lots[gate]
    if step.name == "aten::div":
        lots.pop("other", None)
    (name,) = lots or ("self",)
    factor = step.arguments["other" if name == "self" else "self"]
    if isinstance(factor, Tensor):
        place = before_broadcast(points.index, step.output.shape, factor.shape)
        negative = factor.flatten()[place] < 0
    else:
        negative = torch.full_like(points.low, factor < 0)
    return {name: lots[name].turned(negative)} if lots else {}


def _larger(step: Step, lots: dict[str, Points]) -> Led:
    values = {name: _at(step.arguments[name], lot) for name, lot in lots.items()}
    first = values["self"].abs() >= values["other"].abs()
    return {
        "self": lots["self"].turned(values["other"] < 0).where(first),
        "other": lots["other"].turned(values["self"] < 0).where(~first),
    }


def _is_gate(step: Step, name: str) -> bool:
    values = step.arguments[name]
    if values.shape[-2:].numel() < step.output.shape[-2:].numel():
        return True
    return bool(values.min() >= 0) and bool(values.max() <= 1)


def _operand(step: Step, name: str, points: Points) -> Points:
    shape = step.arguments[name].shape
    return points.at(before_broadcast(points.index, step.output.shape, shape))


def _at(values: Tensor, points: Points) -> Tensor:
    return values.flatten()[points.index]


def _channel(output: Tensor, points: Points) -> Tensor:
    return coordinates(points.index, output.shape)[1]


def _scaled(points: Points, weight: Any, place: Tensor) -> Points:
    return points if weight is None else points.turned(weight[place] < 0)
