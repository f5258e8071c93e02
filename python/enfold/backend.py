"""enfold as a backend of the `onnx` package, which its official test suite runs on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from onnx.backend.base import Backend, BackendRep, namedtupledict

from enfold import model as _model


class Prepared(BackendRep):
    """A compiled model under the interface of onnx."""

    def __init__(self, compiled: _model.Model) -> None:
        self._compiled = compiled

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        names = [tensor.name for tensor in self._compiled.inputs]
        names += [tensor.name for tensor in self._compiled.optional_inputs]
        feed = inputs if isinstance(inputs, dict) else dict(zip(names, inputs))
        outputs = self._compiled.run(feed)
        return namedtupledict("Outputs", list(outputs))(*outputs.values())


class EnfoldBackend(Backend):
    """Compiles and runs models on the processor."""

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        try:
            _model.compile(model)
        except Exception:  # noqa: BLE001 - whatever stands in the way
            return False
        return cls.supports_device(device)

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> Prepared:
        return Prepared(_model.compile(model))

    @classmethod
    def run_model(
        cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any
    ) -> tuple[Any, ...]:
        return cls.prepare(model, device).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        import numpy
        from onnx import helper

        arrays = [numpy.asarray(value) for value in inputs]
        declared = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in zip(filter(None, node.input), arrays)
        ]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
        graph = helper.make_graph([node], "node", declared, outputs)
        opset = kwargs.get("opset_version", onnx.defs.onnx_opset_version())
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        return cls.run_model(model, arrays, device)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return device.partition(":")[0].upper() == "CPU"


is_compatible = EnfoldBackend.is_compatible
prepare = EnfoldBackend.prepare
run_model = EnfoldBackend.run_model
run_node = EnfoldBackend.run_node
supports_device = EnfoldBackend.supports_device
