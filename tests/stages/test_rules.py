from oodretrieval.results.rules import Resampling


def test_intervals_of_fewer_images_than_a_block_are_not_passed_off_as_such():
    few, more = Resampling(20, 500).words(20), Resampling(20, 500).words(21)
    assert few.startswith("none, as one block of 20 holds all 20 images; set args.block lower")
    assert more == "95 %, bootstrap over moving blocks of 20 images in a row, 500 resamples"
    assert Resampling(1, 500).words(2) == "95 %, bootstrap over images, 500 resamples"
