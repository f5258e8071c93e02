"""Images per second of enfold next to ONNX Runtime and OpenVINO, all processors busy.

    venv/bin/python tools/perf/throughput.py MODEL.onnx... --enfold build/release/tools/enfold --streams 2

enfold runs `bench --streams N --threads-per-stream 1`, ONNX Runtime as many sessions of one thread, each
called by a thread of its own, and OpenVINO its hint THROUGHPUT with N threads. The engines take turns; the
best burst of each counts. Models have one input of f32 with a fixed shape.
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import subprocess
import tempfile
import threading
import time

import numpy
import onnxruntime
import openvino


def onnxruntime_rate(model: str, streams: int, seconds: float) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [onnxruntime.InferenceSession(model, options) for _ in range(streams)]
    tensor = sessions[0].get_inputs()[0]
    feeds = {tensor.name: numpy.random.default_rng(0).random(tensor.shape, numpy.float32)}
    counts = [0] * streams
    for session in sessions:
        session.run(None, feeds)
    start = time.perf_counter()

    def work(stream: int) -> None:
        while time.perf_counter() - start < seconds:
            sessions[stream].run(None, feeds)
            counts[stream] += 1

    threads = [threading.Thread(target=work, args=(stream,)) for stream in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def openvino_rate(model: str, streams: int, seconds: float) -> float:
    compiled = openvino.Core().compile_model(
        model,
        "CPU",
        {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_NUM_THREADS": streams,
            "INFERENCE_PRECISION_HINT": "f32",
        },
    )
    queue = openvino.AsyncInferQueue(compiled)
    feeds = {0: numpy.random.default_rng(0).random(compiled.inputs[0].shape, numpy.float32)}
    for _ in range(len(queue)):
        queue.start_async(feeds)
    queue.wait_all()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        queue.start_async(feeds)
        count += 1
    queue.wait_all()
    return count / (time.perf_counter() - start)


def enfold_rate(command: str, model: str, streams: int, seconds: float) -> float:
    with tempfile.TemporaryDirectory() as folder:
        figures = pathlib.Path(folder) / "figures.json"
        subprocess.run(
            [
                command,
                "bench",
                model,
                "--streams",
                str(streams),
                "--threads-per-stream",
                "1",
                "--seconds",
                str(seconds),
                "--json",
                str(figures),
            ],
            check=True,
            capture_output=True,
        )
        return json.loads(figures.read_text())["images_per_second"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+")
    parser.add_argument("--enfold", required=True, help="the enfold command")
    parser.add_argument("--streams", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.2, help="length of a burst")
    options = parser.parse_args()
    ratios = []
    print("| network | ONNX Runtime | OpenVINO | enfold | ratio |\n|---|--:|--:|--:|--:|")
    for model in options.models:
        best = [0.0, 0.0, 0.0]
        for _ in range(options.rounds):
            bursts = (
                onnxruntime_rate(model, options.streams, options.seconds),
                openvino_rate(model, options.streams, options.seconds),
                enfold_rate(options.enfold, model, options.streams, options.seconds),
            )
            best = [max(pair) for pair in zip(best, bursts)]
        ratios.append(best[2] / max(best[:2]))
        rates = " | ".join(f"{rate:.1f}" for rate in best)
        print(f"| {pathlib.Path(model).stem} | {rates} | {ratios[-1]:.2f} |", flush=True)
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    print(f"| geometric mean | | | | {mean:.2f} |")


if __name__ == "__main__":
    main()
