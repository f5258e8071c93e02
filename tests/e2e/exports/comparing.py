"""Runs an export by ONNX Runtime and by the evaluator, and compares with what must come out."""

import dataclasses

import exceptions
import onnx
from exporting import Refused, random_inputs


def read_statistics(model):
    """Makes the running statistics of training-mode normalizations outputs: ONNX Runtime computes the
    normalization itself wrongly when nobody reads them."""
    listed = {output.name for output in model.graph.output}
    for node in model.graph.node:
        if node.op_type == "BatchNormalization" and len(node.output) == 3:
            for name in node.output[1:]:
                if name not in listed:
                    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    return model


def run_onnxruntime(path, names, inputs):
    """By its plain kernels: its own rewrites are not what is looked at."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    model = read_statistics(onnx.load(path))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(names, inputs)


def run_evaluator(path, names, inputs):
    """It has no quantization of opset 18; opset 19 only adds to that."""
    import onnx.reference

    model = onnx.load(path)
    model.opset_import[0].version = max(model.opset_import[0].version, 19)
    return onnx.reference.ReferenceEvaluator(model).run(names, inputs)


RUNTIMES = {"onnxruntime": run_onnxruntime, "evaluator": run_evaluator}


def tolerance_of(model, subject):
    """(rtol, atol) for a model: what is rounded to 16 bits on the way is rounded at other places
    by others."""
    types = {elem for elem, _ in exceptions.types_of(model).values()}
    if onnx.TensorProto.BFLOAT16 in types:
        return max(subject.rtol, 5e-2), max(subject.atol, 5e-2)
    if onnx.TensorProto.FLOAT16 in types:
        return max(subject.rtol, 1e-2), max(subject.atol, 1e-2)
    return subject.rtol, subject.atol


def difference(actual, expected, tolerance):
    """Why the two are not the same answer, or None: |a - b| <= atol m + rtol |b| with
    m = max(1, max |b|)."""
    import numpy

    rtol, atol = tolerance
    actual = numpy.asarray(actual)
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return f"{actual.dtype}{actual.shape} instead of {expected.dtype}{expected.shape}"
    a, b = actual, expected
    if b.dtype.kind not in "iub":
        a, b = a.astype(numpy.float64), b.astype(numpy.float64)
    same = (a == b) | ((a != a) & (b != b))
    a, b = a.astype(numpy.float64), b.astype(numpy.float64)
    with numpy.errstate(invalid="ignore", over="ignore"):
        scale = max(1, abs(b[numpy.isfinite(b)]).max(initial=0))
        same |= numpy.isfinite(b) & (abs(a - b) <= atol * scale + rtol * abs(b))
    if same.all():
        return None
    index = numpy.unravel_index(numpy.argmin(same), same.shape)
    place = tuple(int(i) for i in index)
    return f"{(~same).sum()} of {same.size} differ, first at {place}: {a[index]} for {b[index]}"


class NoKernel(Exception):
    """ONNX Runtime knows the operator, but not for these element types."""


def answers_of(runtime, path, names, inputs):
    try:
        return RUNTIMES[runtime](path, names, inputs)
    except Exception as error:
        if "NOT_IMPLEMENTED" in str(error) or "No corresponding Numpy type" in str(error):
            raise NoKernel(str(error)) from None
        raise


@dataclasses.dataclass
class Comparison:
    """What is wrong with the exports of a subject, what was not run and why, and how many answers were
    compared."""

    differences: list[str] = dataclasses.field(default_factory=list)
    skipped: list[str] = dataclasses.field(default_factory=list)
    compared: int = 0


def compare(subject, exporter, exports):
    comparison = Comparison()
    for inputs, expected in list(exporter.data()) if subject.data else [(None, None)]:
        for kind, passes in exports.items():
            path = exporter.folder / f"{kind}.onnx"
            try:
                exporter.export(passes, inputs or {}, path)
            except Refused as error:
                comparison.differences.append(f"{subject.name}: {error}")
                return comparison
            model = onnx.load(path)
            if exceptions.checkable(model):
                onnx.checker.check_model(str(path), full_check=True)
            types = {
                output.name: onnx.helper.tensor_dtype_to_np_dtype(output.type.tensor_type.elem_type)
                for output in model.graph.output
            }
            names = list(types)
            if inputs is None:
                inputs = random_inputs(path)
            if not expected:
                expected = exporter.answers(inputs, types)
            feeds = {name: x for name, x in inputs.items() if name not in exporter.constants}
            for runtime in subject.runtimes:
                where = f"{subject.name}, {kind}, {runtime}"
                if why := exceptions.reason(subject.name, model, runtime):
                    comparison.skipped.append(f"{runtime}: {why}")
                    continue
                try:
                    results = answers_of(runtime, path, names, feeds)
                except NoKernel:
                    comparison.skipped.append(f"{runtime}: no kernel for some element type")
                    continue
                except Exception as error:
                    text = f"{type(error).__name__} {error}".replace("\n", " ")[:300]
                    comparison.differences.append(f"{where}: {text}")
                    continue
                for name, a, b in zip(names, results, expected, strict=True):
                    comparison.compared += 1
                    if why := difference(a, b, tolerance_of(model, subject)):
                        comparison.differences.append(f"{where}, {name}: {why}")
    return comparison
