"""Compiling a model and running it: enfold.compile()."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from enfold import _core, _settings, _types

if TYPE_CHECKING:
    from enfold import reports


class Tensor(NamedTuple):
    """An input or output: its name, its element type ("f32"; of a sequence "seq(f32)") and its shape,
    in which an open size is the name of its dimension, or None."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.name}: {self.dtype}"
        sizes = ",".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name}: {self.dtype}[{sizes}]"


def tensor_of(row: tuple[str, int, Sequence[Any] | None], kind: int = 0) -> Tensor:
    """Of what enfold._core declares."""
    name, elem, shape = row
    dtype = _types.BY_NUMBER[elem].name if elem in _types.BY_NUMBER else "?"
    if kind in (_types.SEQUENCE, _types.OPTIONAL_SEQUENCE):
        dtype = f"seq({dtype})"
    if kind in (_types.OPTIONAL_TENSOR, _types.OPTIONAL_SEQUENCE):
        dtype = f"optional({dtype})"
    return Tensor(name, dtype, None if shape is None else tuple(shape))


class Model:
    """A compiled model, which any number of threads may run.

    >>> model = enfold.compile("resnet18.onnx")
    >>> scores = model(image)
    """

    def __init__(
        self, source: Any, settings: list[tuple[str, str]], *, is_library: bool = False
    ) -> None:
        self._source = source
        self._settings = settings
        self._is_library = is_library
        open_ = _core.Network.load if is_library else _core.Network.open
        self._network = open_(_settings.model_of(source), settings)
        self._input_names = [name for name, _, _ in self._network.inputs]
        self._output_names = [name for name, _, _ in self._network.outputs]

    @property
    def inputs(self) -> list[Tensor]:
        """Inputs that must be given, in the order of the model."""
        return self._tensors(self._network.inputs)

    @property
    def optional_inputs(self) -> list[Tensor]:
        """Inputs that have a default value."""
        return [tensor_of(row) for row in self._network.overridable]

    @property
    def outputs(self) -> list[Tensor]:
        """What the model gives, in its order."""
        return self._tensors(self._network.outputs)

    def _tensors(self, rows: list[tuple[str, int, Any]]) -> list[Tensor]:
        kinds = self._network.kinds
        return [tensor_of(row, kinds.get(row[0], 0)) for row in rows]

    @property
    def metadata(self) -> dict[str, str]:
        """The model's metadata_props."""
        return self._network.metadata

    @property
    def compilations(self) -> int:
        """For how many combinations of sizes the model has been compiled."""
        return self._network.compilations

    def prepare(self, shapes: Mapping[str, Sequence[int]]) -> list[str]:
        """Compiles for inputs of these shapes ahead of the first run, and gives the compiler's notes.

        >>> model.prepare({"image": (8, 3, 224, 224)})
        """
        return self._network.prepare(_shapes(shapes))

    def explain(
        self, shapes: Mapping[str, Sequence[int]] | None = None, *, measure: bool = False
    ) -> reports.Explanation:
        """Every rewrite that was done or refused, with its reason, and how each op runs.

        shapes: of inputs that leave sizes open; without them, those of the latest run, or batches of
            one.
        measure: also measure the error of each fold, on random inputs with the reference functions.
        """
        from enfold import reports

        return reports.Explanation.from_json(self._network.explain(_shapes(shapes), measure))

    def inspect(self, shapes: Mapping[str, Sequence[int]] | None = None) -> reports.Inspection:
        """What the model takes, gives, holds and costs. Shapes are as for explain()."""
        from enfold import reports

        return reports.Inspection.from_json(self._network.inspect(_shapes(shapes)))

    def profile(
        self, shapes: Mapping[str, Sequence[int]] | None = None, *, seconds: float = 2.0
    ) -> reports.Profile:
        """Latency and the time of every kernel, measured for `seconds` on random inputs."""
        from enfold import reports

        return reports.Profile.from_json(self._network.profile(_shapes(shapes), seconds))

    def diff(
        self,
        feed: Mapping[str, Any],
        against: str | Mapping[str, Any] = "reference",
        *,
        fused_away: bool = False,
        rtol: float | None = None,
        atol: float | None = None,
    ) -> reports.Diff:
        """Every tensor that the compiled model computes of these inputs, beside the same tensor
        computed in another way.

        against: "reference" (double precision, without fusion), "unfused", "onnxruntime" (in a
            process of its own), or arrays by the name of the tensor in the model.
        fused_away: compare tensors that fusion removed as well.
        rtol, atol: of the expected number, and of the tensor's largest; without them, what rounding
            explains.
        """
        from enfold import reports

        name, expected = (against, {}) if isinstance(against, str) else (None, dict(against))
        if name == "onnxruntime":
            os.environ.setdefault("ENFOLD_PYTHON", sys.executable)
        rtol, atol = (-1.0 if value is None else value for value in (rtol, atol))
        text = self._network.diff(dict(feed), name, expected, fused_away, rtol, atol)
        return reports.Diff.from_json(text)

    def report(
        self,
        path: str | os.PathLike[str],
        shapes: Mapping[str, Sequence[int]] | None = None,
        *,
        seconds: float = 1.0,
        errors: bool = False,
        against: str | os.PathLike[str] | None = None,
    ) -> None:
        """Writes one HTML page that shows the graph, passes, kernels, memory and times.

        >>> model.report("resnet18.html")

        shapes: as for explain().
        seconds: how long to measure the network, and the same network unfused; 0 runs nothing.
        errors: compare every tensor with the reference functions, which takes longer.
        against: the path of another report to compare with.
        """
        other = None if against is None else os.fspath(against)
        self._network.report(_shapes(shapes), os.fspath(path), seconds, errors, other)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        shapes: Mapping[str, Sequence[int]] | Iterable[Mapping[str, Sequence[int]]] | None = None,
        header: str | os.PathLike[str] | None = None,
        name: str | None = None,
        cpu: str | None = None,
    ) -> None:
        """Compiles the model ahead of time into a file of native code.

        path: its extension selects the form. A .so can be loaded by enfold.load(); .so, .o and .a go
            into programs in C and C++; .s, .ll and .bc are for reading.
        shapes: as for explain(); a list of them makes a file for all of these, which share weights.
        header: the path of a C header to write as well.
        name: begins the names in C; by default made from the model's.
        cpu: LLVM's name of the processor to compile for, by default this one: "znver5", "cortex-a72".

        Raises enfold.NotImplemented naming every op that has no generated kernel.
        """
        header = None if header is None else os.fspath(header)
        if shapes is None or isinstance(shapes, Mapping):
            sizes = _shapes(shapes)
        else:
            sizes = [_shapes(one) for one in shapes]
        self._network.save(sizes, os.fspath(path), header, name, cpu)

    def run(self, feed: Mapping[str, Any], *, seconds: float = 0.0) -> dict[str, Any]:
        """All outputs by name, as new arrays.

        Arrays may be of numpy, torch, or of anything with the buffer protocol or DLPack, views with
        strides among them. A sequence is a list of arrays; None stands for an optional value that is
        not there. A run that takes longer than `seconds`, if that is not 0, ends with
        enfold.Stopped.
        """
        arrays = self._network.run(dict(feed), None, 0, seconds)
        return dict(zip(self._output_names, _like(arrays, feed.values())))

    def __call__(self, *args: Any, **inputs: Any) -> Any:
        """The output, or a tuple of them. Inputs are given in the model's order, or by name."""
        required = self._input_names
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
        return functools.partial(Model, is_library=self._is_library), (source, self._settings)

    def __repr__(self) -> str:
        inputs = ", ".join(str(tensor) for tensor in self.inputs)
        outputs = ", ".join(str(tensor) for tensor in self.outputs)
        return f"<enfold.Model {self._network.properties['graph']}({inputs}) -> {outputs}>"

    def _repr_html_(self) -> str:
        import html

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


def _shapes(shapes: Mapping[str, Sequence[int]] | None) -> dict[str, list[int]]:
    return {name: [int(size) for size in shape] for name, shape in dict(shapes or {}).items()}


def _is_torch_module(model: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _like(arrays: list[Any], inputs: Iterable[Any]) -> list[Any]:
    """Arrays of the library that the inputs are of: torch's if any is, else as they are."""
    if "torch" in sys.modules and any(
        type(value).__module__.partition(".")[0] == "torch" for value in inputs
    ):
        from enfold import _arrays  # which imports numpy

        def convert(value: Any) -> Any:
            if isinstance(value, list):
                return [convert(element) for element in value]
            return None if value is None else _arrays.as_tensor(value)

        return [convert(array) for array in arrays]
    return arrays


_LIMITS = {
    "capacity",
    "limit_file_bytes",
    "limit_iterations",
    "limit_memory",
    "limit_nesting",
    "limit_nodes",
    "limit_tensor_bytes",
    "max_rewrites",
}


def load(
    library: str | os.PathLike[str],
    *,
    threads: int = 0,
    streams: int = 1,
    strict_denormals: bool = False,
) -> Model:
    """Loads a shared library that Model.save() or `enfold compile -o net.so` wrote, as a model.

    Nothing is compiled. The library's code becomes part of the process, so it must be from a source
    you trust. It runs inputs of exactly the shapes that it was compiled for.

    Raises enfold.NoSuchFile, InvalidGraph if it is no such library, NotImplemented if this processor
    lacks instructions that it needs.
    """
    settings = _settings.pairs(threads=threads, streams=streams, strict_denormals=strict_denormals)
    return Model(os.fspath(library), settings, is_library=True)


def compile(
    model: Any,
    *,
    shapes: _settings.Shapes | None = None,
    threads: int = 0,
    streams: int = 1,
    accuracy: str = "standard",
    precision: str = "model",
    tolerance: float | None = None,
    tune: bool = False,
    cache: bool | str | os.PathLike[str] = False,
    disabled_passes: Iterable[str] = (),
    disabled_kernels: Iterable[str] = (),
    fuse: bool = True,
    passes: str | None = None,
    freeze_initializers: bool = False,
    strict_denormals: bool = False,
    assume_inference_bn: bool = False,
    data_folder: str | os.PathLike[str] | None = None,
    example_inputs: Sequence[Any] | None = None,
    dynamic_shapes: Any = None,
    **limits: Any,
) -> Model:
    """Compiles a model for this processor.

    model: the path of a .onnx or .eir file, "zoo:NAME", the bytes of an ONNX file, an
        onnx.ModelProto, or a torch.nn.Module.
    shapes: sizes of inputs by name, or of symbolic dimensions. What they leave open is compiled for
        the sizes of the first run, and again for others.
    threads: of a run; 0: as many as the process may use, divided by the streams.
    streams: calls at the same time that have so many threads each; further ones have one.
    accuracy: "strict" uses no algorithm that rounds more than direct sums.
    precision: "fp32" computes networks of f16 in f32; "bf16" lets convolutions and matrix products of
        f32 multiply bf16, and sum in f32.
    tolerance: undo folds, and rounding to bf16, that cost more accuracy than this, relative to the
        largest number.
    tune: measure which algorithms are fastest, which takes a minute, instead of estimating it.
    cache: keep the program in the user's cache folder, or in the folder given.
    disabled_passes: names as `enfold passes` lists them. fuse=False leaves out all that fold or fuse.
    disabled_kernels: names as `enfold explain` gives them, such as "conv_winograd".
    passes: run these instead of the default ones: "fold-batchnorm,fuse-activation".
    freeze_initializers: inputs that have a default become constants.
    strict_denormals: keep denormal numbers, which are flushed to zero otherwise.
    data_folder: where the external data of a model given as bytes lies.
    example_inputs, dynamic_shapes: of a torch module, as for torch.onnx.export().
    limits: limit_memory (of the process, in bytes or as "2G"), limit_file_bytes, limit_tensor_bytes,
        limit_nodes and limit_nesting refuse larger models, limit_iterations ends runs in which a
        loop takes more; capacity is how many combinations of sizes are kept (64).

    Raises enfold.NoSuchFile, InvalidProtobuf, InvalidGraph, or NotImplemented naming every node that
    cannot be compiled.
    """
    unknown = set(limits) - _LIMITS
    if unknown:
        raise TypeError(f"no option {', '.join(sorted(unknown))}")
    if _is_torch_module(model):
        if example_inputs is None:
            raise TypeError("a torch module needs example_inputs")
        from enfold.torch import to_onnx

        model = to_onnx(model, example_inputs, dynamic_shapes)
    elif example_inputs is not None or dynamic_shapes is not None:
        raise TypeError("example_inputs and dynamic_shapes go with a torch module")
    settings = _settings.pairs(
        shapes=shapes,
        disabled_passes=disabled_passes,
        disabled_kernels=disabled_kernels,
        cache=cache,
        threads=threads,
        streams=streams,
        accuracy=accuracy,
        precision=precision,
        tolerance=tolerance,
        tune=tune,
        fuse=fuse,
        passes=passes,
        freeze_initializers=freeze_initializers,
        strict_denormals=strict_denormals,
        assume_inference_bn=assume_inference_bn,
        data_folder=None if data_folder is None else os.fspath(data_folder),
        **limits,
    )
    return Model(model, settings)
