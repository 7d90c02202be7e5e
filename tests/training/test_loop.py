import resource
import signal
import zipfile
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from torch import nn
from torch.optim import SGD, AdamW
from torch.utils.data import DataLoader, TensorDataset

from oodretrieval.errors import SettingsMismatchError, StoreError, UnknownNameError
from oodretrieval.models import WithImplicitBackground
from oodretrieval.training import Schedule, Trainer, cross_entropy
from oodretrieval.training.loop import build_optimiser, poly

SCHEDULE = Schedule(
    epochs=4,
    learning_rate=0.02,
    encoder_factor=0.5,
    weight_decay=1e-2,
    optimiser="adamw",
    average_decay=0.5,
    validate_every=1,
    warmup=2,
)


def forget_accelerators():
    """All accelerators of a process share their state: accumulation, device, precision."""
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


@pytest.fixture(autouse=True)
def fresh_accelerator():
    forget_accelerators()
    yield
    forget_accelerators()


class Net(nn.Module):
    """Distinguishes dark from bright pixels, in three classes."""

    def __init__(self, norm=True):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8) if norm else nn.Identity(), nn.ReLU()
        )
        self.head = nn.Conv2d(8, 3, 1)

    def forward(self, x):
        return self.head(self.encoder(x))


def data(number=12):
    images = torch.randn(number, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    mean = images.mean(1)
    targets = (mean > -0.3).long() + (mean > 0.3).long()
    targets[:, 0] = 255
    return TensorDataset(images, targets)


def trainer(
    path, schedule=SCHEDULE, *, norm=True, recipe=None, batch=4, accumulation=1, shuffle=True, number=12
):
    torch.manual_seed(3)
    return Trainer(
        Net(norm),
        DataLoader(data(number), batch, shuffle=shuffle),
        cross_entropy,
        schedule,
        Accelerator(cpu=True, gradient_accumulation_steps=accumulation),
        path / "run" / "state.pt",
        recipe or {"epochs": schedule.epochs, "crop": [6, 6]},
    )


@torch.inference_mode()
def accuracy(network):
    assert not network.training
    images, targets = data(8).tensors
    known = targets != 255
    return float((network(images).argmax(1) == targets)[known].float().mean())


class Keeper:
    """Records what the trainer keeps, and can pull the plug."""

    def __init__(self, stop_after=None):
        self.kept, self.validated, self.stop_after = [], [], stop_after

    def validate(self, network):
        self.validated.append(accuracy(network))
        return self.validated[-1]

    def keep(self, network, quality, epoch):
        assert quality == self.validated[-1]
        self.kept.append((epoch, quality))

    def fit(self, subject):
        if self.stop_after is not None:
            loss = subject.loss

            def until_the_next_epoch(logits, targets):
                if subject.epoch == self.stop_after:
                    raise KeyboardInterrupt
                return loss(logits, targets)

            subject.loss = until_the_next_epoch
        return subject.fit(self.validate, self.keep)


def weights(subject):
    return {key: value.clone() for key, value in subject.evaluated.state_dict().items()}


def test_learns_a_small_problem_by_heart(tmp_path):
    keeper = Keeper()
    best = keeper.fit(trainer(tmp_path, replace(SCHEDULE, epochs=40, learning_rate=0.05)))
    assert best > 0.97
    assert best == max(keeper.validated) == keeper.kept[-1][1]


def test_keeps_the_best_epochs_only(tmp_path):
    qualities, kept = iter([0.2, 0.5, 0.4, 0.6]), []
    trainer(tmp_path).fit(
        lambda network: next(qualities), lambda network, quality, epoch: kept.append((epoch, quality))
    )
    assert kept == [(1, 0.2), (2, 0.5), (4, 0.6)]


@pytest.mark.parametrize(("every", "epochs"), [(1, [1, 2, 3, 4]), (3, [3, 4]), (9, [4])])
def test_validates_at_the_asked_epochs_and_always_the_last(tmp_path, every, epochs):
    seen = []
    subject = trainer(tmp_path, replace(SCHEDULE, validate_every=every))
    subject.fit(lambda network: float(seen.append(subject.epoch) or 1), lambda *_: None)
    assert seen == epochs


def test_a_state_that_cannot_be_written_is_said_as_such(tmp_path):
    subject = trainer(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
        with pytest.raises(StoreError, match=r"cannot write .*state\.pt .*make room"):
            Keeper().fit(subject)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("average_decay", [0.5, 0.0])
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, average_decay, optimiser):
    schedule = replace(SCHEDULE, average_decay=average_decay, optimiser=optimiser)
    whole, through = trainer(tmp_path / "whole", schedule), Keeper()
    best = through.fit(whole)
    before = Keeper(stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        before.fit(trainer(tmp_path / "parts", schedule))
    resumed, after = trainer(tmp_path / "parts", schedule), Keeper()
    torch.manual_seed(99)  # the state brings its own
    assert after.fit(resumed) == best
    assert before.validated + after.validated == through.validated
    assert before.kept + after.kept == through.kept
    assert resumed.rates.get_last_lr() == whole.rates.get_last_lr()
    expected = weights(whole)
    assert all(torch.equal(value, expected[key]) for key, value in weights(resumed).items())


def test_a_finished_run_has_nothing_left_to_do(tmp_path):
    best = Keeper().fit(trainer(tmp_path))
    again = Keeper()
    assert again.fit(trainer(tmp_path)) == best
    assert again.validated == again.kept == []


def test_the_learning_rate_falls_to_zero_by_the_poly_rule(tmp_path):
    subject, rates = trainer(tmp_path), []
    subject.fit(lambda network: float(rates.append(subject.rates.get_last_lr()) or 1), lambda *_: None)
    head = [max(rate) for rate in rates]
    expected = [0.02 * poly(step, 12, 0.9, 2) for step in (3, 6, 9, 12)]
    assert head == pytest.approx(expected)
    assert head[-1] == 0
    assert min(rates[0]) == pytest.approx(0.5 * head[0])


def test_poly_rises_linearly_then_falls():
    factors = [poly(step, 100, 0.9, 10) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[4] == pytest.approx(0.5 * 0.96**0.9)
    assert max(factors) == factors[9]
    assert all(b < a for a, b in pairwise(factors[9:]))
    assert poly(100, 100, 0.9, 0) == poly(120, 100, 0.9, 0) == 0


def test_accumulated_gradients_equal_a_bigger_batch(tmp_path):
    """Batches of 2, two at a time, against batches of 4; without batch norm, which sees the batch."""
    schedule = replace(SCHEDULE, optimiser="sgd", epochs=2, average_decay=0.0)
    big = trainer(tmp_path / "big", schedule, norm=False, shuffle=False)
    Keeper().fit(big)
    forget_accelerators()
    small = trainer(tmp_path / "small", schedule, norm=False, shuffle=False, batch=2, accumulation=2)
    Keeper().fit(small)
    assert big.rates.last_epoch == small.rates.last_epoch == 6
    expected = weights(big)
    for key, value in weights(small).items():
        torch.testing.assert_close(value, expected[key], rtol=1e-4, atol=1e-6)


def test_a_rest_smaller_than_the_accumulation_is_an_update_too(tmp_path):
    subject = trainer(tmp_path, batch=2, accumulation=4)  # 6 batches: 4 and 2
    Keeper().fit(subject)
    assert subject.rates.last_epoch == 8
    assert max(subject.rates.get_last_lr()) == 0


def test_the_average_lags_behind_and_is_what_is_validated(tmp_path):
    subject = trainer(tmp_path, replace(SCHEDULE, average_decay=0.9))
    Keeper().fit(subject)
    average, last = weights(subject), subject.accelerator.unwrap_model(subject.model).state_dict()
    assert subject.evaluated is subject.average.module
    assert not torch.equal(average["head.weight"], last["head.weight"])
    assert not torch.equal(average["encoder.1.running_mean"], last["encoder.1.running_mean"])


@pytest.mark.parametrize("around", [lambda network: network, WithImplicitBackground])
def test_optimiser_groups_rates_and_decay(around):
    network = around(Net())
    optimiser = build_optimiser(network, SCHEDULE)
    assert isinstance(optimiser, AdamW)
    of = {id(p): group for group in optimiser.param_groups for p in group["params"]}
    assert len(of) == len(list(network.parameters()))
    for name, parameter in network.named_parameters():
        group = of[id(parameter)]
        assert group["lr"] == pytest.approx(0.01 if "encoder." in name else 0.02)
        assert group["weight_decay"] == (SCHEDULE.weight_decay if parameter.ndim > 1 else 0)


def test_sgd_has_momentum_and_others_are_unknown():
    optimiser = build_optimiser(Net(), replace(SCHEDULE, optimiser="sgd"))
    assert isinstance(optimiser, SGD)
    assert optimiser.defaults["momentum"] == 0.9
    with pytest.raises(UnknownNameError, match=r"unknown optimiser 'adam'.*adamw, sgd"):
        build_optimiser(Net(), replace(SCHEDULE, optimiser="adam"))


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        ({"epochs": 4, "crop": [8, 8]}, "crop: was [6, 6], now [8, 8]"),
        ({"epochs": 4}, "crop: was [6, 6], now None"),
        ({"epochs": 4, "crop": [6, 6], "colour": 0.3}, "colour: was None, now 0.3"),
    ],
)
def test_another_recipe_is_refused_and_the_difference_named(tmp_path, recipe, named):
    Keeper().fit(trainer(tmp_path))
    with pytest.raises(SettingsMismatchError) as caught:
        Keeper().fit(trainer(tmp_path, recipe=recipe))
    assert named in str(caught.value)
    assert "args.overwrite=True" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"nothing", None])
def test_a_damaged_state_is_refused(tmp_path, content):
    Keeper().fit(trainer(tmp_path))
    state = tmp_path / "run" / "state.pt"
    state.write_bytes(state.read_bytes()[:500] if content is None else content)
    with pytest.raises(StoreError, match=r"state\.pt is damaged .*args\.overwrite=True"):
        Keeper().fit(trainer(tmp_path))


def test_tensors_that_rot_are_noticed(tmp_path):
    """torch itself reads them as they are."""
    Keeper().fit(trainer(tmp_path))
    state = tmp_path / "run" / "state.pt"
    with zipfile.ZipFile(state) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
    content = bytearray(state.read_bytes())
    content[largest.header_offset + 200 + largest.file_size // 2] ^= 1
    state.write_bytes(content)
    torch.load(state)
    with pytest.raises(StoreError, match=r"state\.pt is damaged .*args\.overwrite=True"):
        Keeper().fit(trainer(tmp_path))


def test_a_state_of_another_kind_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    torch.save([1, 2, 3], tmp_path / "run" / "state.pt")
    with pytest.raises(StoreError, match="is damaged"):
        Keeper().fit(trainer(tmp_path))


def test_a_state_of_another_network_is_refused(tmp_path):
    Keeper().fit(trainer(tmp_path))
    with pytest.raises(StoreError, match=r"does not fit this network .*args\.overwrite=True"):
        Keeper().fit(trainer(tmp_path, norm=False))


def test_nothing_half_written_is_left(tmp_path):
    Keeper().fit(trainer(tmp_path))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["state.pt"]


def test_a_single_epoch_of_a_single_batch(tmp_path):
    subject = trainer(tmp_path, replace(SCHEDULE, epochs=1, warmup=0), batch=12)
    Keeper().fit(subject)
    assert subject.epoch == 1
