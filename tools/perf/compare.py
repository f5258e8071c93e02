"""Latency of enfold next to ONNX Runtime and OpenVINO on the same ONNX files.

    python3 -m venv venv && venv/bin/pip install numpy onnxruntime openvino
    venv/bin/python tools/perf/compare.py MODEL.onnx... --enfold build/release/tools/enfold --threads 1 2

In every round each engine in turn runs the model for a short burst in a process of its own, so a slow
spell of the machine hits all alike. An engine's figure is the median, over its bursts, of the fastest
tenth of a burst's runs. Inputs need static shapes; open dimensions are taken as 1. Engines that are not
installed are left out. --json FILE keeps the figures for chart.py.
"""

import argparse
import json
import multiprocessing
import pathlib
import statistics
import subprocess
import time


def burst(run, seconds):
    """The median of the fastest tenth of the runs, in milliseconds."""
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    return statistics.median(times[: max(1, len(times) // 10)])


def onnxruntime_session(model, threads):
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feeds = {}
    for tensor in session.get_inputs():
        shape = [size if isinstance(size, int) else 1 for size in tensor.shape]
        kind = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}[tensor.type]
        feeds[tensor.name] = numpy.random.default_rng(0).random(shape).astype(kind)
    return lambda: session.run(None, feeds)


def openvino_session(model, threads):
    import openvino

    network = openvino.Core().read_model(model)
    network.reshape({port.any_name: [size.get_length() if size.is_static else 1
                                     for size in port.partial_shape] for port in network.inputs})
    compiled = openvino.Core().compile_model(network, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32"})
    return compiled.create_infer_request().infer


PEERS = {"onnxruntime": onnxruntime_session, "openvino": openvino_session}


def serve(make, model, threads, pipe):
    """Sends a burst's figure for each number of seconds received."""
    try:
        run = make(model, threads)
        pipe.send(None)
    except Exception as error:  # any engine may fail on any model in ways of its own
        pipe.send(str(error).splitlines()[0])
        return
    while seconds := pipe.recv():
        pipe.send(burst(run, seconds))


class Peer:
    def __init__(self, make, model, threads):
        context = multiprocessing.get_context("spawn")
        self.pipe, end = context.Pipe()
        self.process = context.Process(target=serve, args=(make, model, threads, end), daemon=True)
        self.process.start()
        self.problem = self.pipe.recv()

    def burst(self, seconds):
        self.pipe.send(seconds)
        return self.pipe.recv()

    def stop(self):
        self.process.kill()


class Enfold:
    """Compiles anew for each burst; only runs are timed."""

    problem = None

    def __init__(self, command, model, threads):
        self.command = [command, "bench", model, "--threads", str(threads), "--json", "-"]

    def burst(self, seconds):
        done = subprocess.run([*self.command, "--seconds", str(seconds)], capture_output=True,
                              text=True, check=True)
        return json.loads(done.stdout)["latency_ms"]["p5"]

    def stop(self):
        pass


def measure(options, model, threads):
    engines = {"enfold": Enfold(options.enfold, model, threads)}
    for name, make in PEERS.items():
        engines[name] = Peer(make, model, threads)
        if engines[name].problem:
            print(f"{name} cannot run {model}: {engines[name].problem}")
            engines.pop(name).stop()
    bursts = {name: [] for name in engines}
    for _ in range(options.rounds):
        for name, engine in engines.items():
            bursts[name].append(engine.burst(options.seconds))
    for engine in engines.values():
        engine.stop()
    return {name: statistics.median(times) for name, times in bursts.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--enfold", required=True, help="the enfold command")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a burst")
    parser.add_argument("--json", help="file to write the figures to")
    options = parser.parse_args()
    rows = []
    for model in options.models:
        for threads in options.threads:
            times = measure(options, model, threads)
            peers = [time for name, time in times.items() if name != "enfold"]
            row = {"model": pathlib.Path(model).stem, "threads": threads, "ms": times}
            if peers:
                row["ratio"] = min(peers) / times["enfold"]
            rows.append(row)
            figures = "  ".join(f"{name} {time:9.3f}" for name, time in times.items())
            print(f"{row['model']:24} {threads}t  {figures}  ratio {row.get('ratio', 0):.2f}",
                  flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
