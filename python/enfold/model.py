"""Compiling a model and running it: enfold.compile()."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from enfold import _core, _settings, _types


class Tensor(NamedTuple):
    """An input or output: its name, its element type ("f32") and its shape, in which an open size is
    the name of its dimension, or None."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.name}: {self.dtype}"
        sizes = ",".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name}: {self.dtype}[{sizes}]"


def _tensor(row: tuple[str, int, Sequence[Any] | None]) -> Tensor:
    name, elem, shape = row
    dtype = _types.BY_NUMBER[elem].name if elem in _types.BY_NUMBER else "?"
    return Tensor(name, dtype, None if shape is None else tuple(shape))


class Model:
    """A compiled model, which any number of threads may run.

    >>> model = enfold.compile("resnet18.onnx")
    >>> scores = model(image)
    """

    def __init__(self, source: Any, settings: list[tuple[str, str]]) -> None:
        self._source = source
        self._settings = settings
        self._network = _core.Network(_settings.model_of(source), settings)

    @property
    def inputs(self) -> list[Tensor]:
        """Inputs that must be given, in the order of the model."""
        return [_tensor(row) for row in self._network.inputs]

    @property
    def optional_inputs(self) -> list[Tensor]:
        """Inputs that have a default value."""
        return [_tensor(row) for row in self._network.overridable]

    @property
    def outputs(self) -> list[Tensor]:
        """What the model gives, in its order."""
        return [_tensor(row) for row in self._network.outputs]

    @property
    def metadata(self) -> dict[str, str]:
        """The model's metadata_props."""
        return self._network.metadata

    @property
    def compilations(self) -> int:
        """For how many combinations of sizes the model has been compiled."""
        return self._network.compilations

    def run(self, feed: Mapping[str, Any], *, seconds: float = 0.0) -> dict[str, Any]:
        """All outputs by name, as new arrays.

        Arrays may be of numpy, torch, or of anything with the buffer protocol or DLPack, views with
        strides among them. A run that takes longer than `seconds`, if that is not 0, ends with
        enfold.Stopped.
        """
        arrays = self._network.run(dict(feed), None, 0, seconds)
        names = [name for name, _, _ in self._network.outputs]
        return dict(zip(names, _like(arrays, feed.values())))

    def __call__(self, *args: Any, **inputs: Any) -> Any:
        """The output, or a tuple of them. Inputs are given in the model's order, or by name."""
        required = [name for name, _, _ in self._network.inputs]
        if len(args) > len(required):
            raise TypeError(f"{len(args)} inputs given; the model takes {required}")
        feed = dict(zip(required, args))
        for name, value in inputs.items():
            if name in feed:
                raise TypeError(f"input '{name}' is given twice")
            feed[name] = value
        results = tuple(self.run(feed).values())
        return results[0] if len(results) == 1 else results

    def __reduce__(self) -> tuple[Any, ...]:
        source = self._source
        if not isinstance(source, (str, bytes)):
            source = _settings.model_of(source)
        return Model, (source, self._settings)

    def __repr__(self) -> str:
        inputs = ", ".join(str(tensor) for tensor in self.inputs)
        outputs = ", ".join(str(tensor) for tensor in self.outputs)
        return f"<enfold.Model {self._network.properties['graph']}({inputs}) -> {outputs}>"

    def _repr_html_(self) -> str:
        rows = [("input", tensor) for tensor in self.inputs]
        rows += [("output", tensor) for tensor in self.outputs]
        cells = "".join(
            f"<tr><td>{role}</td><td>{html.escape(tensor.name)}</td><td>{tensor.dtype}</td>"
            f"<td>{html.escape(str(list(tensor.shape)) if tensor.shape is not None else '?')}</td></tr>"
            for role, tensor in rows
        )
        graph = html.escape(self._network.properties["graph"])
        return (
            f"<table><caption>{graph}</caption><tr><th></th><th>name</th><th>type</th>"
            f"<th>shape</th></tr>{cells}</table>"
        )


def _like(arrays: list[Any], inputs: Iterable[Any]) -> list[Any]:
    """Arrays of the library that the inputs are of: torch's if any is, else as they are."""
    if any(type(value).__module__.partition(".")[0] == "torch" for value in inputs):
        import torch

        return [torch.as_tensor(array) for array in arrays]
    return arrays


def compile(
    model: Any,
    *,
    shapes: _settings.Shapes | None = None,
    threads: int = 0,
    accuracy: str = "standard",
    tolerance: float | None = None,
    tune: bool = False,
    cache: bool | str | os.PathLike[str] = False,
    disabled_passes: Iterable[str] = (),
    fuse: bool = True,
    freeze_initializers: bool = False,
    strict_denormals: bool = False,
    assume_inference_bn: bool = False,
    data_folder: str | os.PathLike[str] | None = None,
    **limits: Any,
) -> Model:
    """Compiles a model for this processor.

    model: the path of a .onnx or .eir file, "zoo:NAME", the bytes of an ONNX file, or an
        onnx.ModelProto.
    shapes: sizes of inputs by name, or of symbolic dimensions. What they leave open is compiled for
        the sizes of the first run, and again for others.
    threads: of a run; 0: as many as the process may use.
    accuracy: "strict" uses no algorithm that rounds more than direct sums.
    tolerance: undo folds that cost more accuracy than this, relative to the largest number.
    tune: measure which algorithms are fastest, which takes a minute, instead of estimating it.
    cache: keep the program in the user's cache folder, or in the folder given.
    disabled_passes: names as `enfold passes` lists them. fuse=False leaves out all that fold or fuse.
    freeze_initializers: inputs that have a default become constants.
    strict_denormals: keep denormal numbers, which are flushed to zero otherwise.
    data_folder: where the external data of a model given as bytes lies.
    limits: limit_file_bytes, limit_tensor_bytes, limit_nodes, limit_nesting, capacity.

    Raises enfold.NoSuchFile, InvalidProtobuf, InvalidGraph, or NotImplemented naming every node that
    cannot be compiled.
    """
    known = {"limit_file_bytes", "limit_tensor_bytes", "limit_nodes", "limit_nesting", "capacity"}
    unknown = set(limits) - known
    if unknown:
        raise TypeError(f"no option {', '.join(sorted(unknown))}")
    settings = _settings.pairs(
        shapes=shapes,
        disabled_passes=disabled_passes,
        cache=cache,
        threads=threads,
        accuracy=accuracy,
        tolerance=tolerance,
        tune=tune,
        fuse=fuse,
        freeze_initializers=freeze_initializers,
        strict_denormals=strict_denormals,
        assume_inference_bn=assume_inference_bn,
        data_folder=None if data_folder is None else os.fspath(data_folder),
        **limits,
    )
    return Model(model, settings)
