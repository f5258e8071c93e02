"""Networks of 8-bit integers: enfold.quantize()."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from enfold import _core, _settings
from enfold.model import Tensor, tensor_of

if TYPE_CHECKING:
    from enfold.reports import Quantization


def quantize(
    model: Any,
    samples: Any,
    path: str | os.PathLike[str],
    *,
    method: str = "auto",
    percentile: float = 99.99,
    equalize: bool = True,
    correct_biases: bool = True,
    reduce_range: bool = False,
    quantize_outputs: bool = False,
    max_loss: float | None = None,
    exclude: Iterable[str] = (),
    labels: Iterable[int] | None = None,
    shapes: _settings.Shapes | None = None,
    threads: int = 0,
    data_folder: str | os.PathLike[str] | None = None,
    **limits: Any,
) -> Quantization:
    """Writes a network that computes in 8-bit integers, as an ONNX file, and reports how good it is.

    >>> report = enfold.quantize("resnet18.onnx", images, "resnet18_int8.onnx")

    model: as for enfold.compile(), but no torch module.
    samples: about a hundred typical inputs. For a model of one input an array whose first axis
        counts them: of one axis more than the input, each a whole input; of as many, cut into
        batches of the model's size. For several inputs, a dictionary of such arrays. Or an iterable
        of samples, each an array, or a dictionary of arrays by the name of the input.
    path: of the file to write, whose name ends in .onnx.
    method: how ranges are chosen: "minmax", "percentile", "mse", or "auto", which measures them all.
    percentile: what the method of that name keeps, in percent.
    equalize, correct_biases: False does not try to.
    reduce_range: weights of 7 bits, for programs whose sums of two products saturate 16 bits.
    quantize_outputs: also round the results of the last layers to 8 bits.
    max_loss: keep layers of less signal to noise than so many dB in floats, if that helps the
        outputs.
    exclude: nodes to keep in floats, by name.
    labels: the class of each row of the samples; the report then has the accuracy before and after.
    shapes, threads, data_folder, limits: as for enfold.compile().
    """
    from enfold import reports

    settings = _settings.pairs(shapes, threads=threads, data_folder=data_folder, **limits)
    network = _core.Network.open(_settings.model_of(model), settings)
    feeds = list(_feeds(samples, [tensor_of(row) for row in network.inputs], dict(shapes or {})))
    text = network.quantize(
        feeds,
        os.fspath(path),
        method=method,
        percentile=percentile,
        max_loss=0.0 if max_loss is None else max_loss,
        equalize=equalize,
        correct_biases=correct_biases,
        reduce_range=reduce_range,
        quantize_outputs=quantize_outputs,
        exclude=_settings.names("exclude", exclude),
        labels=[] if labels is None else [int(label) for label in labels],
    )
    return reports.Quantization.from_json(text)


def _feeds(samples: Any, inputs: list[Tensor], shapes: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Samples as dictionaries of arrays by the name of the input."""
    if isinstance(samples, (str, bytes, os.PathLike)):
        raise TypeError("samples are arrays, not a path: numpy.load() reads a .npy file")
    if isinstance(samples, Mapping):
        by_name = {tensor.name: tensor for tensor in inputs}
        for name in samples:
            if name not in by_name:
                raise ValueError(f"no input is named '{name}'; there are {', '.join(by_name)}")
        parts = {name: list(_parts(samples[name], by_name[name], shapes)) for name in samples}
        counts = {name: len(rows) for name, rows in parts.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"as many samples are needed of each input, not {counts}")
        for row in zip(*parts.values()):
            yield dict(zip(parts, row))
        return
    if hasattr(samples, "shape"):
        samples = _parts(samples, _only(inputs), shapes)
    for sample in samples:
        yield dict(sample) if isinstance(sample, Mapping) else {_only(inputs).name: sample}


def _only(inputs: list[Tensor]) -> Tensor:
    if len(inputs) != 1:
        names = ", ".join(tensor.name for tensor in inputs)
        raise ValueError(f"the model has the inputs {names}: give a dictionary of arrays")
    return inputs[0]


def _parts(array: Any, tensor: Tensor, shapes: dict[str, Any]) -> Iterator[Any]:
    """The samples that the first axis counts. Behind the last row, the first ones fill a batch."""
    if tensor.shape is None:
        raise ValueError(f"the model leaves the axes of '{tensor.name}' open: give a list of samples")
    rank = len(tensor.shape)
    if len(array.shape) == rank + 1:
        yield from array
        return
    if len(array.shape) != rank or rank == 0:
        raise ValueError(f"samples of {tensor} have {rank} or {rank + 1} axes, not {len(array.shape)}")
    batch = _batch(tensor, shapes)
    for begin in range(0, len(array), batch):
        rows = array[begin : begin + batch]
        if len(rows) < batch:
            import numpy

            rows = numpy.take(array, range(begin, begin + batch), axis=0, mode="wrap")
        yield rows


def _batch(tensor: Tensor, shapes: dict[str, Any]) -> int:
    """The first size of an input, where anything states it; else 1."""
    given = shapes.get(tensor.name)
    if given is not None and not isinstance(given, int):
        return max(int(given[0]), 1)
    size = (tensor.shape or (None,))[0]
    if isinstance(size, str):
        size = shapes.get(size)
    return max(int(size), 1) if isinstance(size, int) else 1
