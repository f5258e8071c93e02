"""Profilers and debuggers know the code that enfold makes in this process."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import onnx
import pytest
from conftest import conv_net

PROGRAM = """
import sys
import numpy
import enfold

x = numpy.ones((1, 3, 8, 8), numpy.float32)
first = enfold.compile(sys.argv[1], threads=1)
first(x)
del first  # what takes its place must not be taken for it
session = enfold.InferenceSession(sys.argv[1])
session.run(None, {"x": x})
session.run(None, {"x": x})
print("done")
"""


@pytest.fixture
def model(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "small.onnx"
    network = conv_net()
    network.graph.node[0].name = "/block/conv-1"
    onnx.save(network, path)
    return path


def run(folder: pathlib.Path, words: list[str], **variables: str) -> str:
    environment = dict(os.environ, ENFOLD_DUMP_IR=str(folder / "texts"), **variables)
    done = subprocess.run(
        words, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    return done.stdout + done.stderr


def symbol(folder: pathlib.Path) -> str:
    """Of the convolution, by the files of its text."""
    found = {path.stem for path in (folder / "texts").glob("*block_conv_1*.kir")}
    assert found
    return min(found)


def test_breakpoint_by_the_name_of_a_node(model: pathlib.Path) -> None:
    if not shutil.which("gdb"):
        pytest.skip("there is no gdb")
    folder = model.parent
    program = [sys.executable, "-c", PROGRAM, str(model)]
    # The second time all is in the cache, except that watched code is made anew.
    for _ in range(2):
        assert "done" in run(folder, program)
    gdb = ["gdb", "-nx", "-batch"]
    for command in (
        "set debuginfod enabled off",
        "set breakpoint pending on",
        f"break {symbol(folder)}",
        "run",
        "backtrace 1",
        "next",
        "continue",
        "backtrace 1",
        "delete",
        "continue",
    ):
        gdb += ["-ex", command]
    output = run(folder, [*gdb, "--args", *program], ENFOLD_GDB="1")
    if "ptrace" in output and "not permitted" in output:
        pytest.skip("gdb must not trace other processes here")
    assert output.count(f"#0  {symbol(folder)} ") == 2, output
    assert f"{symbol(folder)}.kir:" in output, output
    assert "done" in output, output


def test_map_of_symbols(model: pathlib.Path) -> None:
    folder = model.parent
    program = PROGRAM + "import os; print(open(f'/tmp/perf-{os.getpid()}.map').read())"
    program += "\nos.remove(f'/tmp/perf-{os.getpid()}.map')"
    output = run(folder, [sys.executable, "-c", program, str(model)], ENFOLD_PERF="map")
    names = [line.split(" ", 2)[2] for line in output.splitlines() if line.count(" ") >= 2]
    assert symbol(folder) in names, output


def test_line_for_each_kernel(model: pathlib.Path) -> None:
    output = run(model.parent, [sys.executable, "-c", PROGRAM, str(model)], ENFOLD_VERBOSE="1")
    steps = [line for line in output.splitlines() if line.startswith("enfold,step,")]
    assert sum(line.split(",", 6)[6].startswith("/block/conv-1") for line in steps) == 3, output
    output = run(model.parent, [sys.executable, "-c", PROGRAM, str(model)], ENFOLD_VERBOSE="2")
    assert "ENFOLD_VERBOSE=2: it is 0 or 1" in output
