"""Names that the scripts know: datasets, networks, meta models, and the defaults.

Edit this file, or point OODRETRIEVAL_CONFIGURATION at your own copy. Nothing happens on import.
"""

import os
from pathlib import Path

from oodretrieval.entries import LITE_MEAN, LITE_STD, DatasetEntry, MetaModelEntry, ModelEntry

# Where everything is written; OODRETRIEVAL_WORKSPACE or args.workspace take precedence.
WORKSPACE = "workspace"

# Where datasets lie: $OODRETRIEVAL_DATA/camvid, /cityscapes, /cityscapes_laf, /a2d2. args.root=… overrides the
# root of the dataset in use.
DATA = os.environ.get("OODRETRIEVAL_DATA") or str(Path(__file__).parent / "data")

# What the scripts use where the command line says nothing.
DATASET = "streets_test"  # images to search for unknown objects
TRAIN_DATASET = (
    "streets_val"  # the meta model learns here: known classes, but not the network's training images
)
VAL_DATASET = "streets_test"  # the meta model is judged here
MODEL = "deeplabv3plus_streets"
META_MODEL = "meta_nn"
EMBEDDING = "efficientnet_lite0"

# CamVid's network was not taught these: they are what it should stumble over.
CAMVID_UNKNOWN = ("pedestrian", "bicyclist")


def _streets(split: str) -> DatasetEntry:
    return DatasetEntry("oodretrieval.datasets.streets", "Streets", {"split": split})


def _camvid(split: str) -> DatasetEntry:
    return DatasetEntry(
        "oodretrieval.datasets.camvid",
        "CamVid",
        {"root": f"{DATA}/camvid", "split": split, "unknown": CAMVID_UNKNOWN},
    )


def _cityscapes(split: str) -> DatasetEntry:
    return DatasetEntry(
        "oodretrieval.datasets.cityscapes", "Cityscapes", {"root": f"{DATA}/cityscapes", "split": split}
    )


DATASETS = {
    # Rendered at first use; needs no files.
    "streets_train": _streets("train"),
    "streets_val": _streets("val"),
    "streets_test": _streets("test"),
    "camvid_train": _camvid("train"),
    "camvid_val": _camvid("val"),
    "camvid_test": _camvid("test"),
    "cityscapes": _cityscapes("train"),
    "cityscapes_val": _cityscapes("val"),
    "cityscapes_test": _cityscapes("test"),
    "cityscapes_laf": DatasetEntry(
        "oodretrieval.datasets.lost_and_found",
        "LostAndFound",
        {"root": f"{DATA}/cityscapes_laf", "split": "test"},
    ),
    "a2d2": DatasetEntry(
        "oodretrieval.datasets.a2d2", "A2D2", {"root": f"{DATA}/a2d2", "cameras": ("front_center",)}
    ),
    # Any folder of png, jpg or webp images, without truth: args.root=path/to/images
    "custom_dataset": DatasetEntry(
        "oodretrieval.datasets.folder", "ImageFolder", {"root": f"{DATA}/custom_dataset"}
    ),
    # Your own class, by module path; see "Your own data" in the README.
    # "mine": DatasetEntry("my_package.my_dataset", "MyDataset", {"root": f"{DATA}/mine"}),
}

MODELS = {
    "deeplabv3plus_streets": ModelEntry(
        "oodretrieval.models",
        "DeepLabV3Plus",
        {"num_classes": 9, "backbone": "tf_efficientnet_lite0"},
        weights="pretrained/deeplabv3plus_streets.safetensors",
        mean=LITE_MEAN,
        std=LITE_STD,
        source="it comes with the repository; train it again with "
        "`python scripts/train_segmentation.py with args.model_name=deeplabv3plus_streets`",
    ),
    "deeplabv3plus_camvid": ModelEntry(
        "oodretrieval.models",
        "DeepLabV3Plus",
        {"num_classes": 9, "backbone": "tf_efficientnet_lite2"},
        weights="pretrained/deeplabv3plus_camvid.safetensors",
        mean=LITE_MEAN,
        std=LITE_STD,
        source="it comes with the repository; train it again with `python scripts/train_segmentation.py with "
        "args.model_name=deeplabv3plus_camvid args.dataset=camvid_train args.dataset_val=camvid_val`",
    ),
    # Your own class, by module path; see "Your own network" in the README.
    # "mine": ModelEntry("my_package.my_network", "MyNetwork", {"num_classes": 19}, weights="mine.safetensors"),
}

META_MODELS = {
    # The published architecture. The path is where it is read from and where training saves it.
    "meta_nn": MetaModelEntry("oodretrieval.meta_models", "NeuralMetaModel"),
    "linear": MetaModelEntry("oodretrieval.meta_models", "LinearMetaModel"),
    "logistic": MetaModelEntry("oodretrieval.meta_models", "LogisticMetaModel"),
    "boosting": MetaModelEntry("oodretrieval.meta_models", "BoostedMetaModel"),
    # Trained with the shipped networks, on images that show nothing unknown or leave it out.
    "meta_nn_streets": MetaModelEntry(
        "oodretrieval.meta_models", "NeuralMetaModel", path="pretrained/meta_nn_streets.safetensors"
    ),
    "meta_nn_camvid": MetaModelEntry(
        "oodretrieval.meta_models", "NeuralMetaModel", path="pretrained/meta_nn_camvid.safetensors"
    ),
    # The best estimate of the IoU: docs/meta_models.md.
    "boosting_streets": MetaModelEntry(
        "oodretrieval.meta_models",
        "BoostedMetaModel",
        {"features": ("extended",)},
        path="pretrained/boosting_streets.skops",
    ),
    "boosting_camvid": MetaModelEntry(
        "oodretrieval.meta_models",
        "BoostedMetaModel",
        {"features": ("extended",)},
        path="pretrained/boosting_camvid.skops",
    ),
}
