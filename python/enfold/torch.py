"""torch.compile(model, backend="enfold"), and torch modules as ONNX models.

    model = torch.compile(torchvision.models.resnet18().eval(), backend="enfold")
    with torch.no_grad():
        scores = model(image)

torch finds the backend by its entry point. It is for inference on the CPU: parameters and buffers are
compiled in, and a change of theirs compiles anew. What cannot be exported or compiled, or needs
gradients, runs in torch, after a warning that says why.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from enfold import _arrays, _core, _settings


def to_onnx(
    module: torch.nn.Module,
    example_inputs: Sequence[Any],
    dynamic_shapes: Any = None,
    input_names: Sequence[str] | None = None,
) -> bytes:
    """A module as the bytes of an ONNX model, by torch.onnx.export(dynamo=True).

    dynamic_shapes: as for torch.export, for sizes that stay open.

    Raises ValueError if a call of the module would change its inputs or its buffers, as batch
    normalization does in training.
    """
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            module,
            tuple(example_inputs),
            dynamo=True,
            dynamic_shapes=dynamic_shapes,
            input_names=input_names,
            verbose=False,
        )
    signature = program.exported_program.graph_signature
    changed = {**signature.buffers_to_mutate, **signature.user_inputs_to_mutate}
    if changed:
        raise ValueError(f"a call changes {', '.join(map(str, changed.values()))}")
    buffer = io.BytesIO()
    program.save(buffer)
    return buffer.getvalue()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says to its developers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


class _Frozen(torch.nn.Module):
    """A graph with some of its arguments fixed, and sizes taken from the tensors that have them."""

    def __init__(
        self,
        graph: torch.fx.GraphModule,
        fixed: dict[int, torch.Tensor],
        given: Sequence[int],
        sizes: dict[int, tuple[int, int]],
    ) -> None:
        super().__init__()
        self._graph = graph
        self._given, self._sizes = list(given), dict(sizes)
        self._count = len(fixed) + len(given) + len(sizes)
        self._fixed = list(fixed)
        for index, tensor in fixed.items():
            self.register_buffer(f"fixed_{index}", tensor.detach())

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        arguments: list[Any] = [None] * self._count
        for index in self._fixed:
            arguments[index] = getattr(self, f"fixed_{index}")
        for index, tensor in zip(self._given, inputs):
            arguments[index] = tensor
        for index, (position, axis) in self._sizes.items():
            arguments[index] = inputs[position].shape[axis]
        results = self._graph(*arguments)
        results = results if isinstance(results, (tuple, list)) else (results,)
        return tuple(result for result in results if isinstance(result, torch.Tensor))


class _Compiled:
    """What torch calls in place of a graph: compiled at its first call."""

    def __init__(self, graph: torch.fx.GraphModule, options: dict[str, Any]) -> None:
        self._graph, self._options = graph, options
        self._network: _core.Network | None = None
        self._in_torch = False
        self._state: list[tuple[int, int]] = []
        placeholders = [node for node in graph.graph.nodes if node.op == "placeholder"]
        examples = [node.meta.get("example_value") for node in placeholders]
        self._fixed = [i for i, node in enumerate(placeholders) if _is_state(node)]
        self._given = [
            i
            for i, value in enumerate(examples)
            if isinstance(value, torch.Tensor) and i not in self._fixed
        ]
        self._sizes: dict[int, tuple[int, int]] = {}
        self._open: list[dict[int, Any]] = [{} for _ in self._given]
        self._problem = self._find_sizes(examples)
        (output,) = [node for node in graph.graph.nodes if node.op == "output"]
        self._results = output.args[0] if isinstance(output.args[0], (tuple, list)) else output.args
        self._names = [f"input_{index}" for index in self._given]

    def _find_sizes(self, examples: Sequence[Any]) -> str | None:
        """Which axis each argument that is a size comes from; what stands in the way, if anything."""
        where: dict[str, tuple[int, int]] = {}
        for position, index in enumerate(self._given):
            for axis, size in enumerate(examples[index].shape):
                if isinstance(size, torch.SymInt):
                    self._open[position][axis] = torch.export.Dim.DYNAMIC
                    where.setdefault(str(size), (position, axis))
        for index, value in enumerate(examples):
            if index in self._fixed or index in self._given:
                continue
            if not isinstance(value, torch.SymInt) or str(value) not in where:
                return f"argument {index} is {type(value).__name__}, neither a tensor nor a size of one"
            self._sizes[index] = where[str(value)]
        return None

    def __call__(self, *arguments: Any) -> Any:
        if self._in_torch:
            return self._graph(*arguments)
        try:
            if torch.is_grad_enabled() and any(
                isinstance(a, torch.Tensor) and a.requires_grad for a in arguments
            ):
                raise ValueError("gradients are wanted: call the model under torch.no_grad()")
            return self._run(arguments)
        except Exception as error:  # noqa: BLE001 - torch can run whatever this cannot
            self._in_torch = True
            first_line = str(error).partition("\n")[0]
            warnings.warn(f"enfold: a graph runs in torch: {first_line}", stacklevel=2)
            return self._graph(*arguments)

    def _run(self, arguments: Sequence[Any]) -> list[Any]:
        state = [_version(arguments[index]) for index in self._fixed]
        if self._network is None or state != self._state:
            self._network = self._compile(arguments)
            self._state = state
        feed = {name: arguments[i].detach() for name, i in zip(self._names, self._given)}
        arrays = iter(self._network.run(feed))
        results = []
        for result in self._results:
            if isinstance(result, torch.fx.Node) and _is_tensor(result):
                results.append(_arrays.as_tensor(next(arrays)))
            elif isinstance(result, torch.fx.Node):
                results.append(arguments[self._size_index(result)])
            else:
                results.append(result)
        return results

    def _size_index(self, node: torch.fx.Node) -> int:
        placeholders = [n for n in self._graph.graph.nodes if n.op == "placeholder"]
        if node not in placeholders:
            raise ValueError(f"the result {node.name} is neither a tensor nor an argument")
        return placeholders.index(node)

    def _compile(self, arguments: Sequence[Any]) -> _core.Network:
        if self._problem:
            raise ValueError(self._problem)
        if not self._given:
            raise ValueError("the graph takes no tensor")
        for index in (*self._fixed, *self._given):
            if arguments[index].device.type != "cpu":
                raise ValueError(f"a tensor is on {arguments[index].device}, not on the CPU")
        fixed = {index: arguments[index] for index in self._fixed}
        frozen = _Frozen(self._graph, fixed, self._given, self._sizes)
        inputs = [arguments[index].detach() for index in self._given]
        # One specification for the variadic argument of _Frozen.forward().
        shapes = (tuple(self._open),) if any(self._open) else None
        model = to_onnx(frozen, inputs, shapes, self._names)
        return _core.Network.open(model, _settings.pairs(**self._options))


@torch._dynamo.disable
def _call(compiled: _Compiled, arguments: Sequence[Any]) -> Any:
    return compiled(*arguments)


def backend(
    graph: torch.fx.GraphModule, example_inputs: Sequence[Any], *, options: Any = None, **_: Any
) -> Callable[..., Any]:
    """The backend of torch.compile(); `options` are those of enfold.compile()."""
    compiled = _Compiled(graph, dict(options or {}))
    return lambda *arguments: _call(compiled, arguments)


def _is_state(node: torch.fx.Node) -> bool:
    """Whether an argument of a graph is a parameter or buffer of a module."""
    example = node.meta.get("example_value")
    if isinstance(example, torch.nn.Parameter):
        return True
    tensor_dict = node.meta.get("tensor_dict") or {}
    return isinstance(example, torch.Tensor) and "_dynamo_static_input_type" in tensor_dict


def _is_tensor(node: torch.fx.Node) -> bool:
    return isinstance(node.meta.get("example_value"), torch.Tensor)


def _version(tensor: torch.Tensor) -> tuple[int, int]:
    """Changes when a tensor is replaced or written to; tensors of inference mode count no writes."""
    return tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version
