"""InferenceSession behaves as programs written for onnxruntime expect."""

from __future__ import annotations

import json
import pathlib
import pickle
import subprocess
import sys
import threading

import enfold
import numpy
import onnx
import pytest
from conftest import conv_net, elementwise, reference
from onnx import TensorProto, helper, numpy_helper


def test_answers_are_right(net: bytes, image: numpy.ndarray) -> None:
    session = enfold.InferenceSession(net)
    (got,) = session.run(None, {"x": image})
    numpy.testing.assert_allclose(got, reference(net, {"x": image})[0], rtol=1e-5, atol=1e-6)


def test_from_a_path(net: bytes, image: numpy.ndarray, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(net)
    expected = enfold.InferenceSession(net).run(["y"], {"x": image})
    for given in (path, str(path)):
        got = enfold.InferenceSession(given, providers=["CPUExecutionProvider"])
        numpy.testing.assert_array_equal(got.run(["y"], {"x": image}), expected)


def test_signature(open_net: bytes) -> None:
    session = enfold.InferenceSession(open_net)
    (x,), (y,) = session.get_inputs(), session.get_outputs()
    assert (x.name, x.type, x.shape) == ("x", "tensor(float)", ["batch", 3, "height", 8])
    assert (y.name, y.type, y.shape) == ("y", "tensor(float)", ["batch", 4, 1, 1])
    meta = session.get_modelmeta()
    assert meta.custom_metadata_map == {"classes": "a,b"}
    assert (meta.graph_name, meta.producer_name) == ("small", "tests")
    assert session.get_providers() == ["CPUExecutionProvider"]


def test_networks_of_halves_are_not_rounded_in_between() -> None:
    """(a + b) - b in f16 loses what a has below a step of b; onnxruntime computes it in f32."""
    half = TensorProto.FLOAT16
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["s"]), helper.make_node("Sub", ["s", "b"], ["y"])],
        "halves",
        [helper.make_tensor_value_info(name, half, ["n"]) for name in "ab"],
        [helper.make_tensor_value_info("y", half, ["n"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    feed = {
        "a": numpy.array([0.25, 1.5], numpy.float16),
        "b": numpy.array([2048, 4096], numpy.float16),
    }
    (y,) = enfold.InferenceSession(model.SerializeToString()).run(None, feed)
    numpy.testing.assert_array_equal(y, feed["a"])
    enfold.options(precision="model")
    try:
        (y,) = enfold.InferenceSession(model.SerializeToString()).run(None, feed)
    finally:
        enfold.options(precision="fp32")
    numpy.testing.assert_array_equal(y, (feed["a"] + feed["b"]) - feed["b"])
    assert (y != feed["a"]).all()


def test_any_size(open_net: bytes) -> None:
    session = enfold.InferenceSession(open_net)
    for shape in ((1, 3, 8, 8), (3, 3, 5, 8), (1, 3, 8, 8), (2, 3, 1, 8)):
        x = numpy.random.default_rng(2).normal(size=shape).astype(numpy.float32)
        (got,) = session.run(None, {"x": x})
        numpy.testing.assert_allclose(got, reference(open_net, {"x": x})[0], rtol=1e-5, atol=1e-6)


def test_outputs_are_fresh_and_writable(net: bytes, image: numpy.ndarray) -> None:
    session = enfold.InferenceSession(net)
    (first,) = session.run(None, {"x": image})
    kept = first.copy()
    (second,) = session.run(None, {"x": 2 * image})
    numpy.testing.assert_array_equal(first, kept)
    second += 1
    first[...] = 0


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x.transpose(0, 1, 3, 2),
        lambda x: x[:, ::-1],
        lambda x: x[:, :, ::-1, ::-1],
        lambda x: numpy.broadcast_to(x[:, :1], x.shape),
        lambda x: numpy.asfortranarray(x),
        lambda x: (
            numpy.frombuffer(b"\0" + x.tobytes(), numpy.uint8)[1:]
            .view(numpy.float32)
            .reshape(x.shape)
        ),
    ],
)
def test_views(net: bytes, image: numpy.ndarray, make) -> None:
    session = enfold.InferenceSession(net)
    view = make(image)
    expected = session.run(None, {"x": view.copy(order="C")})
    numpy.testing.assert_array_equal(session.run(None, {"x": view}), expected)


@pytest.mark.parametrize(
    "elem, dtype",
    [
        (TensorProto.FLOAT, "float32"),
        (TensorProto.DOUBLE, "float64"),
        (TensorProto.FLOAT16, "float16"),
        (TensorProto.INT8, "int8"),
        (TensorProto.INT16, "int16"),
        (TensorProto.INT32, "int32"),
        (TensorProto.INT64, "int64"),
        (TensorProto.UINT8, "uint8"),
        (TensorProto.UINT16, "uint16"),
        (TensorProto.UINT32, "uint32"),
        (TensorProto.UINT64, "uint64"),
        (TensorProto.BOOL, "bool"),
    ],
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3)])
def test_element_types(elem: int, dtype: str, shape: tuple[int, ...]) -> None:
    session = enfold.InferenceSession(
        elementwise("Identity", elem, list(shape)).SerializeToString()
    )
    array = numpy.arange(numpy.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    (got,) = session.run(None, {"a": array})
    assert got.dtype == array.dtype and got.shape == array.shape
    numpy.testing.assert_array_equal(got, array)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_element_types_that_numpy_lacks(name: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    dtype = numpy.dtype(getattr(ml_dtypes, name))
    elem = {"bfloat16": 16, "float8_e4m3fn": 17, "float8_e5m2": 19}[name]
    session = enfold.InferenceSession(elementwise("Identity", elem, [4]).SerializeToString())
    array = numpy.array([0.5, -1, 2, 0], dtype)
    (got,) = session.run(None, {"a": array})
    assert got.dtype == dtype
    numpy.testing.assert_array_equal(got.view(numpy.uint8), array.view(numpy.uint8))


def test_lists_and_numbers(net: bytes, image: numpy.ndarray) -> None:
    session = enfold.InferenceSession(net)
    numpy.testing.assert_array_equal(
        session.run(None, {"x": image.tolist()}), session.run(None, {"x": image})
    )


def test_overridable_initializers(image: numpy.ndarray) -> None:
    model = conv_net()
    model.graph.input.append(helper.make_tensor_value_info("shift", TensorProto.FLOAT, [4]))
    session = enfold.InferenceSession(model.SerializeToString())
    assert [arg.name for arg in session.get_inputs()] == ["x"]
    assert [arg.name for arg in session.get_overridable_initializers()] == ["shift"]
    (plain,) = session.run(None, {"x": image})
    shift = numpy.full(4, 5, numpy.float32)
    (moved,) = session.run(None, {"x": image, "shift": shift})
    for initializer in model.graph.initializer:
        if initializer.name == "shift":
            initializer.CopyFrom(numpy_helper.from_array(shift, "shift"))
    expected = reference(model.SerializeToString(), {"x": image})
    numpy.testing.assert_allclose(moved, expected[0], rtol=1e-5, atol=1e-5)
    assert not numpy.allclose(plain, moved)


def test_binding(net: bytes, image: numpy.ndarray) -> None:
    session = enfold.InferenceSession(net)
    expected = session.run(None, {"x": image})[0]
    binding = session.io_binding()
    binding.bind_cpu_input("x", image)
    out = numpy.zeros((1, 4, 1, 1), numpy.float32)
    binding.bind_output("y", "cpu", 0, numpy.float32, out.shape, out.ctypes.data)
    session.run_with_iobinding(binding)
    numpy.testing.assert_array_equal(out, expected)
    binding.clear_binding_outputs()
    binding.bind_output("y")
    session.run_with_iobinding(binding)
    numpy.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], expected)
    values = session.run_with_ort_values(["y"], {"x": enfold.OrtValue.ortvalue_from_numpy(image)})
    numpy.testing.assert_array_equal(values[0].numpy(), expected)


def test_run_async(net: bytes, image: numpy.ndarray) -> None:
    session = enfold.InferenceSession(net)
    done, told = threading.Event(), []
    session.run_async(None, {"x": image}, lambda *args: (told.append(args), done.set()), "mine")
    assert done.wait(30)
    results, data, error = told[0]
    assert (data, error) == ("mine", "")
    numpy.testing.assert_array_equal(results, session.run(None, {"x": image}))


def test_threads_share_a_session(open_net: bytes) -> None:
    session = enfold.InferenceSession(open_net)
    wrong: list[int] = []

    def work(seed: int) -> None:
        random = numpy.random.default_rng(seed)
        for turn in range(20):
            x = random.normal(size=(1 + (seed + turn) % 3, 3, 8, 8)).astype(numpy.float32)
            (got,) = session.run(None, {"x": x})
            alone = numpy.concatenate(
                [reference(open_net, {"x": x[i : i + 1]})[0] for i in range(len(x))]
            )
            if not numpy.allclose(got, alone, rtol=1e-4, atol=1e-5):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_terminate(net: bytes, image: numpy.ndarray) -> None:
    session = enfold.InferenceSession(net)
    options = enfold.RunOptions()
    options.terminate = True
    with pytest.raises(enfold.RuntimeException, match="stopped"):
        session.run(None, {"x": image}, options)
    options.terminate = False
    session.run(None, {"x": image}, options)


def test_profiling(net: bytes, image: numpy.ndarray, tmp_path: pathlib.Path) -> None:
    options = enfold.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "profile_")
    session = enfold.InferenceSession(net, options)
    session.run(None, {"x": image})
    path = session.end_profiling()
    events = json.loads(pathlib.Path(path).read_text())
    assert any(event["name"] == "model_run" for event in events)


class TestBadInput:
    def test_names(self, net: bytes, image: numpy.ndarray) -> None:
        session = enfold.InferenceSession(net)
        with pytest.raises(ValueError, match=r"Required inputs \(\['x'\]\) are missing"):
            session.run(None, {})
        with pytest.raises(enfold.InvalidArgument, match="Invalid input name: z"):
            session.run(None, {"x": image, "z": image})
        with pytest.raises(enfold.InvalidArgument, match="Invalid output name:q"):
            session.run(["q"], {"x": image})

    def test_types(self, net: bytes, image: numpy.ndarray) -> None:
        session = enfold.InferenceSession(net)
        with pytest.raises(enfold.InvalidArgument, match=r"tensor\(double\).*tensor\(float\).*'x'"):
            session.run(None, {"x": image.astype(numpy.float64)})
        with pytest.raises(enfold.InvalidArgument, match="Invalid rank for input: x Got: 3"):
            session.run(None, {"x": image[0]})
        with pytest.raises(enfold.InvalidArgument, match="index: 1 Got: 2 Expected: 3"):
            session.run(None, {"x": image[:, :2]})
        for wrong in (None, "text", object(), {"a": 1}, [["a"]], numpy.array(["a"])):
            with pytest.raises(enfold.InvalidArgument, match="x"):
                session.run(None, {"x": wrong})

    def test_sizes_of_open_models(self, open_net: bytes) -> None:
        session = enfold.InferenceSession(open_net)
        with pytest.raises(enfold.InvalidArgument, match="index: 1 Got: 4 Expected: 3") as wrong:
            session.run(None, {"x": numpy.zeros((1, 4, 8, 8), numpy.float32)})
        assert wrong.value.codes == ("wrong-input",)
        session.run(None, {"x": numpy.zeros((1, 3, 8, 8), numpy.float32)})

    def test_models(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(enfold.NoSuchFile, match="no such file") as missing:
            enfold.InferenceSession(str(tmp_path / "none.onnx"))
        assert missing.value.codes == ("no-such-file",)
        for bytes_, code in (
            (b"garbage", "not-onnx"),
            (b"\x08\x08" * 100 + b"\x0a", "truncated-file"),
        ):
            with pytest.raises(enfold.InvalidProtobuf) as broken:
                enfold.InferenceSession(bytes_)
            assert broken.value.codes == (code,)
        with pytest.raises(enfold.InvalidArgument, match="No graph"):
            enfold.InferenceSession(b"")
        with pytest.raises(TypeError):
            enfold.InferenceSession(5)

    def test_unsupported_nodes_are_all_named(self) -> None:
        graph = helper.make_graph(
            [
                helper.make_node("Strange", ["x"], ["a"], name="one", domain="custom"),
                helper.make_node("Odd", ["a"], ["y"], name="two", domain="custom"),
            ],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("custom", 1)]
        )
        with pytest.raises(enfold.NotImplemented) as raised:
            enfold.InferenceSession(model.SerializeToString())
        assert "one" in str(raised.value) and "two" in str(raised.value)
        assert raised.value.codes == ("unknown-operator",)

    def test_bound_outputs(self, net: bytes, image: numpy.ndarray) -> None:
        session = enfold.InferenceSession(net)
        read_only = numpy.zeros((1, 4, 1, 1), numpy.float32)
        read_only.flags.writeable = False
        for wrong in (
            read_only,
            numpy.zeros((1, 4), numpy.float32),
            numpy.zeros((1, 4, 1, 1)),
        ):
            binding = session.io_binding()
            binding.bind_cpu_input("x", image)
            binding.bind_ortvalue_output("y", enfold.OrtValue.ortvalue_from_numpy(wrong))
            with pytest.raises(RuntimeError, match="'y'"):
                session.run_with_iobinding(binding)


def test_model_proto(image: numpy.ndarray) -> None:
    model = conv_net()
    assert isinstance(model, onnx.ModelProto)
    got = enfold.compile(model)(image)
    numpy.testing.assert_allclose(
        got, reference(model.SerializeToString(), {"x": image})[0], rtol=1e-5, atol=1e-6
    )


def collections_model() -> bytes:
    """`r` is the sequence `q` with x behind it, `there` tells whether the optional `o` is."""
    float_type = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    graph = helper.make_graph(
        [
            helper.make_node("SequenceInsert", ["q", "x"], ["r"]),
            helper.make_node("OptionalHasElement", ["o"], ["there"]),
            helper.make_node("Identity", ["o"], ["same"]),
        ],
        "collections",
        [
            helper.make_tensor_sequence_value_info("q", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"]),
            helper.make_value_info("o", helper.make_optional_type_proto(float_type)),
        ],
        [
            helper.make_tensor_sequence_value_info("r", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("there", TensorProto.BOOL, []),
            helper.make_value_info("same", helper.make_optional_type_proto(float_type)),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return model.SerializeToString()


def test_sequences_and_optional_values() -> None:
    session = enfold.InferenceSession(collections_model())
    q, _, o = session.get_inputs()
    assert (q.type, q.shape) == ("seq(tensor(float))", [])
    assert o.type == "optional(tensor(float))"
    assert session.get_outputs()[0].type == "seq(tensor(float))"
    arrays = [numpy.full(size, size, numpy.float32) for size in (3, 0, 2)]
    last = numpy.float32([7, 8])
    for count in (0, 3, 1):
        r, there, same = session.run(None, {"q": arrays[:count], "x": last, "o": last})
        assert isinstance(r, list) and there and len(r) == count + 1
        for got, want in zip(r, [*arrays[:count], last]):
            numpy.testing.assert_array_equal(got, want)
        numpy.testing.assert_array_equal(same, last)
    for absent in ({"o": None}, {}):
        r, there, same = session.run(None, {"q": (), "x": last} | absent)
        assert len(r) == 1 and not there and same is None
    (r,) = session.run(["r"], {"q": arrays, "x": last})
    assert len(r) == 4
    with pytest.raises(enfold.InvalidArgument, match="'q' is a sequence: give a list"):
        session.run(None, {"q": last, "x": last})
    with pytest.raises(enfold.InvalidArgument, match="input 'q' must be f32"):
        session.run(None, {"q": [numpy.zeros(2)], "x": last})
    with pytest.raises(ValueError, match="missing"):
        session.run(None, {"x": last})
    model = enfold.compile(collections_model())
    assert model.inputs[0].dtype == "seq(f32)"
    assert len(model.run({"q": arrays, "x": last})["r"]) == 4


def test_initializers_in_the_options(tmp_path: pathlib.Path) -> None:
    weights = numpy.float32([[1, 2], [3, 4]])
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = tmp_path / "net.onnx"
    onnx.save(model, path, save_as_external_data=True, location="net.bin", size_threshold=0)
    (tmp_path / "net.bin").unlink()
    x = numpy.float32([[1, 10]])
    for number in (1, 2):
        options = enfold.SessionOptions()
        value = enfold.OrtValue.ortvalue_from_numpy(number * weights)
        options.add_external_initializers(["w"], [value])
        (y,) = enfold.InferenceSession(path, options).run(None, {"x": x})
        numpy.testing.assert_array_equal(y, number * (x @ weights))
    options = enfold.SessionOptions()
    options.add_initializer("w", enfold.OrtValue.ortvalue_from_numpy(numpy.zeros((2, 2))))
    with pytest.raises(enfold.InvalidArgument, match="initializer 'w'.*f32.*f64"):
        enfold.InferenceSession(path, options)


def test_sessions_are_pickled(net: bytes, image: numpy.ndarray) -> None:
    options = enfold.SessionOptions()
    options.intra_op_num_threads = 1
    session = enfold.InferenceSession(net, options)
    other = pickle.loads(pickle.dumps(session))
    assert other.get_session_options().intra_op_num_threads == 1
    numpy.testing.assert_array_equal(other.run(None, {"x": image}), session.run(None, {"x": image}))


def test_shapes_that_are_unknown_are_empty() -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "unknown",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = enfold.InferenceSession(model.SerializeToString())
    assert session.get_inputs()[0].shape == [] == session.get_outputs()[0].shape
    (y,) = session.run(None, {"x": numpy.float32([[-1, 2]])})
    numpy.testing.assert_array_equal(y, [[0, 2]])


FIRST_RUNS = """
import sys, threading
sys.setswitchinterval(1e-6)
import enfold, numpy

enfold.options(cache=False)
session = enfold.InferenceSession(sys.argv[1])
x = numpy.ones((1, 3, 8, 8), numpy.float32)
start = threading.Barrier(8)

def run():
    start.wait()
    session.run(None, {"x": x})

threads = [threading.Thread(target=run) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_may_run_the_first_time_together(net: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(net)
    for _ in range(5):
        subprocess.run([sys.executable, "-c", FIRST_RUNS, path], check=True, timeout=60)


EXIT_WHILE_RUNNING = """
import sys, threading, time
import enfold, numpy

enfold.options(cache=False)
session = enfold.InferenceSession(sys.argv[1])
x = numpy.ones((1, 3, 8, 8), numpy.float32)

def run():
    while True:
        session.run(None, {"x": x})

def compile():
    while True:
        enfold.compile(sys.argv[1], cache=False)

for work in (run, run, compile):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
"""


def test_a_program_may_end_while_its_threads_run(net: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(net)
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", EXIT_WHILE_RUNNING, path],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_values_are_checked() -> None:
    value = enfold.OrtValue.ortvalue_from_numpy(numpy.zeros((2, 3), numpy.float32, order="F"))
    assert value.numpy().flags.c_contiguous
    with pytest.raises(RuntimeError):
        value.update_inplace(numpy.zeros(3, numpy.float32))
    with pytest.raises(RuntimeError):
        enfold.OrtValue.ortvalue_from_numpy(numpy.array(["a"]))


def test_fallback_to_onnxruntime(image: numpy.ndarray) -> None:
    """What cannot be compiled runs in onnxruntime, with one warning, where that is asked for."""
    pytest.importorskip("onnxruntime")
    graph = helper.make_graph(
        [helper.make_node("StringConcat", ["x", "x"], ["y"])],
        "strings",
        [helper.make_tensor_value_info("x", TensorProto.STRING, [2])],
        [helper.make_tensor_value_info("y", TensorProto.STRING, [2])],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9
    ).SerializeToString()
    with pytest.raises(enfold.NotImplemented):
        enfold.InferenceSession(model)
    enfold.options(fallback="onnxruntime")
    try:
        with pytest.warns(UserWarning, match="onnxruntime runs it"):
            session = enfold.InferenceSession(model)
        assert list(session.run(None, {"x": numpy.array(["A", "b"])})[0]) == ["AA", "bb"]
    finally:
        enfold.options(fallback=None)


class Derived(enfold.InferenceSession):
    """As insightface derives its sessions: pickled as a path, opened anew."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __getstate__(self) -> dict[str, str]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, str]) -> None:
        session = Derived(state["path"])
        self.__dict__.update(session.__dict__)


def test_derived_classes(net: bytes, image: numpy.ndarray, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(net)
    session = Derived(str(path))
    other = pickle.loads(pickle.dumps(session))
    numpy.testing.assert_array_equal(other.run(None, {"x": image}), session.run(None, {"x": image}))


def test_files_of_external_data_in_memory(tmp_path: pathlib.Path) -> None:
    onnx.save_model(
        conv_net(),
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    data = (tmp_path / "weights.bin").read_bytes()
    feed = {"x": numpy.ones((1, 3, 8, 8), numpy.float32)}
    expected = enfold.InferenceSession(conv_net().SerializeToString()).run(None, feed)[0]
    content = (tmp_path / "model.onnx").read_bytes()
    (tmp_path / "weights.bin").unlink()

    def opened(source: object, *files: object) -> enfold.InferenceSession:
        options = enfold.SessionOptions()
        options.add_external_initializers_from_files_in_memory(*files)
        return enfold.InferenceSession(source, options)

    session = opened(content, ["weights.bin"], [data + b"more"], [len(data)])
    assert (session.run(None, feed)[0] == expected).all()
    copy = pickle.loads(pickle.dumps(session))
    assert (copy.run(None, feed)[0] == expected).all()
    with pytest.raises(enfold.InvalidArgument, match="not with a path"):
        opened(str(tmp_path / "model.onnx"), ["weights.bin"], [data], [len(data)])
    for name in ("", "/weights.bin", "../weights.bin", "a/../../weights.bin"):
        with pytest.raises(RuntimeError, match="beside a model"):
            opened(content, [name], [data], [len(data)])
    for length in (-1, len(data) + 1):
        with pytest.raises(RuntimeError, match="bytes of a buffer"):
            opened(content, ["weights.bin"], [data], [length])
    with pytest.raises(RuntimeError, match="2 names of files, 1 buffers"):
        opened(content, ["weights.bin", "b"], [data], [1])
    with pytest.raises(enfold.InvalidGraph):
        opened(content, ["weights.bin"], [data], [len(data) // 2])


def test_a_canceled_load() -> None:
    options = enfold.SessionOptions()
    options.set_load_cancellation_flag(True)
    with pytest.raises(enfold.Fail, match="canceled"):
        enfold.InferenceSession(conv_net().SerializeToString(), options)
    options.set_load_cancellation_flag(False)
    enfold.InferenceSession(conv_net().SerializeToString(), options)


def test_vectors_of_values() -> None:
    from enfold.values import OrtDevice, OrtValueVector, copy_tensors

    session = enfold.InferenceSession(conv_net().SerializeToString())
    x = enfold.OrtValue.ortvalue_from_numpy(numpy.ones((1, 3, 8, 8), numpy.float32))
    expected = session.run(["y"], {"x": x.numpy()})[0]
    fetched = OrtValueVector()
    session.run_with_ortvaluevector(None, ["x"], [x], ["y"], fetched, [OrtDevice()])
    assert (fetched[0].numpy() == expected).all()
    target = session.create_ortvalue_from_shape_and_type([1, 4, 1, 1], numpy.float32, "cpu")
    copy_tensors(fetched, [target])
    assert (target.numpy() == expected).all()
    with pytest.raises(RuntimeError, match="1 values to copy to 0"):
        copy_tensors(fetched, [])
    with pytest.raises(enfold.RuntimeException, match="no device"):
        session.create_ortvalue_from_shape_and_type([1], numpy.float32, "cuda")
    memory = session.get_input_memory_infos()
    assert (
        [info.name for info in memory]
        == ["Cpu"]
        == [info.name for info in session.get_output_memory_infos()]
    )
