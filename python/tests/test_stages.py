"""Networks whose sizes or whose way data decide, beside ONNX Runtime."""

from __future__ import annotations

import pathlib
import sys
import threading

import enfold
import numpy
import pytest

onnxruntime = pytest.importorskip("onnxruntime")
sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "e2e" / "staged"))
import models


def expected(model: bytes, feed: dict[str, numpy.ndarray]) -> list[numpy.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options).run(None, feed)


def expect_same(answers: list[numpy.ndarray], wanted: list[numpy.ndarray]) -> None:
    for answer, want in zip(answers, wanted, strict=True):
        assert answer.shape == want.shape
        assert answer.dtype == want.dtype
        numpy.testing.assert_allclose(answer, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", models.MODELS, ids=lambda build: build.__name__)
def test_answers(build) -> None:
    proto, feeds = build(11)
    model = proto.SerializeToString()
    session = enfold.InferenceSession(model)
    for feed in feeds:
        expect_same(session.run(None, feed), expected(model, feed))


def test_some_outputs() -> None:
    proto, feeds = models.detector(3)
    session = enfold.InferenceSession(proto.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    everything = session.run(None, feeds[0])
    some = session.run([names[2], names[0]], feeds[0])
    numpy.testing.assert_array_equal(some[0], everything[2])
    numpy.testing.assert_array_equal(some[1], everything[0])


def test_model_is_called() -> None:
    proto, feeds = models.nonzero_gather(1)
    model = enfold.compile(proto)
    results = model(feeds[0]["x"])
    expect_same(list(results), expected(proto.SerializeToString(), feeds[0]))


def test_reports_name_what_data_decide() -> None:
    proto, feeds = models.detector(1)
    model = enfold.compile(proto)
    shapes = {"images": feeds[0]["images"].shape}
    assert "NonMaxSuppression" in model.explain(shapes)["decided_by_data"][0]["node"]
    assert "NonMaxSuppression" in model.inspect(shapes)["decided_by_data"][0]["node"]


def test_a_file_is_refused(tmp_path: pathlib.Path) -> None:
    proto, feeds = models.detector(1)
    model = enfold.compile(proto)
    with pytest.raises(enfold.NotImplemented, match="NonMaxSuppression"):
        model.save(tmp_path / "net.so", shapes={"images": feeds[0]["images"].shape})


def test_binding() -> None:
    proto, feeds = models.compress(2)
    model = proto.SerializeToString()
    session = enfold.InferenceSession(model)
    binding = session.io_binding()
    binding.bind_cpu_input("x", feeds[0]["x"])
    for output in session.get_outputs():
        binding.bind_output(output.name)
    session.run_with_iobinding(binding)
    expect_same(binding.copy_outputs_to_cpu(), expected(model, feeds[0]))


def test_threads() -> None:
    proto, feeds = models.detector_two_stage(4)
    model = proto.SerializeToString()
    session = enfold.InferenceSession(model)
    wanted = [expected(model, feed) for feed in feeds]
    wrong = []

    def work(offset: int) -> None:
        for turn in range(6):
            at = (offset + turn) % len(feeds)
            try:
                expect_same(session.run(None, feeds[at]), wanted[at])
            except Exception as error:  # reported by the test's thread
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
