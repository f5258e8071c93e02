"""Names that are no UTF-8, in models and of files."""

from __future__ import annotations

import os
import pathlib

import enfold
import numpy
import onnx
import pytest
from onnx import helper

NAME = b"\xff\xfex\x80"
TEXT = os.fsdecode(NAME)


def model_of(attribute: bytes = b"tanh") -> bytes:
    node = helper.make_node("Gelu", ["NAME"], ["y"], name="node", approximate=attribute)
    given = helper.make_tensor_value_info("NAME", onnx.TensorProto.FLOAT, ["NAME", 3])
    made = helper.make_empty_tensor_value_info("y")
    graph = helper.make_graph([node], "NAME", [given], [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    helper.set_model_props(model, {"NAME": "NAME"})
    return model.SerializeToString().replace(b"NAME", NAME)


def test_names_in_a_model() -> None:
    model = enfold.compile(model_of())
    assert model.inputs == [enfold.Tensor(TEXT, "f32", (TEXT, 3))]
    assert model.metadata == {TEXT: TEXT}
    x = numpy.ones((2, 3), numpy.float32)
    numpy.testing.assert_array_equal(model.run({TEXT: x})["y"], model(x))
    assert model.prepare({TEXT: (4, 3)}) == []
    with pytest.raises(ValueError, match="y"):
        model.run({"y": x})


def test_messages() -> None:
    with pytest.raises(enfold.InvalidGraph, match=r"\\xff\\xfex\\x80") as error:
        enfold.compile(model_of(NAME))(numpy.ones((2, 3), numpy.float32))
    print(error.value)


def test_names_of_files(tmp_path: pathlib.Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), NAME + b".onnx")
    try:
        with open(path, "wb") as file:
            file.write(model_of())
    except OSError:
        pytest.skip("the file system wants UTF-8")
    x = numpy.ones((2, 3), numpy.float32)
    model = enfold.compile(os.fsdecode(path))
    model(x)
    library = os.fsdecode(path) + ".so"
    model.save(library, shapes={TEXT: (2, 3)})
    numpy.testing.assert_array_equal(enfold.load(library)(x), model(x))
    with pytest.raises(enfold.NoSuchFile):
        enfold.compile(os.fsdecode(path) + "x")


@pytest.mark.parametrize("name", ["\ud800", "\udcff"])
def test_surrogates_that_name_nothing(name: str) -> None:
    model = enfold.compile(model_of())
    with pytest.raises(ValueError):
        model.prepare({name: (4, 3)})
    with pytest.raises(ValueError):
        model.run({name: numpy.ones((2, 3), numpy.float32)})
    with pytest.raises((ValueError, enfold.NoSuchFile)):
        enfold.compile(name)
