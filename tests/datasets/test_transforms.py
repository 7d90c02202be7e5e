import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from oodretrieval.datasets import ImageFolder, Sample
from oodretrieval.datasets.transforms import TrainingTensors, colour_cast, image_tensor, training_transform
from oodretrieval.errors import DatasetError
from oodretrieval.labels import LabelSet

MEAN, STD = (0.5, 0.25, 0.1), (0.2, 0.4, 0.5)
COLOURS = np.array([[200, 30, 60], [20, 180, 90], [50, 60, 240]], np.uint8)


def scene(height=24, width=36, seed=0):
    """Large blocks of three colours, each colour a class: labels are a function of the image."""
    blocks = np.random.default_rng(seed).integers(0, 3, (2, 2))
    labels = np.kron(blocks, np.ones((height // 2, width // 2), int)).astype(np.uint8)
    return tv_tensors.Image(torch.from_numpy(COLOURS[labels]).permute(2, 0, 1)), tv_tensors.Mask(
        torch.from_numpy(labels)
    )


def classes_of(image):
    """Nearest colour of each pixel, its distance, and whether the pixel is padding (black)."""
    pixels = image.permute(1, 2, 0).numpy().astype(int)
    distance = np.abs(pixels[:, :, None] - COLOURS.astype(int)).sum(-1)
    return distance.argmin(-1), distance.min(-1), (pixels == 0).all(-1)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("scale", [(0.5, 2.0), (0.3, 0.4), (1.0, 1.0)])
def test_image_and_labels_stay_together(seed, scale):
    torch.manual_seed(seed)
    image, labels = training_transform(20, 28, scale, colour=0.0)(*scene(seed=seed))
    assert image.shape == (3, 20, 28)
    assert labels.shape == (20, 28)
    assert image.dtype == labels.dtype == torch.uint8
    nearest, distance, padding = classes_of(image)
    labels = labels.numpy()
    assert ((labels == 255) == padding).all(), "padding and nothing else is 255"
    clear = (distance < 30) & ~padding
    assert clear.sum() > 0.25 * (~padding).sum()
    assert (nearest[clear] == labels[clear]).mean() > 0.97


def test_labels_are_never_mixed():
    torch.manual_seed(0)
    transform = training_transform(20, 28)
    image, mask = scene()
    mask = tv_tensors.Mask(torch.where(mask == 1, 200, mask))
    for _ in range(10):
        assert set(np.unique(transform(image, mask)[1])) <= {0, 2, 200, 255}


def test_flips_both_or_none():
    torch.manual_seed(0)
    image, labels = scene()
    flipped = training_transform(24, 36, (1.0, 1.0), flip=1.0, colour=0.0)(image, labels)
    assert torch.equal(flipped[0], image.flip(-1))
    assert torch.equal(flipped[1], labels.flip(-1))
    same = training_transform(24, 36, (1.0, 1.0), flip=0.0, colour=0.0)(image, labels)
    assert torch.equal(same[0], image)


@pytest.mark.parametrize(("height", "width"), [(24, 36), (24, 72), (48, 36)])
def test_scale_one_is_the_largest_image_that_fits_into_the_crop(height, width):
    """Twice as wide a crop around the same image: nothing grows, the rest is padding."""
    torch.manual_seed(0)
    image, labels = training_transform(height, width, (1.0, 1.0), flip=0, colour=0)(*scene())
    _, _, padding = classes_of(image)
    assert (~padding).sum() == 24 * 36
    assert (labels == 255).sum() == height * width - 24 * 36


def test_small_images_are_padded_and_large_ones_cropped():
    torch.manual_seed(0)
    _, small = training_transform(24, 36, (0.5, 0.5))(*scene())
    assert (small != 255).sum() == 12 * 18
    _, large = training_transform(24, 36, (2.0, 2.0))(*scene())
    assert (large != 255).all()


def test_colour_changes_the_image_only():
    torch.manual_seed(0)
    image, labels = scene()
    changed = training_transform(24, 36, (1.0, 1.0), flip=0.0, colour=0.5)(image, labels)
    assert not torch.equal(changed[0], image)
    assert torch.equal(changed[1], labels)


def test_photometric_changes_the_image_only():
    image, labels = scene(48, 72)
    other = []
    for seed in range(8):
        torch.manual_seed(seed)
        transform = training_transform(48, 72, (1.0, 1.0), flip=0.0, colour=0.0, photometric=1.0)
        changed, kept = transform(image, labels)
        assert changed.dtype == torch.uint8 and changed.shape == image.shape
        assert torch.equal(kept, labels)
        other.append(changed)
    assert all(not torch.equal(image, changed) for changed in other)
    assert not torch.equal(other[0], other[1])


def test_without_photometric_and_rotation_no_random_numbers_are_used_for_them():
    """What was trained before they were there is trained the same."""
    images = []
    for options in ({}, {"photometric": 0.0, "rotation": 0.0}):
        torch.manual_seed(3)
        images.append(training_transform(20, 28, **options)(*scene())[0])
    assert torch.equal(*images)


def test_a_colour_cast_is_one_rising_curve_for_each_channel():
    image = torch.arange(256, dtype=torch.uint8).expand(3, 2, 256)
    torch.manual_seed(0)
    cast = colour_cast(image)
    assert cast.dtype == torch.uint8 and cast.shape == image.shape
    assert (cast[..., 1:].int() >= cast[..., :-1].int()).all() and not cast[..., 0].any()
    assert not torch.equal(cast[0], cast[1])
    shuffled = torch.randperm(256)
    torch.manual_seed(0)
    assert torch.equal(colour_cast(image[..., shuffled]), cast[..., shuffled])


@pytest.mark.parametrize("seed", range(6))
def test_rotation_turns_both_and_pads_the_corners(seed):
    torch.manual_seed(seed)
    transform = training_transform(48, 72, (1.0, 1.0), flip=0.0, colour=0.0, rotation=20.0)
    image, labels = transform(*scene(48, 72, seed=seed))
    nearest, distance, padding = classes_of(image)
    labels = labels.numpy()
    assert set(np.unique(labels)) <= {0, 1, 2, 255} and (labels == 255).any()
    clear = (distance < 30) & ~padding & (labels != 255)
    assert clear.mean() > 0.5
    assert (nearest[clear] == labels[clear]).mean() > 0.97


def test_normalisation_pixel_by_pixel():
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    tensor = image_tensor(image, MEAN, STD)
    assert tensor.dtype == torch.float32
    expected = ((image / 255 - MEAN) / STD).transpose(2, 0, 1)
    np.testing.assert_allclose(tensor.numpy(), expected, atol=1e-6)


def test_normalisation_leaves_the_image_alone_and_takes_read_only_ones():
    image = np.full((2, 2, 3), 7, np.uint8)
    image.setflags(write=False)
    image_tensor(image, MEAN, STD).zero_()
    assert (image == 7).all()


class Two:
    """Two samples; label 7 is unknown, 9 void."""

    label_set = LabelSet(
        {0: ("a", (1, 1, 1)), 4: ("b", (2, 2, 2)), 7: ("cow", (3, 3, 3)), 9: ("void", (0, 0, 0))},
        {0: ("a", (1, 1, 1)), 1: ("b", (2, 2, 2))},
        {0: 0, 4: 1, 7: 255, 9: 255},
        frozenset({9}),
    )

    def __len__(self):
        return 2

    def __getitem__(self, index):
        labels = None if index == 1 else np.array([[0, 4, 7], [9, 4, 0]], np.uint8)
        return Sample(np.full((2, 3, 3), 51, np.uint8), labels, "path.png", str(index))


def test_training_tensors_are_normalised_images_and_predicted_ids():
    tensors = TrainingTensors(Two(), MEAN, STD)
    assert len(tensors) == 2
    image, target = tensors[0]
    assert image.shape == (3, 2, 3)
    np.testing.assert_allclose(image[:, 0, 0], (0.2 - np.array(MEAN)) / STD, atol=1e-6)
    assert target.dtype == torch.int64
    assert target.tolist() == [[0, 1, 255], [255, 1, 0]]
    assert type(image) is type(target) is torch.Tensor


def test_training_tensors_transform_before_they_normalise():
    image, target = TrainingTensors(Two(), MEAN, STD, training_transform(8, 8, (0.5, 0.5)))[0]
    assert image.shape == (3, 8, 8)
    padding = target == 255
    black = -torch.tensor(MEAN) / torch.tensor(STD)
    corner = image[:, padding].T
    assert torch.isclose(corner, black, atol=1e-6).all(1).any()
    assert target.dtype == torch.int64


def test_an_image_without_labels_among_labelled_ones_is_named():
    with pytest.raises(DatasetError, match=r"path\.png has no labels"):
        TrainingTensors(Two(), MEAN, STD)[1]


def test_a_dataset_without_truth_is_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(DatasetError, match="has no truth"):
        TrainingTensors(ImageFolder(tmp_path), MEAN, STD)
