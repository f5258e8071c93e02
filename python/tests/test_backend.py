"""The backend of the onnx package."""

from __future__ import annotations

import numpy
import onnx
from conftest import conv_net, reference
from onnx import helper

from enfold import backend


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


def test_official_cases() -> None:
    """A sample of the suite's node tests: those of activations and convolutions."""
    from onnx.backend.test.loader import load_model_tests

    wanted = ("test_conv_", "test_relu", "test_elu", "test_averagepool_2d_default", "test_gemm_")
    cases = [c for c in load_model_tests(kind="node") if c.name.startswith(wanted)]
    assert len(cases) > 10
    for case in cases:
        model = onnx.load(f"{case.model_dir}/model.onnx")
        folder = f"{case.model_dir}/test_data_set_0"
        inputs = [_tensor(f"{folder}/input_{i}.pb") for i in range(len(model.graph.input))]
        outputs = backend.run_model(model, inputs)
        for i, got in enumerate(outputs):
            expected = _tensor(f"{folder}/output_{i}.pb")
            numpy.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5, err_msg=case.name)


def _tensor(path: str) -> numpy.ndarray:
    tensor = onnx.TensorProto()
    with open(path, "rb") as file:
        tensor.ParseFromString(file.read())
    return onnx.numpy_helper.to_array(tensor)
