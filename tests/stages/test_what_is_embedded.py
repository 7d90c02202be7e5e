"""What of a candidate is embedded, through the stage; the fixtures embed crops at their own size."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from oodretrieval.choices import DEFAULT_NET
from oodretrieval.datasets import read_image
from oodretrieval.embedding import ImageCandidates, embed_candidates, embedding_network
from oodretrieval.entries import EmbeddingEntry
from oodretrieval.errors import ConfigurationError, SettingsError, UnknownNameError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.select import embedder
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import Catalogue
from oodretrieval.stores.boxes import crop_boxes

AGAIN = {"load_file": "val", "gpu": -1}


def again(configuration, workspace, **options):
    compute_embeddings(from_mapping(EmbedSettings, {**AGAIN, **options}), Run(configuration, workspace))
    return Catalogue.named(workspace, "val")


def test_vectors_of_several_choices_lie_next_to_each_other(configuration, embedded):
    before = Catalogue.named(embedded, "val").vectors.copy()
    again(configuration, embedded, crop_size=32)
    catalogue = again(configuration, embedded, embedded="crop+pooled", crop_size=0)
    names = [DEFAULT_NET, f"{DEFAULT_NET}_crop+pooled", f"{DEFAULT_NET}_masked_32"]
    assert sorted(catalogue.embedding_names) == names
    assert np.array_equal(catalogue.vectors_of(names[0]), before)
    rows, boxes = catalogue.segments, crop_boxes(catalogue.segments)
    network = embedding_network()
    for place in (0, len(rows) - 1):
        shown = ImageCandidates(
            read_image(rows["image_path"][place]), [boxes[place]], [catalogue.masks[place]]
        )
        for name, views, size in ((names[1], ("crop", "pooled"), None), (names[2], ("masked",), 32)):
            expected = embed_candidates(network, [shown], views, size=size)[0]
            np.testing.assert_allclose(catalogue.vectors_of(name)[place], expected, rtol=1e-3, atol=1e-4)


def test_a_network_of_an_entry(configuration, embedded):
    entry = EmbeddingEntry(
        "oodretrieval.embedding", "TimmEmbedding", {"name": "test_vit", "pretrained": False}
    )
    catalogue = again(
        replace(configuration, embeddings={"tiny": entry}),
        embedded,
        net="tiny",
        embedded="masked",
        crop_size=0,
    )
    assert catalogue.default_embedding == "tiny_masked"
    assert catalogue.vectors.shape == (len(catalogue), 64)
    with pytest.raises(UnknownNameError, match="embedding network"):
        again(configuration, embedded, net="tiny")


def test_what_cannot_be_embedded_is_refused(configuration, embedded):
    with pytest.raises(SettingsError, match=r"sees whole images; add args\.embedded=pooled"):
        again(configuration, embedded, net="segmentation")
    with pytest.raises(ConfigurationError, match="ColourNetwork has no convolution"):
        again(configuration, embedded, net="segmentation", embedded="pooled")
    with pytest.raises(UnknownNameError, match="view of a candidate"):
        again(configuration, embedded, embedded="half")


@pytest.mark.slow  # two processes that import torch
def test_two_devices_embed_what_one_does(configuration, embedded, monkeypatch):
    monkeypatch.setattr(embedder, "IMAGES_A_TASK", 2)  # so that both have several tasks
    one = np.array(again(configuration, embedded, crop_size=48).vectors)
    entry = {"crop_size": 48, "overwrite": True}
    two = np.array(again(configuration, embedded, devices=("cpu", "cpu"), **entry).vectors)
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)
    again_two = np.array(again(configuration, embedded, devices=("cpu", "cpu"), **entry).vectors)
    assert again_two.tobytes() == two.tobytes(), "the same run gives the same vectors"


def test_images_go_to_each_device_in_turn_and_come_back_in_order(configuration, embedded, monkeypatch):
    """With threads in place of processes, which hold the same embedder each."""
    one = np.array(again(configuration, embedded, crop_size=48).vectors)
    started, tasks = [], []

    @contextmanager
    def in_a_thread(number):
        assert number == 1
        with ThreadPoolExecutor(1) as pool:
            started.append(pool)
            yield pool

    def embed(task):
        tasks.append(len(task.images))
        return embedder.Embedder(task.settings, task.run, task.model_name)(task.images)

    monkeypatch.setattr(embedder, "worker_processes", in_a_thread)
    monkeypatch.setattr(embedder, "embed_task", embed)
    monkeypatch.setattr(embedder, "IMAGES_A_TASK", 2)
    two = again(configuration, embedded, crop_size=48, devices=("cpu", "cpu", "cpu"), overwrite=True)
    np.testing.assert_allclose(two.vectors, one, rtol=1e-4, atol=1e-5)
    assert len(started) == 3 and tasks[:-1] == [2] * (len(tasks) - 1) and len(tasks) > 1
    for pool in started:
        with pytest.raises(RuntimeError, match="after shutdown"):
            pool.submit(len, "they end with the run")


def test_a_device_that_is_not_there(configuration, embedded):
    with pytest.raises(SettingsError, match=r"'cuda:77' is none of cpu"):
        again(configuration, embedded, devices=("cpu", "cuda:77"))
    with pytest.raises(SettingsError, match=r"args\.engine=ray that of several"):
        again(configuration, embedded, devices=("cpu", "cpu"), engine="ray")


def test_vectors_of_mixed_precision_are_near(configuration, embedded):
    plain = np.array(again(configuration, embedded, crop_size=48).vectors)
    catalogue = again(configuration, embedded, crop_size=48, mixed_precision=True)
    half = np.array(catalogue.vectors)
    assert catalogue.default_embedding.endswith("_48_mixed"), "the name says the precision"
    assert catalogue.default_embedding.removesuffix("_mixed") in catalogue.embedding_names, (
        "and both are kept"
    )
    assert half.dtype == np.float32 and half.tobytes() != plain.tobytes()
    units = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (plain, half)]
    assert ((units[0] * units[1]).sum(axis=1) > 0.99).all()
