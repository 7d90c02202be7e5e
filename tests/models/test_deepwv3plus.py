"""DeepWV3Plus against its published names and shapes, and against a plain network of functions."""

import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from oodretrieval.models import DeepWV3Plus, load_weights
from oodretrieval.models.wide_resnet import PreActivationBlock

STAGES = {  # channels of a block's convolutions, number of blocks, stride, dilation, dropout
    "mod2": ((128, 128), 3, 1, 1, 0),
    "mod3": ((256, 256), 3, 1, 1, 0),
    "mod4": ((512, 512), 6, 2, 1, 0),
    "mod5": ((512, 1024), 3, 1, 2, 0),
    "mod6": ((512, 1024, 2048), 1, 1, 4, 0.3),
    "mod7": ((1024, 2048, 4096), 1, 1, 4, 0.5),
}
RATES = (12, 24, 36)


def norm_shapes(name, channels):
    counted = {f"{name}.{part}": [channels] for part in ("weight", "bias", "running_mean", "running_var")}
    return {**counted, f"{name}.num_batches_tracked": []}


def expected_shapes(classes):
    """Every name and shape, from the description of the architecture alone."""
    shapes, before = {"mod1.conv1.weight": [64, 3, 3, 3]}, 64
    for stage, (channels, blocks, _, _, _) in STAGES.items():
        for block in range(1, blocks + 1):
            name, inner = f"{stage}.block{block}", before
            shapes |= norm_shapes(f"{name}.bn1.0", before)
            for i, width in enumerate(channels, 1):
                if i > 1:
                    shapes |= norm_shapes(f"{name}.convs.bn{i}.0", inner)
                side = 1 if len(channels) == 3 and i != 2 else 3
                shapes[f"{name}.convs.conv{i}.weight"] = [width, inner, side, side]
                inner = width
            if before != inner:
                shapes[f"{name}.proj_conv.weight"] = [inner, before, 1, 1]
            before = inner
    for name, side in (
        ("features.0", 1),
        ("features.1", 3),
        ("features.2", 3),
        ("features.3", 3),
        ("img_conv", 1),
    ):
        shapes[f"aspp.{name}.0.weight"] = [256, 4096, side, side]
        shapes |= norm_shapes(f"aspp.{name}.1", 256)
    shapes["bot_fine.weight"], shapes["bot_aspp.weight"] = [48, 128, 1, 1], [256, 5 * 256, 1, 1]
    shapes["final.0.weight"], shapes["final.3.weight"] = [256, 48 + 256, 3, 3], [256, 256, 3, 3]
    shapes |= norm_shapes("final.1", 256) | norm_shapes("final.4", 256)
    shapes["final.6.weight"] = [classes, 256, 1, 1]
    return shapes


def shapes_of(network):
    return {key: list(value.shape) for key, value in network.state_dict().items()}


def without_memory(*arguments):
    with torch.device("meta"):
        return DeepWV3Plus(*arguments)


@pytest.mark.parametrize("classes", [19, 11])
def test_names_and_shapes_are_those_of_the_description(classes):
    network = without_memory(classes)
    assert shapes_of(network) == expected_shapes(classes)
    assert len(network.state_dict()) == 268
    if classes == 19:
        assert sum(p.numel() for p in network.parameters()) == 137_103_936


def test_names_and_shapes_are_those_of_the_published_weights(shared_data):
    published = json.loads((shared_data / "original" / "deepwv3plus_parameters.json").read_text())
    assert list(shapes_of(without_memory(19)).items()) == list(published.items())


class Plain:
    """The network as functions of a state dict, clause by clause."""

    def __init__(self, state):
        self.state = state

    def convolution(self, x, name, stride=1, dilation=1):
        weight = self.state[f"{name}.weight"]
        padding = dilation if weight.shape[-1] == 3 else 0
        return F.conv2d(x, weight, None, stride, padding, dilation if weight.shape[-1] == 3 else 1)

    def norm_relu(self, x, name):
        mean, variance, weight, bias = (
            self.state[f"{name}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return ((x - mean) / (variance + 1e-5).sqrt() * weight + bias).relu()

    def block(self, x, name, convolutions, stride, dilation):
        activated = self.norm_relu(x, f"{name}.bn1.0")
        shortcut = x
        if f"{name}.proj_conv.weight" in self.state:
            shortcut = self.convolution(activated, f"{name}.proj_conv", stride)
        y = self.convolution(activated, f"{name}.convs.conv1", stride, dilation)
        for i in range(2, convolutions + 1):
            y = self.norm_relu(y, f"{name}.convs.bn{i}.0")
            y = self.convolution(y, f"{name}.convs.conv{i}", 1, dilation)
        return y + shortcut

    def stage(self, x, name):
        channels, blocks, stride, dilation, _ = STAGES[name]
        for i in range(1, blocks + 1):
            x = self.block(x, f"{name}.block{i}", len(channels), stride if i == 1 else 1, dilation)
        return x

    def branch(self, x, name, rate=1):
        return self.norm_relu(self.convolution(x, f"{name}.0", 1, rate), f"{name}.1")

    def aspp(self, x):
        image = self.branch(F.adaptive_avg_pool2d(x, 1), "aspp.img_conv")
        maps = [F.interpolate(image, x.shape[2:], mode="bilinear", align_corners=True)]
        maps.append(self.branch(x, "aspp.features.0"))
        maps += [self.branch(x, f"aspp.features.{i}", rate) for i, rate in enumerate(RATES, 1)]
        return torch.cat(maps, 1)

    def __call__(self, x):
        """The output, and the logits before the last resize."""
        y = self.convolution(x, "mod1.conv1")
        fine = self.stage(F.max_pool2d(y, 3, 2, 1), "mod2")
        y = F.max_pool2d(fine, 3, 2, 1)
        for name in ("mod3", "mod4", "mod5", "mod6", "mod7"):
            y = self.stage(y, name)
        y = self.convolution(self.aspp(y), "bot_aspp")
        y = F.interpolate(y, fine.shape[2:], mode="bilinear", align_corners=True)
        y = torch.cat([self.convolution(fine, "bot_fine"), y], 1)
        y = self.norm_relu(self.convolution(y, "final.0"), "final.1")
        y = self.norm_relu(self.convolution(y, "final.3"), "final.4")
        small = self.convolution(y, "final.6")
        return F.interpolate(small, x.shape[2:], mode="bilinear", align_corners=True), small


def random_network(classes, **options):
    """Every weight and statistic random, so that each of them counts."""
    torch.manual_seed(0)
    network = DeepWV3Plus(classes, **options).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
            for values in (module.bias, module.running_mean):
                nn.init.normal_(values, std=0.3)
    return network


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((37, 83), {"width": 4, "channels": 12, "low_level_channels": 5}),
        ((64, 96), {"width": 2, "channels": 8, "low_level_channels": 3}),
        pytest.param((73, 121), {}, marks=pytest.mark.slow),
    ],
)
def test_output_is_that_of_the_plain_functions(size, options):
    network = random_network(7, **options)
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, expected_small = Plain(network.state_dict())(x)
        small = network.low_resolution_logits(x)
        assert small.shape[2:] == tuple(-(-side // 2) for side in size)
        assert expected.std() > 0.05, "else the tolerance says nothing"
        torch.testing.assert_close(small, expected_small, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4)


def test_whole_channels_drop_out_before_the_last_convolution():
    network = without_memory(19)
    found = {
        name: (module.p, names[names.index("dropout") + 1])
        for name, parent in network.named_modules()
        for names in [list(dict(parent.named_children()))]
        for module in parent.children()
        if isinstance(module, nn.Dropout2d)
    }
    assert found == {"mod6.block1.convs": (0.3, "conv3"), "mod7.block1.convs": (0.5, "conv3")}
    assert not [m for m in network.modules() if isinstance(m, nn.Dropout)]


def test_the_projection_sees_the_normalised_activated_input():
    torch.manual_seed(0)
    block = PreActivationBlock(3, (4, 6), stride=2).eval()
    nn.init.constant_(block.bn1[0].bias, -100.0)  # after ReLU nothing is left
    x = torch.randn(1, 3, 9, 9)
    with torch.inference_mode():
        block.convs[-1].weight.zero_()
        assert block(x).shape == (1, 6, 5, 5)
        assert not block(x).any()
        same = PreActivationBlock(3, (4, 3)).eval()
        same.convs[-1].weight.zero_()
        assert torch.equal(same(x), x)


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("prefix", ["module.", ""])
def test_the_checkpoint_loads_as_it_is_distributed(tmp_path, wrapped, prefix):
    options = {"width": 2, "channels": 8, "low_level_channels": 3}
    network = random_network(19, **options)
    content = {f"{prefix}{key}": value for key, value in network.state_dict().items()}
    torch.save(
        {"state_dict": content, "epoch": 1, "command": "train"} if wrapped else content, tmp_path / "w.pth"
    )
    loaded = DeepWV3Plus(19, **options).eval()
    load_weights(loaded, tmp_path / "w.pth")
    x = torch.randn(1, 3, 33, 49)
    with torch.inference_mode():
        assert torch.equal(loaded(x), network(x))
