"""Serving under the Open Inference Protocol (REST and gRPC, binary tensors) with KServe's server.

    python -m enfold.kserve resnet18.onnx --model_name resnet18 [--http_port 8080] [--grpc_port 8081]

or in a program of your own: `kserve.ModelServer().start([EnfoldModel("resnet18", "resnet18.onnx")])`.
KServe's server gives health, metadata, metrics and limits; `--help` lists its options.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

import kserve
from kserve import InferOutput, InferRequest, InferResponse
from kserve.errors import InferenceError, InvalidInput
from kserve.utils.numpy_codec import from_np_dtype

import enfold
from enfold import _arrays, _types


class EnfoldModel(kserve.Model):
    """A model that KServe serves. Options are those of enfold.compile()."""

    def __init__(self, name: str, source: Any, **options: Any) -> None:
        super().__init__(name)
        self._source, self._options = source, options
        self.load()

    def load(self) -> bool:
        self._model = enfold.compile(self._source, **self._options)
        self.ready = True
        return self.ready

    def get_input_types(self) -> list[dict[str, Any]]:
        return [_metadata(tensor) for tensor in self._model.inputs]

    def get_output_types(self) -> list[dict[str, Any]]:
        return [_metadata(tensor) for tensor in self._model.outputs]

    async def predict(
        self, payload: InferRequest, headers: dict[str, str] | None = None
    ) -> InferResponse:
        """Requests run at the same time on threads: a run holds no lock of Python's."""
        if not isinstance(payload, InferRequest):
            raise InvalidInput("requests are of the Open Inference Protocol, v2")
        try:
            feed = {tensor.name: tensor.as_numpy() for tensor in payload.inputs}
            outputs = await asyncio.to_thread(self._model.run, feed)
        except ValueError as error:  # what the request holds: names, types, shapes
            raise InvalidInput(str(error)) from error
        except enfold.Error as error:
            raise InferenceError(str(error)) from error
        tensors = []
        for name, array in outputs.items():
            tensor = InferOutput(name, list(array.shape), from_np_dtype(array.dtype))
            tensor.set_data_from_numpy(array, binary_data=payload.use_binary_outputs)
            tensors.append(tensor)
        return InferResponse(
            payload.id,
            self.name,
            tensors,
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
        )


def _metadata(tensor: enfold.Tensor) -> dict[str, Any]:
    number = next(row.number for row in _types.TABLE if row.name == tensor.dtype)
    shape = [size if isinstance(size, int) else -1 for size in tensor.shape or ()]
    datatype = from_np_dtype(_arrays.dtype_of(number))
    return {"name": tensor.name, "datatype": datatype, "shape": shape}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m enfold.kserve",
        parents=[kserve.model_server.parser],
        conflict_handler="resolve",
    )
    parser.add_argument("model", help="a .onnx file, or zoo:NAME")
    parser.add_argument("--threads", type=int, default=0, help="threads of a run; 0: all")
    parser.add_argument("--cache", action="store_true", help="cache compiled programs")
    arguments = parser.parse_args()
    model = EnfoldModel(
        arguments.model_name, arguments.model, threads=arguments.threads, cache=arguments.cache
    )
    kserve.ModelServer().start([model])


if __name__ == "__main__":
    main()
