"""Profilers and debuggers know the code: debuggers_test.py ENFOLD; skips what gdb is needed for."""

import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

ENFOLD = sys.argv.pop(1)

MODEL = """
graph @small(%x: f32[1,8,12,12]) {
  %w = const f32[8,8,3,3] random(seed=1)
  %a = conv(%x, %w) {pads=[1,1,1,1]} : f32[1,8,12,12]  @"/block/conv-1"
  %b = relu(%a) : f32[1,8,12,12]  @"/block/relu"
  %c = max_pool(%b) {kernel_shape=[2,2], strides=[2,2]} : f32[1,8,6,6]  @"/pool"
  return %c
}
"""

LOAD, LINES = 0, 2


class Debuggers(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.model = self.folder / "small.eir"
        self.model.write_text(MODEL)
        self.texts = self.folder / "texts"

    def run_model(self, command=(), code=0, **variables):
        """Runs the model, perhaps below a command; returns the process and its number."""
        words = [*command, ENFOLD, "run", str(self.model), "--random", "--threads", "1"]
        process = subprocess.Popen(
            words,
            cwd=self.folder,
            env=dict(os.environ, ENFOLD_DUMP_IR=str(self.texts), **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        output, _ = process.communicate(timeout=300)
        self.assertEqual(process.returncode, code, output)
        return process.pid, output

    def symbol(self, prefix, texts):
        """The symbol of the convolution, by the file of its text."""
        names = [path.stem for path in texts.glob("*.kir")]
        found = [name for name in names if "_block_conv_1" in name]
        self.assertEqual(len(found), 1, names)
        self.assertTrue(found[0].startswith(prefix), found)
        return found[0]

    def gdb(self, *arguments, **variables):
        if not shutil.which("gdb"):
            self.skipTest("there is no gdb")
        done = subprocess.run(
            ["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", *arguments],
            cwd=self.folder,
            env=dict(os.environ, ENFOLD_DUMP_IR=str(self.texts), **variables),
            capture_output=True,
            text=True,
            timeout=600,
        )
        if "ptrace" in done.stderr and "not permitted" in done.stderr:
            self.skipTest("gdb must not trace other processes here")
        return done.stdout + done.stderr

    def test_map(self):
        pid, _ = self.run_model(ENFOLD_PERF="map")
        path = pathlib.Path(f"/tmp/perf-{pid}.map")
        self.addCleanup(path.unlink)
        rows = [line.split(" ", 2) for line in path.read_text().splitlines()]
        self.assertIn(self.symbol("enfold_k", self.texts), [name for _, _, name in rows])
        for address, size, _ in rows:
            self.assertGreater(int(address, 16), 4096)
            self.assertGreater(int(size, 16), 0)

    def records(self, data):
        magic, version, header = struct.unpack_from("<III", data)
        self.assertEqual((magic, version), (0x4A695444, 1))
        while header < len(data):
            kind, size, _ = struct.unpack_from("<IIQ", data, header)
            yield kind, data[header + 16 : header + size]
            header += size
        self.assertEqual(header, len(data))

    def test_dump(self):
        pid, _ = self.run_model(ENFOLD_PERF="jitdump")
        symbol = self.symbol("enfold_k", self.texts)
        text = (self.texts / f"{symbol}.kir").read_text().splitlines()
        lines, loads = {}, {}
        for kind, contents in self.records((self.folder / f"jit-{pid}.dump").read_bytes()):
            if kind == LINES:
                address, count = struct.unpack_from("<QQ", contents)
                at, entries = 16, []
                for _ in range(count):
                    entry, line, _ = struct.unpack_from("<QII", contents, at)
                    end = contents.index(b"\0", at + 16)
                    entries.append((entry, line, contents[at + 16 : end].decode()))
                    at = end + 1
                lines[address] = entries
            elif kind == LOAD:
                address, size = struct.unpack_from("<QQ", contents, 16)
                name, code = contents[40:].split(b"\0", 1)
                loads[name.decode()] = (address, size)
                self.assertEqual(len(code), size)
        address, size = loads[symbol]
        self.assertGreater(len(lines[address]), 3)
        for entry, line, file in lines[address]:
            self.assertTrue(address <= entry < address + size)
            self.assertEqual(pathlib.Path(file), self.texts / f"{symbol}.kir")
            self.assertTrue(0 <= line <= len(text), line)

    def test_perf_reads_the_dump(self):
        if not shutil.which("perf"):
            self.skipTest("there is no perf")

        def perf(*words):
            done = subprocess.run(
                ["perf", *words],
                cwd=self.folder,
                env=dict(os.environ, ENFOLD_PERF="jitdump", ENFOLD_DUMP_IR=str(self.texts)),
                capture_output=True,
                text=True,
                timeout=300,
            )
            if done.returncode != 0:
                self.skipTest(f"perf {words[0]} does not work here: {done.stderr.strip()}")
            return done.stdout

        bench = (ENFOLD, "bench", str(self.model), "--threads", "1", "--seconds", "1")
        perf("record", "-e", "cpu-clock", "-k", "mono", "-o", "perf.data", *bench)
        perf("inject", "--jit", "-i", "perf.data", "-o", "lines.data")
        symbol = self.symbol("enfold_k", self.texts)
        self.assertIn(symbol, perf("report", "-i", "lines.data", "--stdio"))

    def test_what_means_nothing_is_refused(self):
        _, output = self.run_model(code=2, ENFOLD_PERF="all")
        self.assertIn("ENFOLD_PERF=all: it is map or jitdump", output)
        _, output = self.run_model(code=2, ENFOLD_GDB="yes")
        self.assertIn("ENFOLD_GDB=yes: it is 0 or 1", output)

    def test_breakpoint_in_code_made_just_in_time(self):
        self.run_model()
        symbol = self.symbol("enfold_k", self.texts)
        output = self.gdb(
            *("-ex", "set breakpoint pending on", "-ex", f"break {symbol}", "-ex", "run"),
            *("-ex", "backtrace 1", "-ex", "next", "-ex", "kill", "--args"),
            *(ENFOLD, "run", str(self.model), "--random", "--threads", "1"),
            ENFOLD_GDB="1",
        )
        self.assertIn("Breakpoint 1, ", output)
        self.assertRegex(output, rf"#0 .*{symbol}\.kir:[0-9]+")

    def test_lines_of_files(self):
        library = self.folder / "small.so"
        done = subprocess.run(
            [ENFOLD, "compile", self.model, "-g", "-o", library], capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        symbol = self.symbol("small_k", self.folder / "small.so.kir")
        output = self.gdb("-ex", f"info line {symbol}", "-ex", f"list {symbol}", str(library))
        self.assertRegex(output, rf'Line [0-9]+ of ".*{symbol}\.kir" starts at address')
        self.assertIn("kernel", output)

    def test_texts_have_no_lines(self):
        done = subprocess.run(
            [ENFOLD, "compile", self.model, "-g", "-o", self.folder / "small.kir"],
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 2)
        self.assertIn("-g goes with native code", done.stderr)


if __name__ == "__main__":
    unittest.main()
