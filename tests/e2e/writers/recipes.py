"""Small networks of many architectures, as models of other tools have their operators.

A recipe is a function of a Builder and an input; RECIPES lists them with the shapes of their inputs.
Weights are random, from a seed. Attention, normalization and activations are spelled out as exporters
spell them, so that ONNX Runtime's optimizer finds what it fuses.
"""

import math

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper


class Builder:
    """An ONNX graph in the making: each method appends a node and returns the name of its result."""

    def __init__(self, opset, seed=0):
        self.opset, self.random = opset, numpy.random.default_rng(seed)
        self.nodes, self.constants, self.inputs, self.shapes = [], [], [], {}

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [f"{kind}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(
            helper.make_node(kind, inputs, names, name=f"{kind}_{len(self.nodes)}", **attributes)
        )
        return names[0] if outputs == 1 else names

    def constant(self, value):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(numpy.asarray(value), name))
        return name

    def number(self, value):
        return self.constant(numpy.float32(value))

    def ints(self, *values):
        return self.constant(numpy.array(values, numpy.int64))

    def weights(self, *shape, fan_in=None, mean=0.0):
        scale = 1 / math.sqrt(fan_in or max(1, math.prod(shape[1:])))
        return self.constant((mean + self.random.standard_normal(shape) * scale).astype("float32"))

    def positive(self, *shape):
        return self.constant(self.random.uniform(0.5, 1.5, shape).astype("float32"))

    # Layers.
    def conv(self, x, inputs, outputs, size=3, stride=1, group=1, pad=None, dilation=1, bias=True):
        pad = dilation * (size // 2) if pad is None else pad
        operands = [x, self.weights(outputs, inputs // group, size, size)]
        if bias:
            operands.append(self.weights(outputs, fan_in=10))
        return self.op(
            "Conv", *operands, kernel_shape=[size] * 2, strides=[stride] * 2, group=group,
            pads=[pad] * 4, dilations=[dilation] * 2,
        )  # fmt: skip

    def batch_norm(self, x, channels):
        return self.op(
            "BatchNormalization", x, self.positive(channels), self.weights(channels, fan_in=10),
            self.weights(channels, fan_in=10), self.positive(channels),
        )  # fmt: skip

    def linear(self, x, inputs, outputs, bias=True):
        y = self.op("MatMul", x, self.weights(inputs, outputs, fan_in=inputs))
        return self.op("Add", y, self.weights(outputs, fan_in=10)) if bias else y

    def mean(self, x, *axes, keep=1):
        if self.opset >= 18:
            return self.op("ReduceMean", x, self.ints(*axes), keepdims=keep)
        return self.op("ReduceMean", x, axes=list(axes), keepdims=keep)

    def layer_norm(self, x, width, epsilon=1e-5):
        if self.opset >= 17:
            return self.op(
                "LayerNormalization", x, self.positive(width), self.weights(width, fan_in=10),
                axis=-1, epsilon=epsilon,
            )  # fmt: skip
        apart = self.op("Sub", x, self.mean(x, -1))
        square = self.op("Pow", apart, self.number(2))
        variance = self.op("Add", self.mean(square, -1), self.number(epsilon))
        y = self.op("Div", apart, self.op("Sqrt", variance))
        y = self.op("Mul", y, self.positive(width))
        return self.op("Add", y, self.weights(width, fan_in=10))

    def rms_norm(self, x, width):
        square = self.op("Pow", x, self.number(2))
        root = self.op("Sqrt", self.op("Add", self.mean(square, -1), self.number(1e-6)))
        return self.op("Mul", self.op("Div", x, root), self.positive(width))

    def gelu(self, x):
        inner = self.op("Erf", self.op("Div", x, self.number(math.sqrt(2))))
        y = self.op("Mul", x, self.op("Add", inner, self.number(1)))
        return self.op("Mul", y, self.number(0.5))

    def tanh_gelu(self, x):
        cube = self.op("Mul", self.op("Pow", x, self.number(3)), self.number(0.044715))
        inner = self.op("Mul", self.op("Add", x, cube), self.number(math.sqrt(2 / math.pi)))
        gate = self.op("Add", self.op("Tanh", inner), self.number(1))
        return self.op("Mul", self.op("Mul", x, self.number(0.5)), gate)

    def quick_gelu(self, x):
        return self.op("Mul", x, self.op("Sigmoid", self.op("Mul", x, self.number(1.702))))

    def silu(self, x):
        return self.op("Mul", x, self.op("Sigmoid", x))

    def hard_swish(self, x):
        gate = self.op("Add", x, self.number(3))
        gate = self.op("Clip", gate, self.number(0), self.number(6))
        return self.op("Div", self.op("Mul", x, gate), self.number(6))

    def relu6(self, x):
        return self.op("Clip", x, self.number(0), self.number(6))

    def reshape(self, x, *shape):
        return self.op("Reshape", x, self.ints(*shape))

    def split(self, x, sizes, axis):
        if self.opset < 13:
            return self.op("Split", x, outputs=len(sizes), axis=axis, split=list(sizes))
        return self.op("Split", x, self.ints(*sizes), outputs=len(sizes), axis=axis)

    def resize(self, x, scales=None, sizes=None, **attributes):
        empty = self.constant(numpy.zeros(0, "float32")) if self.opset < 13 else ""
        operands = [x, empty, scales or empty] + ([sizes] if sizes else [])
        return self.op("Resize", *operands, **attributes)

    def attention(self, x, tokens, width, heads, batch=1, bias=None, joint=True):
        """Of many heads, by one projection or three; `bias` is added to the scores."""
        each = width // heads
        if joint:
            joined = self.reshape(self.linear(x, width, 3 * width), batch, tokens, 3, heads, each)
            joined = self.op("Transpose", joined, perm=[2, 0, 3, 1, 4])
            parts = [self.op("Gather", joined, self.constant(numpy.int64(i))) for i in range(3)]
        else:
            parts = [
                self.op(
                    "Transpose",
                    self.reshape(self.linear(x, width, width), 0, 0, heads, each),
                    perm=[0, 2, 1, 3],
                )
                for _ in range(3)
            ]
        q, k, v = parts
        scores = self.op("MatMul", q, self.op("Transpose", k, perm=[0, 1, 3, 2]))
        scores = self.op("Div", scores, self.number(math.sqrt(each)))
        if bias:
            scores = self.op("Add", scores, bias)
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), v)
        mixed = self.op("Transpose", mixed, perm=[0, 2, 1, 3])
        return self.linear(self.reshape(mixed, batch, tokens, width), width, width)

    def transformer(self, x, tokens, width, heads, act="gelu", norm="layer_norm", **options):
        y = self.attention(getattr(self, norm)(x, width), tokens, width, heads, **options)
        x = self.op("Add", x, y)
        y = self.linear(getattr(self, norm)(x, width), width, 2 * width)
        y = self.linear(getattr(self, act)(y), 2 * width, width)
        return self.op("Add", x, y)

    def classes(self, x, channels, classes=10):
        x = self.op("Flatten", self.op("GlobalAveragePool", x))
        return self.op(
            "Gemm", x, self.weights(classes, channels), self.weights(classes, fan_in=9), transB=1
        )

    def model(self, shape, outputs, dynamic=False):
        sizes = ["batch", *shape[1:]] if dynamic else shape
        graph = helper.make_graph(
            self.nodes,
            "recipe",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)],
            [helper.make_empty_tensor_value_info(name) for name in outputs],
            self.constants,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        made.ir_version = 8
        return onnx.shape_inference.infer_shapes(made)


def plain_cnn(b, x):
    for inputs, outputs in ((3, 8), (8, 16)):
        x = b.op("Relu", b.batch_norm(b.conv(x, inputs, outputs), outputs))
        x = b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return b.classes(x, 16)


def resnet(b, x):
    x = b.op("Relu", b.conv(x, 3, 16))
    y = b.conv(b.op("Relu", b.conv(x, 16, 16)), 16, 16)
    x = b.op("Relu", b.op("Add", x, y))
    y = b.conv(b.op("Relu", b.conv(x, 16, 32, stride=2)), 32, 32)
    x = b.op("Relu", b.op("Add", y, b.conv(x, 16, 32, size=1, stride=2)))
    return b.op("Softmax", b.classes(x, 32), axis=-1)


def mobilenet_v2(b, x):
    x = b.relu6(b.conv(x, 3, 8, stride=2))
    y = b.relu6(b.conv(x, 8, 24, size=1))
    y = b.relu6(b.conv(y, 24, 24, group=24))
    x = b.op("Add", x, b.conv(y, 24, 8, size=1))
    return b.classes(x, 8)


def mobilenet_v3(b, x):
    x = b.hard_swish(b.conv(x, 3, 16, stride=2))
    y = b.conv(x, 16, 16, group=16, size=5)
    gate = b.op("Relu", b.conv(b.op("GlobalAveragePool", y), 16, 8, size=1))
    gate = b.op("HardSigmoid", b.conv(gate, 8, 16, size=1), alpha=1 / 6, beta=0.5)
    x = b.op("Add", x, b.conv(b.op("Mul", y, gate), 16, 16, size=1))
    if b.opset >= 14:
        x = b.op("HardSwish", b.conv(x, 16, 16))
    return b.classes(x, 16)


def efficientnet(b, x):
    x = b.silu(b.batch_norm(b.conv(x, 3, 16, stride=2, bias=False), 16))
    y = b.silu(b.batch_norm(b.conv(x, 16, 16, group=16, bias=False), 16))
    gate = b.silu(b.conv(b.mean(y, 2, 3), 16, 4, size=1))
    y = b.op("Mul", y, b.op("Sigmoid", b.conv(gate, 4, 16, size=1)))
    x = b.op("Add", x, b.batch_norm(b.conv(y, 16, 16, size=1, bias=False), 16))
    return b.classes(x, 16)


def squeezenet(b, x):
    x = b.op("Relu", b.conv(x, 3, 8, size=1))
    parts = [b.op("Relu", b.conv(x, 8, 8, size=size)) for size in (1, 3)]
    x = b.op("Concat", *parts, axis=1)
    x = b.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    x = b.op("Relu", b.conv(x, 16, 10, size=1))
    return b.op("Flatten", b.op("GlobalAveragePool", x))


def inception(b, x):
    x = b.op("Relu", b.conv(x, 3, 8))
    pool = b.op("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1)
    parts = [b.conv(x, 8, 4, size=1), b.conv(x, 8, 4), b.conv(pool, 8, 4, size=1)]
    x = b.op("Concat", *[b.op("Relu", part) for part in parts], axis=1)
    x = b.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    return b.classes(x, 12)


def densenet(b, x):
    x = b.conv(x, 3, 8)
    for channels in (8, 12):
        y = b.op("Relu", b.batch_norm(x, channels))
        x = b.op("Concat", x, b.conv(y, channels, 4, bias=False), axis=1)
    return b.classes(b.op("Relu", b.batch_norm(x, 16)), 16)


def shufflenet(b, x):
    x = b.op("Relu", b.conv(x, 3, 8))
    left, right = b.split(x, (4, 4), axis=1)
    right = b.op("Relu", b.conv(b.conv(right, 4, 4, group=4), 4, 4, size=1))
    x = b.reshape(b.op("Concat", left, right, axis=1), 1, 2, 4, 16, 16)
    x = b.reshape(b.op("Transpose", x, perm=[0, 2, 1, 3, 4]), 1, 8, 16, 16)
    return b.classes(x, 8)


def unet(b, x):
    x = b.op("Relu", b.conv(x, 3, 8))
    y = b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    y = b.op("LeakyRelu", b.conv(y, 8, 16), alpha=0.1)
    y = b.op("ConvTranspose", y, b.weights(16, 8, 2, 2, fan_in=16), kernel_shape=[2, 2],
             strides=[2, 2])  # fmt: skip
    x = b.op("Relu", b.conv(b.op("Concat", x, y, axis=1), 16, 8))
    return b.op("Sigmoid", b.conv(x, 8, 2, size=1))


def segmentation(b, x):
    x = b.op("Relu", b.conv(x, 3, 8, stride=2))
    parts = [b.op("Relu", b.conv(x, 8, 8, dilation=rate)) for rate in (1, 2, 4)]
    image = b.op("Relu", b.conv(b.op("GlobalAveragePool", x), 8, 8, size=1))
    sizes = b.ints(1, 8, 8, 8)
    parts.append(b.resize(image, sizes=sizes, mode="linear"))
    x = b.conv(b.op("Concat", *parts, axis=1), 32, 4, size=1)
    return b.resize(x, scales=b.constant(numpy.array([1, 1, 2, 2], "float32")), mode="linear")


def yolo(b, x):
    x = b.silu(b.conv(x, 3, 16, stride=2))
    left, right = b.split(x, (8, 8), axis=1)
    right = b.op("Add", right, b.silu(b.conv(right, 8, 8)))
    x = b.silu(b.conv(b.op("Concat", left, right, axis=1), 16, 16, size=1))
    pools = [x]
    for _ in range(3):
        pools.append(b.op("MaxPool", pools[-1], kernel_shape=[5, 5], pads=[2] * 4))
    y = b.silu(b.conv(b.op("Concat", *pools, axis=1), 64, 16, size=1))
    scales = b.constant(numpy.array([1, 1, 2, 2], "float32"))
    up = b.resize(y, scales=scales, mode="nearest", nearest_mode="floor",
                  coordinate_transformation_mode="asymmetric")  # fmt: skip
    head = b.reshape(b.conv(up, 16, 21, size=1), 1, 3, 7, 256)
    head = b.op("Sigmoid", b.op("Transpose", head, perm=[0, 1, 3, 2]))
    xy, rest = b.split(head, (2, 5), axis=3)
    xy = b.op("Sub", b.op("Mul", xy, b.number(2)), b.number(0.5))
    return b.op("Concat", xy, rest, axis=3)


def detector(b, x):
    x = b.op("PRelu", b.conv(x, 3, 8, stride=2), b.weights(8, 1, 1, fan_in=16))
    boxes = b.op("Transpose", b.conv(x, 8, 8), perm=[0, 2, 3, 1])
    scores = b.op("Transpose", b.conv(x, 8, 4), perm=[0, 2, 3, 1])
    boxes = b.reshape(boxes, 1, -1, 4)
    scores = b.op("Softmax", b.reshape(scores, 1, -1, 2), axis=-1)
    return b.op("Exp", b.op("Mul", boxes, b.number(0.2))), scores


def vit(b, x, act="gelu", norm="layer_norm", **options):
    x = b.conv(x, 3, 16, size=4, stride=4, pad=0)
    x = b.op("Transpose", b.reshape(x, 1, 16, 16), perm=[0, 2, 1])
    token = b.constant(b.random.standard_normal((1, 1, 16)).astype("float32"))
    x = b.op("Add", b.op("Concat", token, x, axis=1), b.weights(1, 17, 16))
    for _ in range(2):
        x = b.transformer(x, 17, 16, 4, act=act, norm=norm, **options)
    x = b.op("Gather", b.layer_norm(x, 16), b.constant(numpy.int64(0)), axis=1)
    return b.op("Gemm", x, b.weights(10, 16), b.weights(10, fan_in=9), transB=1)


def vit_apart(b, x):
    return vit(b, x, joint=False)


def vit_tanh(b, x):
    return vit(b, x, act="tanh_gelu")


def vit_quick(b, x):
    return vit(b, x, act="quick_gelu")


def vit_rms(b, x):
    return vit(b, x, act="silu", norm="rms_norm")


def swin(b, x):
    x = b.conv(x, 3, 16, size=2, stride=2, pad=0)
    x = b.layer_norm(b.op("Transpose", x, perm=[0, 2, 3, 1]), 16)
    windows = b.op("Transpose", b.reshape(x, 1, 2, 4, 2, 4, 16), perm=[0, 1, 3, 2, 4, 5])
    windows = b.reshape(windows, 4, 16, 16)
    y = b.transformer(windows, 16, 16, 2, batch=4, bias=b.weights(1, 2, 16, 16))
    y = b.op("Transpose", b.reshape(y, 1, 2, 2, 4, 4, 16), perm=[0, 1, 3, 2, 4, 5])
    x = b.op("Add", x, b.reshape(y, 1, 8, 8, 16))
    corner = [
        b.op("Slice", x, b.ints(i, j), b.ints(8, 8), b.ints(1, 2), b.ints(2, 2))
        for j in (0, 1)
        for i in (0, 1)
    ]
    x = b.layer_norm(b.op("Concat", *corner, axis=3), 64)
    return b.linear(b.mean(x, 1, 2, keep=0), 64, 10)


def convnext(b, x, norm="layer_norm"):
    x = b.conv(x, 3, 16, size=4, stride=4, pad=0)
    for _ in range(2):
        y = b.op("Transpose", b.conv(x, 16, 16, size=7, group=16), perm=[0, 2, 3, 1])
        y = b.gelu(b.linear(getattr(b, norm)(y, 16), 16, 32))
        y = b.op("Mul", b.linear(y, 32, 16), b.positive(16))
        x = b.op("Add", x, b.op("Transpose", y, perm=[0, 3, 1, 2]))
    return b.classes(x, 16)


def convnext_rms(b, x):
    return convnext(b, x, norm="rms_norm")


def mobilevit(b, x):
    x = b.silu(b.conv(x, 3, 16, stride=2))
    y = b.conv(b.silu(b.conv(x, 16, 16)), 16, 16, size=1)
    y = b.op("Transpose", b.reshape(y, 16, 4, 2, 4, 2), perm=[2, 4, 1, 3, 0])
    y = b.transformer(b.reshape(y, 4, 16, 16), 16, 16, 4, batch=4, act="silu")
    y = b.op("Transpose", b.reshape(y, 2, 2, 4, 4, 16), perm=[4, 2, 0, 3, 1])
    y = b.silu(b.conv(b.reshape(y, 1, 16, 8, 8), 16, 16, size=1))
    return b.classes(b.silu(b.conv(b.op("Concat", x, y, axis=1), 32, 16)), 16)


def mixer(b, x):
    x = b.op("Transpose", b.reshape(b.conv(x, 3, 16, 4, 4, pad=0), 1, 16, 16), perm=[0, 2, 1])
    y = b.op("Transpose", b.layer_norm(x, 16), perm=[0, 2, 1])
    y = b.linear(b.gelu(b.linear(y, 16, 24)), 24, 16)
    x = b.op("Add", x, b.op("Transpose", y, perm=[0, 2, 1]))
    x = b.op("Add", x, b.linear(b.gelu(b.linear(b.layer_norm(x, 16), 16, 24)), 24, 16))
    return b.linear(b.mean(x, 1, keep=0), 16, 10)


def decoder(b, x):
    """Cross-attention of learned queries, as detection transformers have it."""
    memory = b.op("Transpose", b.reshape(b.conv(x, 3, 16, 4, 4, pad=0), 1, 16, 16), perm=[0, 2, 1])
    queries = b.constant(b.random.standard_normal((1, 5, 16)).astype("float32"))

    def heads(y, tokens):
        y = b.reshape(b.linear(y, 16, 16), 1, tokens, 2, 8)
        return b.op("Transpose", y, perm=[0, 2, 1, 3])

    q, k, v = heads(b.op("Add", queries, b.number(0)), 5), heads(memory, 16), heads(memory, 16)
    scores = b.op("MatMul", q, b.op("Transpose", k, perm=[0, 1, 3, 2]))
    scores = b.op("Softmax", b.op("Mul", scores, b.number(8**-0.5)), axis=-1)
    y = b.op("Transpose", b.op("MatMul", scores, v), perm=[0, 2, 1, 3])
    y = b.linear(b.reshape(y, 1, 5, 16), 16, 16)
    y = b.layer_norm(b.op("Add", y, queries), 16)
    y = b.layer_norm(b.op("Add", y, b.linear(b.op("Relu", b.linear(y, 16, 32)), 32, 16)), 16)
    return b.linear(y, 16, 6), b.op("Sigmoid", b.linear(y, 16, 4))


def super_resolution(b, x):
    x = b.op("Tanh", b.conv(x, 3, 16, size=5))
    x = b.conv(x, 16, 12)
    return b.op("DepthToSpace", x, blocksize=2, mode="CRD")


def style(b, x):
    x = b.op("Pad", x, b.ints(0, 0, 2, 2, 0, 0, 2, 2), mode="reflect")
    x = b.conv(x, 3, 8, size=5, pad=0)
    x = b.op("InstanceNormalization", x, b.positive(8), b.weights(8, fan_in=9))
    x = b.op("Relu", x)
    return b.op("Tanh", b.conv(x, 8, 3))


def activations(b, x):
    """Convolutions in front of every activation that the optimizer attaches to them."""
    x = b.conv(x, 3, 8)
    for act in (
        lambda y: b.op("Relu", y),
        lambda y: b.op("LeakyRelu", y, alpha=0.2),
        lambda y: b.op("Sigmoid", y),
        lambda y: b.op("Tanh", y),
        lambda y: b.op("HardSigmoid", y, alpha=0.3, beta=0.4),
        lambda y: b.op("Clip", y, b.number(-0.5), b.number(0.75)),
        b.silu,
        b.hard_swish,
        b.gelu,
        lambda y: b.op("Elu", y),
        lambda y: b.op("Softplus", y),
        lambda y: b.op("PRelu", y, b.positive(8, 1, 1)),
    ):
        x = act(b.conv(x, 8, 8))
    return b.classes(x, 8)


def products(b, x):
    """Gemm in front of activations, products of transposed and scaled matrices."""
    x = b.op("Flatten", b.op("AveragePool", x, kernel_shape=[4, 4], strides=[4, 4]))
    for act in ("Relu", "Sigmoid", "Tanh", "LeakyRelu"):
        x = b.op("Gemm", x, b.weights(48, 48), b.weights(48, fan_in=9), transB=1)
        x = b.op(act, x)
    y = b.reshape(x, 6, 8)
    scaled = b.op("Mul", b.op("MatMul", y, b.op("Transpose", y, perm=[1, 0])), b.number(0.25))
    return b.op("Softmax", b.op("MatMul", scaled, b.weights(6, 5)), axis=-1)


def groups(b, x):
    x = b.conv(x, 3, 16)
    y = b.reshape(x, 0, 4, -1)
    y = b.op("InstanceNormalization", y, b.constant(numpy.ones(4, "float32")),
             b.constant(numpy.zeros(4, "float32")))  # fmt: skip
    y = b.op("Add", b.op("Mul", b.reshape(y, 1, 16, 16, 16), b.positive(16, 1, 1)),
             b.weights(16, 1, 1, fan_in=9))  # fmt: skip
    return b.classes(b.silu(y), 16)


def pools(b, x):
    x = b.op("Relu", b.conv(x, 3, 8))
    y = b.op("GlobalMaxPool", x)
    x = b.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    x = b.op("AveragePool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
    x = b.op("Mul", x, b.op("Sigmoid", y))
    return b.classes(b.op("ReduceMax", b.op("Abs", x), keepdims=1, **(
        {"axes": [2, 3]} if b.opset < 18 else {})), 8 if b.opset < 18 else 1)  # fmt: skip


def one_dimension(b, x):
    x = b.reshape(b.op("Relu", b.conv(x, 3, 4)), 1, 4, 256)
    x = b.op("Conv", x, b.weights(8, 4, 5), b.weights(8, fan_in=9), pads=[2, 2], kernel_shape=[5])
    x = b.op("MaxPool", b.op("Relu", x), kernel_shape=[4], strides=[4])
    x = b.op("Conv", x, b.weights(8, 4, 3), kernel_shape=[3], strides=[2], group=2)
    return b.op("Flatten", b.op("GlobalAveragePool", b.op("Relu", x)))


IMAGE = (1, 3, 16, 16)
RECIPES = [
    plain_cnn, resnet, mobilenet_v2, mobilenet_v3, efficientnet, squeezenet, inception, densenet,
    shufflenet, unet, segmentation, yolo, detector, vit, vit_apart, vit_tanh, vit_quick, vit_rms,
    swin, convnext, convnext_rms, mobilevit, mixer, decoder, super_resolution, style, activations,
    products, groups, pools, one_dimension,
]  # fmt: skip


def build(recipe, opset=17):
    """The model of a recipe."""
    builder = Builder(opset)
    outputs = recipe(builder, "x")
    return builder.model(IMAGE, [outputs] if isinstance(outputs, str) else outputs)
