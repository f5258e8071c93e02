"""torch.compile(model, backend="enfold"): inference of convolutional networks.

Each graph that TorchDynamo captures is exported to ONNX and compiled. What cannot be runs as torch
would run it, with a warning. Training is not supported: a graph that needs gradients runs in torch.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch

from enfold import model as _model


def compile_graph(
    module: torch.fx.GraphModule, example_inputs: Sequence[Any], **options: Any
) -> Callable[..., Any]:
    """The backend: a function that computes what the captured graph does."""
    wants_gradients = torch.is_grad_enabled() and any(
        isinstance(value, torch.Tensor) and value.requires_grad for value in example_inputs
    )
    if wants_gradients:
        warnings.warn(
            "enfold runs networks and does not train them: use torch.no_grad()", stacklevel=2
        )
        return module.forward
    try:
        return _compiled(module, example_inputs, options)
    except Exception as error:  # noqa: BLE001 - torch computes what cannot be compiled
        warnings.warn(f"enfold cannot compile this graph, so torch runs it: {error}", stacklevel=2)
        return module.forward


def _compiled(
    module: torch.fx.GraphModule, example_inputs: Sequence[Any], options: dict[str, Any]
) -> Callable[..., Any]:
    tensors = [i for i, value in enumerate(example_inputs) if isinstance(value, torch.Tensor)]
    fixed = {i: value for i, value in enumerate(example_inputs) if i not in tensors}

    class Whole(torch.nn.Module):
        """The graph as a function of its tensors; sizes that dynamo passes are constants."""

        def __init__(self) -> None:
            super().__init__()
            self.graph = module

        def forward(self, *values: torch.Tensor) -> Any:
            given = dict(zip(tensors, values))
            return self.graph(*(given.get(i, fixed.get(i)) for i in range(len(example_inputs))))

    arguments = tuple(example_inputs[i].detach() for i in tensors)
    with torch.no_grad():
        program = torch.onnx.export(
            Whole().eval(), arguments, dynamo=True, verbose=False, external_data=False
        )
    buffer = io.BytesIO()
    program.save(buffer)
    compiled = _model.compile(buffer.getvalue(), **options)
    names = [tensor.name for tensor in compiled.inputs]

    def run(*values: Any) -> list[torch.Tensor]:
        given = [values[i].detach() for i in tensors]
        return list(compiled.run(dict(zip(names, given))).values())

    return run
