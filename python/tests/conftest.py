"""Small models that the tests run."""

from __future__ import annotations

import os

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture(scope="session", autouse=True)
def own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Sessions of tests leave the user's folder alone."""
    os.environ["ENFOLD_CACHE_DIR"] = str(tmp_path_factory.mktemp("programs"))


def conv_net(batch: int | str = 1, height: int | str = 8) -> onnx.ModelProto:
    """conv 3 to 4, batch normalization, relu, global average pool: x[batch,3,height,8] to y."""
    random = numpy.random.default_rng(7)
    weights = {
        "w": random.normal(size=(4, 3, 3, 3)),
        "scale": random.uniform(0.5, 1.5, 4),
        "shift": random.normal(size=4),
        "mean": random.normal(size=4),
        "var": random.uniform(0.5, 1.5, 4),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, height, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 4, 1, 1])],
        [numpy_helper.from_array(a.astype(numpy.float32), name) for name, a in weights.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="tests", ir_version=8
    )
    helper.set_model_props(model, {"classes": "a,b"})
    return model


def elementwise(op: str, elem: int, shape: list[int | str], inputs: int = 1) -> onnx.ModelProto:
    """One op on tensors of a type: a, b, ... to y."""
    names = ["a", "b", "c"][:inputs]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"])],
        op,
        [helper.make_tensor_value_info(name, elem, shape) for name in names],
        [helper.make_tensor_value_info("y", elem, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


@pytest.fixture
def net() -> bytes:
    return conv_net().SerializeToString()


@pytest.fixture
def open_net() -> bytes:
    return conv_net("batch", "height").SerializeToString()


@pytest.fixture
def image() -> numpy.ndarray:
    return numpy.random.default_rng(1).normal(size=(1, 3, 8, 8)).astype(numpy.float32)


def reference(model: bytes, feed: dict[str, numpy.ndarray]) -> list[numpy.ndarray]:
    """What the onnx evaluator gives."""
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(model).run(None, feed)
