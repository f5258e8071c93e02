"""Models over Ray Data: `enfold.ray.Predictor` for Dataset.map_batches().

    scored = dataset.map_batches(
        enfold.ray.Predictor,
        fn_constructor_kwargs={"model": "resnet18.onnx", "inputs": {"data": "image"}},
        batch_size=32,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=4),
        num_cpus=1,
    )

Ray moves the batches, restarts actors that died and runs their batches again. Rows come out in their
order with `ray.data.DataContext.get_current().execution_options.preserve_order = True`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy
import ray
from ray.util.metrics import Counter

import enfold


class Predictor:
    """Adds a model's outputs to batches of columns.

    model, options: as for enfold.compile(). Programs go through the cache, so that of all actors on a
        node one compiles and the others load.
    inputs: the column for each input of the model; by default the column of the input's name.
    outputs: the column for each output; by default the output's name.
    batch_size: rows of one run; by default the model's own batch, or the rows of the first batch if
        the model leaves it open. Whatever the batches, each run has so many rows: the last one is
        filled up and cut. So the bits of a row's answer do not depend on how Ray divides the rows.
    keep: columns that are passed on; by default those that the model does not take.

    An actor uses as many threads as Ray gave it CPUs (num_cpus, at least one), and keeps to cores that
    no other actor of the node has taken, if there are enough. The metrics `enfold_rows` and
    `enfold_runs` count what was done.
    """

    def __init__(
        self,
        model: Any,
        *,
        inputs: Mapping[str, str] | None = None,
        outputs: Mapping[str, str] | None = None,
        batch_size: int | None = None,
        keep: list[str] | None = None,
        cache: bool | str = True,
        **options: Any,
    ) -> None:
        cpus = ray.get_runtime_context().get_assigned_resources().get("CPU", 1)
        options.setdefault("threads", max(1, int(cpus)))
        self._cores = _take_cores(options["threads"])
        with _one_at_a_time():
            self._model = enfold.compile(model, cache=cache, **options)
            self._batch_size = batch_size or _declared_batch(self._model)
            self._prepare()
        names = [tensor.name for tensor in self._model.inputs]
        self._inputs = {name: (inputs or {}).get(name, name) for name in names}
        self._outputs = dict(outputs or {})
        self._keep = keep
        self.rows, self.runs = 0, 0
        self._rows_metric = Counter("enfold_rows", "Rows that models were run on")
        self._runs_metric = Counter("enfold_runs", "Runs of models")

    def _prepare(self) -> None:
        """Compiles for the batch, where that is all the model leaves open."""
        shapes = {}
        for tensor in self._model.inputs:
            sizes = list(tensor.shape or [None])
            sizes[0] = self._batch_size if not isinstance(sizes[0], int) else sizes[0]
            shapes[tensor.name] = sizes
        if all(isinstance(size, int) for sizes in shapes.values() for size in sizes):
            self._model.prepare(shapes)

    def __call__(self, batch: dict[str, numpy.ndarray]) -> dict[str, numpy.ndarray]:
        missing = [column for column in self._inputs.values() if column not in batch]
        if missing:
            raise enfold.InvalidArgument(
                f"no column {', '.join(missing)}; the batch has {', '.join(batch)}"
            )
        feed = {name: numpy.asarray(batch[column]) for name, column in self._inputs.items()}
        rows = len(next(iter(feed.values())))
        size = self._batch_size or max(rows, 1)
        self._batch_size = size
        parts: dict[str, list[numpy.ndarray]] = {}
        for begin in range(0, rows, size):
            some = {
                name: _filled(array[begin : begin + size], size) for name, array in feed.items()
            }
            for name, array in self._model.run(some).items():
                parts.setdefault(name, []).append(array[: min(size, rows - begin)])
            self.runs += 1
            self._runs_metric.inc()
        self.rows += rows
        if rows:
            self._rows_metric.inc(rows)
        taken = set(self._inputs.values())
        keep = [name for name in batch if name not in taken] if self._keep is None else self._keep
        result = {name: batch[name] for name in keep}
        for name, arrays in parts.items():
            result[self._outputs.get(name, name)] = numpy.concatenate(arrays)
        return result


def _declared_batch(model: enfold.Model) -> int | None:
    """The first size of the inputs, if the model fixes it."""
    sizes = {tensor.shape[0] for tensor in model.inputs if tensor.shape}
    return sizes.pop() if len(sizes) == 1 and isinstance(next(iter(sizes)), int) else None


def _filled(array: numpy.ndarray, size: int) -> numpy.ndarray:
    """The array with its last row repeated up to `size` rows."""
    missing = size - len(array)
    return numpy.concatenate([array, numpy.repeat(array[-1:], missing, 0)]) if missing else array


def _lock_folder() -> pathlib.Path:
    folder = pathlib.Path(tempfile.gettempdir()) / f"enfold-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Holds the node's lock for compiling, which ends with the process."""
    with open(_lock_folder() / "compile.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _take_cores(count: int) -> list[Any]:
    """Keeps this process to `count` cores that no other actor has; the files that hold them.

    Leaves the process as it is where there are not as many. The system frees them with the process.
    """
    held, cores = [], []
    for core in sorted(os.sched_getaffinity(0)):
        file = open(_lock_folder() / f"core-{core}.lock", "w")  # noqa: SIM115 - held while we live
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        held.append(file)
        cores.append(core)
        if len(cores) == count:
            os.sched_setaffinity(0, cores)
            return held
    for file in held:
        file.close()
    return []
