"""onnxruntime's interface: sessions, their options, values and bindings, with its names and errors."""

from __future__ import annotations

import enum
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from enfold import _core, _errors, _fallback, _options, _settings, _types
from enfold.values import OrtDevice, OrtValue, OrtValueVector, on_cpu

PROVIDER = "CPUExecutionProvider"
_EXTERNAL_FOLDER = "session.model_external_initializers_file_folder_path"


class _Enumeration(enum.IntEnum):
    """Members print with their names, as onnxruntime's do."""

    __str__ = enum.Enum.__str__


class GraphOptimizationLevel(_Enumeration):
    """How much a graph is rewritten: at the level of none, nothing is folded or fused."""

    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(_Enumeration):
    """Accepted and without meaning here."""

    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class ExecutionOrder(_Enumeration):
    """Accepted and without meaning here."""

    DEFAULT = 0
    PRIORITY_BASED = 1
    MEMORY_EFFICIENT = 2


class SessionOptions:
    """How a model is compiled and run. Attributes without meaning here are kept and ignored; there are
    no others."""

    __slots__ = (
        "_config",
        "_dimensions",
        "_files",
        "_initializers",
        "_is_canceled",
        "_providers",
        "enable_cpu_mem_arena",
        "enable_mem_pattern",
        "enable_mem_reuse",
        "enable_profiling",
        "execution_mode",
        "execution_order",
        "graph_optimization_level",
        "inter_op_num_threads",
        "intra_op_num_threads",
        "log_severity_level",
        "log_verbosity_level",
        "logid",
        "optimized_model_filepath",
        "profile_file_prefix",
        "use_deterministic_compute",
        "use_per_session_threads",
    )

    def __init__(self) -> None:
        self.enable_cpu_mem_arena = True
        self.enable_mem_pattern = True
        self.enable_mem_reuse = True
        self.enable_profiling = False
        self.execution_mode = ExecutionMode.ORT_SEQUENTIAL
        self.execution_order = ExecutionOrder.DEFAULT
        self.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_ALL
        self.inter_op_num_threads = 0
        self.intra_op_num_threads = 0
        self.log_severity_level = -1
        self.log_verbosity_level = 0
        self.logid = ""
        self.optimized_model_filepath = ""
        self.profile_file_prefix = "onnxruntime_profile_"
        self.use_deterministic_compute = False
        self.use_per_session_threads = True
        self._config: dict[str, str] = {}
        self._dimensions: dict[str, int] = {}
        self._files: dict[str, bytes] = {}
        self._initializers: dict[str, Any] = {}
        self._is_canceled = False
        self._providers: list[str] = []

    def add_session_config_entry(self, key: str, value: str) -> None:
        self._config[str(key)] = str(value)

    def get_session_config_entry(self, key: str) -> str:
        if key not in self._config:
            raise RuntimeError(f"SessionOptions does not have configuration with key: {key}")
        return self._config[key]

    def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
        self._dimensions[name] = int(size)

    def add_free_dimension_override_by_denotation(self, denotation: str, size: int) -> None:
        """Accepted: denotations have no meaning here."""

    def add_provider(self, name: str, options: Mapping[str, str] | None = None) -> None:
        self._providers.append(name)

    def has_providers(self) -> bool:
        return bool(self._providers)

    def add_initializer(self, name: str, value: OrtValue) -> None:
        """Takes the place of the model's initializer of that name."""
        self._initializers[name] = value.numpy()

    def add_external_initializers(self, names: Sequence[str], values: Sequence[OrtValue]) -> None:
        """The same for initializers whose data lie in other files, which are then not read."""
        if len(names) != len(values):
            raise RuntimeError(f"{len(names)} names of initializers and {len(values)} values")
        for name, value in zip(names, values):
            self.add_initializer(name, value)

    def add_external_initializers_from_files_in_memory(
        self, names: Sequence[str], buffers: Sequence[Any], lengths: Sequence[int]
    ) -> None:
        """What files of external data would hold, for models given as bytes."""
        if not len(names) == len(buffers) == len(lengths):
            raise RuntimeError(
                f"{len(names)} names of files, {len(buffers)} buffers and {len(lengths)} lengths"
            )
        import pathlib

        for name, buffer, length in zip(names, buffers, lengths):
            path = pathlib.PurePath(name)
            if not path.parts or path.is_absolute() or ".." in path.parts:
                raise RuntimeError(f"{name!r} is not the name of a file beside a model")
            content = memoryview(buffer).cast("B")
            if not 0 <= length <= len(content):
                raise RuntimeError(f"{name}: {length} bytes of a buffer of {len(content)}")
            self._files[str(path)] = bytes(content[:length])

    def set_load_cancellation_flag(self, is_canceled: bool) -> None:
        """Sessions made while this is set fail."""
        self._is_canceled = bool(is_canceled)

    def set_provider_selection_policy(self, policy: Any) -> None:
        """Accepted: there is one provider."""

    def set_provider_selection_policy_delegate(self, delegate: Any) -> None:
        """Accepted: there is one provider."""

    def add_provider_for_devices(self, devices: Sequence[Any], options: Any = None) -> None:
        """Accepted where no device is named: there is none but the CPU."""
        if devices:
            raise _errors.NotImplemented("devices cannot be selected")

    def set_ep_context_data_read_func(self, function: Any) -> None:
        """Accepted: models hold no data of other providers."""

    def clear_ep_context_data_read_func(self) -> None:
        """Accepted: models hold no data of other providers."""

    def register_custom_ops_library(self, path: str) -> None:
        raise _errors.NotImplemented(f"{path}: libraries of custom operators cannot be loaded")


class RunOptions:
    """Limits of a run. `terminate` may be set by another thread, and ends the run."""

    __slots__ = (
        "_config",
        "_stop",
        "log_severity_level",
        "log_verbosity_level",
        "logid",
        "only_execute_path_to_fetches",
    )

    def __init__(self) -> None:
        import ctypes

        self.log_severity_level = -1
        self.log_verbosity_level = 0
        self.logid = ""
        self.only_execute_path_to_fetches = False
        self._stop = ctypes.c_int32(0)
        self._config: dict[str, str] = {}

    def _stop_address(self) -> int:
        import ctypes

        return ctypes.addressof(self._stop)

    @property
    def terminate(self) -> bool:
        return bool(self._stop.value)

    @terminate.setter
    def terminate(self, value: bool) -> None:
        self._stop.value = int(bool(value))

    def add_active_adapter(self, adapter: Any) -> None:
        raise _errors.NotImplemented("enfold has no adapters")

    def add_run_config_entry(self, key: str, value: str) -> None:
        self._config[str(key)] = str(value)

    def get_run_config_entry(self, key: str) -> str:
        if key not in self._config:
            raise RuntimeError(f"RunOptions does not have configuration with key: {key}")
        return self._config[key]


class NodeArg:
    """An input or output: its name, its type such as "tensor(float)", its shape, in which an open
    size is the name of its dimension, or None. Of an unknown shape, it is empty."""

    def __init__(
        self, name: str, elem: int, shape: Sequence[int | str | None] | None, kind: int = 0
    ) -> None:
        self.name = name
        self.type = _types.type_string(elem, kind)
        self.shape = [] if shape is None or kind else list(shape)

    def __repr__(self) -> str:
        return f"NodeArg(name='{self.name}', type='{self.type}', shape={self.shape})"


class ModelMetadata:
    """What a model says of itself."""

    def __init__(self, properties: Mapping[str, str], metadata: Mapping[str, str]) -> None:
        self.custom_metadata_map = dict(metadata)
        self.description = properties["description"]
        self.domain = properties["domain"]
        self.graph_description = properties["graph description"]
        self.graph_name = properties["graph"]
        self.producer_name = properties["producer"]
        self.version = int(properties["version"])


class IOBinding:
    """Inputs and outputs bound before a run. What is bound by address must stay alive."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        self._results: list[OrtValue] = []

    @property
    def _iobinding(self) -> IOBinding:
        """onnxruntime's native binding, which some programs call; it does the same."""
        return self

    def _check_input(self, name: str) -> None:
        if name not in self._session._input_names:
            raise RuntimeError(f"Failed to find NodeArg with name: {name} in the def list")

    def bind_cpu_input(self, name: str, arron_cpu: Any) -> None:
        self._check_input(name)
        self._inputs[name] = arron_cpu

    def bind_input(
        self,
        name: str,
        device_type: Any,
        device_id: int,
        element_type: Any,
        shape: Sequence[int],
        buffer_ptr: int,
    ) -> None:
        on_cpu(device_type)
        self._check_input(name)
        self._inputs[name] = _array_at(buffer_ptr, element_type, shape)

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        self._check_input(name)
        self._inputs[name] = ortvalue.numpy()

    def bind_output(
        self,
        name: str,
        device_type: Any = "cpu",
        device_id: int = 0,
        element_type: Any = None,
        shape: Sequence[int] | None = None,
        buffer_ptr: int | None = None,
    ) -> None:
        on_cpu(device_type)
        known = buffer_ptr is not None and shape is not None and element_type is not None
        self._outputs[name] = _array_at(buffer_ptr, element_type, shape) if known else None

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        self._outputs[name] = ortvalue.numpy()

    def synchronize_inputs(self) -> None:
        """Nothing has to be waited for."""

    def synchronize_outputs(self) -> None:
        """Nothing has to be waited for."""

    def clear_binding_inputs(self) -> None:
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        self._outputs.clear()
        self._results.clear()

    def get_outputs(self) -> list[OrtValue]:
        return list(self._results)

    def get_outputs_as_ortvaluevector(self) -> OrtValueVector:
        return OrtValueVector(self._results)

    def copy_outputs_to_cpu(self) -> list[Any]:
        return [value.numpy() for value in self._results]


def _array_at(address: int, element_type: Any, shape: Sequence[int]) -> Any:
    """The memory at an address as an array."""
    import ctypes

    import numpy

    from enfold import _arrays

    dtype = numpy.dtype(
        _arrays.dtype_of(element_type) if isinstance(element_type, int) else element_type
    )
    size = int(numpy.prod(shape, dtype=numpy.int64)) * dtype.itemsize
    if size == 0:
        return numpy.empty(shape, dtype)
    return numpy.frombuffer((ctypes.c_char * size).from_address(address), dtype).reshape(shape)


class InferenceSession:
    """A compiled model under onnxruntime's interface.

    `path_or_bytes` is a path or the bytes of a model. A model that leaves no size open is compiled at
    once, else at the first run with a combination of sizes. Any number of threads may run a session.

    Raises NoSuchFile, InvalidProtobuf, InvalidGraph, or NotImplemented naming every node that has no
    code here.
    """

    def __new__(
        cls,
        path_or_bytes: Any = None,
        sess_options: SessionOptions | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        self = super().__new__(cls)
        if path_or_bytes is None:  # a derived class is unpickled, and will call __init__
            return self
        try:
            self._open(path_or_bytes, sess_options)
        except _errors.NotImplemented as error:
            return _fallback.session(_settings.model_of(path_or_bytes), self._sess_options, error)
        return self

    def _open(self, path_or_bytes: Any, sess_options: SessionOptions | None) -> None:
        self._sess_options = sess_options if sess_options is not None else SessionOptions()
        model = _settings.model_of(path_or_bytes)
        self._model_path = model if isinstance(model, str) else None
        self._model_bytes = None if isinstance(model, str) else model
        if self._sess_options._is_canceled:
            raise _errors.Fail("loading the model was canceled")
        settings = self._settings()
        if self._model_path is None:
            settings.append(("data-folder", self._data_folder()))
        elif self._sess_options._files:
            raise _errors.InvalidArgument(
                "files in memory go with a model given as bytes, not with a path"
            )
        try:
            self._network = _core.Network.open(model, settings, self._sess_options._initializers)
        except (_errors.NoSuchFile, _errors.InvalidGraph) as error:
            raise _errors.of_opening(error, model) from None
        if self._sess_options.optimized_model_filepath:
            _settings.write_model(model, self._sess_options.optimized_model_filepath)

    def __init__(
        self,
        path_or_bytes: Any,
        sess_options: SessionOptions | None = None,
        providers: Sequence[Any] | None = None,
        provider_options: Sequence[Mapping[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        if "_network" not in vars(self):
            self._open(path_or_bytes, sess_options)
        self._inputs_meta = self._arguments(self._network.inputs)
        self._overridable = self._arguments(self._network.overridable)
        self._outputs_meta = self._arguments(self._network.outputs)
        self._input_names = {arg.name for arg in self._inputs_meta + self._overridable}
        self._output_index = {arg.name: i for i, arg in enumerate(self._outputs_meta)}
        self._profile: list[dict[str, Any]] | None = None
        self._profile_start = time.perf_counter_ns()
        if self._sess_options.enable_profiling:
            self._profile = []
        self.set_providers(providers, provider_options)

    def _data_folder(self) -> str:
        """Where the external data of a model given as bytes lie."""
        options = self._sess_options
        if not options._files:
            return options._config.get(_EXTERNAL_FOLDER, os.getcwd())
        import pathlib
        import tempfile

        self._files = tempfile.TemporaryDirectory(prefix="enfold-")  # as long as the session
        for name, content in options._files.items():
            path = pathlib.Path(self._files.name, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return self._files.name

    def _settings(self) -> list[tuple[str, str]]:
        options = self._sess_options
        level = int(options.graph_optimization_level)
        return _settings.pairs(
            shapes=options._dimensions,
            threads=max(0, int(options.intra_op_num_threads)) or _options.default_threads(),
            fuse=level != GraphOptimizationLevel.ORT_DISABLE_ALL,
            **_options.session_settings(),
        )

    def _arguments(self, rows: Iterable[tuple[str, int, Any]]) -> list[NodeArg]:
        """What the model declares, with the sizes that the options give to open dimensions."""
        given = self._sess_options._dimensions
        kinds = self._network.kinds
        return [
            NodeArg(
                name,
                elem,
                shape and [given.get(size, size) for size in shape],
                kinds.get(name, 0),
            )
            for name, elem, shape in rows
        ]

    def __getstate__(self) -> dict[str, Any]:
        """The model and its options, of which the session is made again."""
        return {
            "model": self._model_path or self._model_bytes,
            "options": self._sess_options,
            "provider_options": self._provider_options,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        InferenceSession.__init__(
            self,
            state["model"],
            state["options"],
            [PROVIDER],
            [state["provider_options"]],
        )

    def _output_indices(self, names: Iterable[str] | None) -> list[int] | None:
        if not names:
            return None
        indices = []
        for name in names:
            if name not in self._output_index:
                raise _errors.InvalidArgument(
                    f"Invalid output name:{name}; the model has {list(self._output_index)}"
                )
            indices.append(self._output_index[name])
        return indices

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None = None,
    ) -> list[Any]:
        """The outputs named, or all, as new arrays."""
        wanted = self._output_indices(output_names) if output_names else None
        stop = run_options._stop_address() if run_options is not None else 0
        if not isinstance(input_feed, dict):
            if not isinstance(input_feed, Mapping):
                raise TypeError(
                    f"run() takes the inputs as a mapping of names to arrays, not as "
                    f"{type(input_feed).__name__}"
                )
            input_feed = dict(input_feed)
        if self._profile is None:
            return self._network.run(input_feed, wanted, stop)
        begin = time.perf_counter_ns()
        results = self._network.run(input_feed, wanted, stop)
        self._record("model_run", begin, time.perf_counter_ns())
        return results

    def run_async(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        callback: Callable[[list[Any], Any, str], None],
        user_data: Any,
        run_options: RunOptions | None = None,
    ) -> None:
        """Runs on another thread, which then calls callback(results, user_data, error)."""

        def work() -> None:
            try:
                results, error = self.run(output_names, input_feed, run_options), ""
            except Exception as failure:  # noqa: BLE001 - the callback is told
                results, error = [], str(failure.args[0] if failure.args else failure)
            callback(results, user_data, error)

        import threading

        threading.Thread(target=work, daemon=True).start()

    def run_with_ort_values(
        self,
        output_names: Sequence[str] | None,
        input_dict_ort_values: Mapping[str, OrtValue],
        run_options: RunOptions | None = None,
    ) -> list[OrtValue]:
        feed = {name: value._array for name, value in input_dict_ort_values.items()}
        return [OrtValue(array) for array in self.run(output_names, feed, run_options)]

    def run_with_ortvaluevector(
        self,
        run_options: RunOptions | None,
        feed_names: Sequence[str],
        feeds: Sequence[OrtValue],
        fetch_names: Sequence[str],
        fetches: OrtValueVector,
        fetch_devices: Sequence[OrtDevice],
    ) -> None:
        """Appends the outputs named to `fetches`."""
        for device in fetch_devices:
            on_cpu(device)
        feed = dict(zip(feed_names, feeds))
        fetches.extend(self.run_with_ort_values(fetch_names, feed, run_options))

    def create_ortvalue_from_shape_and_type(
        self,
        shape: Sequence[int],
        element_type: Any,
        device_type: str,
        device_id: int = 0,
        vendor_id: int = -1,
    ) -> OrtValue:
        return OrtValue.ortvalue_from_shape_and_type(shape, element_type, device_type)

    def io_binding(self) -> IOBinding:
        return IOBinding(self)

    def run_with_iobinding(
        self, iobinding: IOBinding, run_options: RunOptions | None = None
    ) -> None:
        """Raises RuntimeError, whatever is wrong."""
        names = list(iobinding._outputs) or list(self._output_index)
        stop = run_options._stop_address() if run_options is not None else 0
        into: list[Any] = [None] * len(self._outputs_meta)
        try:
            indices = self._output_indices(names)
            for name in iobinding._outputs:
                into[self._output_index[name]] = iobinding._outputs[name]
            arrays = self._network.run(iobinding._inputs, indices, stop, 0.0, into)
        except (_errors.Error, ValueError) as error:
            raise RuntimeError(f"Error in execution: {error.args[0]}") from error
        iobinding._results = [OrtValue(array) for array in arrays]

    def get_inputs(self) -> list[NodeArg]:
        return list(self._inputs_meta)

    def get_outputs(self) -> list[NodeArg]:
        return list(self._outputs_meta)

    @property
    def _sess(self) -> InferenceSession:
        """onnxruntime's native session, which some programs call; it runs the same, and has
        properties for what the other says by methods."""
        return self

    inputs_meta = property(lambda self: self.get_inputs())
    outputs_meta = property(lambda self: self.get_outputs())
    overridable_initializers = property(lambda self: self.get_overridable_initializers())
    model_meta = _model_meta = property(lambda self: self.get_modelmeta())
    session_options = property(lambda self: self.get_session_options())
    _providers = property(lambda self: self.get_providers())

    def get_overridable_initializers(self) -> list[NodeArg]:
        return list(self._overridable)

    def get_modelmeta(self) -> ModelMetadata:
        return ModelMetadata(self._network.properties, self._network.metadata)

    def get_session_options(self) -> SessionOptions:
        return self._sess_options

    def get_providers(self) -> list[str]:
        return [PROVIDER]

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return {PROVIDER: dict(self._provider_options)}

    def set_providers(
        self,
        providers: Sequence[Any] | None = None,
        provider_options: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Keeps the options of the CPU's provider; other providers are left out with a warning."""
        self._provider_options: dict[str, str] = {}
        listed = [providers] if isinstance(providers, str) else list(providers or [PROVIDER])
        options = list(provider_options or [])
        for index, entry in enumerate(listed):
            name, given = entry, options[index] if index < len(options) else {}
            if isinstance(entry, (tuple, list)) and len(entry) == 2:
                name, given = entry
            if name == PROVIDER:
                self._provider_options = {k: str(v) for k, v in dict(given).items()}
            else:
                import warnings

                warnings.warn(
                    f"Specified provider '{name}' is not in available provider names."
                    f"Available providers: '{PROVIDER}'",
                    stacklevel=3,
                )

    def get_input_memory_infos(self) -> list[Any]:
        """Where inputs are wanted, one for each: on the CPU."""
        from enfold import _standins

        return [_standins.cpu_memory() for _ in self._inputs_meta]

    def get_output_memory_infos(self) -> list[Any]:
        from enfold import _standins

        return [_standins.cpu_memory() for _ in self._outputs_meta]

    def get_input_epdevices(self) -> list[Any]:
        return [None for _ in self._inputs_meta]

    def get_provider_graph_assignment_info(self) -> list[Any]:
        """There is one provider, which has all of the graph."""
        return []

    def set_ep_dynamic_options(self, options: Mapping[str, str]) -> None:
        """Accepted: the CPU's provider has none."""

    def release_captured_graph(self, graph_annotation_id: int = 0) -> None:
        """Accepted: no graph is captured."""

    def get_tuning_results(self) -> list[Any]:
        return []

    def set_tuning_results(self, results: Sequence[Any], *, error_on_invalid: bool = False) -> None:
        """Accepted: algorithms are chosen when compiling."""

    def enable_fallback(self) -> None:
        """There is one provider, so there is nothing to fall back to."""

    def disable_fallback(self) -> None:
        """There is one provider, so there is nothing to fall back to."""

    def _record(self, name: str, begin: int, end: int) -> None:
        import threading

        assert self._profile is not None
        self._profile.append(
            {
                "cat": "Session",
                "name": name,
                "ph": "X",
                "pid": os.getpid(),
                "tid": threading.get_native_id(),
                "ts": (begin - self._profile_start) // 1000,
                "dur": (end - begin) // 1000,
                "args": {},
            }
        )

    def get_profiling_start_time_ns(self) -> int:
        return self._profile_start

    def end_profiling(self) -> str:
        """Writes the runs so far as a trace that Chrome shows, and gives the file's name."""
        if self._profile is None:
            return ""
        import json

        stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
        path = f"{self._sess_options.profile_file_prefix}{stamp}.json"
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self._profile, file)
        self._profile = None
        return path


_KNOWN_PROVIDERS = [
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "MIGraphXExecutionProvider",
    "ROCMExecutionProvider",
    "OpenVINOExecutionProvider",
    "DnnlExecutionProvider",
    "VitisAIExecutionProvider",
    "QNNExecutionProvider",
    "NnapiExecutionProvider",
    "CoreMLExecutionProvider",
    "XnnpackExecutionProvider",
    "DmlExecutionProvider",
    "WebGpuExecutionProvider",
    "AzureExecutionProvider",
    PROVIDER,
]


def get_available_providers() -> list[str]:
    return [PROVIDER]


def get_all_providers() -> list[str]:
    return list(_KNOWN_PROVIDERS)


def get_device() -> str:
    return "CPU"


def set_default_logger_severity(severity: int) -> None:
    """Accepted: nothing is logged."""


def set_default_logger_verbosity(verbosity: int) -> None:
    """Accepted: nothing is logged."""


def set_seed(seed: int) -> None:
    """Accepted: no operator here draws numbers at run time."""


def disable_telemetry_events() -> None:
    """Accepted: there is no telemetry."""


def enable_telemetry_events() -> None:
    """Accepted: there is no telemetry."""


def preload_dlls(*args: Any, **kwargs: Any) -> None:
    """Accepted: there is nothing to load."""


def get_build_info() -> str:
    return f"enfold {_core.version()}"
