"""enfold.kserve under requests of the Open Inference Protocol, over REST and gRPC."""

from __future__ import annotations

import concurrent.futures
import importlib.util
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import enfold
import numpy
import pytest
from conftest import conv_net

# Its protocol buffers have the names of tritonclient's, so one process cannot import both.
if importlib.util.find_spec("kserve") is None:
    pytest.skip("kserve is not installed: ./dev test --all", allow_module_level=True)
pytest.importorskip("tritonclient", reason="tritonclient is not installed")

import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.serving

CLIENTS = {
    "http": (tritonclient.http.InferenceServerClient, tritonclient.http),
    "grpc": (tritonclient.grpc.InferenceServerClient, tritonclient.grpc),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    path.write_bytes(conv_net("batch").SerializeToString())
    return path


@pytest.fixture(scope="module")
def addresses(model: pathlib.Path) -> Iterator[dict[str, str]]:
    http, grpc = free_port(), free_port()
    command = [sys.executable, "-m", "enfold.kserve", str(model), "--model_name", "net"]
    command += ["--http_port", str(http), "--grpc_port", str(grpc), "--configure_logging", "false"]
    log = open(model.parent / "log", "w")  # noqa: SIM115 - the server's
    server = subprocess.Popen(command, stdout=log, stderr=log)
    addresses = {"http": f"127.0.0.1:{http}", "grpc": f"127.0.0.1:{grpc}"}
    deadline = time.monotonic() + 120
    while True:
        try:
            ready = all(
                make(addresses[name]).is_model_ready("net") for name, (make, _) in CLIENTS.items()
            )
        except Exception:  # noqa: BLE001 - not listening yet
            ready = False
        if ready:
            break
        assert server.poll() is None and time.monotonic() < deadline, (
            model.parent / "log"
        ).read_text()
        time.sleep(0.3)
    yield addresses
    server.terminate()
    server.wait(30)


def infer(protocol: str, address: str, image: numpy.ndarray, datatype: str = "FP32") -> object:
    make, module = CLIENTS[protocol]
    tensor = module.InferInput("x", list(image.shape), datatype)
    tensor.set_data_from_numpy(image)
    options = {"binary_data": True} if protocol == "http" else {}
    wanted = module.InferRequestedOutput("y", **options)
    with make(address) as client:
        return client.infer("net", [tensor], outputs=[wanted]).as_numpy("y")


@pytest.mark.parametrize("protocol", list(CLIENTS))
def test_concurrent_requests(protocol: str, addresses: dict[str, str], model: pathlib.Path) -> None:
    """200 at a time; every twentieth is bad, and hurts only itself."""
    program = enfold.compile(model, threads=1)
    random = numpy.random.default_rng(9)
    images = [random.normal(size=(1 + i % 3, 3, 8, 8)).astype(numpy.float32) for i in range(200)]
    images = [image[:, :2] if i % 20 == 7 else image for i, image in enumerate(images)]

    def work(image: numpy.ndarray) -> object:
        try:
            return infer(protocol, addresses[protocol], image)
        except InferenceServerException as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(work, images))
    for i, (image, answer) in enumerate(zip(images, answers)):
        if i % 20 == 7:
            assert isinstance(answer, InferenceServerException), answer
            assert "index: 1 Got: 2 Expected: 3" in str(answer)
        else:
            numpy.testing.assert_allclose(answer, program(image), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("protocol", list(CLIENTS))
def test_bad_requests(protocol: str, addresses: dict[str, str]) -> None:
    with pytest.raises(InferenceServerException, match="data type"):
        infer(protocol, addresses[protocol], numpy.zeros((1, 3, 8, 8)), "FP64")
    make, module = CLIENTS[protocol]
    tensor = module.InferInput("z", [1], "FP32")
    tensor.set_data_from_numpy(numpy.zeros(1, numpy.float32))
    with make(addresses[protocol]) as client:
        with pytest.raises(InferenceServerException, match="x"):
            client.infer("net", [tensor])
        with pytest.raises(InferenceServerException):
            client.infer("none", [tensor])
        assert client.is_server_live() and client.is_model_ready("net")


def test_metadata_and_metrics(addresses: dict[str, str]) -> None:
    with CLIENTS["http"][0](addresses["http"]) as client:
        metadata = client.get_model_metadata("net")
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 3, 8, 8]}]
    assert metadata["outputs"][0]["name"] == "y"
    with urllib.request.urlopen(f"http://{addresses['http']}/metrics") as answer:
        assert b"request_predict_seconds" in answer.read()
