"""enfold.ray.Predictor on a cluster of three nodes, of which one dies."""

from __future__ import annotations

import pathlib
import threading
import time
from collections.abc import Iterator

import enfold
import numpy
import pytest
from conftest import conv_net

ray = pytest.importorskip("ray", reason="ray is not installed: ./dev test --all")
pytest.importorskip("ray.data", reason="ray has no data library")

from enfold.ray import Predictor

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 100 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **memory})
    for _ in range(2):
        cluster.add_node(num_cpus=1, **memory)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def model(tmp_path: pathlib.Path) -> str:
    path = tmp_path / "net.onnx"
    path.write_bytes(conv_net("batch").SerializeToString())
    return str(path)


def rows(count: int) -> list[dict[str, object]]:
    random = numpy.random.default_rng(5)
    images = random.normal(size=(count, 3, 8, 8)).astype(numpy.float32)
    return [{"id": i, "image": image} for i, image in enumerate(images)]


def scored(model: str, items: list[dict[str, object]], **options: object) -> object:
    return ray.data.from_items(items, override_num_blocks=12).map_batches(
        Predictor,
        fn_constructor_kwargs={"model": model, "inputs": {"x": "image"}, "batch_size": 16},
        batch_size=options.pop("batch_size", 20),
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=2),
        num_cpus=1,
        **options,
    )


def check(results: list[dict[str, object]], model: str, items: list[dict[str, object]]) -> None:
    assert sorted(row["id"] for row in results) == list(range(len(items)))
    program = enfold.compile(model, threads=1)
    for begin in range(0, len(items), 16):
        some = numpy.stack([item["image"] for item in items[begin : begin + 16]])
        count = len(some)
        some = numpy.concatenate([some, numpy.repeat(some[-1:], 16 - count, 0)])
        for i, answer in enumerate(program(some)[:count]):
            got = next(row for row in results if row["id"] == begin + i)["y"]
            numpy.testing.assert_array_equal(got, answer)


def test_answers_are_those_of_one_process(cluster: object, model: str) -> None:
    items = rows(203)
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    results = scored(model, items).take_all()
    assert [row["id"] for row in results] == list(range(203))
    check(results, model, items)


def test_a_node_dies(cluster: object, model: str) -> None:
    """Its batches are run again elsewhere: nothing is lost, and nothing comes twice."""
    items = rows(240)
    node = cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)

    def slowly(batch: dict[str, numpy.ndarray]) -> dict[str, numpy.ndarray]:
        time.sleep(0.3)
        return batch

    dataset = scored(model, items).map_batches(slowly, batch_size=20, num_cpus=0.1)
    killer = threading.Timer(3, lambda: cluster.remove_node(node, allow_graceful=False))
    killer.start()
    results = dataset.take_all()
    killer.join()
    check(results, model, items)


def test_a_column_is_missing(cluster: object, model: str) -> None:
    dataset = ray.data.from_items([{"a": 1}]).map_batches(
        Predictor,
        fn_constructor_kwargs={"model": model},
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=1),
    )
    with pytest.raises(Exception, match="no column x"):
        dataset.take_all()
