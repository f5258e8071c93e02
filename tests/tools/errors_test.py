"""Every code of errors is met, in the last line of a command that fails: errors_test.py ENFOLD"""

import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import unittest

ENFOLD = sys.argv.pop(1)
TREE = pathlib.Path(__file__).parents[2]
ZOO = "zoo:cnn_batchnorm"
SHAPES10 = TREE / "examples/shapes10"
# Only a caller that asks another thread to stop meets it: tests/capi and python/tests do.
ELSEWHERE = {"stopped"}


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    """A field of a protobuf message: a number, or bytes or text by length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def value_info(name, elem, *dims):
    shape = b"".join(field(1, field(1 if isinstance(d, int) else 2, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, elem) + field(2, shape)))


def node(op, inputs, attributes=(), domain=""):
    text = b"".join(field(1, name) for name in inputs) + field(2, "y") + field(4, op)
    text += b"".join(field(5, attribute) for attribute in attributes)
    return text + (field(7, domain) if domain else b"")


def model(nodes, inputs=(), tensors=(), opset=18):
    graph = b"".join(field(1, one) for one in nodes) + field(2, "g")
    graph += b"".join(field(5, tensor) for tensor in tensors)
    graph += b"".join(field(11, one) for one in inputs) + field(12, field(1, "y"))
    opsets = field(8, field(2, opset)) + field(8, field(1, "com.microsoft") + field(2, 1))
    return field(1, 8) + field(7, graph) + opsets


def tensor(elem, count, *fields):
    return field(1, count) + field(2, elem) + field(8, "w") + b"".join(fields)


FLOAT, I64, STRING = 1, 7, 8
X = value_info("x", FLOAT, 2)
OF_W = [node("Relu", ["w"])]
EXTERNAL = field(14, 1) + field(13, field(1, "location") + field(2, "gone.bin"))
FILES = {
    "nothing.onnx": b"no model",
    "half.onnx": (SHAPES10 / "model.onnx").read_bytes()[:2000],
    "empty.npy": b"",
    "text.eir": b"graph @",
    "conv.eir": b"graph @g(%x: f32[1,1,4,4]) {\n"
    b"  %w = const f32[1,1,3,3] random(seed=1)\n"
    b"  %y = conv(%x, %w) {strides=[0,0]} : f32[1,1,2,2]\n  return %y\n}\n",
    "type.eir": b"graph @g(%x: f32[2], %z: i64[2]) {\n"
    b"  %y = add(%x, %z) : f32[2]\n  return %y\n}\n",
    "shape.eir": b"graph @g(%x: f32[2,3]) {\n  %y = matmul(%x, %x) : f32[2,3]\n  return %y\n}\n",
    "gather.eir": b"graph @g(%x: f32[2,3], %i: i64[1]) {\n"
    b"  %y = gather(%x, %i) : f32[1,3]\n  return %y\n}\n",
    "sample.eir": b"graph @g(%x: f32[1,1,4,4], %i: f32[1,2,2,2]) {\n"
    b"  %y = grid_sample(%x, %i) : f32[1,1,2,2]\n  return %y\n}\n",
    "huge.eir": b"graph @g(%x: f32[65536,65536]) {\n"
    b"  %y = relu(%x) : f32[65536,65536]\n  return %y\n}\n",
    "nine.bin": (9).to_bytes(8, "little"),
    "open.onnx": model([node("Relu", ["x"])], [value_info("x", FLOAT, 1, "height", "width")]),
    "data.onnx": model([node("NonZero", ["x"])], [X]),
    "operator.onnx": model([node("Frobnicate", ["x"])], [X]),
    "opset.onnx": model([node("Relu", ["x"])], [X], opset=99),
    "operand.onnx": model([node("Relu", [])], [X]),
    "undefined.onnx": model([node("Relu", ["nothing"])], [X]),
    "tensor.onnx": model(OF_W, tensors=[tensor(FLOAT, 3, field(9, bytes(8)))]),
    "strings.onnx": model(OF_W, tensors=[tensor(STRING, 1, field(6, "text"))]),
    "external.onnx": model(OF_W, tensors=[tensor(FLOAT, 3, EXTERNAL)]),
    "activation.onnx": model(
        [node("FusedConv", ["x", "x"], [field(1, "activation") + field(4, "Frob") + field(20, 3)],
              "com.microsoft")],
        [value_info("x", FLOAT, 1, 1, 3, 3)],
    ),
}
CASES = {
    "usage": ["quantize", ZOO, "-o", "out.onnx"],
    "invalid-model": ["quantize", TREE / "tests/tools/quantized.eir", "--random", "-o", "o.onnx"],
    "unsupported-model": ["run", "activation.onnx", "--random"],
    "no-memory": ["run", "huge.eir", "--random"],
    "data-dependent": ["compile", "data.onnx", "-o", "out.so"],
    "unknown-option": ["run", ZOO, "--zzz"],
    "bad-value": ["run", ZOO, "--threads", "-1"],
    "option-conflict": ["run", ZOO, "--random", "1", "--tap", "x", "--against", "unfused"],
    "unknown-name": ["opt", ZOO, "--disable-pass", "nothing"],
    "no-such-file": ["run", "missing.onnx"],
    "cannot-write": ["zoo", "cnn_batchnorm", "-o", "missing/out.onnx"],
    "cache-folder": ["cache", "ls"],
    "missing-input": ["run", ZOO],
    "unknown-input": ["run", SHAPES10 / "model.onnx", "--input", f"x={SHAPES10}/images.npy"],
    "wrong-input": ["run", SHAPES10 / "model.onnx", "--input", f"images={SHAPES10}/labels.npy"],
    "open-shape": ["compile", "open.onnx", "-o", "out.so"],
    "not-onnx": ["run", "nothing.onnx"],
    "truncated-file": ["run", "half.onnx"],
    "damaged-file": ["run", SHAPES10 / "model.onnx", "--input", "images=empty.npy"],
    "syntax-error": ["run", "text.eir"],
    "external-data": ["run", "external.onnx"],
    "bad-tensor": ["run", "tensor.onnx"],
    "bad-attribute": ["run", "conv.eir", "--random"],
    "bad-operands": ["run", "operand.onnx"],
    "undefined-name": ["run", "undefined.onnx"],
    "type-mismatch": ["run", "type.eir"],
    "shape-mismatch": ["run", "shape.eir"],
    "bad-data": ["run", "gather.eir", "--random", "--input", "i=raw:nine.bin"],
    "unknown-operator": ["run", "operator.onnx"],
    "unsupported-opset": ["run", "opset.onnx"],
    "unsupported-type": ["run", "strings.onnx"],
    "unsupported-target": ["run", ZOO, "--random", "--machine", "other.machine"],
    "over-limit": ["run", SHAPES10 / "model.onnx", "--limit-nodes", "1"],
    "no-kernel": ["compile", "sample.eir", "-o", "out.so"],
    "missing-program": ["run", ZOO, "--random", "--against", "onnxruntime"],
    "memory-limit": ["run", ZOO, "--random", "--limit-memory", "1"],
    "time-limit": ["run", "zoo:resnet50", "--random", "--limit-compile-seconds", "0.001"],
}


def run(folder, *words, **how):
    return subprocess.run(
        [ENFOLD, *words], cwd=folder, capture_output=True, text=True, timeout=60, **how
    )


class Errors(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = pathlib.Path(made.name)
        for name, data in FILES.items():
            (self.folder / name).write_bytes(data)
        listed = run(self.folder, "machine", "--target-cpu", "cortex-a76").stdout
        (self.folder / "other.machine").write_text(listed)

    def environment(self, code):
        kept = {"PATH": os.environ["PATH"], "ENFOLD_PYTHON": "/bin/false"}
        return kept if code == "cache-folder" else {**os.environ, **kept}

    def limits(self, code):
        if code == "no-memory":
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    def test_each_code(self):
        rows = json.loads(run(self.folder, "errors", "--json", "-").stdout)["errors"]
        self.assertEqual({row["code"] for row in rows}, set(CASES) | ELSEWHERE)
        for row in rows:
            code = row["code"]
            if code in ELSEWHERE:
                continue
            with self.subTest(code):
                done = run(
                    self.folder,
                    *CASES[code],
                    env=self.environment(code),
                    preexec_fn=lambda code=code: self.limits(code),
                )
                last = done.stderr.rstrip().rpartition("\n")[2]
                self.assertRegex(last, rf"`enfold errors {re.escape(code)}`\.$", done.stderr)
                self.assertEqual(done.returncode, row["exit_code"])

    def test_problems_of_several_causes(self):
        nodes = [node("Frobnicate", ["x"]), node("Relu", ["nothing"]).replace(b"y", b"z")]
        (self.folder / "both.onnx").write_bytes(model(nodes, [X]))
        done = run(self.folder, "run", "both.onnx")
        self.assertIn("See `enfold errors", done.stderr)

    def test_pages(self):
        pages = run(self.folder, "errors", "not-onnx", "over-limit").stdout
        self.assertIn("not-onnx: The file is not an ONNX model", pages)
        self.assertIn("\n\nover-limit: ", pages)


if __name__ == "__main__":
    unittest.main()
