#!/usr/bin/env python3
"""Ahead-of-time compilation as its users meet it: models compiled to files, linked into C programs
with the system's compiler and the runtime library alone, and run. The bits must be those of
`enfold run`, whatever the form of the file and the number of threads.

  aot.py CASE --enfold FILE --cc FILE --cxx FILE --runtime FILE --include FOLDER [--flag=FLAG]...
Exit code 77 means that the case cannot be tried on this machine."""

import argparse
import array
import ast
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
C_FLAGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1"]
LIBRARIES = ["-lpthread", "-lm"]
SKIPPED = 77


class Failure(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise Failure(message)


def write_npy(path, shape, typecode, values):
    """float32 ("f") or int64 ("q") values as a version 1 file of NumPy."""
    descr = {"f": "<f4", "q": "<i8"}[typecode]
    dims = "".join(f"{d}," for d in shape)
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    data = array.array(typecode, values).tobytes()
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)
    return data


def npy_bytes(path):
    content = path.read_bytes()
    (length,) = struct.unpack("<H", content[8:10])
    ast.literal_eval(content[10:10 + length].decode())
    return content[10 + length:]


class Tools:
    """The command and the compilers, working in a fresh folder."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.flags = options.flag

    def run(self, *command, expect_code=0):
        done = subprocess.run([str(c) for c in command], cwd=self.folder, capture_output=True,
                              text=True, timeout=600)
        expect(done.returncode == expect_code,
               f"{' '.join(map(str, command))}\n  gave {done.returncode}, not {expect_code}\n"
               f"{done.stdout}{done.stderr}")
        return done

    def enfold(self, *arguments, expect_code=0):
        return self.run(self.options.enfold, *arguments, expect_code=expect_code)

    def object(self, source, *flags):
        output = self.folder / f"{source}.o"
        self.run(self.options.cc, *C_FLAGS, *self.flags, f"-I{self.options.include}",
                 f"-I{self.folder}", *flags, "-c", HERE / source, "-o", output)
        return output

    def link(self, name, *inputs):
        """A program of these objects and the runtime: the C compiler links, so no C++ library."""
        output = self.folder / name
        self.run(self.options.cc, *self.flags, *inputs, self.options.runtime, *LIBRARIES, "-o",
                 output)
        return output


class Answers:
    """Inputs of a model, and what `enfold run` answers."""

    def __init__(self, tools, model, inputs, outputs, *flags):
        """`inputs` maps names to shape and type; `outputs` lists names."""
        rng = random.Random(7)
        self.inputs, self.expected = [], []
        given = []
        for number, (name, (shape, typecode)) in enumerate(inputs.items()):
            count = 1
            for dim in shape:
                count *= dim
            values = [rng.uniform(-1, 1) if typecode == "f" else rng.randrange(-99, 99)
                      for _ in range(count)]
            npy, raw = tools.folder / f"in{number}.npy", tools.folder / f"in{number}.raw"
            raw.write_bytes(write_npy(npy, shape, typecode, values))
            self.inputs.append(raw)
            given += ["--input", f"{name}={npy}"]
        folder = tools.folder / "expected"
        tools.enfold("run", model, *given, "--output", folder, *flags)
        for name in outputs:
            self.expected.append(npy_bytes(folder / (name.replace("/", "_") + ".npy")))
        self.tools = tools

    def check(self, what, *command):
        """Runs COMMAND THREADS INPUT... OUTPUT... on one and on two threads."""
        for threads in (1, 2):
            results = [self.tools.folder / f"out{i}.raw" for i in range(len(self.expected))]
            for result in results:
                result.unlink(missing_ok=True)
            self.tools.run(*command, threads, *self.inputs, *results)
            for result, expected in zip(results, self.expected):
                expect(result.read_bytes() == expected,
                       f"{what}, {threads} threads: other bits than `enfold run`")


IMAGES = {"cnn_batchnorm": [16, 3, 32, 32], "resnet18": [1, 3, 224, 224],
          "mobilenet_v2": [1, 3, 96, 96], "cnn_3d": [2, 1, 16, 32, 32]}


def zoo_network(tools, name):
    shape = IMAGES[name]
    size = ["--shape", "input=" + "x".join(map(str, shape))]
    answers = Answers(tools, f"zoo:{name}", {"input": (shape, "f")}, ["output"], *size)
    return answers, size


def every_form(tools, name):
    """An object, an archive, assembly and a shared library of the same network."""
    answers, size = zoo_network(tools, name)
    common = tools.object("network.c")
    main = tools.object("linked.c", f"-DPROGRAM={name}_program")
    for extension in ("o", "a", "s"):
        file = tools.folder / f"net.{extension}"
        tools.enfold("compile", f"zoo:{name}", "-o", file, *size)
        answers.check(f".{extension}", tools.link("linked", main, common, file))
    library = tools.folder / "net.so"
    tools.enfold("compile", f"zoo:{name}", "-o", library, *size)
    loader = tools.link("loaded", tools.object("loaded.c"), common, "-ldl")
    answers.check(".so", loader, library, f"{name}_program")


def case_cnn_batchnorm(tools):
    every_form(tools, "cnn_batchnorm")


def case_cnn_3d(tools):
    every_form(tools, "cnn_3d")


def case_mobilenet_v2(tools):
    every_form(tools, "mobilenet_v2")


def case_resnet18(tools):
    answers, size = zoo_network(tools, "resnet18")
    code = tools.folder / "net.o"
    tools.enfold("compile", "zoo:resnet18", "-o", code, *size)
    answers.check(".o", tools.link("linked", tools.object("network.c"),
                                   tools.object("linked.c", "-DPROGRAM=resnet18_program"), code))


def case_example(tools):
    """The program of examples/c."""
    tools.enfold("compile", "zoo:cnn_batchnorm", "-o", "cnn_batchnorm.o", "--header",
                 "cnn_batchnorm.h")
    source, main = HERE.parents[1] / "examples/c/main.c", tools.folder / "main.o"
    tools.run(tools.options.cc, *C_FLAGS, *tools.flags, f"-I{tools.options.include}",
              f"-I{tools.folder}", "-c", source, "-o", main)
    said = tools.run(tools.link("classify", main, tools.folder / "cnn_batchnorm.o")).stdout
    expect(said.startswith("image 0: class ") and said.count("\n") == 3, said)


def case_llvm_forms(tools):
    """LLVM's own compiler makes the same of .ll and of .bc."""
    llc = shutil.which("llc-19") or shutil.which("llc", path=tools.options.llvm)
    if not llc:
        return SKIPPED
    objects = []
    for extension in ("ll", "bc"):
        file = tools.folder / f"net.{extension}"
        tools.enfold("compile", "zoo:cnn_batchnorm", "-o", file)
        objects.append(tools.folder / f"{extension}.o")
        tools.run(llc, "-filetype=obj", "-relocation-model=pic", "-fp-contract=off", file, "-o",
                  objects[-1])
    answers, _ = zoo_network(tools, "cnn_batchnorm")
    main = tools.object("linked.c", "-DPROGRAM=cnn_batchnorm_program")
    common = tools.object("network.c")
    for code in objects:
        answers.check(code.name, tools.link("linked", main, common, code))


def case_headers(tools):
    """The headers of two networks in one program, as C99 and as C++, and its answers' bits."""
    objects = []
    for name in ("cnn_batchnorm", "cnn_elu"):
        code = tools.folder / f"{name}.o"
        tools.enfold("compile", f"zoo:{name}", "-o", code, "--header", f"{name}.h")
        objects.append(code)
    c_program = tools.link("typed", tools.object("typed.c"), *objects)
    output = tools.folder / "typed_cxx.o"
    tools.run(tools.options.cxx, "-std=c++11", "-x", "c++", *C_FLAGS[1:], *tools.flags,
              f"-I{tools.options.include}", f"-I{tools.folder}", "-c", HERE / "typed.c", "-o",
              output)
    cxx_program = tools.link("typed_cxx", output, *objects)
    hashes = tools.run(c_program).stdout
    expect(hashes == tools.run(cxx_program).stdout, "C and C++ give different answers")

    pixels = [(i % 16) / 16 for i in range(16 * 3 * 32 * 32)]
    image = tools.folder / "image.npy"
    write_npy(image, [16, 3, 32, 32], "f", pixels)
    for name, printed in zip(("cnn_batchnorm", "cnn_elu"), hashes.split()):
        tools.enfold("run", f"zoo:{name}", "--input", f"input={image}", "--output", name)
        value = 2166136261
        for byte in npy_bytes(tools.folder / name / "output.npy"):
            value = (value ^ byte) * 16777619 % 2**32
        expect(f"{value:08x}" == printed, f"{name}: {printed}, but `enfold run` gives {value:08x}")


# Names that are no C identifiers, differ only in what identifiers cannot hold, or could end a
# comment or a string. A scalar, an empty tensor and an output that is an input are among them.
ODD_MODEL = """graph @odd(%"int": f32[2,3], %"a/b*/": f32[2,3], %"a-b\\"??/": f32[2,3],
    %"a_b": i64[2], %"none": f32[0,3]) {
  %s = add(%"int", %"a/b*/") : f32[2,3]
  %t = mul(%s, %"a-b\\"??/") : f32[2,3]
  %u = add(%"a_b", %"a_b") : i64[2]
  return %t, %u, %"int"
}
"""
ODD_INPUTS = {"int": ([2, 3], "f"), "a/b*/": ([2, 3], "f"), 'a-b"??/': ([2, 3], "f"),
              "a_b": ([2], "q"), "none": ([0, 3], "f")}


def case_names(tools):
    """Whatever files and tensors are called, C can name them."""
    model = tools.folder / "2nd-net v1.0.eir"
    model.write_text(ODD_MODEL)
    code, header = tools.folder / "odd.o", tools.folder / "odd.h"
    tools.enfold("compile", model, "-o", code, "--header", header)
    expect("model_2nd_net_v1_0_program" in header.read_text(), "the name is not the file's")
    user = tools.folder / "user.c"
    user.write_text('#include "odd.h"\nconst enfold_program* use(void);\n'
                    "const enfold_program* use(void) { return model_2nd_net_v1_0_program(); }\n")
    for compiler, flags in ((tools.options.cc, C_FLAGS),
                            (tools.options.cxx, ["-x", "c++", "-std=c++11", *C_FLAGS[1:]])):
        tools.run(compiler, *flags, f"-I{tools.options.include}", "-c", user, "-o", "user.o")
    answers = Answers(tools, model, ODD_INPUTS, ["t", "u", "int"])
    main = tools.object("linked.c", "-DPROGRAM=model_2nd_net_v1_0_program")
    answers.check(".o", tools.link("linked", main, tools.object("network.c"), code))

    plain = tools.folder / "enfold.eir"
    plain.write_text("graph @g(%x: f32[2]) {\n  %y = relu(%x) : f32[2]\n  return %y\n}\n")
    tools.enfold("compile", plain, "-o", "plain.s", "--header", "plain.h")
    expect("model_enfold_program(void)" in (tools.folder / "plain.h").read_text(),
           "a name of the runtime is taken")
    for name in ("7up", "a-b", "", "enfold_x"):
        if name:
            tools.enfold("compile", plain, "-o", "plain.o", "--name", name, expect_code=2)
    tools.enfold("compile", plain, "-o", "plain.s", "--name", "Own_name")
    expect("Own_name_program:" in (tools.folder / "plain.s").read_text(), "--name is ignored")


def case_other_cpu(tools):
    """Code for another CPU says so instead of crashing; code for an older one runs."""
    # XOP was in AMD's CPUs from 2011 to 2015 only.
    if re.search(r"\bxop\b", pathlib.Path("/proc/cpuinfo").read_text()):
        return SKIPPED
    common = tools.object("network.c")
    main = tools.object("linked.c", "-DPROGRAM=cnn_batchnorm_program")
    image = tools.folder / "image.raw"
    image.write_bytes(bytes(16 * 3 * 32 * 32 * 4))
    for cpu, code in (("bdver4", 1), ("x86-64", 0)):
        net = tools.folder / f"{cpu}.o"
        tools.enfold("compile", "zoo:cnn_batchnorm", "-o", net, "--target-cpu", cpu)
        said = tools.run(tools.link("linked", main, common, net), 1, image, "out.raw",
                         expect_code=code).stderr
        if code:
            expect("which this CPU lacks" in said, f"unclear: {said}")


# The zoo's small networks, each with the shape of its input.
SMALL_NETWORKS = {"cnn_batchnorm": [16, 3, 32, 32], "cnn_elu": [16, 3, 32, 32],
                  "cnn_layernorm": [16, 3, 32, 32], "cnn_groupnorm": [16, 3, 32, 32],
                  "cnn_instancenorm": [16, 3, 32, 32], "cnn_linear_bn": [16, 3, 32, 32],
                  "cnn_1d": [16, 4, 256], "cnn_3d": [2, 1, 16, 32, 32], "resnet20_cifar": [1, 3, 32, 32],
                  "mobilenet_v2": [1, 3, 64, 64], "shufflenet_v2": [1, 3, 64, 64]}


def case_aarch64(tools):
    """Code for 64-bit Arm, run by an emulator, gives what this machine does but for rounding."""
    return run_on_arm(tools, "cortex-a72", SMALL_NETWORKS, 1e-4)


def case_aarch64_bf16(tools):
    """So does code that multiplies bf16, which this machine may round otherwise."""
    names = ["cnn_batchnorm", "cnn_1d", "resnet20_cifar", "mobilenet_v2"]
    networks = {name: SMALL_NETWORKS[name] for name in names}
    return run_on_arm(tools, "neoverse-v1", networks, 2e-2, "--precision", "bf16")


def run_on_arm(tools, cpu, networks, tolerance, *flags):
    compiler, emulator = shutil.which("aarch64-linux-gnu-g++"), shutil.which("qemu-aarch64")
    if not compiler or not emulator:
        return SKIPPED
    root = HERE.parents[1]
    includes = [f"-I{root}", f"-I{tools.options.include}"]
    runtime = []
    for source in sorted((root / "runtime").glob("*.cpp")):
        runtime.append(tools.folder / f"{source.stem}.o")
        tools.run(compiler, "-std=c++23", "-O2", *includes, "-c", source, "-o", runtime[-1])
    main = tools.folder / "network.o"
    tools.run(compiler, "-x", "c", "-O1", *includes, "-c", HERE / "network.c", "-o", main)
    for name, shape in networks.items():
        size = ["--shape", "input=" + "x".join(map(str, shape)), *flags]
        answers = Answers(tools, f"zoo:{name}", {"input": (shape, "f")}, ["output"], *size)
        net, linked = tools.folder / "net.o", tools.folder / "linked.o"
        tools.enfold("compile", f"zoo:{name}", "-o", net, "--target-cpu", cpu, *size)
        tools.run(compiler, "-x", "c", f"-DPROGRAM={name}_program", *includes, "-c",
                  HERE / "linked.c", "-o", linked)
        tools.run(compiler, "-static", linked, main, net, *runtime, *LIBRARIES, "-o", "program")
        for threads in (1, 2):
            tools.run(emulator, "-cpu", "max", tools.folder / "program", threads, *answers.inputs,
                      "out.raw")
            ours, theirs = array.array("f"), array.array("f")
            ours.frombytes((tools.folder / "out.raw").read_bytes())
            theirs.frombytes(answers.expected[0])
            expect(len(ours) == len(theirs), f"{name}: {len(ours)} numbers")
            worst = max(abs(a - b) - tolerance * abs(b) for a, b in zip(ours, theirs))
            expect(worst <= tolerance, f"{name}, {threads} threads: off by {worst}")


def case_foreign_code(tools):
    """Code for another architecture goes to a file, and is not run in this process."""
    tools.enfold("compile", "zoo:cnn_batchnorm", "-o", "net.s", "--header", "net.h",
                 "--target-cpu", "aarch64")
    expect("fmla" in (tools.folder / "net.s").read_text(), "no Arm instructions")
    for cpu, instruction in {"znver4": "vdpbf16ps", "neoverse-v1": "bfdot"}.items():
        tools.enfold("compile", "zoo:cnn_batchnorm", "-o", "half.s", "--target-cpu", cpu,
                     "--precision", "bf16")
        expect(instruction in (tools.folder / "half.s").read_text(), f"no {instruction}")
    expect("AArch64 Linux" in (tools.folder / "net.h").read_text(), "the header says otherwise")
    if not shutil.which("aarch64-linux-gnu-gcc") and not shutil.which("ld.lld"):
        said = tools.enfold("compile", "zoo:cnn_batchnorm", "-o", "net.so", "--target-cpu",
                            "aarch64", expect_code=3).stderr
        expect("aarch64-linux-gnu-gcc" in said, said)


REFERENCE_MODEL = """graph @net(%x: f32[1,4,4,4], %rois: f32[1,4], %n: i64[1]) {
  %a = roi_align(%x, %rois, %n) {output_height=4, output_width=4} : f32[1,4,4,4] @"first"
  %b = roi_align(%a, %rois, %n) {output_height=4, output_width=4} : f32[1,4,4,4] @"second"
  return %b
}
"""


def case_refusals(tools):
    """What cannot be done is said, with the right exit code, and leaves no file or an old one."""
    plain = tools.folder / "plain.eir"
    plain.write_text("graph @g(%x: f32[2]) {\n  %y = relu(%x) : f32[2]\n  return %y\n}\n")
    reference = tools.folder / "reference.eir"
    reference.write_text(REFERENCE_MODEL)
    before = sorted(p.name for p in tools.folder.iterdir())

    def refused(code, words, *arguments):
        said = tools.enfold("compile", *arguments, expect_code=code).stderr
        for word in words:
            expect(word in said, f"compile {arguments} does not say '{word}':\n{said}")
        after = sorted(p.name for p in tools.folder.iterdir())
        expect(after == before, f"compile {arguments} leaves {set(after) ^ set(before)}")

    refused(2, [".exe", ".so"], plain, "-o", "plain.exe")
    refused(2, ["plain"], plain, "-o", "plain")
    refused(2, ["no/such/folder"], plain, "-o", "no/such/folder/plain.o")
    refused(2, ["no/such.h"], plain, "-o", "plain.o", "--header", "no/such.h")
    refused(2, ["no/such.o"], plain, "-o", "no/such.o", "--header", "plain.h")
    refused(2, ["--header"], plain, "-o", "plain.kir", "--header", "plain.h")
    refused(2, ["same file"], plain, "-o", "plain.o", "--header", "plain.o")
    refused(2, ["z80"], plain, "-o", "plain.o", "--target-cpu", "z80")
    refused(2, ["missing.onnx"], "missing.onnx", "-o", "plain.o")
    refused(3, ["roi_align", "first", "second"], reference, "-o", "plain.o")
    refused(3, ["roi_align"], reference, "-o", "plain.so", "--header", "plain.h")

    (tools.folder / "plain.o").write_text("old")
    before = sorted(p.name for p in tools.folder.iterdir())
    refused(3, ["roi_align"], reference, "-o", "plain.o")
    expect((tools.folder / "plain.o").read_text() == "old", "a failure changed the old file")


def case_no_space(tools):
    """A full disk is an error."""
    if not pathlib.Path("/dev/full").exists():
        return SKIPPED
    (tools.folder / "full.o").symlink_to("/dev/full")
    said = tools.enfold("compile", "zoo:cnn_batchnorm", "-o", "full.o", expect_code=2).stderr
    expect("full.o" in said and "space" in said, said)


def expect_close(result, expected, size):
    """Two algorithms give results that differ by roundings."""
    a, b = array.array("f", result), array.array("f", expected)
    scale = max(map(abs, b))
    expect(len(a) == len(b) and all(abs(x - y) <= 1e-4 * scale for x, y in zip(a, b)),
           f"{size}: far from the results of `enfold run`")


def several_sizes(tools, sizes):
    """Files of inputs of these sizes, the answers to them, and the options to compile for all."""
    runs = []
    for number, size in enumerate(sizes):
        text = "x".join(map(str, size))
        rng = random.Random(number)
        raw, answer = tools.folder / f"in{number}.raw", tools.folder / f"expected{number}"
        npy = tools.folder / f"in{number}.npy"
        count = size[0] * size[1] * size[2] * size[3]
        raw.write_bytes(write_npy(npy, size, "f", [rng.uniform(-1, 1) for _ in range(count)]))
        tools.enfold("run", "zoo:mobilenet_v2", "--shape", f"input={text}", "--input",
                     f"input={npy}", "--output", answer)
        runs.append((size, raw, npy_bytes(answer / "output.npy")))
    listed = tools.folder / "sizes.txt"
    listed.write_text("# batch, channels, height and width\n\n" + "".join(
        f"input={'x'.join(map(str, size))}\n" for size in sizes))
    return runs, ["zoo:mobilenet_v2", "--shapes", listed, "--name", "net"]


def case_several_sizes(tools):
    """A network for several sizes in one file: one context runs them all, and weights are shared."""
    sizes = [(1, 3, 96, 64), (2, 3, 64, 96), (1, 3, 32, 160), (3, 3, 40, 40)]
    runs, options = several_sizes(tools, sizes)
    tools.enfold("compile", *options, "-o", "net.o", "--header", "net.h")
    program = tools.link("sized", tools.object("sized.c"), tools.folder / "net.o")
    bits = {}
    for threads in (1, 2):
        order = list(range(len(runs))) + [2, 0, 3, 1]
        words, results = [], []
        for place, number in enumerate(order):
            (batch, _, height, width), raw, _ = runs[number]
            results.append(tools.folder / f"out{place}.raw")
            words += [batch, height, width, raw, results[-1]]
        tools.run(program, threads, *words)
        for number, result in zip(order, results):
            expect_close(result.read_bytes(), runs[number][2], sizes[number])
            bits.setdefault(number, result.read_bytes())
            expect(result.read_bytes() == bits[number],
                   f"{sizes[number]}: other bits on {threads} threads, or behind another size")
    visible = tools.run("nm", "-g", "--defined-only", "net.o").stdout.split("\n")
    names = sorted(line.split()[-1] for line in visible if line)
    expect(names == ["net_program", "net_program_at"], f"visible: {names}")
    described = tools.enfold("inspect", "net.o").stdout
    expect(described.count("input: f32") == len(sizes), described)
    tools.enfold("compile", "zoo:mobilenet_v2", "--shape", "input=1x3x96x64", "-o", "one.o")
    one, all_sizes = (tools.folder / name for name in ("one.o", "net.o"))
    expect(all_sizes.stat().st_size < 1.5 * one.stat().st_size, "weights are not shared")

    listed = tools.folder / "sizes.txt"
    for text, code, words in (("input=1x3x32x32\ninput=1x3x32x32\n", 2, "twice"),
                              ("# none\n", 3, "states no sizes"),
                              ("input=1x3x32\n", 2, "takes inputs like")):
        listed.write_text(text)
        said = tools.enfold("compile", *options, "-o", "bad.o", expect_code=code).stderr
        expect(words in said, said)
        expect(not (tools.folder / "bad.o").exists(), "a file is left")
    said = tools.enfold("compile", *options, "-o", "net.eir", expect_code=2).stderr
    expect("--shapes goes with native code" in said, said)


def case_no_linker(tools):
    """A shared library without a linker is refused, in words."""
    empty = tools.folder / "empty"
    empty.mkdir()
    os.environ["PATH"] = str(empty)
    said = tools.enfold("compile", "zoo:cnn_batchnorm", "-o", "net.so", expect_code=3).stderr
    expect("cc, gcc, clang" in said, said)
    expect(not (tools.folder / "net.so").exists(), "a file is left")


def case_equal_bytes(tools):
    """Equal models and options give equal files, of which one function is visible."""
    for extension in ("o", "a", "s", "ll", "bc", "kir", "eir"):
        files = [tools.folder / f"{side}/net.{extension}" for side in "ab"]
        for file in files:
            file.parent.mkdir(exist_ok=True)
            tools.enfold("compile", "zoo:cnn_batchnorm", "-o", file)
        expect(files[0].read_bytes() == files[1].read_bytes(), f".{extension} differs")
        expect(files[0].stat().st_size > 0, f".{extension} is empty")
    visible = tools.run("nm", "-g", "--defined-only", "a/net.o").stdout.split("\n")
    names = [line.split()[-1] for line in visible if line]
    expect(names == ["cnn_batchnorm_program"], f"visible: {names}")


CASES = {name[5:]: case for name, case in globals().items() if name.startswith("case_")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=CASES)
    for name in ("enfold", "cc", "cxx", "runtime", "include", "llvm"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--flag", action="append", default=[], help="for compiling and linking C")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = CASES[options.case](Tools(options, pathlib.Path(folder)))
        except Failure as failure:
            print(failure, file=sys.stderr)
            return 1
    if result == SKIPPED:
        print("skipped: cannot be tried on this machine")
    return result or 0


if __name__ == "__main__":
    sys.exit(main())
