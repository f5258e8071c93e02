"""Networks whose sizes or whose way data decide, each with inputs to run it on."""

import numpy as np
import onnx
from onnx import TensorProto, helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Net:
    """A model in the making; values are names."""

    def __init__(self, seed=0, opset=18):
        self.random = np.random.default_rng(seed)
        self.opset = opset
        self.nodes, self.inputs, self.outputs, self.weights = [], [], [], []
        self.count = 0

    def name(self, stem):
        self.count += 1
        return f"{stem}_{self.count}"

    def input(self, name, shape, elem=FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, elem, shape))
        return name

    def output(self, value, elem=FLOAT, shape=None):
        self.outputs.append(helper.make_tensor_value_info(value, elem, shape))

    def const(self, value, dtype=np.float32):
        name = self.name("w")
        self.weights.append(onnx.numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def ints(self, *values):
        return self.const(values, np.int64)

    def op(self, kind, *inputs, outputs=1, **attrs):
        results = [self.name(kind.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, results, name=self.name(kind), **attrs))
        return results[0] if outputs == 1 else results

    def conv(self, x, channels, to, kernel=3, stride=1):
        scale = 1 / np.sqrt(channels * kernel * kernel)
        weights = self.random.normal(0, scale, (to, channels, kernel, kernel))
        bias = self.random.normal(0, 0.1, to)
        pad = kernel // 2
        return self.op(
            "Conv", x, self.const(weights), self.const(bias), pads=[pad] * 4, strides=[stride] * 2
        )

    def graph(self, name="net"):
        return helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.weights)

    def model(self):
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(self.graph(), opset_imports=opsets, ir_version=9)


def body(net, name, inputs, outputs, build):
    """A subgraph: build(part, *names of inputs) gives the names of its outputs."""
    part = Net(net.random.integers(1 << 30), net.opset)
    part.count = net.count + 1000
    for input_name, elem, shape in inputs:
        part.input(input_name, shape, elem)
    results = build(part, *[row[0] for row in inputs])
    for value, (elem, shape) in zip(results, outputs, strict=True):
        part.output(value, elem, shape)
    net.count = part.count
    return part.graph(name)


def image(net, *shape):
    return net.random.normal(0, 1, shape).astype(np.float32)


def nonzero_gather(seed):
    """Values of a feature map over a threshold."""
    net = Net(seed)
    x = net.input("x", ["n", 3, "h", "w"])
    y = net.op("Relu", net.conv(x, 3, 8))
    flat = net.op("Reshape", y, net.ints(-1))
    where = net.op("NonZero", net.op("Greater", flat, net.const(1.0)))
    index = net.op("Squeeze", where, net.ints(0))
    picked = net.op("Gather", flat, index)
    net.output(picked)
    net.output(net.op("Mul", picked, net.const(2.0)))
    net.output(index, INT64)
    return net.model(), [{"x": image(net, 1, 3, 8, size)} for size in (8, 12, 8)]


def compress(seed):
    net = Net(seed)
    x = net.input("x", [1, 4, 6, 6])
    y = net.conv(x, 4, 8)
    scores = net.op("ReduceMean", y, net.ints(0, 2, 3), keepdims=0)
    keep = net.op("Greater", scores, net.const(0.0))
    kept = net.op("Compress", y, keep, axis=1)
    net.output(kept)
    net.output(net.op("GlobalAveragePool", net.op("Relu", kept)))
    return net.model(), [{"x": image(net, 1, 4, 6, 6)} for _ in range(3)]


def unique(seed):
    net = Net(seed)
    x = net.input("x", ["n"])
    r = net.op("Round", net.op("Mul", x, net.const(2.0)))
    for value in net.op("Unique", r, outputs=4, sorted=1):
        net.output(value, FLOAT if not net.outputs else INT64)
    return net.model(), [{"x": image(net, size)} for size in (10, 1, 33)]


def topk_range(seed):
    """TopK whose k is computed, a Range of as many, Tile and Expand."""
    net = Net(seed)
    x = net.input("x", [1, 16])
    hits = net.op(
        "ReduceSum",
        net.op("Cast", net.op("Greater", x, net.const(0.0)), to=INT64),
        net.ints(0, 1),
        keepdims=0,
    )
    k = net.op("Reshape", hits, net.ints(1))
    values, places = net.op("TopK", x, k, outputs=2)
    net.output(values)
    net.output(places, INT64)
    zero, one = net.const(0, np.int64), net.const(1, np.int64)
    numbers = net.op("Range", zero, hits, one)
    net.output(numbers, INT64)
    shape = net.op("Concat", net.ints(2), k, axis=0)
    net.output(net.op("Expand", numbers, shape), INT64)
    net.output(net.op("ConstantOfShape", shape))
    net.output(net.op("Tile", x, shape))
    net.output(net.op("OneHot", numbers, k, net.const([0, 1])))
    return net.model(), [{"x": image(net, 1, 16)} for _ in range(3)]


def resize_computed(seed):
    """Resize, Slice, Split, Pad and Reshape with computed numbers, and a convolution behind."""
    net = Net(seed)
    x = net.input("x", [1, 3, 8, 8])
    y = net.conv(x, 3, 4)
    hits = net.op(
        "ReduceSum",
        net.op("Cast", net.op("Greater", x, net.const(0.7)), to=INT64),
        net.ints(0, 1, 2, 3),
        keepdims=0,
    )
    size = net.op("Add", net.op("Mod", hits, net.const(5, np.int64)), net.const(6, np.int64))
    size = net.op("Reshape", size, net.ints(1))
    sizes = net.op("Concat", net.ints(1, 4), size, size, axis=0)
    z = net.op("Resize", y, "", "", sizes, mode="linear")
    z = net.op("Relu", net.conv(z, 4, 6))
    net.output(z)
    net.output(net.op("Slice", z, net.ints(0), net.op("Sub", size, net.ints(3)), net.ints(2)))
    first = net.op("Sub", size, net.ints(2))
    split = net.op("Concat", first, net.ints(2), axis=0)
    a, b = net.op("Split", z, split, outputs=2, axis=3)
    net.output(a)
    net.output(net.op("GlobalMaxPool", b))
    pads = net.op("Concat", net.ints(0, 0, 0, 0, 0, 0), size, net.ints(1), axis=0)
    net.output(net.op("Pad", z, pads))
    net.output(net.op("Reshape", z, net.op("Concat", net.ints(-1), size, axis=0)))
    return net.model(), [{"x": image(net, 1, 3, 8, 8)} for _ in range(4)]


def detector(seed, size=64, classes=3, head_behind=False):
    """Convolutions, boxes and scores, NonMaxSuppression, and what exporters write behind it."""
    net = Net(seed)
    x = net.input("images", ["n", 3, size, size])
    y = net.op("Relu", net.conv(x, 3, 16, stride=2))
    y = net.op("Relu", net.conv(y, 16, 32, stride=2))
    y = net.op("Relu", net.conv(y, 32, 32, stride=2))
    heads = net.op("Reshape", net.conv(y, 32, 4 + classes, 1), net.ints(0, 4 + classes, -1))
    offsets, logits = net.op("Split", heads, net.ints(4, classes), outputs=2, axis=1)
    cells = (size // 8) ** 2
    centers = np.stack(np.meshgrid(np.arange(size // 8), np.arange(size // 8)), -1)
    centers = centers.reshape(1, cells, 2) * 8 + 4
    move, span = net.op(
        "Split", net.op("Transpose", offsets, perm=[0, 2, 1]), net.ints(2, 2), outputs=2, axis=2
    )
    middle = net.op("Add", net.op("Mul", move, net.const(4.0)), net.const(centers))
    extent = net.op(
        "Mul", net.op("Exp", net.op("Clip", span, net.const(-2), net.const(2))), net.const(12.0)
    )
    half = net.op("Mul", extent, net.const(0.5))
    boxes = net.op("Concat", net.op("Sub", middle, half), net.op("Add", middle, half), axis=2)
    scores = net.op("Sigmoid", logits)
    most, overlap, least = net.const([20], np.int64), net.const([0.4]), net.const([0.55])
    chosen = net.op("NonMaxSuppression", boxes, scores, most, overlap, least)
    net.output(chosen, INT64)
    column = [net.op("Gather", chosen, net.const(i, np.int64), axis=1) for i in range(3)]
    pairs = net.op(
        "Concat", *[net.op("Unsqueeze", c, net.ints(1)) for c in (column[0], column[2])], axis=1
    )
    picked = net.op("GatherND", boxes, pairs)
    net.output(picked)
    net.output(net.op("GatherND", scores, chosen))
    net.output(net.op("Cast", column[1], to=FLOAT))
    if head_behind:
        # The second stage: a network over the regions found.
        scaled = net.op("Mul", picked, net.const(1 / 8))
        regions = net.op(
            "RoiAlign", y, scaled, column[0], output_height=5, output_width=5, sampling_ratio=2
        )
        z = net.op("Relu", net.conv(regions, 32, 48))
        z = net.op("Flatten", net.op("GlobalAveragePool", z))
        weights = net.const(net.random.normal(0, 0.2, (48, classes)))
        net.output(net.op("Softmax", net.op("MatMul", z, weights), axis=1))
    scale = [1, 3, 1, 0.0, 1]
    return net.model(), [{"images": image(net, 1, 3, size, size) * np.float32(s)} for s in scale]


def detector_two_stage(seed):
    return detector(seed, head_behind=True)


def branches(seed):
    """An If whose branches give different shapes, with convolutions in them."""
    net = Net(seed)
    x = net.input("x", [1, 3, 8, 8])
    y = net.conv(x, 3, 4)
    condition = net.op(
        "Greater", net.op("ReduceMean", x, net.ints(0, 1, 2, 3), keepdims=0), net.const(0.0)
    )

    def then_branch(part):
        return [part.op("Relu", part.conv(y, 4, 6, stride=2))]

    def else_branch(part):
        return [part.op("MaxPool", y, kernel_shape=[3, 3])]

    kinds = [(FLOAT, None)]
    z = net.op(
        "If",
        condition,
        then_branch=body(net, "then", [], kinds, then_branch),
        else_branch=body(net, "else", [], kinds, else_branch),
    )
    net.output(net.op("Add", z, net.const(1.0)))
    return net.model(), [{"x": image(net, 1, 3, 8, 8) + np.float32(s)} for s in (-1, 1, -1, 1)]


def breaking_loop(seed):
    """Doubles until a threshold: carried values, scanned ones, a captured one, and an end in data."""
    net = Net(seed)
    x = net.input("x", [1, 2])
    factor = net.op("Add", net.op("Mul", x, net.const(0.0)), net.const(2.0))

    def build(part, number, condition, state):
        y = part.op("Mul", state, factor)
        small = part.op("Less", part.op("ReduceMax", y, keepdims=0), part.const(50.0))
        row = part.op("Add", y, part.op("Cast", number, to=FLOAT))
        return [small, y, row]

    loop = body(
        net,
        "body",
        [("i", INT64, []), ("c", BOOL, []), ("s", FLOAT, [1, 2])],
        [(BOOL, []), (FLOAT, [1, 2]), (FLOAT, [1, 2])],
        build,
    )
    going = net.op("Less", net.op("ReduceMax", x, keepdims=0), net.const(50.0))
    last, rows = net.op("Loop", net.const(1000, np.int64), going, x, outputs=2, body=loop)
    net.output(last)
    net.output(rows)
    values = [np.float32([[1, 2]]), np.float32([[60, 1]]), np.float32([[0.01, 0.3]])]
    return net.model(), [{"x": value} for value in values]


def growing_loop(seed):
    """A carried tensor that grows with each iteration; the count comes from data."""
    net = Net(seed)
    x = net.input("x", [1, 3])
    count = net.op("Cast", net.op("ReduceMax", x, keepdims=0), to=INT64)

    def build(part, number, condition, state):
        grown = part.op(
            "Concat", state, part.op("Mul", x, part.op("Cast", number, to=FLOAT)), axis=0
        )
        return [part.op("Identity", condition), grown]

    loop = body(
        net,
        "body",
        [("i", INT64, []), ("c", BOOL, []), ("s", FLOAT, ["rows", 3])],
        [(BOOL, []), (FLOAT, ["more", 3])],
        build,
    )
    net.output(net.op("Loop", count, "", x, body=loop))
    return net.model(), [{"x": np.float32([[1, 2, top]])} for top in (3, 0, 7)]


def nested_loops(seed):
    """A loop in a loop, with convolutions in the inner one."""
    net = Net(seed)
    x = net.input("x", [1, 4, 6, 6])
    weights = net.const(net.random.normal(0, 0.2, (4, 4, 3, 3)))
    positive = net.op("Cast", net.op("Greater", x, net.const(1.5)), to=INT64)
    count = net.op("ReduceSum", positive, net.ints(0, 1, 2, 3), keepdims=0)
    count = net.op("Mod", count, net.const(4, np.int64))
    inner_kinds = [("ii", INT64, []), ("ic", BOOL, []), ("is", FLOAT, [1, 4, 6, 6])]
    outer_kinds = [("oi", INT64, []), ("oc", BOOL, []), ("os", FLOAT, [1, 4, 6, 6])]

    def inner(part, number, condition, state):
        y = part.op("Relu", part.op("Conv", state, weights, pads=[1, 1, 1, 1]))
        return [part.op("Identity", condition), part.op("Add", y, x)]

    def outer(part, number, condition, state):
        loop = body(part, "inner", inner_kinds, [(BOOL, []), (FLOAT, [1, 4, 6, 6])], inner)
        times = part.op("Add", number, part.const(1, np.int64))
        y = part.op("Loop", times, "", state, body=loop)
        mean = part.op("ReduceMean", y, part.ints(1, 2, 3), keepdims=0)
        return [part.op("Identity", condition), y, mean]

    loop = body(net, "outer", outer_kinds, [(BOOL, []), (FLOAT, [1, 4, 6, 6]), (FLOAT, [1])], outer)
    last, means = net.op("Loop", count, "", x, outputs=2, body=loop)
    net.output(last)
    net.output(means)
    return net.model(), [{"x": image(net, 1, 4, 6, 6)} for _ in range(3)]


def scan(seed):
    """A scan over as many rows as there are hits."""
    net = Net(seed)
    x = net.input("x", [12, 3])
    rows = net.op("ReduceMax", x, net.ints(1), keepdims=0)
    keep = net.op("Greater", rows, net.const(0.3))
    kept = net.op("Compress", x, keep, axis=0)

    def build(part, state, row):
        total = part.op("Add", state, row)
        return [total, part.op("Tanh", total)]

    part = body(
        net, "body", [("s", FLOAT, [3]), ("r", FLOAT, [3])], [(FLOAT, [3]), (FLOAT, [3])], build
    )
    last, all_rows = net.op(
        "Scan", net.const([0, 0, 0]), kept, outputs=2, body=part, num_scan_inputs=1
    )
    net.output(last)
    net.output(all_rows)
    inputs = [image(net, 12, 3), np.abs(image(net, 12, 3)), image(net, 12, 3)]
    return net.model(), [{"x": value} for value in inputs]


def sequence_loop(seed):
    """A loop that collects pieces of different lengths in a sequence."""
    net = Net(seed)
    x = net.input("x", [8])
    hits = net.op("Cast", net.op("Greater", x, net.const(0.0)), to=INT64)
    count = net.op("ReduceSum", hits, net.ints(0), keepdims=0)
    empty = net.op("SequenceEmpty", dtype=FLOAT)
    number = helper.make_tensor_value_info("i", INT64, [])
    going = helper.make_tensor_value_info("c", BOOL, [])
    sequence = helper.make_tensor_type_proto(FLOAT, None)
    before = helper.make_value_info("s", helper.make_sequence_type_proto(sequence))
    after = helper.make_value_info("t", helper.make_sequence_type_proto(sequence))
    still = helper.make_tensor_value_info("d", BOOL, [])
    nodes = [
        helper.make_node("Constant", [], ["one"], value_ints=[1]),
        helper.make_node("Constant", [], ["zero"], value_ints=[0]),
        helper.make_node("Reshape", ["i", "one"], ["ii"]),
        helper.make_node("Add", ["ii", "one"], ["end"]),
        helper.make_node("Slice", [x, "zero", "end"], ["piece"]),
        helper.make_node("SequenceInsert", ["s", "piece"], ["t"]),
        helper.make_node("Identity", ["c"], ["d"]),
    ]
    part = helper.make_graph(nodes, "body", [number, going, before], [still, after])
    pieces = net.op("Loop", count, "", empty, body=part)
    net.output(net.op("SequenceLength", pieces), INT64)
    first = net.op("SequenceAt", pieces, net.const(-1, np.int64))
    net.output(first)
    net.output(net.op("ConcatFromSequence", pieces, axis=0))
    return net.model(), [{"x": np.abs(image(net, 8)) * np.float32(s)} for s in (1, 1)] + [
        {"x": np.concatenate([np.float32([1, 1]), -np.ones(6, np.float32)])}
    ]


def scatter_back(seed):
    """ScatterND of as many updates as were found, then convolutions over the result."""
    net = Net(seed)
    x = net.input("x", [1, 1, 10, 10])
    where = net.op(
        "Transpose", net.op("NonZero", net.op("Greater", x, net.const(0.8))), perm=[1, 0]
    )
    values = net.op("GatherND", x, where)
    base = net.op("Mul", x, net.const(0.0))
    spread = net.op("ScatterND", base, where, net.op("Exp", values))
    net.output(net.op("Relu", net.conv(spread, 1, 4)))
    net.output(values)
    return net.model(), [{"x": image(net, 1, 1, 10, 10) * np.float32(s)} for s in (1, 0, 1)]


def zero_trips(seed):
    """Loops that may have no iteration, with rows of open sizes."""
    net = Net(seed)
    x = net.input("x", [2])
    count = net.op("Cast", net.op("ReduceMin", x, keepdims=0), to=INT64)

    def build(part, number, condition, state):
        y = part.op("Add", state, state)
        return [part.op("Identity", condition), y, y]

    loop = body(
        net,
        "body",
        [("i", INT64, []), ("c", BOOL, []), ("s", FLOAT, [2])],
        [(BOOL, []), (FLOAT, [2]), (FLOAT, [2])],
        build,
    )
    last, rows = net.op("Loop", count, "", x, outputs=2, body=loop)
    net.output(last)
    net.output(rows)
    return net.model(), [{"x": np.float32(v)} for v in ([0, 5], [2, 3], [-3, 1])]


MODELS = [
    nonzero_gather,
    compress,
    unique,
    topk_range,
    resize_computed,
    detector,
    detector_two_stage,
    branches,
    breaking_loop,
    growing_loop,
    nested_loops,
    scan,
    sequence_loop,
    scatter_back,
    zero_trips,
]
