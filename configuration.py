"""Names that the scripts know: datasets, networks, meta models, and the defaults.

Edit this file, or point OODRETRIEVAL_CONFIGURATION at your own copy. Nothing happens on import.
"""

import os
from pathlib import Path
from typing import Any

from oodretrieval.choices import CAMVID_UNKNOWN
from oodretrieval.entries import LITE_MEAN, LITE_STD, DatasetEntry, EmbeddingEntry, MetaModelEntry, ModelEntry

# Where everything is written; OODRETRIEVAL_WORKSPACE or args.workspace take precedence.
WORKSPACE = "workspace"

# Where datasets lie: $OODRETRIEVAL_DATA/camvid, /cityscapes, /cityscapes_laf, /a2d2. args.root=… overrides the
# root of the dataset in use.
DATA = os.environ.get("OODRETRIEVAL_DATA") or str(Path(__file__).parent / "data")

# What the scripts use where the command line says nothing.
DATASET = "streets_test"  # images to search for unknown objects
TRAIN_DATASET = "streets_val"  # the meta model learns here: classes the network knows, images it does not
VAL_DATASET = "streets_test"  # the meta model is evaluated here
MODEL = "deeplabv3plus_streets"
META_MODEL = "boosting"  # measured from 4 images to 367: docs/meta_models.md
EMBEDDING = "efficientnet_lite0_taught"  # the best on every scene that had not taught it: docs/retrieval.md

ROADS_TRAINING = (
    " args.crop_height=256 args.crop_width=352 args.epochs=4 args.batch_size=4 args.accumulation=2"
    " args.scale_min=0.7 args.scale_max=2.0 args.colour=0.5 args.photometric=0.2 args.rotation=8"
)


def _dataset(module: str, class_name: str, **options: Any) -> DatasetEntry:
    return DatasetEntry(f"oodretrieval.datasets.{module}", class_name, options)


def _streets(split: str, **weather: str) -> DatasetEntry:
    return _dataset("streets", "Streets", split=split, **weather)


def _camvid(split: str) -> DatasetEntry:
    return _dataset("camvid", "CamVid", root=f"{DATA}/camvid", split=split, unknown=CAMVID_UNKNOWN)


def _camvid_drives(labels: str, *drives: str) -> DatasetEntry:
    return _dataset("camvid_drives", "CamVidDrives", root=f"{DATA}/camvid", drives=drives, labels=labels)


def _idd_lite(split: str) -> DatasetEntry:
    return _dataset("idd_lite", "IDDLite", root=f"{DATA}/idd_lite", split=split)


def _anomalies(name: str, **layout: str) -> DatasetEntry:
    return _dataset("anomalies", "AnomalySet", root=f"{DATA}/{name}", **layout)


def _street_classes(dataset: DatasetEntry) -> DatasetEntry:
    return _dataset("street_classes", "with_street_classes", dataset=dataset)


def _roads(split: str) -> DatasetEntry:
    parts = {"camvid": _street_classes(_camvid(split)), "idd_lite": _idd_lite(split)}
    return _dataset("joined", "join_datasets", datasets=parts)


def _camvid_background(split: str) -> DatasetEntry:
    return _dataset("background", "with_background", dataset=_camvid(split))


def _cityscapes(split: str) -> DatasetEntry:
    return _dataset("cityscapes", "Cityscapes", root=f"{DATA}/cityscapes", split=split)


def _shipped(command: str) -> str:
    return f"it comes with the repository; train it again with `python {command}`"


def _train(name: str, train: str = "", val: str = "", options: str = "") -> str:
    datasets = f" args.dataset={train} args.dataset_val={val}" if train else ""
    return f"scripts/train_segmentation.py with args.model_name={name}{datasets}{options}"


def _on_camvid(name: str, class_name: str, background: bool = False, **options: str) -> ModelEntry:
    train, val = (f"camvid_{split}{'_background' if background else ''}" for split in ("train", "val"))
    return ModelEntry(
        "oodretrieval.models",
        class_name,
        {"num_classes": 9, "backbone": "tf_efficientnet_lite2", **options},
        weights=f"weights/{name}.safetensors",
        size=(360, 480),
        mean=LITE_MEAN,
        std=LITE_STD,
        source=f"make it with `python {_train(name, train, val)}`",
        implicit_background=background,
    )


def _without_drive(drive: str) -> ModelEntry:
    return ModelEntry(
        "oodretrieval.models",
        "DeepLabV3Plus",
        {"num_classes": 9, "backbone": "tf_efficientnet_lite2"},
        weights=f"pretrained/deeplabv3plus_without_{drive}.safetensors",
        mean=LITE_MEAN,
        std=LITE_STD,
        source=f"make it with `python benchmarks/scenes.py train --scenes {drive}`",
    )


def _shipped_meta_nn(of: str) -> MetaModelEntry:
    return MetaModelEntry(
        "oodretrieval.meta_models", "NeuralMetaModel", path=f"pretrained/meta_nn_{of}.safetensors"
    )


def _shipped_boosting(of: str) -> MetaModelEntry:
    return MetaModelEntry(
        "oodretrieval.meta_models",
        "BoostedMetaModel",
        {"features": ("extended",)},
        path=f"pretrained/boosting_{of}.skops",
    )


DATASETS = {
    # Rendered at first use; needs no files.
    "streets_train": _streets("train"),
    "streets_val": _streets("val"),
    "streets_test": _streets("test"),
    # The same streets as streets_test in light and air that no training image has.
    "streets_test_dusk": _streets("test", weather="dusk"),
    "streets_test_fog": _streets("test", weather="fog"),
    "camvid_train": _camvid("train"),
    "camvid_val": _camvid("val"),
    "camvid_test": _camvid("test"),
    # By drive, train and val together: what a network never saw is a drive that was left out. Full labels, of the
    # frames that have them (in the usual release 0001TP has none among these), and the 12 classes, of all.
    "camvid_0001tp": _camvid_drives("full", "0001TP"),
    "camvid_0006r0": _camvid_drives("full", "0006R0"),
    "camvid_0016e5": _camvid_drives("full", "0016E5"),
    "camvid_0001tp_12": _camvid_drives("12 classes", "0001TP"),
    "camvid_0006r0_12": _camvid_drives("12 classes", "0006R0"),
    "camvid_0016e5_12": _camvid_drives("12 classes", "0016E5"),
    "camvid_without_0001tp": _camvid_drives("12 classes", "0006R0", "0016E5"),
    "camvid_without_0006r0": _camvid_drives("12 classes", "0001TP", "0016E5"),
    "camvid_without_0016e5": _camvid_drives("12 classes", "0001TP", "0006R0"),
    "idd_lite_train": _idd_lite("train"),
    "idd_lite_val": _idd_lite("val"),
    # Known or unknown, no classes: images/ and labels/ (0 known, 1 unknown, 255 void). For the sets as their makers
    # publish them add layout="segment_me_if_you_can", "road_anomaly" or "fishyscapes".
    "road_anomaly_21": _anomalies("road_anomaly_21"),
    "fishyscapes_static": _anomalies("fishyscapes_static"),
    # Over coarse classes that datasets have in common (oodretrieval/datasets/street_classes.py), and several as one.
    "camvid_train_street_classes": _street_classes(_camvid("train")),
    "camvid_val_street_classes": _street_classes(_camvid("val")),
    "roads_train": _roads("train"),
    "roads_val": _roads("val"),
    # Void as predicted id 0, for networks with a background, implicit or learned; any dataset can be wrapped so.
    "camvid_train_background": _camvid_background("train"),
    "camvid_val_background": _camvid_background("val"),
    "camvid_test_background": _camvid_background("test"),
    "cityscapes": _cityscapes("train"),
    "cityscapes_val": _cityscapes("val"),
    "cityscapes_test": _cityscapes("test"),
    "cityscapes_laf": _dataset("lost_and_found", "LostAndFound", root=f"{DATA}/cityscapes_laf", split="test"),
    "a2d2": _dataset("a2d2", "A2D2", root=f"{DATA}/a2d2", cameras=("front_center",)),
    # Any folder of png, jpg or webp images, without truth: args.root=path/to/images
    "custom_dataset": _dataset("folder", "ImageFolder", root=f"{DATA}/custom_dataset"),
    # Your own class, by module path; see "Your own data" in docs/extending.md.
    # "mine": DatasetEntry("my_package.my_dataset", "MyDataset", {"root": f"{DATA}/mine"}),
}

MODELS = {
    "deeplabv3plus_streets": ModelEntry(
        "oodretrieval.models",
        "DeepLabV3Plus",
        {"num_classes": 9, "backbone": "tf_efficientnet_lite0"},
        weights="pretrained/deeplabv3plus_streets.safetensors",
        novelty="pretrained/novelty_streets.safetensors",  # scripts/train_novelty.py
        meta_model="meta_nn_streets",
        size=(256, 512),  # of the images that it was trained on
        mean=LITE_MEAN,
        std=LITE_STD,
        source=_shipped(_train("deeplabv3plus_streets")),
    ),
    "deeplabv3plus_camvid": ModelEntry(
        "oodretrieval.models",
        "DeepLabV3Plus",
        {"num_classes": 9, "backbone": "tf_efficientnet_lite2"},
        weights="pretrained/deeplabv3plus_camvid.safetensors",
        novelty="pretrained/novelty_camvid.safetensors",  # scripts/train_novelty.py
        meta_model="meta_nn_camvid",
        size=(360, 480),
        mean=LITE_MEAN,
        std=LITE_STD,
        source=_shipped(_train("deeplabv3plus_camvid", "camvid_train", "camvid_val")),
    ),
    # For streets in general: CamVid and IDD Lite over seven coarse classes, people and vehicles known.
    "deeplabv3plus_roads": ModelEntry(
        "oodretrieval.models",
        "DeepLabV3Plus",
        {"num_classes": 7, "backbone": "tf_efficientnet_lite2"},
        weights="pretrained/deeplabv3plus_roads.safetensors",
        meta_model="boosting_roads",
        novelty="pretrained/novelty_roads.safetensors",
        mean=LITE_MEAN,
        std=LITE_STD,
        size=(480, 640),  # in the middle of the scales that it was trained at
        source=_shipped(_train("deeplabv3plus_roads", "roads_train", "roads_val", ROADS_TRAINING)),
    ),
    # Each trained on two of CamVid's three drives, for the third: benchmarks/scenes.py.
    "deeplabv3plus_without_0001tp": _without_drive("0001tp"),
    "deeplabv3plus_without_0006r0": _without_drive("0006r0"),
    "deeplabv3plus_without_0016e5": _without_drive("0016e5"),
    # With an implicit background; any entry can have one, as class and weights know nothing of it.
    "deeplabv3plus_camvid_background": _on_camvid("deeplabv3plus_camvid_background", "DeepLabV3Plus", True),
    # FCN and PSPNet, for comparison with DeepLabV3+: the same backbone, the same classes, the same training.
    "fcn_camvid": _on_camvid("fcn_camvid", "FCN", variant="8s"),  # or 16s, 32s, plain
    "pspnet_camvid": _on_camvid("pspnet_camvid", "PSPNet"),
    # DeepLabV3+ on Wide ResNet-38, trained on Cityscapes by NVIDIA: set the path of your copy.
    "deeplabv3plus": ModelEntry(
        "oodretrieval.models",
        "DeepWV3Plus",
        {"num_classes": 19},
        weights="weights/cityscapes_best.pth",
        size=(1024, 2048),
        source="fetch NVIDIA's cityscapes_best.pth, which the README of the repository NVIDIA/semantic-segmentation "
        "(branch sdcnet) links under pre-trained models, put it there as it is, or set `weights` of the entry "
        "'deeplabv3plus' in configuration.py to where it lies",
    ),
    # Your own class, by module path; see "Your own network" in docs/extending.md. A file of weights that holds more
    # than tensors is refused, unless you trust who made it and add run_code=True: it can do whatever you can.
    # "mine": ModelEntry("my_package.my_network", "MyNetwork", {"num_classes": 19}, weights="mine.safetensors"),
    # Networks of others, each by one entry; sizes, parameters and licences stand in the table of docs/networks.md.
    # `weights` names the file or folder on this computer that a network is read from. What comes from a hub is named
    # among the arguments instead: it is downloaded once, and used from the cache from then on.
    # torchvision: from its host into TORCH_HOME, or a state dict of yours (weights="net.pth" in place of `published`).
    # "deeplabv3_voc": ModelEntry(
    #     "oodretrieval.models.adapters",
    #     "TorchvisionNetwork",
    #     {"name": "deeplabv3_resnet50", "published": "COCO_WITH_VOC_LABELS_V1"},
    # ),
    # transformers, pip install -e '.[transformers]': from the Hugging Face hub into HF_HOME (HF_HUB_OFFLINE=1 never
    # asks it), or a folder of save_pretrained (weights="folder" in place of `repository`).
    # "segformer": ModelEntry(
    #     "oodretrieval.models.adapters",
    #     "TransformersNetwork",
    #     {"repository": "nvidia/segformer-b0-finetuned-cityscapes-1024-1024"},
    # ),
    # Likewise openmmlab/upernet-convnext-tiny, facebook/mask2former-swin-tiny-cityscapes-semantic,
    # shi-labs/oneformer_cityscapes_swin_large.
    # ONNX, pip install -e '.[onnx]'. A fixed input size is read from the file; logits are expected, of one output.
    # "onnx": ModelEntry("oodretrieval.models.adapters", "OnnxNetwork", weights="net.onnx"),
    # "onnx_softmax": ModelEntry(
    #     "oodretrieval.models.adapters",
    #     "OnnxNetwork",
    #     {"output": "probabilities", "output_name": "out", "multiple_of": 32},
    #     weights="net.onnx",
    # ),
    # TorchScript and torch.export are programs: take them only from people whom you would let run one. The first
    # runs no Python; reading the second does, which run_code=True allows.
    # "torchscript": ModelEntry(
    #     "oodretrieval.models.adapters", "TorchScriptNetwork", {"input_size": (512, 1024)}, weights="net.pt"
    # ),
    # "exported": ModelEntry(
    #     "oodretrieval.models.adapters", "ExportedNetwork", weights="net.pt2", run_code=True
    # ),
}

META_MODELS = {
    # The published architecture. The path is where it is read from and where training saves it.
    "meta_nn": MetaModelEntry("oodretrieval.meta_models", "NeuralMetaModel"),
    "linear": MetaModelEntry("oodretrieval.meta_models", "LinearMetaModel"),
    "logistic": MetaModelEntry("oodretrieval.meta_models", "LogisticMetaModel"),
    "boosting": MetaModelEntry("oodretrieval.meta_models", "BoostedMetaModel"),
    # Trained with the shipped networks, on images that show nothing unknown or leave it out.
    "meta_nn_streets": _shipped_meta_nn("streets"),
    "meta_nn_camvid": _shipped_meta_nn("camvid"),
    # The best estimate of the IoU: docs/meta_models.md.
    "boosting_streets": _shipped_boosting("streets"),
    "boosting_camvid": _shipped_boosting("camvid"),
    "boosting_roads": _shipped_boosting("roads"),
}

EMBEDDINGS: dict[str, EmbeddingEntry] = {
    # Networks for args.net that need more than a name: weights from a file, a text side, a class of yours. Those of
    # oodretrieval.embedding and all of timm's go by their names alone (docs/embeddings.md).
    # The default: efficientnet_lite0_layers, with what the labels of streets taught it behind it (docs/retrieval.md):
    "efficientnet_lite0_taught": EmbeddingEntry(
        "oodretrieval.embedding", "TaughtEmbedding", weights="pretrained/embedding_camvid.safetensors"
    ),
    # "dinov2": EmbeddingEntry("oodretrieval.embedding", "TimmEmbedding",
    #     {"name": "vit_small_patch14_dinov2"}, weights="weights/dinov2_vits14.safetensors"),
    # With a text side, pip install -e '.[text]': `weights` names the folder of a repository of open_clip's.
    # "clip": EmbeddingEntry("oodretrieval.embedding", "OpenClipEmbedding", weights="weights/CLIP-ViT-B-32"),
}
