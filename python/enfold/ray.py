"""Predictions over a ray.data.Dataset, batch by batch on the actors of a cluster.

dataset.map_batches(
    enfold.ray.Predictor,
    fn_constructor_kwargs={"model": "net.onnx", "column": "image"},
    batch_size=16,
    compute=ray.data.ActorPoolStrategy(size=4),
    num_cpus=2,
)
"""

from __future__ import annotations

import os
from typing import Any

import numpy

from enfold import model as _model


class Predictor:
    """A callable class for Dataset.map_batches().

    model: as for enfold.compile(); a path must be there on every node.
    column: of the inputs; or a dict that names the column of each input of the model.
    batch_size: images that the program takes at a time; a batch with fewer left over is filled up.
        None: batches run as they come.
    output: the column of the results; of a model with several outputs, they are named output_NAME.
    cache: where programs are kept, so that each node compiles once.
    threads: of a run; None: as many CPUs as Ray gave the actor.
    """

    def __init__(
        self,
        model: Any,
        column: str | dict[str, str] = "image",
        *,
        batch_size: int | None = None,
        output: str = "prediction",
        cache: bool | str = True,
        threads: int | None = None,
        **options: Any,
    ) -> None:
        threads = _granted_cpus() if threads is None else threads
        _pin(threads)
        self._batch_size = batch_size
        self._model = _model.compile(model, cache=cache, threads=threads, **options)
        names = [tensor.name for tensor in self._model.inputs]
        self._columns = column if isinstance(column, dict) else {names[0]: column}
        self._output = output
        self.rows = 0

    def __call__(self, batch: dict[str, numpy.ndarray]) -> dict[str, numpy.ndarray]:
        inputs = {name: numpy.asarray(batch[column]) for name, column in self._columns.items()}
        count = len(next(iter(inputs.values())))
        size = self._batch_size or count
        parts: list[dict[str, numpy.ndarray]] = []
        for begin in range(0, count, size):
            feed = {
                name: _filled(array[begin : begin + size], size) for name, array in inputs.items()
            }
            kept = min(size, count - begin)
            parts.append({name: a[:kept] for name, a in self._model.run(feed).items()})
        self.rows += count
        results = dict(batch)
        for name in parts[0] if parts else []:
            column = self._output if len(parts[0]) == 1 else f"{self._output}_{name}"
            results[column] = numpy.concatenate([part[name] for part in parts])
        return results


def _filled(array: numpy.ndarray, size: int) -> numpy.ndarray:
    """The array with rows of zeros behind it up to a size."""
    missing = size - len(array)
    if missing == 0:
        return array
    return numpy.concatenate([array, numpy.zeros((missing, *array.shape[1:]), array.dtype)])


def _granted_cpus() -> int:
    """The CPUs that Ray gave the actor; 1 outside Ray."""
    try:
        import ray

        granted = ray.get_runtime_context().get_assigned_resources().get("CPU", 1)
        return max(1, int(granted))
    except Exception:  # noqa: BLE001 - not within an actor
        return 1


def _pin(threads: int) -> None:
    """Keeps the process on as many CPUs as it has threads, chosen by its number."""
    allowed = sorted(os.sched_getaffinity(0))
    if 0 < threads < len(allowed):
        first = os.getpid() * threads % len(allowed)
        chosen = {allowed[(first + i) % len(allowed)] for i in range(threads)}
        os.sched_setaffinity(0, chosen)
