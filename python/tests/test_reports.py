"""Reports on compiled models, and models saved as native code."""

from __future__ import annotations

import json
import pathlib
import pickle

import enfold
import numpy
import pytest
from conftest import reference


def test_explain(net: bytes) -> None:
    report = enfold.compile(net).explain(measure=True)
    assert report.batch_norms["total"] == 1 and report["batch_norms"]["folded"] == 1
    assert next(op["op"] for op in report.ops) == "conv"
    assert report.folds and report.folds[0]["error"] < 1e-4
    text = str(report)
    assert "1 batch normalizations (1 folded)" in text and "fold-batchnorm" in text
    assert "conv+relu" in text and "f32[1,4,1,1]" in text
    assert "<table>" in report._repr_html_()
    assert repr(report).startswith("<enfold.Explanation model: ")
    assert json.loads(json.dumps(report)) == report
    with pytest.raises(AttributeError, match="no member 'nothing'"):
        _ = report.nothing


def test_refused_rewrites(net: bytes) -> None:
    report = enfold.compile(net, disabled_passes=["fold-batchnorm"]).explain()
    assert report.batch_norms["folded"] == 0
    assert all(remark["outcome"] == "refused" for remark in report.refused())


def test_inspect(net: bytes) -> None:
    report = enfold.compile(net).inspect()
    assert report.parameters == 4 * 27 + 16
    assert report.inputs == [{"name": "x", "elem": "f32", "shape": [1, 3, 8, 8]}]
    assert report.ops["batch_norm"] == 1 and "batch_norm" not in report.ops_after_passes
    assert "x: f32[1,3,8,8]" in str(report) and "<table>" in report._repr_html_()


def test_reports_of_open_models(
    open_net: bytes, image: numpy.ndarray, tmp_path: pathlib.Path
) -> None:
    """They are of the shapes given, else of those of the latest run."""
    model = enfold.compile(open_net)
    shapes = {"x": (2, 3, 16, 8)}
    assert model.inspect(shapes).inputs[0]["shape"] == [2, 3, 16, 8]
    model(image)
    assert model.inspect().inputs[0]["shape"] == [1, 3, 8, 8]
    assert model.explain(shapes).ops
    for _ in range(2):  # the second size is compiled for others as well
        model(numpy.concatenate([image, image], axis=2))
    assert not model.diff({"x": image}, "unfused")
    model.report(tmp_path / "page.html", shapes, seconds=0.01)
    with pytest.raises(enfold.InvalidArgument, match="no input is named 'z'"):
        model.inspect({"z": (1,)})
    with pytest.raises(enfold.InvalidArgument, match="'x' must be"):
        model.inspect({"x": (1, 2)})


def test_prepare(open_net: bytes) -> None:
    model = enfold.compile(open_net)
    assert model.prepare({"x": (4, 3, 8, 8)}) == []
    assert model.compilations == 1
    model(numpy.zeros((4, 3, 8, 8), numpy.float32))
    assert model.compilations == 1


def test_profile(net: bytes) -> None:
    report = enfold.compile(net, threads=1).profile(seconds=0.01)
    assert report.latency_ms["min"] > 0 and report.threads == 1 and report.profile
    assert "GFLOP/s in f32" in str(report)
    assert report.timeline["threads"] == 1
    assert [span["kernel"] for span in report.timeline["spans"]] == list(range(len(report.profile)))
    with pytest.raises(enfold.InvalidArgument, match="seconds"):
        enfold.compile(net).profile(seconds=-1)


def test_report(net: bytes, tmp_path: pathlib.Path) -> None:
    model = enfold.compile(net, threads=1)
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    model.report(first, seconds=0)
    assert first.read_text().startswith("<!doctype html>")
    model.report(second, seconds=0.01, errors=True, against=first)
    assert 'id="against"' in second.read_text()
    with pytest.raises(enfold.InvalidArgument, match="seconds"):
        model.report(second, seconds=-1)
    with pytest.raises(enfold.Error, match="none"):
        model.report(tmp_path / "none" / "page.html", seconds=0)
    (tmp_path / "no.html").write_text("<p>")
    with pytest.raises(enfold.InvalidGraph, match="no report of enfold"):
        model.report(second, seconds=0, against=tmp_path / "no.html")


def test_diff(net: bytes, image: numpy.ndarray) -> None:
    model = enfold.compile(net)
    for against in ("reference", "unfused"):
        report = model.diff({"x": image}, against)
        assert not report and report.tensors and report.against == against
    expected = reference(net, {"x": image})[0]
    assert not model.diff({"x": image}, {"y": expected})
    wrong = model.diff({"x": image}, {"y": expected + 1})
    assert wrong and wrong.different == 1 and wrong.tensors[0]["status"] == "different"
    assert "first y" in str(wrong)
    assert not model.diff({"x": image}, {"y": expected + 1}, atol=2.0)
    all_tensors = model.diff({"x": image}, fused_away=True)
    assert len(all_tensors.tensors) > len(model.diff({"x": image}).tensors)


def test_diff_against_onnxruntime(net: bytes, image: numpy.ndarray) -> None:
    pytest.importorskip("onnxruntime")
    assert not enfold.compile(net).diff({"x": image}, "onnxruntime")


def test_diff_of_bad_input(net: bytes, image: numpy.ndarray) -> None:
    model = enfold.compile(net)
    with pytest.raises(enfold.InvalidArgument, match="'truth' is not reference"):
        model.diff({"x": image}, "truth")
    with pytest.raises(enfold.InvalidArgument, match="no tensor 'q'"):
        model.diff({"x": image}, {"q": image})
    with pytest.raises(ValueError, match="missing"):
        model.diff({})


def test_save_and_load(net: bytes, image: numpy.ndarray, tmp_path: pathlib.Path) -> None:
    model = enfold.compile(net)
    path, header = tmp_path / "net.so", tmp_path / "net.h"
    model.save(path, header=header, name="small")
    assert "small_program" in header.read_text()
    loaded = enfold.load(path, threads=1)
    numpy.testing.assert_array_equal(loaded(image), model(image))
    assert loaded.inputs == model.inputs and loaded.outputs == model.outputs
    assert loaded.inspect().calls == model.inspect().calls
    assert loaded.profile(seconds=0.01).profile
    numpy.testing.assert_array_equal(pickle.loads(pickle.dumps(loaded))(image), model(image))
    with pytest.raises(enfold.InvalidArgument, match="index: 0 Got: 2 Expected: 1"):
        loaded(numpy.zeros((2, 3, 8, 8), numpy.float32))
    with pytest.raises(enfold.InvalidArgument, match="ahead of time"):
        loaded.explain()


def test_save_of_an_open_model(
    open_net: bytes, image: numpy.ndarray, tmp_path: pathlib.Path
) -> None:
    model = enfold.compile(open_net)
    model.save(tmp_path / "net.so", shapes={"x": (1, 3, 8, 8)})
    numpy.testing.assert_array_equal(enfold.load(tmp_path / "net.so")(image), model(image))


def test_save_for_several_sizes(open_net: bytes, tmp_path: pathlib.Path) -> None:
    model = enfold.compile(open_net)
    sizes = [(1, 3, 8, 8), (3, 3, 8, 8), (2, 3, 8, 8)]
    path, header = tmp_path / "net.so", tmp_path / "net.h"
    model.save(path, shapes=[{"x": size} for size in sizes], header=header, name="net")
    assert "#define NET_PROGRAMS 3" in header.read_text()
    loaded = enfold.load(path)
    for size in [*sizes, *reversed(sizes)]:
        batch = numpy.random.default_rng(size[0]).random(size, numpy.float32)
        numpy.testing.assert_allclose(loaded(batch), model(batch), rtol=1e-5, atol=1e-6)
    with pytest.raises(enfold.InvalidArgument, match=r"other sizes: x f32\[1,3,8,8\]; x f32\[2"):
        loaded(numpy.zeros((4, 3, 8, 8), numpy.float32))
    with pytest.raises(enfold.InvalidArgument, match="twice"):
        model.save(path, shapes=[{"x": sizes[0]}, {"x": sizes[0]}])
    with pytest.raises(enfold.InvalidArgument, match="no sizes"):
        model.save(path, shapes=[])
    with pytest.raises(enfold.InvalidArgument, match="same inputs"):
        enfold.compile(open_net).save(path, shapes=[{"x": sizes[0]}, {}])


@pytest.mark.parametrize(
    "name, options, text",
    [
        ("net.dll", {}, "must end in"),
        ("net.o", {"name": "2nd"}, "C identifier"),
        ("net.o", {"cpu": "abacus"}, "abacus"),
        ("none/net.o", {}, "none"),
    ],
)
def test_save_refuses(
    net: bytes, tmp_path: pathlib.Path, name: str, options: dict, text: str
) -> None:
    with pytest.raises(enfold.Error, match=text):
        enfold.compile(net).save(tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_load_refuses(net: bytes, tmp_path: pathlib.Path) -> None:
    with pytest.raises(enfold.NoSuchFile):
        enfold.load(tmp_path / "none.so")
    garbage = tmp_path / "garbage.so"
    garbage.write_bytes(b"\x7fELF" + b"x" * 100)
    with pytest.raises(enfold.InvalidGraph, match="garbage.so"):
        enfold.load(garbage)
    enfold.compile(net).save(tmp_path / "net.o")
    with pytest.raises(enfold.InvalidGraph, match="no shared library"):
        enfold.load(tmp_path / "net.o")


@pytest.mark.parametrize(
    "options, text",
    [
        ({"limit_memory": "1K"}, "memory"),
        ({"limit_memory": "much"}, "a number of bytes"),
        ({"passes": "none-such"}, "none-such"),
        ({"max_rewrites": -1}, "max-rewrites"),
    ],
)
def test_limits(net: bytes, options: dict, text: str) -> None:
    with pytest.raises(enfold.Error, match=text):
        enfold.compile(net, **options)


def test_passes(net: bytes, image: numpy.ndarray) -> None:
    model = enfold.compile(net, passes="canonicalize", limit_memory="8G")
    assert model.explain().batch_norms["folded"] == 0
    numpy.testing.assert_allclose(model(image), enfold.compile(net)(image), rtol=1e-5, atol=1e-6)
