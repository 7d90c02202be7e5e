"""A folder of images, and how single files are read."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from oodretrieval.datasets import ImageFolder, read_image, read_label_image
from oodretrieval.errors import DatasetNotFoundError, ImageError, UnpairedFilesError


def test_finds_every_kind_and_skips_the_rest(miniatures):
    assert ImageFolder(miniatures / "folder").ids == [
        "rgb", "tour/day 1/alpha", "tour/day 1/palette", "tour/day 1/photo.v2", "tour/grey", "tour/web",
    ]  # fmt: skip


def test_refuses_files_that_differ_in_their_suffix_only(fresh):
    root = fresh("folder")
    (root / "rgb.jpg").write_bytes((root / "tour/grey.JPG").read_bytes())
    with pytest.raises(UnpairedFilesError, match=r"'rgb': .*rgb\.jpg and .*rgb\.png"):
        ImageFolder(root)


def test_refuses_an_empty_folder(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"no image below.*args\.root"):
        ImageFolder(tmp_path)


def test_follows_links_once(fresh, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Image.new("RGB", (4, 4)).save(elsewhere / "linked.png")
    root = fresh("folder")
    (root / "album").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(root)
    ids = ImageFolder(root).ids
    assert "album/linked" in ids and len(ids) == 7


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "P", "RGBA", "1"])
def test_reads_8_bit_images_as_rgb(mode, tmp_path):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)).convert(mode)
    image.save(tmp_path / "x.png")
    read = read_image(tmp_path / "x.png")
    assert read.shape == (5, 7, 3) and read.dtype == np.uint8
    assert np.array_equal(read, np.asarray(image.convert("RGB")))


def test_reads_a_palette_with_transparency(tmp_path):
    image = Image.new("P", (3, 2), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.save(tmp_path / "x.png", transparency=bytes([0, 128]))
    assert read_image(tmp_path / "x.png")[0, 0].tolist() == [10, 20, 30]


def test_turns_photographs_upright(tmp_path):
    stored = np.zeros((8, 16, 3), np.uint8)
    stored[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(tmp_path / "x.jpg", exif=exif, quality=95)
    read = ImageFolder(tmp_path)[0].image
    assert read.shape == (16, 8, 3)
    assert read[:7].min() > 200 and read[9:].max() < 50


def sixteen_bit_rgb(width, height):
    """A PNG of 16 bits a channel, which Pillow cannot write."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\x12\x34" * 3 * width) * height
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_refuses_16_bit_images(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "grey.png")
    (tmp_path / "colour.png").write_bytes(sixteen_bit_rgb(3, 2))
    for name in ("grey.png", "colour.png"):
        with pytest.raises(ImageError, match=rf"{name} has more than 8 bits.*convert it to 8-bit RGB"):
            read_image(tmp_path / name)


def test_a_jpeg_2000_of_any_length_has_8_bits(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (20, 130, 3), np.uint8)
    lengths = set()
    for width in range(100, 130):
        Image.fromarray(noise[:, :width]).save(tmp_path / "x.jp2")
        lengths.add((tmp_path / "x.jp2").stat().st_size)
        assert read_image(tmp_path / "x.jp2").shape == (20, width, 3)
    assert any("16" in str(length) for length in lengths), "which is not the number of bits"


def test_names_a_missing_file(tmp_path):
    with pytest.raises(ImageError, match="it was there when the dataset was listed"):
        read_image(tmp_path / "x.png")


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 60000)])
def test_reads_label_ids_as_they_are(dtype, top, tmp_path):
    ids = np.array([[0, 1, top]], dtype)
    Image.fromarray(ids).save(tmp_path / "x.png")
    read = read_label_image(tmp_path / "x.png")
    assert read.dtype == dtype and np.array_equal(read, ids)


def test_reads_palette_labels_as_indices_and_bits_as_0_and_1(tmp_path):
    image = Image.fromarray(np.array([[0, 2], [1, 1]], np.uint8), mode=None)
    image.putpalette([9, 9, 9, 8, 8, 8, 7, 7, 7])
    image.save(tmp_path / "x.png")
    assert read_label_image(tmp_path / "x.png").tolist() == [[0, 2], [1, 1]]
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "b.png")
    assert read_label_image(tmp_path / "b.png").tolist() == [[1, 0]]


def test_refuses_colour_labels_and_ids_out_of_range(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "x.png")
    with pytest.raises(ImageError, match="mode RGB; label files must have one channel"):
        read_label_image(tmp_path / "x.png")
    Image.fromarray(np.array([[70000]], np.int32)).save(tmp_path / "x.tif")
    with pytest.raises(ImageError, match=r"70000.*0 … 65535"):
        read_label_image(tmp_path / "x.tif")
