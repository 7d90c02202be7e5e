import numpy as np

from oodretrieval.charts.framed_image import framed_image


def test_the_frame_lies_around_the_pixels_and_the_image_stays():
    image = np.random.default_rng(0).integers(0, 200, (40, 60, 3), np.uint8)
    before = image.copy()
    framed = framed_image(image, (10, 5, 30, 25))
    np.testing.assert_array_equal(image, before)
    around = np.zeros((40, 60), bool)
    around[4:26, 9:31] = True
    around[5:25, 10:30] = False
    assert {tuple(pixel) for pixel in framed[around]} == {(214, 39, 40)}
    np.testing.assert_array_equal(framed[~around], image[~around])


def test_the_frame_of_a_box_at_the_border_and_of_a_large_image():
    image = np.zeros((1000, 2000, 3), np.uint8)
    framed = framed_image(image, (0, 0, 2000, 1000))
    assert not framed.any(), "it lies outside"
    thick = framed_image(image, (100, 100, 200, 200))
    assert (thick[150, 80:100, 0] == 214).sum() == 5, "as thick as a 400th of the longer side"
