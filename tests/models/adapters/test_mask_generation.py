"""Segment Anything from a folder: tiny ones with random weights, and folders that hold something else."""

import json

import numpy as np
import pytest
import torch
import transformers

from oodretrieval.errors import ConfigurationError, WeightsError
from oodretrieval.models.adapters import MaskGenerator

SIDE = 64
EVERYTHING = {"points": 3, "min_iou": -99.0, "min_stability": 0.0}
IMAGE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)


def sam(folder):
    torch.manual_seed(0)
    config = transformers.SamConfig(
        vision_config=transformers.SamVisionConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=SIDE, patch_size=8,
            output_channels=16, window_size=0, global_attn_indexes=[0], mlp_dim=32, num_pos_feats=8,
        ),
        prompt_encoder_config=transformers.SamPromptEncoderConfig(
            hidden_size=16, image_size=SIDE, patch_size=8, mask_input_channels=4
        ),
        mask_decoder_config=transformers.SamMaskDecoderConfig(
            hidden_size=16, mlp_dim=16, num_hidden_layers=1, num_attention_heads=2, iou_head_hidden_dim=16,
            iou_head_depth=2,
        ),
    )  # fmt: skip
    transformers.SamModel(config).save_pretrained(folder)
    transformers.SamImageProcessor(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE},
        mask_size={"longest_edge": 32}, mask_pad_size={"height": 32, "width": 32},
    ).save_pretrained(folder)  # fmt: skip


def sam2(folder):
    torch.manual_seed(0)
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=8, num_attention_heads=1, image_size=[SIDE, SIDE], blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[4, 4, 2, 2], global_attention_blocks=[3],
        window_positional_embedding_background_size=[4, 4],
    )  # fmt: skip
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8], fpn_hidden_size=16,
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
    )  # fmt: skip
    config = transformers.Sam2Config(
        vision_config=vision,
        prompt_encoder_config=transformers.Sam2PromptEncoderConfig(
            hidden_size=16, image_size=SIDE, patch_size=16, mask_input_channels=4
        ),
        mask_decoder_config=transformers.Sam2MaskDecoderConfig(
            hidden_size=16, mlp_dim=16, num_hidden_layers=1, num_attention_heads=2, iou_head_hidden_dim=16,
            iou_head_depth=2,
        ),
    )  # fmt: skip
    transformers.Sam2Model(config).save_pretrained(folder)
    transformers.Sam2ImageProcessor(
        size={"height": SIDE, "width": SIDE}, mask_size={"height": 32, "width": 32}
    ).save_pretrained(folder)


WRITERS = {"sam": sam, "sam2": sam2}


@pytest.fixture(scope="module", params=WRITERS)
def written(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    WRITERS[request.param](folder)
    return request.param, folder


def test_masks_are_of_the_image(written):
    kind, folder = written
    masks = MaskGenerator(folder, kind, **EVERYTHING)(IMAGE)
    assert masks.dtype == bool
    assert len(masks) >= 1
    assert masks.shape[1:] == IMAGE.shape[:2]
    assert 0 < masks.mean() < 1
    np.testing.assert_array_equal(masks, MaskGenerator(folder, kind, **EVERYTHING)(IMAGE))


def test_an_image_in_which_nothing_is_found(written):
    kind, folder = written
    assert MaskGenerator(folder, kind, points=2, min_iou=99.0)(IMAGE).shape == (0, 48, 64)


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_without_weights_there_is_an_error_and_no_download(tmp_path, folder):
    with pytest.raises(WeightsError, match=r"args.proposals_weights.*args.proposals=regions"):
        MaskGenerator(tmp_path / folder if folder else "", "sam")


def test_another_kind_of_network_is_refused(written, tmp_path):
    kind, folder = written
    other = {"sam": "sam2", "sam2": "sam"}[kind]
    with pytest.raises(ConfigurationError, match=f"args.proposals={other} needs"):
        MaskGenerator(folder, other)


def test_damaged_weights_and_a_missing_processor(tmp_path):
    sam(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(WeightsError, match="no weights that can be loaded"):
        MaskGenerator(tmp_path, "sam")
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(WeightsError, match="save the processor"):
        MaskGenerator(tmp_path, "sam")


def test_missing_tensors_are_an_error(tmp_path):
    sam(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["vision_config"]["num_hidden_layers"] = 2
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="lacks .* tensors"):
        MaskGenerator(tmp_path, "sam")


def test_code_in_a_folder_is_never_run(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil"}})
    )
    (tmp_path / "evil.py").write_text("raise SystemExit('run')")
    with pytest.raises(ConfigurationError, match="without running code"):
        MaskGenerator(tmp_path, "sam")
