"""Small networks of every kind that an adapter reads, random and saved on the spot, and their entries."""

import warnings

import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.export import Dim

from oodretrieval.entries import ModelEntry

CLASSES = 9
ADAPTERS = "oodretrieval.models.adapters"


class Small(nn.Module):
    """Logits at a stride, and the same at full size; what a stranger might export."""

    def __init__(self, stride=4, full=False, probabilities=False, aux=False, classes=CLASSES):
        super().__init__()
        torch.manual_seed(1)
        self.full, self.probabilities, self.aux = full, probabilities, aux
        self.first = nn.Conv2d(3, 8, 7, stride, padding=3)
        self.last = nn.Conv2d(8, classes, 1)

    def forward(self, x):
        y = 4 * self.last(self.first(x).tanh())
        if self.full:
            y = F.interpolate(y, x.shape[-2:], mode="bilinear", align_corners=False)
        y = y.softmax(1) if self.probabilities else y
        return {"out": y, "aux": y * 0.5} if self.aux else y


class NotSpatial(nn.Module):
    """Classes instead of scores."""

    def forward(self, x):
        return x.argmax(1)


def quietly(function, *arguments, **options):
    """Exporters warn of things that are no matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **options)


def sizes(fixed):
    return None if fixed else {0: Dim("n"), 2: Dim("h", min=8, max=4096), 3: Dim("w", min=8, max=4096)}


def write_onnx(path, network=None, size=(64, 96), fixed=False, names=("scores",), dynamo=False):
    """``dynamo``: torch's new exporter, which takes seconds and puts tensors into a second file."""
    options = {"input_names": ["images"], "output_names": list(names)}
    if dynamo:
        options |= {"verbose": False, "dynamic_shapes": None if fixed else (sizes(fixed),)}
    else:
        options["dynamic_axes"] = None if fixed else {"images": {0: "n", 2: "h", 3: "w"}}
    images = (torch.zeros(1 if fixed else 2, 3, *size),)
    quietly(torch.onnx.export, (network or Small()).eval(), images, path, dynamo=dynamo, **options)
    return path


def write_torchscript(path, network=None, size=(64, 96)):
    network = (network or Small()).eval()
    quietly(lambda: torch.jit.trace(network, torch.zeros(1, 3, *size), strict=False).save(path))
    return path


def write_exported(path, network=None, size=(64, 96), fixed=False):
    network = (network or Small()).eval()
    images = (torch.zeros(1 if fixed else 2, 3, *size),)
    shapes = None if fixed else {"x": sizes(fixed)}
    quietly(lambda: torch.export.save(torch.export.export(network, images, dynamic_shapes=shapes), path))
    return path


def write_torchvision(path, name="lraspp_mobilenet_v3_large", **options):
    torch.manual_seed(2)
    options = {"num_classes": CLASSES, "weights_backbone": None, **options}
    network = torchvision.models.get_model(name, weights=None, **options)
    torch.save(network.state_dict(), path)
    return path


def segformer():
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    torch.manual_seed(3)
    config = SegformerConfig(
        num_labels=CLASSES,
        hidden_sizes=[8, 16, 24, 32],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
    )
    return SegformerForSemanticSegmentation(config)


def upernet():
    from transformers import ConvNextConfig, UperNetConfig, UperNetForSemanticSegmentation

    torch.manual_seed(4)
    stages = ["stage1", "stage2", "stage3", "stage4"]
    backbone = ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], out_features=stages)
    config = UperNetConfig(
        backbone_config=backbone,
        hidden_size=16,
        num_labels=CLASSES,
        pool_scales=[1, 2],
        use_auxiliary_head=False,
    )
    return UperNetForSemanticSegmentation(config)


def mask_options():
    from transformers import SwinConfig

    backbone = SwinConfig(
        image_size=32,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 2, 2, 4],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    return {
        "backbone_config": backbone,
        "num_labels": CLASSES,
        "hidden_dim": 32,
        "encoder_feedforward_dim": 16,
        "dim_feedforward": 16,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "num_attention_heads": 2,
        "num_queries": 12,
    }


def mask2former():
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation

    torch.manual_seed(5)
    config = Mask2FormerConfig(feature_size=32, mask_feature_size=32, **mask_options())
    return Mask2FormerForUniversalSegmentation(config)


def oneformer():
    from transformers import OneFormerConfig, OneFormerForUniversalSegmentation

    torch.manual_seed(6)
    config = OneFormerConfig(conv_dim=32, mask_dim=32, is_training=False, task_seq_len=16, **mask_options())
    return OneFormerForUniversalSegmentation(config)


def tokenizer():
    """CLIP's, with a vocabulary of letters."""
    from transformers import CLIPTokenizer

    letters = "thetaskismnc"
    words = [
        "<|startoftext|>",
        "<|endoftext|>",
        *sorted({*letters, *(f"{letter}</w>" for letter in letters)}),
    ]
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[])


TRANSFORMERS = {
    "segformer": segformer,
    "upernet": upernet,
    "mask2former": mask2former,
    "oneformer": oneformer,
}


def write_transformers(folder, kind):
    TRANSFORMERS[kind]().save_pretrained(folder)
    if kind == "oneformer":
        tokenizer().save_pretrained(folder)
    return folder


WRITERS = {
    "torchvision": ("TorchvisionNetwork", lambda folder: write_torchvision(folder / "net.pth")),
    **{
        kind: ("TransformersNetwork", lambda folder, kind=kind: write_transformers(folder / kind, kind))
        for kind in TRANSFORMERS
    },
    "onnx": ("OnnxNetwork", lambda folder: write_onnx(folder / "net.onnx")),
    "torchscript": ("TorchScriptNetwork", lambda folder: write_torchscript(folder / "net.ts")),
    "exported": ("ExportedNetwork", lambda folder: write_exported(folder / "net.pt2")),
    "own class": ("tiny_networks", lambda folder: None),
}
KINDS = tuple(WRITERS)


def entry_of(kind, folder):
    """Write the small network of a kind; the one entry that reads it."""
    class_name, write = WRITERS[kind]
    path = write(folder)
    if kind == "own class":
        return ModelEntry(class_name, "Small", {"full": True})
    arguments = {"name": "lraspp_mobilenet_v3_large", "num_classes": CLASSES} if kind == "torchvision" else {}
    return ModelEntry(ADAPTERS, class_name, arguments, weights=path, run_code=kind == "exported")
