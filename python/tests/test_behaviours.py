"""enfold.as_onnxruntime beside onnxruntime itself: the same results, exceptions and texts."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("onnxruntime")
SCRIPT = pathlib.Path(__file__).with_name("behaviours.py")


def write_models(folder: pathlib.Path) -> None:
    """The same convolution with open and with fixed sizes and with its weights in another file, and
    two files that are no models."""
    weights = numpy.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(numpy.float32)
    all_sizes = {
        "open": ["batch", "height", "width"],
        "fixed": [1, 8, 8],
        "square": ["batch", "size", "size"],
        "external": ["batch", "height", "width"],
    }
    for name, sizes in all_sizes.items():
        batch, height, width = sizes
        graph = helper.make_graph(
            [
                helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
                helper.make_node("Relu", ["c"], ["y"]),
            ],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, height, width])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 4, height, width])],
            [numpy_helper.from_array(weights, "w")],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="maker"
        )
        model.model_version = 3
        helper.set_model_props(model, {"stride": "32"})
        onnx.save(
            model,
            folder / f"{name}.onnx",
            save_as_external_data=name == "external",
            location="external.bin",
            size_threshold=0,
        )
    (folder / "garbage.onnx").write_bytes(b"garbage" * 100)
    (folder / "empty.onnx").touch()


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return {
        engine: json.loads(
            subprocess.run(
                [sys.executable, SCRIPT, engine, folder],
                check=True,
                capture_output=True,
                text=True,
                env=dict(os.environ, PYTHONWARNINGS="ignore"),
            ).stdout.splitlines()[-1]
        )
        for engine in ("onnxruntime", "enfold")
    }


def test_every_behaviour(outcomes: dict[str, dict[str, Any]]) -> None:
    """Texts may say more than onnxruntime's, behind them."""
    different = []
    for name, expected in outcomes["onnxruntime"].items():
        got = outcomes["enfold"][name]
        text = expected.pop("text", "").strip()
        if name == "one_provider_as_text":  # onnxruntime warns of every letter
            expected["warned"] = []
        if expected.get("raised") in ("AttributeError", "TypeError"):  # Python's own words
            text = ""
        if not got.pop("text", "").startswith(text.rstrip(".")) or got != expected:
            different.append(f"{name}: {got} but onnxruntime {expected} {text}")
    assert not different, "\n".join(different)


PROGRAM = """
import multiprocessing, subprocess, sys
import onnxruntime

def where(_=None):
    return onnxruntime.__file__

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(where, [0])[0])
    print(subprocess.check_output([sys.executable, "-c", "import onnxruntime as o; print(o.__file__)"],
                                  text=True).strip())
    print(where())
"""


def test_processes_that_a_program_starts(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "enfold.as_onnxruntime", script],
        check=True,
        capture_output=True,
        text=True,
    )
    files = [pathlib.Path(line).name for line in done.stdout.split()]
    assert files == ["as_onnxruntime.py"] * 3
