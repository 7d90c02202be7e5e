"""Datasets: what they yield (:class:`Sample`), those that ship, parts of them, and a user's own by entry."""

from oodretrieval.datasets.a2d2 import A2D2
from oodretrieval.datasets.adapt import AdaptedDataset, open_dataset
from oodretrieval.datasets.anomalies import AnomalySet
from oodretrieval.datasets.background import BackgroundDataset, with_background
from oodretrieval.datasets.camvid import CamVid
from oodretrieval.datasets.camvid_drives import CamVidDrives
from oodretrieval.datasets.cityscapes import Cityscapes
from oodretrieval.datasets.exported import ExportedLabels, with_new_classes
from oodretrieval.datasets.folder import ImageFolder
from oodretrieval.datasets.idd_lite import IDDLite
from oodretrieval.datasets.joined import JoinedDataset, join_datasets
from oodretrieval.datasets.lost_and_found import LostAndFound
from oodretrieval.datasets.sample import (
    FileDataset,
    FileItem,
    Sample,
    SegmentationDataset,
)
from oodretrieval.datasets.street_classes import StreetClassDataset, with_street_classes
from oodretrieval.datasets.subset import Subset, subset_by_class, subset_by_file_list, subset_by_index
from oodretrieval.images import read_image, read_label_image

__all__ = [
    "A2D2",
    "AdaptedDataset",
    "AnomalySet",
    "BackgroundDataset",
    "CamVid",
    "CamVidDrives",
    "Cityscapes",
    "ExportedLabels",
    "FileDataset",
    "FileItem",
    "IDDLite",
    "ImageFolder",
    "JoinedDataset",
    "LostAndFound",
    "Sample",
    "SegmentationDataset",
    "StreetClassDataset",
    "Subset",
    "join_datasets",
    "open_dataset",
    "read_image",
    "read_label_image",
    "subset_by_class",
    "subset_by_file_list",
    "subset_by_index",
    "with_background",
    "with_new_classes",
    "with_street_classes",
]
