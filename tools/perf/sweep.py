"""Speed of convolutions of every size, next to ONNX Runtime and to the processor's peak.

    python3 -m venv venv && venv/bin/pip install numpy onnx onnxruntime
    venv/bin/python tools/perf/sweep.py --enfold build/release/tools/enfold --threads 1 2

Each layer is run several times beside itself on the same input and its results are added up, so that
putting the input and the result into the layout of the kernels counts little. `enfold bench` runs both
engines in turn, in short bursts; their figures are their fastest runs. The peak is the highest that any
measurement met. Networks transform large windows by Winograd, which can take less than the peak allows.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

BRANCHES = 4


@dataclasses.dataclass(frozen=True)
class Layer:
    kind: str
    size: tuple[int, ...]  # height and width, or length
    channels: int
    batch: int = 1
    taps: tuple[int, ...] = (1, 1)
    stride: int = 1
    group: int = 1
    transposed: bool = False
    inputs: int = 0  # channels of the input; 0: as many as of the result

    @property
    def name(self):
        size = "x".join(map(str, self.size))
        channels = f"{self.inputs}->{self.channels}" if self.inputs else str(self.channels)
        return f"{self.kind:<14} {size:<7} c{channels:<8} n{self.batch}"

    @property
    def strides(self):
        return [1 if size == 1 else self.stride for size in self.size]

    @property
    def window(self):
        """Of one tap along axes of one pixel, but for transposed convolutions."""
        return [taps if size > 1 or self.transposed else 1
                for taps, size in zip(self.taps, self.size)]

    def model(self, branches: int = BRANCHES) -> tuple[onnx.ModelProto, float]:
        """The layer beside itself, and how many billion operations its convolutions take."""
        cin = self.inputs or self.channels
        kernel, strides = self.window, self.strides
        pads = [(taps - stride) // 2 if self.transposed else taps // 2
                for taps, stride in zip(kernel, strides)]
        weights = [cin, self.channels // self.group] if self.transposed else [
            self.channels, cin // self.group]
        weights += kernel
        random = numpy.random.default_rng(0)
        nodes, initializers = [], []
        for i in range(branches):
            values = random.standard_normal(weights).astype(numpy.float32) * 0.05
            bias = random.standard_normal(self.channels).astype(numpy.float32)
            initializers += [numpy_helper.from_array(values, f"w{i}"),
                             numpy_helper.from_array(bias, f"b{i}")]
            nodes.append(helper.make_node(
                "ConvTranspose" if self.transposed else "Conv", ["x", f"w{i}", f"b{i}"],
                [f"c{i}"], kernel_shape=kernel, strides=strides, pads=pads + pads,
                group=self.group))
        total = "c0"
        for i in range(1, branches):
            nodes.append(helper.make_node("Add", [total, f"c{i}"], [f"s{i}"]))
            total = f"s{i}"
        nodes.append(helper.make_node("Relu", [total], ["y"]))
        shape = [self.batch, cin, *self.size]
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * len(shape))
        graph = helper.make_graph(nodes, "layer", [x], [y], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        pixels = self.size if self.transposed else [
            (size + 2 * pad - taps) // stride + 1
            for size, pad, taps, stride in zip(self.size, pads, kernel, strides)]
        products = self.batch * numpy.prod(pixels) * numpy.prod(kernel)
        return model, 2e-9 * float(products) * cin * self.channels / self.group * branches


def layers() -> list[Layer]:
    squares = [(1, 1), (3, 3), (5, 5), (7, 7), (14, 14), (28, 28), (56, 56)]
    lines = [(1, 64), (64, 1), (512, 1)]
    out = []
    for kind, taps, stride in (("1x1", 1, 1), ("1x1 s2", 1, 2), ("3x3", 3, 1), ("3x3 s2", 3, 2)):
        for size in squares + (lines if stride == 1 else []):
            for channels in (16, 64, 256, 512):
                if size[0] * size[1] * channels * channels * taps**2 > 1e9:
                    continue
                out.append(Layer(kind, size, channels, 1, (taps, taps), stride))
        for batch in (8, 32):
            for size in ((1, 1), (3, 3), (7, 7)):
                out.append(Layer(kind, size, 128, batch, (taps, taps), stride))
    for kind, taps in (("5x1", (5, 1)), ("1x5", (1, 5)), ("7x1", (7, 1))):
        for size in ((7, 7), (17, 17), (512, 1) if taps[0] > 1 else (1, 512)):
            for channels in (64, 256):
                out.append(Layer(kind, size, channels, 1, taps))
    for taps in (3, 5, 7, 9):
        for stride in (1, 2):
            for length, channels in ((16, 256), (128, 32), (128, 256), (1000, 16), (1000, 64)):
                kind = f"1-D {taps}" + (" s2" if stride == 2 else "")
                out.append(Layer(kind, (length,), channels, 1, (taps,), stride))
    for taps, stride in ((3, 1), (3, 2), (5, 1)):
        kind = f"depthwise {taps}" + (" s2" if stride == 2 else "")
        for size, channels in (((7, 7), 512), ((14, 14), 256), ((28, 28), 144), ((56, 56), 64)):
            out.append(Layer(kind, size, channels, 1, (taps, taps), stride, channels))
    for per in (4, 8, 16, 32):
        for stride in (1, 2):
            kind = f"groups of {per}" + (" s2" if stride == 2 else "")
            for size, channels in (((7, 7), 512), ((14, 14), 256), ((56, 56), 64)):
                out.append(Layer(kind, size, channels, 1, (3, 3), stride, channels // per))
    for size, channels, inputs in (((1, 1), 256, 100), ((4, 4), 128, 256), ((8, 8), 64, 128),
                                   ((16, 16), 32, 64), ((32, 32), 16, 32), ((32, 32), 3, 64),
                                   ((64, 64), 8, 16)):
        out.append(Layer("transposed 4", size, channels, 1, (4, 4), 2, 1, True, inputs))
    for size, channels, inputs in (((14, 14), 128, 256), ((56, 56), 16, 32)):
        out.append(Layer("transposed 2", size, channels, 1, (2, 2), 2, 1, True, inputs))
        out.append(Layer("transposed 3", size, channels, 1, (3, 3), 2, 1, True, inputs))
    for size, taps, stride, channels in (((112, 112), 3, 2, 32), ((112, 112), 7, 2, 64),
                                         ((112, 112), 9, 1, 32), ((64, 64), 11, 4, 96)):
        out.append(Layer(f"stem {taps} s{stride}", size, channels, 1, (taps, taps), stride, 1,
                         False, 3))
    return out


def measure(layer: Layer, threads: int, options: argparse.Namespace, folder: pathlib.Path):
    model, gflop = layer.model()
    path = folder / "layer.onnx"
    onnx.save(model, path)
    command = [options.enfold, "bench", str(path), "--threads", str(threads), "--seconds",
               str(options.seconds), "--profile", "--json", "-"]
    if not options.alone:
        command += ["--compare", "onnxruntime"]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, "ENFOLD_PYTHON": sys.executable})
    if done.returncode != 0:
        print(f"{layer.name}: {done.stderr.strip()}", flush=True)
        return None
    report = json.loads(done.stdout)
    kernels = sorted(report["profile"], key=lambda kernel: -kernel["us"])
    ms = report["latency_ms"]["min"]
    row = {"layer": layer.name, "threads": threads, "ms": ms, "gflops": gflop / ms * 1e3,
           "peak": report["limits"]["gflops"], "algorithm": kernels[0]["algorithm"]}
    for name, arm in report.get("compare", {}).items():
        if name.startswith("onnxruntime"):
            row["ratio"] = arm["latency_ms"]["min"] / ms
    return row


def text(row: dict, peak: float) -> str:
    ratio = f"{row['ratio']:6.2f}" if "ratio" in row else "     -"
    return (f"{row['layer']:<36} {row['threads']}t {row['ms'] * 1e3:9.1f} us {row['gflops']:7.1f} "
            f"GFLOP/s {100 * row['gflops'] / peak:4.0f} %  {ratio}  {row['algorithm']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--enfold", required=True, help="the enfold command")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--seconds", type=float, default=0.3, help="for each engine and layer")
    parser.add_argument("--only", default="", help="layers whose names this expression matches")
    parser.add_argument("--alone", action="store_true", help="without ONNX Runtime")
    parser.add_argument("--json", help="file to write the figures to")
    options = parser.parse_args()
    rows, peaks = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for layer in layers():
            if not re.search(options.only, layer.name):
                continue
            for threads in options.threads:
                row = measure(layer, threads, options, pathlib.Path(folder))
                if row:
                    peaks[threads] = max(peaks.get(threads, 0), row["peak"])
                    rows.append(row)
                    print(text(row, peaks[threads]), flush=True)
    print("\nslower than ONNX Runtime, or below 70 % of the peak:")
    for row in sorted(rows, key=lambda row: row.get("ratio", 0)):
        peak = peaks[row["threads"]]
        if row.get("ratio", 1) < 1 or row["gflops"] < 0.7 * peak:
            print(text(row, peak))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
