"""Whatever a caller gives: a documented exception or the right answer, never a crash.

ENFOLD_TEST_SCALE multiplies the number of misuses and of repetitions: 20 gives 5,000 misuses, 10,000
runs, 500 sessions and 200 models.
"""

from __future__ import annotations

import gc
import os
import pathlib

import enfold
import numpy
import pytest
from conftest import conv_net
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SCALE = int(os.environ.get("ENFOLD_TEST_SCALE", "1"))
DOCUMENTED = (enfold.Error, ValueError, TypeError)
MODEL = conv_net("batch", "height").SerializeToString()

_misuses = settings(
    max_examples=125 * SCALE, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


def _released() -> memoryview:
    view = memoryview(bytearray(768)).cast("f", (1, 3, 8, 8))
    view.release()
    return view


class _Liar:
    """Says that it is an array and is none."""

    shape, dtype, ndim = (1, 3, 8, 8), numpy.dtype("float32"), 4

    def __dlpack__(self, **_: object) -> object:
        raise RuntimeError("nothing here")

    def __array__(self, *_: object, **__: object) -> object:
        raise RuntimeError("nothing here")


_dtypes = st.sampled_from(
    [
        "float32",
        "float64",
        "float16",
        "int8",
        "int64",
        "uint8",
        "bool",
        "complex64",
        ">f4",
        "U3",
        "S2",
        "M8[s]",
        "O",
    ]
)
_shapes = st.one_of(
    st.just((1, 3, 8, 8)),
    st.lists(st.integers(0, 5), max_size=6).map(tuple),
    st.tuples(st.integers(0, 3), st.just(3), st.integers(0, 9), st.just(8)),
)
_arrays = st.builds(lambda shape, dtype: numpy.zeros(shape, dtype), _shapes, _dtypes)
_views = st.builds(
    lambda array, axes: array.T if axes else array[..., ::-1] if array.ndim else array,
    _arrays,
    st.booleans(),
)
_values = st.one_of(
    _arrays,
    _views,
    st.none(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=9),
    st.lists(st.lists(st.floats(width=32), max_size=3), max_size=3),
    st.builds(_released),
    st.builds(_Liar),
    st.just(object),
    st.just({"a": 1}),
    st.just(numpy.broadcast_to(numpy.float32(1), (1, 3, 8, 8))),
    st.just(numpy.float32(3)),
)
_feeds = st.one_of(
    st.dictionaries(st.sampled_from(["x", "y", "", "\0", "x\0"]), _values, max_size=3),
    st.dictionaries(st.one_of(st.none(), st.integers(), st.just("x")), _values, max_size=2),
    _values,
)
_names = st.one_of(st.none(), st.lists(st.sampled_from(["y", "x", "", "q"]), max_size=3), _values)


@pytest.fixture(scope="module")
def session() -> enfold.InferenceSession:
    options = enfold.SessionOptions()
    options.intra_op_num_threads = 1
    return enfold.InferenceSession(MODEL, options)


@_misuses
@given(names=_names, feed=_feeds)
def test_run(session: enfold.InferenceSession, names: object, feed: object) -> None:
    try:
        results = session.run(names, feed)
    except DOCUMENTED as error:
        assert str(error)
    else:
        assert isinstance(feed, dict) and set(feed) == {"x"}
        assert all(isinstance(result, numpy.ndarray) for result in results)


@_misuses
@given(target=_values, image=_values)
def test_bound_outputs(session: enfold.InferenceSession, target: object, image: object) -> None:
    binding = session.io_binding()
    binding.bind_cpu_input("x", image)
    try:
        binding.bind_ortvalue_output("y", enfold.OrtValue(target))
        session.run_with_iobinding(binding)
    except (*DOCUMENTED, RuntimeError) as error:  # onnxruntime's class for what is bound
        assert str(error)


@settings(parent=_misuses, max_examples=60 * SCALE)
@given(data=st.data())
def test_garbled_models(data: st.DataObject) -> None:
    """A model with bytes changed, taken out or put in."""
    model = bytearray(MODEL)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(model) - 1))
        how = data.draw(st.integers(0, 2))
        if how == 0:
            model[at] = data.draw(st.integers(0, 255))
        elif how == 1:
            del model[at : at + data.draw(st.integers(1, 50))]
        else:
            model[at:at] = data.draw(st.binary(min_size=1, max_size=8))
    try:
        enfold.InferenceSession(bytes(model))
    except DOCUMENTED as error:
        assert str(error)


@settings(parent=_misuses, max_examples=60 * SCALE)
@given(
    name=st.sampled_from(
        [
            "shapes",
            "threads",
            "streams",
            "accuracy",
            "precision",
            "tolerance",
            "cache",
            "disabled_passes",
            "passes",
            "capacity",
            "limit_nodes",
            "limit_memory",
            "data_folder",
        ]
    ),
    value=_values,
)
def test_options(name: str, value: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    if name == "cache" and isinstance(value, (str, bytes)):
        value = tmp_path_factory.mktemp("cache")
    try:
        enfold.compile(MODEL, **{name: value})
    except DOCUMENTED as error:
        assert str(error)


def _resident() -> int:
    gc.collect()
    fields = pathlib.Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


frees_memory = pytest.mark.skipif(
    "asan" in os.environ.get("LD_PRELOAD", ""), reason="AddressSanitizer keeps what is freed"
)


def _grows_by(work: object, warm_up: int, count: int) -> int:
    for _ in range(warm_up):
        work()
    before = _resident()
    for _ in range(count):
        work()
    return _resident() - before


MEGABYTE = 1 << 20


@frees_memory
def test_runs_keep_no_memory(session: enfold.InferenceSession) -> None:
    image = numpy.zeros((8, 3, 64, 8), numpy.float32)  # 48 KiB: 500 copies would be 24 MB
    view = image[:, :, ::-1]
    wrong = image.astype(numpy.float64)

    def work() -> None:
        session.run(None, {"x": image})
        session.run(None, {"x": view})
        with pytest.raises(enfold.InvalidArgument):
            session.run(None, {"x": wrong})

    assert _grows_by(work, 50, 500 * SCALE) < 6 * MEGABYTE


def test_sessions_keep_no_memory() -> None:
    """Of one model: each session compiles it, and lets go of code and weights."""
    model = conv_net().SerializeToString()
    image = numpy.zeros((1, 3, 8, 8), numpy.float32)

    def work() -> None:
        enfold.InferenceSession(model).run(None, {"x": image})

    assert _grows_by(work, 10, 25 * SCALE) < (4 + SCALE) * MEGABYTE


@frees_memory
def test_models_keep_no_memory() -> None:
    """Of different models, each with weights of its own."""
    sizes = iter(range(1, 1000))

    def work() -> None:
        height = next(sizes)
        model = enfold.compile(conv_net(1, height))
        model(numpy.zeros((1, 3, height, 8), numpy.float32))

    assert _grows_by(work, 5, 10 * SCALE) < (4 + SCALE) * MEGABYTE
