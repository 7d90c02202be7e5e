"""Programs in files: the same numbers as the network they were made from, sizes, outputs, and what is refused."""

import logging
from contextlib import suppress

import pytest
import torch
import torch.nn.functional as F
from tiny_networks import (
    ADAPTERS,
    CLASSES,
    NotSpatial,
    Small,
    entry_of,
    write_exported,
    write_onnx,
    write_torchscript,
    write_torchvision,
    write_transformers,
)

from oodretrieval.entries import ModelEntry
from oodretrieval.errors import ConfigurationError, WeightsError
from oodretrieval.models import load_model, weights_hash
from oodretrieval.models.adapters import ExportedNetwork, OnnxNetwork, TorchScriptNetwork

WRITE = {
    "OnnxNetwork": write_onnx,
    "TorchScriptNetwork": write_torchscript,
    "ExportedNetwork": write_exported,
}
CLASS_OF = {
    "OnnxNetwork": OnnxNetwork,
    "TorchScriptNetwork": TorchScriptNetwork,
    "ExportedNetwork": ExportedNetwork,
}
FIXED = [("OnnxNetwork", {}), ("TorchScriptNetwork", {"input_size": (64, 96)}), ("ExportedNetwork", {})]


@pytest.fixture(params=WRITE)
def kind(request):
    return request.param


def load(kind, path, **arguments):
    return load_model(ModelEntry(ADAPTERS, kind, arguments, weights=path, run_code=True))


def written(kind, folder, network=None, **options):
    return WRITE[kind](folder / "net.file.onnx", network, **options)


def images(height, width, count=1):
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(7))


def resized(x, size, **options):
    return F.interpolate(x, size, mode="bilinear", align_corners=False, **options)


@torch.no_grad()
def test_a_program_gives_what_its_network_gave(kind, tmp_path):
    found, network, x = load(kind, written(kind, tmp_path)), Small().eval(), images(65, 97, 2)
    torch.testing.assert_close(found.low_resolution_logits(x), network(x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found(x), resized(network(x), (65, 97)), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_logits_of_full_size_stay_as_they_are(kind, tmp_path):
    network, x = Small(full=True).eval(), images(65, 97)
    found = load(kind, written(kind, tmp_path, network, size=(65, 97), **fixed(kind)))
    assert found.low_resolution_logits(x).shape == (1, CLASSES, 65, 97)
    torch.testing.assert_close(found(x), network(x), rtol=1e-4, atol=1e-5)


def fixed(kind):
    """Of one size, where the exporter knows of others."""
    return {} if kind == "TorchScriptNetwork" else {"fixed": True}


@torch.no_grad()
@pytest.mark.parametrize(("kind", "arguments"), FIXED)
def test_images_are_resized_to_a_fixed_size_and_logits_to_the_image(kind, arguments, tmp_path):
    found = load(kind, written(kind, tmp_path, **fixed(kind)), **arguments)
    x, network = images(131, 77, 2), Small().eval()
    assert found.input_size == (64, 96) and found.num_classes == CLASSES
    small = network(resized(x, (64, 96), antialias=True))
    torch.testing.assert_close(found.low_resolution_logits(x), small, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found(x), resized(small, (131, 77)), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_sides_are_rounded_up_to_a_multiple(tmp_path):
    found = load("TorchScriptNetwork", written("TorchScriptNetwork", tmp_path), multiple_of=32)
    small = Small().eval()(resized(images(65, 96), (96, 96), antialias=True))
    torch.testing.assert_close(found.low_resolution_logits(images(65, 96)), small, rtol=1e-4, atol=1e-5)


def test_what_sides_must_be_multiples_of_is_read_from_an_export(tmp_path):
    shapes = {"x": {2: 32 * torch.export.Dim("h", max=20), 3: 48 * torch.export.Dim("w", max=20)}}
    program = torch.export.export(Small().eval(), (torch.zeros(1, 3, 64, 96),), dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "net.pt2")
    found = load("ExportedNetwork", tmp_path / "net.pt2")
    assert found.multiple_of == 96 and found.input_size is None
    assert found(images(65, 97, 2)).shape == (2, CLASSES, 65, 97)


@pytest.mark.parametrize("kind", ["OnnxNetwork", "ExportedNetwork"])
def test_another_size_than_the_fixed_one_is_refused(kind, tmp_path):
    path = written(kind, tmp_path, fixed=True)
    with pytest.raises(ConfigurationError, match=r"takes images of 64×96 .* only.*\(32, 32\); leave it out"):
        load(kind, path, input_size=(32, 32))


def test_a_program_that_fails_on_a_size_says_so(tmp_path):
    path = written("TorchScriptNetwork", tmp_path, torch.nn.Flatten())
    with pytest.raises(ConfigurationError, match=r"gives torch.float32 of shape .*expected scores"):
        load("TorchScriptNetwork", path)(images(64, 96))

    class OneSize(torch.nn.Module):
        def forward(self, x):
            return x.reshape(-1, 3, 64, 96) + 1

    path = written("TorchScriptNetwork", tmp_path, OneSize())
    with pytest.raises(
        ConfigurationError, match=r"fails on input of size \(1, 3, 65, 97\).*set `input_size`"
    ) as caught:
        load("TorchScriptNetwork", path)(images(65, 97))
    assert len(str(caught.value).splitlines()) == 1


@torch.no_grad()
def test_probabilities_become_logits_whose_softmax_they_are(kind, tmp_path):
    network, x = Small(probabilities=True).eval(), images(65, 97)
    found = load(kind, written(kind, tmp_path, network), output="probabilities")
    torch.testing.assert_close(found.low_resolution_logits(x).softmax(1), network(x), rtol=1e-4, atol=1e-6)
    assert found(x).isfinite().all()


@pytest.mark.parametrize("given", [True, False])
def test_logits_and_probabilities_are_not_mistaken(given, tmp_path):
    path = written("TorchScriptNetwork", tmp_path, Small(probabilities=given))
    found = load("TorchScriptNetwork", path, output="logits" if given else "probabilities")
    with pytest.raises(
        ConfigurationError, match=f"set `output` to '{'probabilities' if given else 'logits'}'"
    ):
        found(images(64, 96))


def test_several_outputs_are_chosen_by_name(kind, tmp_path):
    names = {"names": ("out", "aux")} if kind == "OnnxNetwork" else {}
    path = written(kind, tmp_path, Small(aux=True), **names)
    with pytest.raises(ConfigurationError, match=r"has 2 outputs \(.*\); set `output_name`"):
        load(kind, path)(images(64, 96))
    with pytest.raises(ConfigurationError, match=r"unknown output of .* 'oot'; did you mean 'out'"):
        load(kind, path, output_name="oot")(images(64, 96))
    with torch.no_grad():
        one, other = (load(kind, path, output_name=name)(images(64, 96)) for name in ("out", "aux"))
    torch.testing.assert_close(one, 2 * other)


def test_classes_instead_of_scores_are_refused(kind, tmp_path):
    network = load(kind, written(kind, tmp_path, NotSpatial(), size=(64, 96), **fixed(kind)))
    with pytest.raises(ConfigurationError, match=r"int64 of shape \(1, 64, 96\).*before its argmax"):
        network(images(64, 96))


@pytest.mark.parametrize(
    "arguments", [{"input_size": (0, 4)}, {"input_size": (4,)}, {"multiple_of": 0}, {"output": "x"}]
)
def test_impossible_arguments_are_refused(kind, arguments, tmp_path):
    with pytest.raises(ConfigurationError, match="must be"):
        load(kind, written(kind, tmp_path), **arguments)


def test_an_export_is_read_only_where_its_code_may_run(tmp_path):
    entry = ModelEntry(ADAPTERS, "ExportedNetwork", weights=written("ExportedNetwork", tmp_path))
    with pytest.raises(
        WeightsError, match=r"is a program: torch\.export\.load runs Python code.*run_code=True"
    ):
        load_model(entry)


def test_code_in_an_export_does_not_run_unless_it_may(tmp_path):
    """A pickle in place of a weight: torch.export.load would run it."""
    import pickle
    import zipfile

    class Malicious:
        def __reduce__(self):
            return (tmp_path / "was_here").mkdir, ()

    path = written("ExportedNetwork", tmp_path)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, pickle.dumps(Malicious()) if "sample_inputs" in name else content)
    with pytest.raises(WeightsError, match="is a program"):
        load_model(ModelEntry(ADAPTERS, "ExportedNetwork", weights=path))
    assert not (tmp_path / "was_here").exists()


def test_a_program_of_several_inputs_is_refused(tmp_path):
    class Two(torch.nn.Module):
        def forward(self, x, y):
            return x + y

    program = torch.export.export(Two(), (torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)))
    torch.export.save(program, tmp_path / "two.pt2")
    with pytest.raises(ConfigurationError, match=r"takes 2 input\(s\).*expected one of images"):
        load("ExportedNetwork", tmp_path / "two.pt2")


def write_onnx_by_hand(path, batch, shape_of_images, type_of_images):
    """Images → images, by one node."""
    import onnx
    from onnx import helper

    kinds = {
        "float16": onnx.TensorProto.FLOAT16,
        "double": onnx.TensorProto.DOUBLE,
        "int": onnx.TensorProto.INT32,
    }
    values = [
        helper.make_tensor_value_info(name, kinds[type_of_images], [batch, *shape_of_images]) for name in "xy"
    ]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.parametrize("kind_of_number", ["float16", "double"])
def test_onnx_of_another_precision_is_given_what_it_takes(kind_of_number, tmp_path):
    path = write_onnx_by_hand(tmp_path / "n.onnx", "n", [3, "h", "w"], kind_of_number)
    x = images(9, 11)
    found = load("OnnxNetwork", path)(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, -x, rtol=1e-3, atol=1e-3)


def test_onnx_of_anything_but_images_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="takes batches of 4 images only"):
        load("OnnxNetwork", write_onnx_by_hand(tmp_path / "a.onnx", 4, [3, 8, 8], "float16"))
    with pytest.raises(ConfigurationError, match=r"tensor\(int32\).*expected one input of floating-point"):
        load("OnnxNetwork", write_onnx_by_hand(tmp_path / "b.onnx", 1, [3, 8, 8], "int"))
    with pytest.raises(ConfigurationError, match=r"x: tensor\(double\) \['n', 8, 8, 3\].*\(N, 3, H, W\)"):
        load("OnnxNetwork", write_onnx_by_hand(tmp_path / "c.onnx", "n", [8, 8, 3], "double"))


@pytest.mark.slow
def test_tensors_next_to_an_onnx_file_belong_to_it(tmp_path):
    path = write_onnx(tmp_path / "net.onnx", dynamo=True)
    x = images(65, 97)
    with torch.no_grad():
        torch.testing.assert_close(
            load("OnnxNetwork", path).low_resolution_logits(x), Small().eval()(x), rtol=1e-4, atol=1e-5
        )
    (other,) = [file for file in tmp_path.iterdir() if file != path]
    before = weights_hash(path)
    other.write_bytes(other.read_bytes()[:-1] + b"\x01")
    assert weights_hash(path) != before


class Runtime:
    """onnxruntime with CUDA, as far as it is asked."""

    def __init__(self, real, providers):
        self.real, self.providers, self.asked = real, providers, []
        self.SessionOptions = real.SessionOptions

    def get_available_providers(self):
        return self.providers

    def InferenceSession(self, path, options, providers):
        self.asked.append(providers)
        return self.real.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("kind", ["TorchScriptNetwork", "ExportedNetwork"])
def test_a_program_keeps_the_memory_layout_that_it_was_made_for(kind, tmp_path):
    network = load(kind, written(kind, tmp_path))
    torch.nn.Sequential(network).to(memory_format=torch.channels_last)  # as part of something else, too
    weights = [parameter for parameter in network.parameters() if parameter.ndim == 4]
    assert weights and all(parameter.is_contiguous() for parameter in weights)


class OnGpu:
    """Images that say that they lie on the second GPU, as far as they are asked before anything is computed."""

    device = torch.device("cuda", 1)

    def __init__(self, images):
        self.images, self.shape = images, images.shape

    def detach(self):
        return self.images


@pytest.mark.parametrize("cuda", [True, False])
def test_onnx_runs_where_its_input_lies(cuda, tmp_path, caplog):
    network = load("OnnxNetwork", written("OnnxNetwork", tmp_path))
    network.runtime = Runtime(
        network.runtime, ["CUDAExecutionProvider"] if cuda else ["CPUExecutionProvider"]
    )
    caplog.clear()
    with caplog.at_level(logging.WARNING), suppress(RuntimeError, AssertionError):  # there may be no such GPU
        network.run(OnGpu(images(64, 96)))
    if cuda:
        expected = [("CUDAExecutionProvider", {"device_id": 1}), "CPUExecutionProvider"]
        assert network.runtime.asked == [expected] and not caplog.messages
    else:
        (message,) = caplog.messages
        assert "no CUDA provider" in message and "onnxruntime-gpu" in message
    network.run(images(64, 96))
    assert network.device == torch.device("cpu")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of every kind, and two of none."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "empty").touch()
    (folder / "text").write_text("no network\n" * 99)
    suffix = {"OnnxNetwork": "onnx", "TorchScriptNetwork": "pt", "ExportedNetwork": "pt2"}
    found = {kind: WRITE[kind](folder / f"net.{suffix[kind]}") for kind in WRITE}
    found["state dict"] = write_torchvision(folder / "state.pth")
    found["folder"] = write_transformers(folder / "segformer", "segformer")
    return found | {"empty": folder / "empty", "text": folder / "text"}


OTHERS = {
    "OnnxNetwork": {"TorchScriptNetwork", "ExportedNetwork", "state dict", "folder", "empty", "text"},
    "TorchScriptNetwork": {"OnnxNetwork", "ExportedNetwork", "state dict", "folder", "empty", "text"},
    "ExportedNetwork": {"OnnxNetwork", "TorchScriptNetwork", "state dict", "folder", "empty", "text"},
    "TorchvisionNetwork": {"OnnxNetwork", "TorchScriptNetwork", "ExportedNetwork", "folder", "empty", "text"},
    "TransformersNetwork": {
        "OnnxNetwork",
        "TorchScriptNetwork",
        "ExportedNetwork",
        "state dict",
        "empty",
        "text",
    },
}


@pytest.mark.parametrize(("reader", "file"), [(r, f) for r, many in OTHERS.items() for f in sorted(many)])
def test_a_file_of_another_kind_is_one_clear_line(reader, file, files):
    arguments = {"name": "lraspp_mobilenet_v3_large"} if reader == "TorchvisionNetwork" else {}
    entry = ModelEntry(ADAPTERS, reader, arguments, weights=files[file], run_code=reader == "ExportedNetwork")
    with pytest.raises(WeightsError) as caught:
        load_model(entry)
    message = str(caught.value)
    assert len(message.splitlines()) == 1 and len(message) < 500
    assert str(files[file]) in message
    if reader != "TorchvisionNetwork" and (file in WRITE or file == "folder"):
        assert f"it looks like one for {'TransformersNetwork' if file == 'folder' else file}" in message


@pytest.mark.parametrize("reader", OTHERS)
def test_a_wrong_path_is_one_clear_line(reader, tmp_path):
    entry = ModelEntry(ADAPTERS, reader, weights=tmp_path / "nothing", source="ask the author")
    with pytest.raises(WeightsError, match=r"no weights file '.*nothing'; ask the author$"):
        load_model(entry)


@pytest.mark.parametrize("reader", CLASS_OF)
def test_a_program_without_a_file_says_where_to_name_it(reader):
    with pytest.raises(
        ConfigurationError, match=r"reads its network from a file; set `weights` of the entry"
    ):
        load_model(ModelEntry(ADAPTERS, reader))
    with pytest.raises(ConfigurationError, match=r"give `weights` of the entry, not 'weights_file' among"):
        load_model(ModelEntry(ADAPTERS, reader, {"weights_file": "net.onnx"}))


def test_a_missing_extra_names_the_command(monkeypatch, tmp_path):
    entries = [entry_of("onnx", tmp_path), entry_of("segformer", tmp_path)]
    for package in ("onnxruntime", "transformers"):
        monkeypatch.setitem(__import__("sys").modules, package, None)
    for entry, extra in zip(entries, ("onnx", "transformers"), strict=True):
        with pytest.raises(ConfigurationError, match=rf"pip install .*-e '\.\[{extra}\]'"):
            load_model(entry)
