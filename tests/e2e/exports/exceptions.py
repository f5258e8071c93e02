"""Where ONNX Runtime 1.32 or the evaluator of onnx 1.23.2 does not follow the specification, or does
not have what it says. A rule names an operator and tells which of its nodes are meant; a runtime is
not asked about a model that has such a node."""

import dataclasses
from collections.abc import Callable

import onnx

ORT, EVALUATOR = "onnxruntime", "evaluator"


class Node:
    """A node, with what rules look at: attributes, and types of operands."""

    def __init__(self, proto, types):
        self.type = proto.op_type
        self.attributes = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
        self.operands = [types.get(name, (0, ())) for name in proto.input]
        self.results = [types.get(name, (0, ())) for name in proto.output]

    def text(self, name, default=""):
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def integer(self, name, default=0):
        return self.attributes.get(name, default)

    def shape(self, i):
        return self.operands[i][1] if i < len(self.operands) else ()


@dataclasses.dataclass
class Rule:
    runtime: str
    operator: str
    reason: str
    meant: Callable[[Node], bool] = lambda node: True


BFLOAT16 = onnx.TensorProto.BFLOAT16
WIDER_THAN_FLOAT = (onnx.TensorProto.INT32, onnx.TensorProto.INT64, onnx.TensorProto.DOUBLE)


def rounds_twice(node):
    """A cast to bf16 of what f32 does not hold."""
    return node.integer("to") == BFLOAT16 and node.operands[0][0] in WIDER_THAN_FLOAT


WINDOWS = ("AveragePool", "Conv", "ConvTranspose", "DeformConv", "LpPool", "MaxPool")


def is_empty(node):
    return any(0 in shape for _, shape in (*node.operands, *node.results))


UINT8, INT8 = onnx.TensorProto.UINT8, onnx.TensorProto.INT8
# The operand that holds the weights, of products of integers.
WEIGHTS = {"ConvInteger": 1, "MatMulInteger": 1, "QLinearConv": 3, "QLinearMatMul": 3}


def is_signed_by_unsigned(node):
    """Weights of i8 by pixels of u8, whose type that of their zero point tells too."""
    pixels = {node.operands[i][0] for i in (0, 2) if i < len(node.operands)}
    return UINT8 in pixels and node.operands[WEIGHTS[node.type]][0] == INT8


RULES = [
    *(Rule(ORT, operator, "saturates sums of two products on processors that lack VNNI",
           is_signed_by_unsigned) for operator in WEIGHTS),
    *(Rule(ORT, operator, "refuses what is empty", is_empty) for operator in WINDOWS),
    Rule(ORT, "Resize", "aligns corners of images reduced by scales by sizes before rounding",
         lambda n: n.text("coordinate_transformation_mode") == "align_corners"
         and len(n.operands) == 3 and n.shape(0) > n.results[0][1]),
    Rule(ORT, "Resize", "has cubics for images only",
         lambda n: n.text("mode") == "cubic" and len(n.shape(0)) != 4),
    Rule(ORT, "Cast", "to bf16 by way of f32, which rounds twice", rounds_twice),
    Rule(EVALUATOR, "Cast", "to bf16 by way of f32, which rounds twice", rounds_twice),
    Rule(ORT, "LRN", "even sizes and other ranks are refused",
         lambda n: n.integer("size") % 2 == 0 or len(n.shape(0)) != 4),
    Rule(ORT, "RoiAlign", "refuses indices of the batch that are not below the count of regions",
         lambda n: n.shape(0)[0] > n.shape(1)[0]),
    Rule(ORT, "Dropout", "in training, random", lambda n: len(n.operands) > 2),
    Rule(ORT, "MatMulInteger", "leaves results unset where nothing is summed",
         lambda n: n.shape(0)[-1] == 0),
    Rule(EVALUATOR, "AveragePool", "counts what rounding sizes up adds as padding",
         lambda n: n.integer("ceil_mode") and n.integer("count_include_pad")),
    Rule(EVALUATOR, "ConvTranspose", "groups are computed wrongly, or not at all",
         lambda n: n.integer("group", 1) > 1),
    Rule(EVALUATOR, "DeformConv", "groups and padding make NaN indices"),
    Rule(EVALUATOR, "Dropout", "in training, random", lambda n: len(n.operands) > 2),
    Rule(EVALUATOR, "GlobalLpPool", "is lacking"),
    Rule(EVALUATOR, "GridSample", "clamps the place to the border, not each tap of a cubic",
         lambda n: n.text("mode") == "cubic" and n.text("padding_mode") == "border"),
    Rule(EVALUATOR, "LRN", "counts channels by the batch, and takes images only"),
    Rule(EVALUATOR, "LpNormalization", "sums numbers, not their magnitudes",
         lambda n: n.integer("p", 2) == 1),
    Rule(EVALUATOR, "MaxPool", "images smaller than the window are refused, padded or not",
         lambda n: min(n.shape(0)[2:]) < max(n.integer("kernel_shape", [1]))),
    Rule(EVALUATOR, "MaxPool", "misreads pads that differ",
         lambda n: len(set(n.integer("pads", []))) > 1),
    Rule(EVALUATOR, "MaxPool", "rounds sizes up in spite of padding",
         lambda n: n.integer("ceil_mode") and any(n.integer("pads", []))),
    Rule(EVALUATOR, "OneHot", "takes a depth of rank 0 only", lambda n: n.shape(1) != ()),
    Rule(EVALUATOR, "ReduceMax", "has no answer for empty tensors", lambda n: 0 in n.shape(0)),
    Rule(EVALUATOR, "ReduceMin", "has no answer for empty tensors", lambda n: 0 in n.shape(0)),
    Rule(EVALUATOR, "Resize", "pytorch_half_pixel does not put a single pixel at 0",
         lambda n: n.text("coordinate_transformation_mode") == "pytorch_half_pixel"
         and 1 in n.results[0][1]),
    Rule(EVALUATOR, "MaxUnpool", "indices are not those of the output's shape",
         lambda n: len(n.operands) > 2),
]  # fmt: skip


# Subjects whose data are beyond a runtime, by name and runtime.
SUBJECTS = {
    ("faults/n_groupnorm_big", ORT): "means far from zero cancel in f32",
    ("faults/n_groupnorm_big", EVALUATOR): "means far from zero cancel in f32",
    ("faults/n_instnorm_big", ORT): "means far from zero cancel in f32",
    ("faults/n_instnorm_big", EVALUATOR): "means far from zero cancel in f32",
    ("faults/n_mvn_big", ORT): "means far from zero cancel in f32",
    ("faults/n_mvn_big", EVALUATOR): "means far from zero cancel in f32",
    ("faults/q_round_uint8_0", EVALUATOR): "quantizes infinity by way of an integer",
}


def types_of(model):
    """(element type, shape) by the name of a value."""
    types = {t.name: (t.data_type, tuple(t.dims)) for t in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        tensor = value.type.tensor_type
        types[value.name] = (tensor.elem_type, tuple(d.dim_value for d in tensor.shape.dim))
    return types


def reason(name, model, runtime):
    """Why that runtime is not asked about a model of the subject, or None."""
    if (name, runtime) in SUBJECTS:
        return SUBJECTS[name, runtime]
    types = types_of(model)
    for proto in model.graph.node:
        node = Node(proto, types)
        for rule in RULES:
            if rule.runtime == runtime and rule.operator == node.type and rule.meant(node):
                return f"{rule.operator}: {rule.reason}"
    return None


def checkable(model):
    """Whether the checker of onnx takes the model: its inference mistakes default attributes."""
    return all(
        node.op_type != "MeanVarianceNormalization" or node.attribute for node in model.graph.node
    )
