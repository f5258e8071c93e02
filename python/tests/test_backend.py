"""The backend of the onnx package."""

from __future__ import annotations

import numpy
import onnx.backend.test
from conftest import conv_net, reference
from enfold import backend
from onnx import helper


def test_run_model(image: numpy.ndarray) -> None:
    model = conv_net()
    assert backend.is_compatible(model)
    expected = reference(model.SerializeToString(), {"x": image})[0]
    for given in ([image], {"x": image}):
        outputs = backend.run_model(model, given)
        numpy.testing.assert_allclose(outputs.y, expected, rtol=1e-5, atol=1e-6)


def test_run_node() -> None:
    node = helper.make_node("Add", ["a", "b"], ["c"])
    a, b = numpy.float32([1, 2]), numpy.float32([3, 4])
    (c,) = backend.run_node(node, [a, b])
    numpy.testing.assert_array_equal(c, [4, 6])


# A part of the official suite, under its own driver; all of it runs without Python elsewhere.
_suite = onnx.backend.test.BackendTest(backend.EnfoldBackend, __name__)
_suite.include(r"test_(conv|relu|elu|gemm|averagepool_2d|maxpool_2d)_.*_cpu")
_suite.include(r"test_(sequence|optional|split_to_sequence|identity_sequence|identity_opt).*_cpu")
globals().update(_suite.enable_report().test_cases)
