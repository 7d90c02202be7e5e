"""Miniature datasets in the true folder layouts, a few kilobytes each, the same at every run.

    python tests/datasets/make_miniatures.py <folder>

The tests write them to a temporary folder; nothing of it is stored in the repository.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 24, 40

A2D2_COLOURS = {
    "#ff0000": "Car 1",
    "#c80000": "Car 2",
    "#960000": "Car 3",
    "#800000": "Car 4",
    "#b65906": "Bicycle 1",
    "#cc99ff": "Pedestrian 1",
    "#bd499b": "Pedestrian 2",
    "#0080ff": "Traffic signal 1",
    "#00ffff": "Traffic sign 1",
    "#ffff00": "Utility vehicle 1",
    "#ff0080": "Obstacles / trash",
    "#ccff99": "Animals",
    "#93fdc2": "Nature object",
    "#b496c8": "Sidewalk",
    "#48d1cc": "Ego car",
    "#c87dd2": "Painted driv. instr.",
    "#9f79ee": "Traffic guide obj.",
    "#ff00ff": "RD normal street",
    "#87ceff": "Sky",
    "#f1e6ff": "Buildings",
    "#60458f": "Blurred area",
    "#352e52": "Rain dirt",
}


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def picture(rng):
    return rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def blocks(rng, ids):
    """Label ids in blocks of 4×4 pixels."""
    coarse = rng.choice(np.asarray(ids), (HEIGHT // 4, WIDTH // 4))
    return np.kron(coarse, np.ones((4, 4), int)).astype(np.uint8)


def write_cityscapes(root, seed=0):
    """Two cities in train, one in val, one in test whose label files are dummies."""
    rng = np.random.default_rng(seed)
    for split, cities in {"train": ("aachen", "bochum"), "val": ("ulm",), "test": ("bonn",)}.items():
        for city in cities:
            for frame in (19, 20):
                stem = f"{split}/{city}/{city}_000000_{frame:06d}"
                save(root / "leftImg8bit" / f"{stem}_leftImg8bit.png", picture(rng))
                ids = [0] if split == "test" else range(34)
                save(root / "gtFine" / f"{stem}_gtFine_labelIds.png", blocks(rng, ids))
                save(root / "gtFine" / f"{stem}_gtFine_instanceIds.png", blocks(rng, [0]))
    rider = root / "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png"
    for path in sorted(root.glob("gtFine/train/*/*_labelIds.png")):
        labels = np.array(Image.open(path))
        labels[labels == 25] = 24
        if path == rider:
            labels[:3, :5] = 25
        save(path, labels)
    return root


def write_lost_and_found(root, seed=1):
    rng = np.random.default_rng(seed)
    for split, scene in (("train", "01_Hanns_Klemm_Str_45"), ("test", "02_Hanns_Klemm_Str_44")):
        for frame in (40, 50):
            stem = f"{split}/{scene}/{scene}_000000_{frame:06d}"
            save(root / "leftImg8bit" / f"{stem}_leftImg8bit.png", picture(rng))
            save(root / "gtCoarse" / f"{stem}_gtCoarse_labelIds.png", blocks(rng, range(44)))
            save(root / "gtCoarse" / f"{stem}_gtCoarse_labelTrainIds.png", blocks(rng, range(3)))
    return root


def write_a2d2(root, seed=2):
    """Two sequences; only the first has a camera that looks to the side."""
    rng = np.random.default_rng(seed)
    base = root / "camera_lidar_semantic"
    palette = np.array([[int(key[i : i + 2], 16) for i in (1, 3, 5)] for key in A2D2_COLOURS], np.uint8)
    palette = np.vstack([palette, np.zeros((1, 3), np.uint8)])
    cameras = {"20180807_145028": ("front_center", "side_left"), "20181008_095521": ("front_center",)}
    for sequence, positions in cameras.items():
        for position in positions:
            for frame in (91, 135):
                name = f"{sequence.replace('_', '')}_{{}}_{position.replace('_', '')}_{frame:09d}.png"
                folder = base / sequence
                save(folder / "camera" / f"cam_{position}" / name.format("camera"), picture(rng))
                colours = palette[blocks(rng, range(len(palette)))]
                save(folder / "label" / f"cam_{position}" / name.format("label"), colours)
                lidar = folder / "lidar" / f"cam_{position}" / (name.format("lidar")[:-4] + ".npz")
                lidar.parent.mkdir(parents=True, exist_ok=True)
                lidar.touch()
    (base / "class_list.json").write_text(json.dumps(A2D2_COLOURS))
    return root


def write_camvid(root, seed=3):
    rng = np.random.default_rng(seed)
    for split in ("train", "val", "test"):
        for frame in (1, 2):
            save(root / split / f"0001TP_{frame:06d}.png", picture(rng))
            save(root / f"{split}annot" / f"0001TP_{frame:06d}.png", blocks(rng, range(12)))
    return root


def write_camvid_drives(root, seed=5):
    """Two drives in train, one in train and val; full labels of all its frames but the first, none of 0001TP."""
    rng = np.random.default_rng(seed)
    train = ("0001TP_000001", "0006R0_f00930", "0016E5_000001", "0016E5_000002")
    splits = {"train": train, "val": ("0016E5_000003",)}
    for split, frames in splits.items():
        for frame in frames:
            save(root / split / f"{frame}.png", picture(rng))
            save(root / f"{split}annot" / f"{frame}.png", blocks(rng, range(12)))
    for frame in ("0006R0_f00930", "0016E5_000002", "0016E5_000003"):
        save(root / "labels32" / f"{frame}.png", blocks(rng, range(32)))
    return root


IDD_IDS = (*range(7), 255)
IDD_FRAMES = (("train", 0, "000041"), ("train", 12, "000003"), ("val", 119, "000127"))


def write_idd_lite(root, seed=6):
    """All files of a kind in one folder."""
    rng = np.random.default_rng(seed)
    for split, sequence, frame in IDD_FRAMES:
        save(root / "images" / f"{split}_{sequence}_{frame}.jpg", picture(rng))
        save(root / "labels" / f"{split}_{sequence}_{frame}.png", blocks(rng, IDD_IDS))
    return root


def write_idd_lite_published(root, seed=6):
    """The same images in folders by split and sequence, with instance labels next to the labels."""
    rng = np.random.default_rng(seed)
    for split, sequence, frame in IDD_FRAMES:
        save(root / "leftImg8bit" / split / str(sequence) / f"{frame}_image.jpg", picture(rng))
        labels = root / "gtFine" / split / str(sequence)
        save(labels / f"{frame}_label.png", blocks(rng, IDD_IDS))
        save(labels / f"{frame}_inst_label.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    return root


BINARY_IDS = (0, 0, 1, 255)


def write_anomalies(root, seed=7):
    rng = np.random.default_rng(seed)
    for key, suffix in (("scene0000", "png"), ("scene0001", "jpg"), ("scene0002", "webp")):
        save(root / "images" / f"{key}.{suffix}", picture(rng))
        save(root / "labels" / f"{key}.png", blocks(rng, BINARY_IDS))
    return root


def write_segment_me_if_you_can(root, seed=8):
    """Two images with labels, and one of the test set without."""
    rng = np.random.default_rng(seed)
    for key in ("validation0000", "validation0001"):
        save(root / "images" / f"{key}.jpg", picture(rng))
        save(root / "labels_masks" / f"{key}_labels_semantic.png", blocks(rng, BINARY_IDS))
        save(root / "labels_masks" / f"{key}_labels_semantic_color.png", picture(rng))
    save(root / "images" / "test0000.jpg", picture(rng))
    return root


def write_road_anomaly(root, seed=9):
    rng = np.random.default_rng(seed)
    for key in ("animals01_calves", "cones02_road"):
        save(root / "frames" / f"{key}.jpg", picture(rng))
        save(root / "frames" / f"{key}.labels" / "labels_semantic.png", blocks(rng, (0, 1, 2)))
        save(root / "frames" / f"{key}.labels" / "labels_instance.png", blocks(rng, (0, 1)))
    return root


def write_fishyscapes(root, seed=10):
    """The first image has something to be added to its photograph, the second is as it was taken."""
    rng = np.random.default_rng(seed)
    for number, frame in enumerate(("04_Maurener_Weg_8_000000_000030", "frankfurt_000000_000294")):
        place = frame.rsplit("_", 2)[0]
        save(root / "leftImg8bit/val" / place / f"{frame}_leftImg8bit.png", picture(rng))
        save(root / f"{number:04d}_{frame}_labels.png", blocks(rng, BINARY_IDS))
    np.savez_compressed(root / "0000_object_rgb.npz", rgb=rng.integers(-300, 300, (HEIGHT, WIDTH, 3)))
    return root


def write_folder(root, seed=4):
    """Every accepted kind of file, nested, next to files that are to be skipped."""
    rng = np.random.default_rng(seed)
    colour = Image.fromarray(picture(rng))
    (root / "tour/day 1").mkdir(parents=True)
    (root / ".cache").mkdir()
    colour.save(root / "rgb.png")
    colour.convert("L").save(root / "tour/grey.JPG")
    colour.convert("RGBA").save(root / "tour/day 1/alpha.PNG")
    colour.convert("P").save(root / "tour/day 1/palette.png")
    colour.save(root / "tour/day 1/photo.v2.jpeg")
    colour.save(root / "tour/web.webp")
    colour.save(root / ".hidden.png")
    colour.save(root / ".cache/thumbnail.png")
    (root / "notes.txt").write_text("no image")
    return root


WRITERS = {
    "cityscapes": write_cityscapes,
    "lost_and_found": write_lost_and_found,
    "a2d2": write_a2d2,
    "camvid": write_camvid,
    "camvid_drives": write_camvid_drives,
    "idd_lite": write_idd_lite,
    "idd_lite_published": write_idd_lite_published,
    "anomalies": write_anomalies,
    "segment_me_if_you_can": write_segment_me_if_you_can,
    "road_anomaly": write_road_anomaly,
    "fishyscapes": write_fishyscapes,
    "folder": write_folder,
}


def write_all(root):
    for name, write in WRITERS.items():
        write(Path(root) / name)
    return Path(root)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write_all(sys.argv[1])
