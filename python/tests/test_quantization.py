"""Networks of 8-bit integers that enfold.quantize() writes."""

from __future__ import annotations

import json
import pathlib

import enfold
import numpy
import onnx
import pytest
from conftest import conv_net, reference


def two_inputs() -> bytes:
    """conv(a) + conv(b) over [1,3,8,8] each."""
    random = numpy.random.default_rng(3)
    helper = onnx.helper
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["a", "w"], ["c"], name="first", pads=[1, 1, 1, 1]),
            helper.make_node("Conv", ["b", "w"], ["d"], name="second", pads=[1, 1, 1, 1]),
            helper.make_node("Add", ["c", "d"], ["s"]),
            helper.make_node("GlobalAveragePool", ["s"], ["y"]),
        ],
        "pair",
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, 8, 8])
            for name in ("a", "b")
        ],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 4, 1, 1])],
        [onnx.numpy_helper.from_array(random.normal(size=(4, 3, 3, 3)).astype("f4"), "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


@pytest.fixture
def images() -> numpy.ndarray:
    return numpy.random.default_rng(5).normal(size=(6, 3, 8, 8)).astype(numpy.float32)


def check(model: bytes, path: pathlib.Path, feed: dict[str, numpy.ndarray]) -> None:
    """The file computes in integers about what the model does, here and in onnxruntime."""
    written = path.read_bytes()
    kinds = {node.op_type for node in onnx.load_from_string(written).graph.node}
    assert "QuantizeLinear" in kinds
    expected = reference(model, feed)[0]
    answers = [enfold.compile(path).run(feed)["y"]]
    try:
        import onnxruntime
    except ImportError:
        pass
    else:
        answers += onnxruntime.InferenceSession(written).run(None, feed)
    for actual in answers:
        assert numpy.abs(actual - expected).max() < 0.1 * numpy.abs(expected).max()


def test_array(net: bytes, images: numpy.ndarray, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "small.onnx"
    report = enfold.quantize(net, images, path, method="minmax")
    assert report.samples == 6 and report.method == "minmax" and report.layers_quantized == 1
    assert "1 of 1 layers in 8 bits, by 6 samples" in str(report) and "dB" in str(report)
    assert repr(report).startswith("<enfold.Quantization")
    assert "<table>" in report._repr_html_()
    assert json.loads(json.dumps(report)) == report
    check(net, path, {"x": images[:1]})


@pytest.mark.parametrize("form", ["whole inputs", "arrays", "dictionaries", "dictionary"])
def test_forms_of_samples(
    net: bytes, images: numpy.ndarray, tmp_path: pathlib.Path, form: str
) -> None:
    """All forms of the same samples write the same file."""
    whole = images[:, None]
    samples = {
        "whole inputs": whole,
        "arrays": iter(whole),
        "dictionaries": [{"x": sample} for sample in whole],
        "dictionary": {"x": images},
    }[form]
    enfold.quantize(net, images, tmp_path / "a.onnx", method="mse")
    enfold.quantize(net, samples, tmp_path / "b.onnx", method="mse")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_several_inputs(images: numpy.ndarray, tmp_path: pathlib.Path) -> None:
    model, path = two_inputs(), tmp_path / "pair.onnx"
    samples = {"a": images, "b": images[::-1]}
    report = enfold.quantize(model, samples, path, exclude="second")
    kept = {layer["name"]: layer["quantized"] for layer in report.layers}
    assert kept == {"first": True, "second": False}
    check(model, path, {"a": images[:1], "b": images[1:2]})
    with pytest.raises(ValueError, match="give a dictionary"):
        enfold.quantize(model, images, path)
    with pytest.raises(ValueError, match="as many samples"):
        enfold.quantize(model, {"a": images, "b": images[:3]}, path)
    with pytest.raises(ValueError, match="no input is named 'c'"):
        enfold.quantize(model, {"c": images}, path)


def test_open_sizes_stay_open(
    open_net: bytes, images: numpy.ndarray, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "open.onnx"
    report = enfold.quantize(open_net, images, path, shapes={"batch": 4})
    assert report.samples == 2, "the last batch is filled up"
    shape = enfold.compile(path).inputs[0].shape
    assert shape == (4, 3, "height", 8), "what was given is fixed"
    enfold.quantize(open_net, images, path)
    assert enfold.compile(path).inputs[0].shape == ("batch", 3, "height", 8)
    taller = numpy.concatenate([images, images], axis=2)[:2]
    check(open_net, path, {"x": taller})


def test_accuracy(tmp_path: pathlib.Path) -> None:
    folder = pathlib.Path(__file__).parents[2] / "examples" / "shapes10"
    images, labels = (numpy.load(folder / f"{name}.npy")[:20] for name in ("images", "labels"))
    path = tmp_path / "shapes10.onnx"
    report = enfold.quantize(folder / "model.onnx", images, path, method="minmax", labels=labels)
    assert report.accuracy["before"]["of"] == report.accuracy["after"]["of"] == 20
    assert "of 20 in floats" in str(report)


@pytest.mark.parametrize(
    "options, error, text",
    [
        ({"method": "best"}, enfold.InvalidArgument, "'best' is not auto"),
        ({"percentile": 5}, enfold.InvalidArgument, "50 to 100"),
        ({"labels": [1, 2]}, enfold.InvalidArgument, "2 labels for 6 rows of samples"),
        ({"exclude": [1]}, TypeError, "exclude are names"),
        ({"path": "small.txt"}, enfold.InvalidArgument, "must end in .onnx"),
        ({"path": "none/small.onnx"}, enfold.Error, "none"),
        ({"samples": "images.npy"}, TypeError, "numpy.load"),
        ({"samples": []}, enfold.InvalidArgument, "no samples"),
        ({"samples": numpy.zeros((6, 3), "f4")}, ValueError, "4 or 5 axes, not 2"),
        ({"samples": numpy.zeros((6, 3, 8, 8), "u1")}, enfold.InvalidArgument, "'x' must be f32"),
        ({"samples": numpy.zeros((6, 3, 9, 8), "f4")}, enfold.InvalidArgument, "'x' must be f32"),
        ({"samples": numpy.full((6, 3, 8, 8), numpy.inf, "f4")}, enfold.Error, "'x'"),
    ],
)
def test_refusals(
    net: bytes,
    images: numpy.ndarray,
    tmp_path: pathlib.Path,
    options: dict,
    error: type[Exception],
    text: str,
) -> None:
    """They name what is wrong, and write no file."""
    path = tmp_path / options.pop("path", "small.onnx")
    with pytest.raises(error, match=text):
        enfold.quantize(net, options.pop("samples", images), path, **options)
    assert not list(tmp_path.iterdir())


def test_a_quantized_network_is_refused(images: numpy.ndarray, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "small.onnx"
    enfold.quantize(conv_net(), images, path)
    with pytest.raises(enfold.Error, match="quantized already|already"):
        enfold.quantize(path, images, tmp_path / "again.onnx")
