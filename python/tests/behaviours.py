"""What programs do with onnxruntime, as functions, and how each ends.

    behaviours.py onnxruntime|enfold FOLDER

Prints a JSON object: for each function its result, or the class and the text of what it raised.
"""

from __future__ import annotations

import collections
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import pickle
import sys
import threading
import types
import warnings
from typing import Any

import numpy

if sys.argv[1] == "enfold":
    import enfold.as_onnxruntime  # noqa: F401
import onnxruntime

onnxruntime.set_default_logger_severity(4)
State = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
IMAGE = numpy.linspace(-1, 1, 3 * 8 * 8, dtype=numpy.float32).reshape(1, 3, 8, 8)
FOLDER = pathlib.Path(sys.argv[2])
OPEN, FIXED, MISSING = (str(FOLDER / name) for name in ("open.onnx", "fixed.onnx", "none.onnx"))


def session(path: Any = OPEN, *args: Any, **options: Any) -> Any:
    return onnxruntime.InferenceSession(path, *args, **options)


class Registry:
    """Functions by name, in order."""

    def __init__(self) -> None:
        self.functions: dict[str, Any] = {}

    def __call__(self, function: Any) -> Any:
        self.functions[function.__name__] = function
        return function


behaviour = Registry()

# ---- Opening ---------------------------------------------------------------------------------------


@behaviour
def no_such_file() -> Any:
    session(MISSING)


@behaviour
def garbage_file() -> Any:
    session(str(FOLDER / "garbage.onnx"))


@behaviour
def garbage_bytes() -> Any:
    session(b"garbage" * 9)


@behaviour
def empty_file() -> Any:
    session(str(FOLDER / "empty.onnx"))


@behaviour
def not_a_model() -> Any:
    session(3)


@behaviour
def caught_as_itself_alone() -> Any:
    try:
        session(MISSING)
    except State.Fail:
        return "as Fail"
    except State.NoSuchFile:
        return "as NoSuchFile"


@behaviour
def path_object() -> Any:
    return session(pathlib.Path(OPEN), providers=["CPUExecutionProvider"]).get_providers()


@behaviour
def unknown_provider() -> Any:
    return session(providers=["FooExecutionProvider", "CPUExecutionProvider"]).get_providers()


@behaviour
def gpu_provider_with_options() -> Any:
    providers = [("CUDAExecutionProvider", {"device_id": 0}), "CPUExecutionProvider"]
    return session(providers=providers).get_providers()


@behaviour
def only_gpu() -> Any:
    return session(providers=["CUDAExecutionProvider"]).get_providers()


@behaviour
def one_provider_as_text() -> Any:
    return session(providers="CPUExecutionProvider").get_providers()


@behaviour
def provider_options_alone() -> Any:
    return session(provider_options=[{}]).get_providers()


@behaviour
def unknown_keyword() -> Any:
    return session(no_such_option=1).get_providers()


@behaviour
def bytes_with_external_data() -> Any:
    model = (FOLDER / "external.onnx").read_bytes()
    options = onnxruntime.SessionOptions()
    key = "session.model_external_initializers_file_folder_path"
    options.add_session_config_entry(key, str(FOLDER))
    results = [session(model, options).run(None, {"x": IMAGE})]
    before = os.getcwd()
    os.chdir(FOLDER)
    try:
        results.append(session(model).run(None, {"x": IMAGE}))
    finally:
        os.chdir(before)
    return results


@behaviour
def one_name_for_two_sizes() -> Any:
    image = IMAGE[:, :, :6]
    return session(str(FOLDER / "square.onnx")).run(None, {"x": image})


# ---- Options ---------------------------------------------------------------------------------------


@behaviour
def option_that_does_not_exist() -> Any:
    options = onnxruntime.SessionOptions()
    options.no_such_option = 1


@behaviour
def config_entry_that_is_not_set() -> Any:
    onnxruntime.SessionOptions().get_session_config_entry("session.none")


@behaviour
def run_option_that_does_not_exist() -> Any:
    options = onnxruntime.RunOptions()
    options.no_such_option = 1


@behaviour
def usual_options() -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return session(OPEN, options, ["CPUExecutionProvider"]).run(None, {"x": IMAGE})


@behaviour
def free_dimensions() -> Any:
    options = onnxruntime.SessionOptions()
    options.add_free_dimension_override_by_name("batch", 1)
    options.add_free_dimension_override_by_name("height", 8)
    return [argument.shape for argument in session(OPEN, options).get_inputs()]


@behaviour
def another_size_than_the_options_say() -> Any:
    options = onnxruntime.SessionOptions()
    options.add_free_dimension_override_by_name("height", 7)
    session(OPEN, options).run(None, {"x": IMAGE})


@behaviour
def names_of_levels() -> Any:
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return [level.name, str(level), f"{level}", int(level), sorted(type(level).__members__)]


@behaviour
def an_optimized_model_is_written() -> Any:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(FOLDER / "optimized.onnx")
    session(OPEN, options)
    return session(options.optimized_model_filepath).run(None, {"x": IMAGE})


# ---- Declarations ----------------------------------------------------------------------------------


@behaviour
def declarations() -> Any:
    net = session()
    return [[a.name, a.shape, a.type] for a in net.get_inputs() + net.get_outputs()]


@behaviour
def printed_declaration() -> Any:
    return str(session().get_inputs()[0])


@behaviour
def metadata() -> Any:
    meta = session().get_modelmeta()
    return [meta.custom_metadata_map, meta.producer_name, meta.graph_name, meta.version]


# ---- Running ---------------------------------------------------------------------------------------


@behaviour
def no_names() -> Any:
    return session().run([], {"x": IMAGE})


@behaviour
def a_name_twice() -> Any:
    return session().run(["y", "y"], {"x": IMAGE})


@behaviour
def unknown_output() -> Any:
    session().run(["q"], {"x": IMAGE})


@behaviour
def missing_input() -> Any:
    session().run(None, {})


@behaviour
def unknown_input() -> Any:
    session().run(None, {"x": IMAGE, "z": IMAGE})


@behaviour
def wrong_type() -> Any:
    session().run(None, {"x": IMAGE.astype(numpy.float64)})


@behaviour
def wrong_rank() -> Any:
    session().run(None, {"x": IMAGE[0]})


@behaviour
def wrong_channels() -> Any:
    session().run(None, {"x": IMAGE[:, :2]})


@behaviour
def wrong_sizes() -> Any:
    session(FIXED).run(None, {"x": numpy.zeros((2, 3, 7, 9), numpy.float32)})


@behaviour
def nested_lists() -> Any:
    return session().run(None, {"x": IMAGE.tolist()})


@behaviour
def empty_batch() -> Any:
    return session().run(None, {"x": IMAGE[:0]})


@behaviour
def other_mappings() -> Any:
    net = session()
    feeds = [
        collections.OrderedDict(x=IMAGE),
        types.MappingProxyType({"x": IMAGE}),
        collections.UserDict({"x": IMAGE}),
    ]
    return [net.run(None, feed) for feed in feeds]


@behaviour
def strided_views() -> Any:
    flipped = IMAGE[:, ::-1, :, ::-1]
    return session().run(None, {"x": flipped})


@behaviour
def a_bound_value_as_input() -> Any:
    return session().run(None, {"x": onnxruntime.OrtValue.ortvalue_from_numpy(IMAGE)})


@behaviour
def results_are_fresh_and_writable() -> Any:
    net = session()
    first, second = (net.run(None, {"x": IMAGE})[0] for _ in range(2))
    first += 1
    return [bool(numpy.shares_memory(first, second)), second]


@behaviour
def run_from_threads() -> Any:
    net = session()
    results: list[Any] = [None] * 4

    def work(index: int) -> None:
        results[index] = net.run(None, {"x": IMAGE * (index + 1)})[0]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@behaviour
def asynchronous_failure() -> Any:
    done, told = threading.Event(), []

    def callback(results: Any, data: Any, error: str) -> None:
        told.append([len(results), data, error.splitlines()[0]])
        done.set()

    session().run_async(["y"], {"x": IMAGE[:, :2]}, callback, "data")
    done.wait(30)
    return told


# ---- Bindings --------------------------------------------------------------------------------------


def bound(bind: Any) -> Any:
    net = session()
    binding = net.io_binding()
    bind(binding)
    net.run_with_iobinding(binding)
    return binding.copy_outputs_to_cpu()


@behaviour
def binding() -> Any:
    return bound(lambda io: (io.bind_cpu_input("x", IMAGE), io.bind_output("y")))


@behaviour
def binding_by_address() -> Any:
    target = numpy.zeros((1, 4, 8, 8), numpy.float32)
    address = IMAGE.ctypes.data
    bound(
        lambda io: (
            io.bind_input("x", "cpu", 0, numpy.float32, IMAGE.shape, address),
            io.bind_output("y", "cpu", 0, numpy.float32, target.shape, target.ctypes.data),
        )
    )
    return target


@behaviour
def binding_unknown_input() -> Any:
    bound(lambda io: io.bind_cpu_input("q", IMAGE))


@behaviour
def binding_wrong_type() -> Any:
    bound(lambda io: (io.bind_cpu_input("x", IMAGE.astype(numpy.float64)), io.bind_output("y")))


@behaviour
def bound_values() -> Any:
    net = session()
    binding = net.io_binding()
    binding.bind_cpu_input("x", IMAGE)
    binding.bind_output("y", "cpu", 0)
    net.run_with_iobinding(binding)
    values = binding.get_outputs_as_ortvaluevector()
    return [type(values).__name__, len(values), values[0].numpy()]


@behaviour
def values() -> Any:
    value = onnxruntime.OrtValue.ortvalue_from_numpy(IMAGE)
    return [value.shape(), value.data_type(), value.device_name(), value.is_tensor(), value.numpy()]


# ---- The module ------------------------------------------------------------------------------------


@behaviour
def version() -> Any:
    asked = importlib.metadata.version("onnxruntime")
    return [onnxruntime.__version__.split(".")[0], asked == onnxruntime.__version__]


@behaviour
def the_module_has_a_file() -> Any:
    spec = importlib.util.find_spec("onnxruntime")
    return [isinstance(onnxruntime.__file__, str), isinstance(spec.origin, str)]


@behaviour
def other_modules() -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    return CalibrationDataReader.__module__


@behaviour
def device() -> Any:
    return [
        onnxruntime.get_device(),
        "CPUExecutionProvider" in onnxruntime.get_available_providers(),
    ]


class Picklable(onnxruntime.InferenceSession):
    """As insightface does it."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(path, **options)
        self.path = path

    def __getstate__(self) -> dict[str, str]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.__init__(state["path"])


@behaviour
def pickled_subclass() -> Any:
    return pickle.loads(pickle.dumps(Picklable(OPEN))).run(None, {"x": IMAGE})


def plain(value: Any) -> Any:
    if isinstance(value, numpy.ndarray):
        kind = f"{value.dtype}{list(value.shape)}{' read-only' * (not value.flags.writeable)}"
        return [kind, numpy.round(value.ravel()[:8].astype(float), 4).tolist()]
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def main() -> None:
    outcomes = {}
    for name, function in behaviour.functions.items():
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                outcome = {"result": plain(function())}
            except Exception as error:  # noqa: BLE001 - told as it is
                outcome = {"raised": type(error).__name__, "text": str(error)}
        outcome["warned"] = [str(w.message).partition("Available")[0] for w in warned]
        outcomes[name] = outcome
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main()
