"""enfold.compile() and what it gives."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import pathlib
import pickle
import random
import signal
import subprocess
import sys
import threading
import time

import enfold
import numpy
import onnx
import pytest
from conftest import reference


def test_call_and_run(net: bytes, image: numpy.ndarray) -> None:
    model = enfold.compile(net)
    expected = reference(net, {"x": image})[0]
    numpy.testing.assert_allclose(model(image), expected, rtol=1e-5, atol=1e-6)
    numpy.testing.assert_array_equal(model(x=image), model(image))
    numpy.testing.assert_array_equal(model.run({"x": image})["y"], model(image))


def test_what_it_says(open_net: bytes) -> None:
    model = enfold.compile(open_net)
    assert str(model.inputs[0]) == "x: f32[batch,3,height,8]"
    assert model.outputs[0] == enfold.Tensor("y", "f32", ("batch", 4, 1, 1))
    assert "small" in repr(model) and "<table>" in model._repr_html_()
    assert model.metadata == {"classes": "a,b"}


def test_shapes(open_net: bytes, image: numpy.ndarray) -> None:
    model = enfold.compile(open_net, shapes={"x": (1, 3, 8, 8)})
    assert model.compilations == 1
    model(image)
    assert model.compilations == 1


def test_zoo() -> None:
    for streams in (1, 2):
        model = enfold.compile("zoo:cnn_batchnorm", threads=1, streams=streams)
        assert model(numpy.zeros((16, 3, 32, 32), numpy.float32)).shape == (16, 10)


@pytest.mark.parametrize(
    "options, text",
    [
        ({"accuracy": "sloppy"}, "'sloppy' is not standard or strict"),
        ({"precision": "fp16"}, "'fp16' is not model, fp32 or bf16"),
        ({"threads": -1}, "threads"),
        ({"streams": 0}, "streams"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"disabled_passes": ["none-such"]}, "none-such"),
        ({"limit_nodes": 1}, "nodes"),
    ],
)
def test_options_that_do_not_fit(net: bytes, options: dict, text: str) -> None:
    with pytest.raises(enfold.Error, match=text):
        enfold.compile(net, **options)


def test_unknown_option(net: bytes) -> None:
    with pytest.raises(TypeError, match="speed"):
        enfold.compile(net, speed=11)


def test_options_change_what_is_compiled(net: bytes, image: numpy.ndarray) -> None:
    for options in (
        {"fuse": False},
        {"accuracy": "strict"},
        {"disabled_passes": ["assign-layout"]},
        {"strict_denormals": True},
        {"tolerance": 1e-6},
        {"threads": 2},
    ):
        got = enfold.compile(net, **options)(image)
        numpy.testing.assert_allclose(got, enfold.compile(net)(image), rtol=1e-4, atol=1e-5)


def test_cache(net: bytes, image: numpy.ndarray, tmp_path: pathlib.Path) -> None:
    first = enfold.compile(net, cache=tmp_path)
    assert len(list(tmp_path.glob("*.enfold"))) == 1
    second = enfold.compile(net, cache=tmp_path)
    numpy.testing.assert_array_equal(first(image), second(image))
    assert second.inputs == first.inputs and second.metadata == first.metadata


def test_pickle_and_copy(net: bytes, image: numpy.ndarray) -> None:
    model = enfold.compile(net, threads=1)
    for other in (pickle.loads(pickle.dumps(model)), copy.copy(model)):
        numpy.testing.assert_array_equal(other(image), model(image))


def _score(args: tuple[enfold.Model, numpy.ndarray]) -> numpy.ndarray:
    model, image = args
    return model(image)


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_multiprocessing(net: bytes, image: numpy.ndarray, method: str) -> None:
    model = enfold.compile(net, threads=2)
    expected = model(image)
    with multiprocessing.get_context(method).Pool(2) as pool:
        for got in pool.map(_score, [(model, image)] * 4):
            numpy.testing.assert_array_equal(got, expected)


def test_fork_after_use(net: bytes, image: numpy.ndarray) -> None:
    """A child runs the parent's model: threads do not survive a fork, and are started anew."""
    model = enfold.compile("zoo:cnn_batchnorm", threads=2)
    batch = numpy.ones((16, 3, 32, 32), numpy.float32)
    expected = model(batch)
    child = os.fork()
    if child == 0:
        same = numpy.array_equal(model(batch), expected)
        os._exit(0 if same else 1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            assert os.waitstatus_to_exitcode(status) == 0
            break
        time.sleep(0.01)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    numpy.testing.assert_array_equal(model(batch), expected)


def test_interrupt() -> None:
    """Ctrl-C ends a compilation."""
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        for _ in range(20):
            enfold.compile("zoo:resnet50")
    timer.join()
    assert time.monotonic() - begin < 10


def test_deadline() -> None:
    model = enfold.compile("zoo:cnn_batchnorm", threads=1)
    batch = {"input": numpy.zeros((16, 3, 32, 32), numpy.float32)}
    with pytest.raises(enfold.Stopped, match="over"):
        model.run(batch, seconds=1e-6)
    model.run(batch, seconds=60)


def large_net() -> bytes:
    """y = x + 1, of 256 KiB a row."""
    x, y = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 1 << 16])
        for name in "xy"
    )
    one = onnx.numpy_helper.from_array(numpy.float32(1), "one")
    node = onnx.helper.make_node("Add", ["x", "one"], ["y"])
    graph = onnx.helper.make_graph([node], "large", [x], [y], [one])
    opsets = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


def address(array: numpy.ndarray) -> int:
    return array.__array_interface__["data"][0]


def test_memory_of_large_outputs_is_used_again() -> None:
    model = enfold.compile(large_net())
    x = numpy.zeros((4, 1 << 16), numpy.float32)
    seen = {address(model(x)) for _ in range(10)}
    assert len(seen) == 1 and seen.pop() % 64 == 0


def test_memory_of_results_in_use_is_left_alone() -> None:
    model = enfold.compile(large_net())
    rng = random.Random(0)
    held = []
    for run in range(200):
        rows = rng.choice([1, 2, 3, 4, 7])
        y = model(numpy.full((rows, 1 << 16), run, numpy.float32))
        assert y.shape == (rows, 1 << 16) and y.flags.writeable
        # Any view keeps the memory, however it was made.
        view = rng.choice([lambda y: y, lambda y: y[:, ::7], lambda y: y.T, memoryview])(y)
        del y
        held.append((run, view))
        if rng.random() < 0.7:
            held.pop(rng.randrange(len(held)))
        kept = None
        for value, kept in held:
            assert (numpy.asarray(kept) == value + 1).all()
        del kept
        del held[:-8]


def test_memory_of_outputs_is_let_go() -> None:
    model = enfold.compile(large_net())
    before = 0
    for rows in (400, 1, 1, 1, 1, 1, 1):  # 100 MiB, then less
        y = model(numpy.zeros((rows, 1 << 16), numpy.float32))
        before = max(before, rss())
        del y
    assert rss() < before - (80 << 20)


def rss() -> int:
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_without_numpy(net: bytes, tmp_path: pathlib.Path) -> None:
    """The package needs no numpy: any buffer is an input, and outputs are buffers."""
    path = tmp_path / "net.onnx"
    path.write_bytes(net)
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "import array, enfold\n"
        f"model = enfold.compile({str(path)!r})\n"
        "x = memoryview(array.array('f', range(192))).cast('B').cast('f', (1, 3, 8, 8))\n"
        "y = model(x)\n"
        "print(list(memoryview(y).cast('B').cast('f')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    x = numpy.arange(192, dtype=numpy.float32).reshape(1, 3, 8, 8)
    numpy.testing.assert_allclose(
        numpy.array(eval(done.stdout)), enfold.compile(net)(x).ravel(), rtol=1e-6
    )


def test_import_is_quick() -> None:
    code = "import sys, enfold; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_errors_of_the_command_are_exceptions_of_the_package() -> None:
    command = [sys.executable, "-m", "enfold", "errors", "--json", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout)["errors"]
    assert len(rows) >= 6
    for row in rows:
        assert issubclass(getattr(enfold, row["python"]), enfold.Error), row
