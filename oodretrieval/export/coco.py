"""Tagged candidates as COCO's annotations of instances."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oodretrieval.export.tagged_candidates import TaggedCandidate
from oodretrieval.masks import to_coco


def images_root(candidates: Sequence[TaggedCandidate]) -> Path:
    """The folder below which all images lie.

    Args:
        candidates: At least one.

    Returns:
        The deepest one.
    """
    return Path(os.path.commonpath([candidate.image_path.parent for candidate in candidates]))


def coco_annotations(candidates: Sequence[TaggedCandidate], names: Sequence[str]) -> dict[str, Any]:
    """COCO's JSON: images, categories from 1, and one annotation for each tag of each candidate.

    Args:
        candidates: At least one.
        names: Tags in the order of their categories.

    Returns:
        Plain values. Masks are uncompressed run lengths, boxes are left, top, width, height in pixels; names of files
        are relative to ``info.images_root``; ``attributes`` says where a candidate is from.

    Source:
        Lin et al., "Microsoft COCO", arXiv:1405.0312, and https://cocodataset.org/#format-data.
    """
    root = images_root(candidates)
    images: dict[tuple[str, str], dict[str, Any]] = {}
    annotations = []
    categories = {name: number for number, name in enumerate(names, 1)}
    for number, candidate in enumerate(candidates, 1):
        dataset, image_id, segment = candidate.key
        mask = candidate.mask
        image = images.setdefault(
            (dataset, image_id),
            {
                "id": len(images) + 1,
                "file_name": candidate.image_path.relative_to(root).as_posix(),
                "height": mask.size[0],
                "width": mask.size[1],
            },
        )
        left, top, right, bottom = mask.box
        annotations.append(
            {
                "id": number,
                "image_id": image["id"],
                "category_id": categories[candidate.tag],
                "segmentation": to_coco(mask),
                "area": mask.area,
                "bbox": [left, top, right - left, bottom - top],
                "iscrowd": 0,
                "attributes": {"dataset": dataset, "image_id": image_id, "candidate": segment},
            }
        )
    return {
        "info": {"description": "tagged candidates of OODRetrieval", "images_root": str(root)},
        "images": list(images.values()),
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
        "annotations": annotations,
    }
