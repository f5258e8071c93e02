"""What ONNX Runtime makes of a model: its optimizer's levels, and its quantizer's formats.

WRITERS maps a name to a function (model file, file to write, inputs). None of them changes what the
model computes by more than quantization does.
"""

import functools
import pathlib
import tempfile

import numpy
import onnx
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

Level = onnxruntime.GraphOptimizationLevel


def optimize(source, target, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 4
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


class Images(CalibrationDataReader):
    """A few random inputs to calibrate with."""

    def __init__(self, source):
        (value,) = onnx.load(source).graph.input
        shape = [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]
        random = numpy.random.default_rng(7)
        self.feeds = [
            {value.name: random.standard_normal(shape).astype(numpy.float32)} for _ in range(3)
        ]

    def get_next(self):
        return self.feeds.pop() if self.feeds else None


# Signed weights have 7 bits: without VNNI, ONNX Runtime adds two products in 16 bits, which saturates
# with 8 (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html, "U8S8").
def seven_bits(weights):
    return weights == QuantType.QInt8


def quantize(source, target, form, activations, weights, per_channel=False, then=None, **options):
    """Quantized by calibration, and then optimized to a level if one is given."""
    with tempfile.TemporaryDirectory() as folder:
        ready = pathlib.Path(folder) / "ready.onnx"
        optimize(source, ready, Level.ORT_ENABLE_BASIC)
        quantized = pathlib.Path(folder) / "quantized.onnx" if then else target
        quantize_static(
            ready, quantized, Images(source), quant_format=form, activation_type=activations,
            weight_type=weights, per_channel=per_channel, reduce_range=seven_bits(weights),
            extra_options=options,
        )  # fmt: skip
        if then:
            optimize(quantized, target, then)


def dynamic(source, target, weights, then=None, **options):
    """Weights quantized, activations when they are known."""
    with tempfile.TemporaryDirectory() as folder:
        quantized = pathlib.Path(folder) / "quantized.onnx" if then else target
        quantize_dynamic(
            source, quantized, weight_type=weights, reduce_range=seven_bits(weights), **options
        )
        if then:
            optimize(quantized, target, then)


def blocked(source, target, bits, block, symmetric, form):
    """Weights of products in blocks of a few bits."""
    from onnxruntime.quantization import matmul_nbits_quantizer as nbits

    quantizer = nbits.MatMulNBitsQuantizer(
        onnx.load(source), bits=bits, block_size=block, is_symmetric=symmetric, quant_format=form
    )
    quantizer.process()
    onnx.save(quantizer.model.model, target)


def half(source, target):
    """In 16-bit floats."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)


U8, S8, U16, S16 = QuantType.QUInt8, QuantType.QInt8, QuantType.QUInt16, QuantType.QInt16
QDQ, QOP = QuantFormat.QDQ, QuantFormat.QOperator
part = functools.partial
WRITERS = {
    "basic": part(optimize, level=Level.ORT_ENABLE_BASIC),
    "extended": part(optimize, level=Level.ORT_ENABLE_EXTENDED),
    "all": part(optimize, level=Level.ORT_ENABLE_ALL),
    "qdq_u8s8_channels": part(quantize, form=QDQ, activations=U8, weights=S8, per_channel=True),
    "qdq_u8u8": part(quantize, form=QDQ, activations=U8, weights=U8),
    "qdq_s8s8": part(
        quantize, form=QDQ, activations=S8, weights=S8, ActivationSymmetric=True
    ),
    "qdq_u16u8": part(quantize, form=QDQ, activations=U16, weights=U8),
    "qdq_s16s16": part(quantize, form=QDQ, activations=S16, weights=S16),
    "qdq_extended": part(
        quantize, form=QDQ, activations=U8, weights=S8, then=Level.ORT_ENABLE_EXTENDED
    ),
    "qdq_all": part(
        quantize, form=QDQ, activations=U8, weights=U8, per_channel=True, then=Level.ORT_ENABLE_ALL
    ),
    "qdq_s8_extended": part(
        quantize, form=QDQ, activations=S8, weights=S8, per_channel=True,
        then=Level.ORT_ENABLE_EXTENDED,
    ),
    "qop_u8u8": part(quantize, form=QOP, activations=U8, weights=U8),
    "qop_u8s8_channels": part(quantize, form=QOP, activations=U8, weights=S8, per_channel=True),
    "qop_s8s8": part(quantize, form=QOP, activations=S8, weights=S8),
    "qop_extended": part(
        quantize, form=QOP, activations=U8, weights=U8, then=Level.ORT_ENABLE_EXTENDED
    ),
    "qop_all": part(quantize, form=QOP, activations=S8, weights=S8, then=Level.ORT_ENABLE_ALL),
    "dynamic_u8": part(dynamic, weights=U8),
    "dynamic_s8_channels": part(dynamic, weights=S8, per_channel=True),
    "dynamic_extended": part(dynamic, weights=U8, then=Level.ORT_ENABLE_EXTENDED),
    "dynamic_all": part(dynamic, weights=S8, then=Level.ORT_ENABLE_ALL),
    "blocks4": part(blocked, bits=4, block=16, symmetric=True, form=QOP),
    "blocks4_zero": part(blocked, bits=4, block=32, symmetric=False, form=QOP),
    "blocks8": part(blocked, bits=8, block=16, symmetric=False, form=QOP),
    "blocks4_qdq": part(blocked, bits=4, block=16, symmetric=True, form=QDQ),
    "half": half,
}  # fmt: skip
