"""Inputs and outputs of `run` in files of every kind: inputs_test.py ENFOLD"""

import base64
import io
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile
import zlib

ENFOLD = sys.argv.pop(1)

# 8x4 pixels of (200, 100, 40), in a JPEG file.
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsI"
    "CQoKCgoKBggLDAsKDAkKCgr/2wBDAQICAgICAgUDAwUKBwYHCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoK"
    "CgoKCgoKCgoKCgoKCgr/wAARCAAEAAgDAREAAhEBAxEB/8QAFAABAAAAAAAAAAAAAAAAAAAABf/EABQQAQAAAAAAAAAAAAAA"
    "AAAAAAD/xAAUAQEAAAAAAAAAAAAAAAAAAAAI/8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAwDAQACEQMRAD8ALEM3H//Z"
)


def model(shape, elem="f32"):
    return f'graph @copy(%x: {elem}[{shape}]) {{\n  %y = identity(%x) : {elem}[{shape}]\n  return %y\n}}\n'


def png(rows, channels):
    """A PNG file of rows of bytes."""
    colour = {1: 0, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", len(rows[0]) // channels, len(rows), 8, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    file = b"\x89PNG\r\n\x1a\n"
    for kind, part in ((b"IHDR", head), (b"IDAT", data), (b"IEND", b"")):
        crc = zlib.crc32(kind + part)
        file += struct.pack(">I", len(part)) + kind + part + struct.pack(">I", crc)
    return file


def npy(code, shape, data):
    sizes = "".join(f"{size}, " for size in shape)
    header = f"{{'descr': '{code}', 'fortran_order': False, 'shape': ({sizes}), }}\n".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data


def npz(arrays, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in arrays.items():
            archive.writestr(name + ".npy", data)
    return file.getvalue()


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def file(self, name, data):
        path = self.folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(path)

    def enfold(self, *words, stdin=b"", code=0):
        done = subprocess.run([ENFOLD, *words], input=stdin, capture_output=True)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr.decode()

    def run_on(self, text, *words, stdin=b"", code=0):
        """What the model answers, as floats; or the error."""
        out = self.enfold(
            "run", self.file("model.eir", text), *words, "-o", "-", stdin=stdin, code=code
        )
        if code:
            return out
        with zipfile.ZipFile(io.BytesIO(out)) as archive:
            self.assertEqual(archive.testzip(), None)
            data = archive.read("y.npy")
        start = 10 + struct.unpack("<H", data[8:10])[0]
        kind = "B" if b"'|u1'" in data[:start] else "f"
        size = struct.calcsize(kind)
        return [round(v, 5) for (v,) in struct.iter_unpack("<" + kind, data[start:])], size

    def test_png_as_floats_of_channels_first(self):
        path = self.file("a.png", png([[255, 0, 51, 0, 255, 102]], 3))
        values, _ = self.run_on(model("1,3,1,2"), "--input", f"x={path}")
        self.assertEqual(values, [1, 0, 0, 1, 0.2, 0.4])

    def test_png_of_channels_last_and_as_bytes(self):
        path = self.file("a.png", png([[255, 0, 51, 0, 255, 102]], 3))
        values, size = self.run_on(model("1,1,2,3", "u8"), "--layout", "nhwc", "--input", f"x={path}")
        self.assertEqual((values, size), ([255, 0, 51, 0, 255, 102], 1))
        values, _ = self.run_on(model("1,3,1,2", "u8"), "--input", f"x={path}")
        self.assertEqual(values, [255, 0, 0, 255, 51, 102])

    def test_grey_and_alpha(self):
        grey = self.file("grey.png", png([[0, 51, 255]], 1))
        self.assertEqual(self.run_on(model("1,1,1,3"), "--input", f"x={grey}")[0], [0, 0.2, 1])
        self.assertEqual(
            self.run_on(model("1,3,1,3"), "--input", f"x={grey}")[0], [0, 0.2, 1] * 3
        )
        alpha = self.file("alpha.png", png([[255, 0, 0, 51]], 4))
        self.assertEqual(self.run_on(model("1,4,1,1"), "--input", f"x={alpha}")[0], [1, 0, 0, 0.2])

    def test_mean_and_scale(self):
        path = self.file("a.png", png([[10, 20, 30]], 3))
        words = ("--input", f"x={path}", "--mean", "1,2,3", "--scale", "2")
        self.assertEqual(self.run_on(model("1,3,1,1"), *words)[0], [4.5, 9, 13.5])
        words = ("--input", f"x={path}", "--mean", "10", "--scale", "1,2,4")
        self.assertEqual(self.run_on(model("3,1,1"), *words)[0], [0, 5, 5])
        bytes_ = self.file("a.npy", npy("|u1", (1, 3, 1, 1), bytes([10, 20, 30])))
        words = ("--input", f"x={bytes_}", "--mean", "10", "--scale", "1,2,4")
        self.assertEqual(self.run_on(model("1,3,1,1"), *words)[0], [0, 5, 5])

    def test_several_images_are_a_batch(self):
        one = self.file("1.png", png([[255, 0, 0]], 3))
        two = self.file("2.png", png([[0, 0, 51]], 3))
        words = ("--input", f"x={one}", "--input", f"x={two}")
        self.assertEqual(self.run_on(model("2,3,1,1"), *words)[0], [1, 0, 0, 0, 0, 0.2])

    def test_jpeg(self):
        path = self.file("a.jpg", JPEG)
        values, _ = self.run_on(model("1,3,4,8", "u8"), "--input", f"x={path}")
        for channel, wanted in enumerate((200, 100, 40)):
            for value in values[32 * channel : 32 * (channel + 1)]:
                self.assertLessEqual(abs(value - wanted), 2)
        values, _ = self.run_on(model("1,1,4,8", "u8"), "--input", f"x={path}")
        self.assertLessEqual(abs(values[0] - 123), 2)

    def test_archives(self):
        data = npy("<f4", (2,), floats(1, 2))
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            path = self.file("a.npz", npz({"z": data, "x": data}, method))
            self.assertEqual(self.run_on(model("2"), "--input", f"x={path}")[0], [1, 2])
        path = self.file("a.npz", npz({"x": data}))
        self.assertEqual(self.run_on(model("2"), "--input", path)[0], [1, 2])

    def test_raw(self):
        path = self.file("a.bin", floats(1, 2, 3))
        self.assertEqual(self.run_on(model("3"), "--input", f"x=raw:{path}")[0], [1, 2, 3])
        wrong = self.run_on(model("4"), "--input", f"x=raw:{path}", code=2)
        self.assertIn("holds 12 bytes, which are no f32[4]", wrong)

    def test_standard_input(self):
        data = npy("<f4", (2,), floats(1, 2))
        self.assertEqual(self.run_on(model("2"), "--input", "x=-", stdin=data)[0], [1, 2])
        words = ("--input", "x=raw:-")
        self.assertEqual(self.run_on(model("2"), *words, stdin=floats(3, 4))[0], [3, 4])
        both = ("--input", "x=-", "--input", "z=-")
        self.assertIn("once only", self.run_on(model("2"), *both, stdin=data, code=2))
        self.assertIn("is empty", self.run_on(model("2"), "--input", "x=-", code=3))

    def test_model_on_standard_input(self):
        path = str(self.folder / "model.onnx")
        self.enfold("opt", self.file("m.eir", model("2")), "--passes", "none", "-o", path)
        bytes_ = pathlib.Path(path).read_bytes()
        self.assertIn(b"f32[2]", self.enfold("inspect", "-", stdin=bytes_))
        self.assertIn(b"y: f32[2]", self.enfold("run", "-", "--random", stdin=bytes_))
        network = self.enfold("zoo", "cnn_batchnorm", "-o", "-")
        self.assertIn(b"input: f32[16,3,32,32]", self.enfold("inspect", "-", stdin=network))

    def test_an_archive_is_compared(self):
        text = self.file("m.eir", model("2"))
        for values, code in (((1, 2), 0), ((1, 3), 1)):
            data = npy("<f4", (2,), floats(1, 2))
            path = self.file("a.npz", npz({"y": npy("<f4", (2,), floats(*values)), "x": data}))
            words = ("--input", f"x={self.file('x.npy', data)}", "--against", path)
            self.enfold("diff", text, *words, code=code)

    def test_what_is_wrong_is_told(self):
        image = self.file("a.png", png([[1, 2, 3]], 3))
        data = npz({"x": npy("<f4", (2,), floats(1, 2))})
        cases = [
            (model("1,3,2,2"), (f"x={image}",), 2, "does not fit an input of shape [1,3,2,2]"),
            (model("1,5,2,2"), (f"x={image}",), 2, "the input has 5"),
            (model("1,3"), (f"x={image}",), 2, "does not fit an input of shape [1,3]"),
            (model("1,3,1,1", "i32"), (f"x={image}",), 2, "does not fit an input of i32"),
            (model("1,4,1,1"), (f"x={self.file('b.jpg', JPEG)}",), 3, "no alpha"),
            (model("1,3,1,1"), (f"x={self.file('c.png', png([[1, 2, 3]], 3)[:40])}",), 3, "c.png"),
            (model("1,3,4,8"), (f"x={self.file('c.jpg', JPEG[:-40])}",), 3, "c.jpg"),
            (model("2"), (f"x={self.file('c.npz', data[:-30])}",), 3, "not a .npz file"),
            (model("2"), (f"x={self.file('d.npz', data.replace(floats(2), floats(3)))}",), 3, "x.npy"),
            (model("2"), (f"y={self.file('e.npz', data)}",), 2, "holds no array 'y'"),
            (model("2"), (f"z=raw:{image}",), 2, "no input 'z'"),
            (model("2"), (f"x={image}", f"x={image}"), 2, "does not fit an input"),
            (model("2"), (f"x={self.file('f.npz', data)}",) * 2, 2, "given twice"),
            (model("2"), (image,), 2, "expected NAME=FILE"),
            (model("2"), ("x=raw:/nonexistent",), 2, "cannot open"),
        ]
        for text, inputs, code, wanted in cases:
            words = [word for file in inputs for word in ("--input", file)]
            self.assertIn(wanted, self.run_on(text, *words, code=code))
        words = ("--input", f"x={image}", "--mean", "1,2")
        self.assertIn("2 numbers", self.run_on(model("1,3,1,1"), *words, code=2))
        words = ("--input", f"x={image}", "--scale", "0")
        self.assertIn("cannot be divided", self.run_on(model("1,3,1,1"), *words, code=2))


if __name__ == "__main__":
    unittest.main()
