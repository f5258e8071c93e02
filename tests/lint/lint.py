"""The house rules that a machine can check, over every file that belongs to the source tree.

Each rule is a function that yields complaints about one file; RULES lists them all. Which room may
include which is the table ALLOWED, and mirrors docs/architecture.md.
"""

import pathlib
import re
import subprocess
import sys

MAX_LINES = 900
CODE = {".c", ".cpp", ".h", ".hpp", ".py", ".sh"}
CXX = {".c", ".cpp", ".h", ".hpp"}

# Rooms, and the rooms that each may include besides itself and the public headers. Every permission
# is used.
ALLOWED = {
    "lib/support": set(),
    "lib/ir": {"lib/support"},
    "lib/zoo": {"lib/support", "lib/ir"},
    "lib/reference": {"lib/support", "lib/ir"},
    "lib/onnx": {"lib/support", "lib/ir", "lib/reference"},
    "passes": {"lib/support", "lib/ir", "lib/reference"},
    "lib/kernel": {"lib/support"},
    "lib/lower": {"lib/support", "lib/ir", "lib/kernel"},
    "lib/codegen": {"lib/support", "lib/kernel", "runtime"},
    "runtime": set(),
    "lib/driver": {
        "lib/support",
        "lib/ir",
        "lib/zoo",
        "lib/reference",
        "lib/onnx",
        "passes",
        "lib/lower",
        "lib/codegen",
    },
    "lib/diagnose": {
        "lib/support",
        "lib/ir",
        "lib/reference",
        "lib/onnx",
        "passes",
        "lib/kernel",
        "lib/lower",
        "lib/codegen",
        "runtime",
        "lib/driver",
    },
    "lib/quantize": {"lib/support", "lib/ir", "lib/onnx", "passes", "lib/driver", "lib/diagnose"},
    "lib/capi": {
        "lib/support",
        "lib/onnx",
        "lib/lower",
        "lib/driver",
        "lib/diagnose",
        "lib/quantize",
    },
    "lib/fuzz": {
        "lib/ir",
        "lib/reference",
        "lib/onnx",
        "passes",
        "lib/lower",
        "lib/driver",
        "lib/diagnose",
    },
    "tools": {
        "lib/support",
        "lib/ir",
        "lib/zoo",
        "lib/reference",
        "lib/onnx",
        "passes",
        "lib/kernel",
        "lib/lower",
        "runtime",
        "lib/driver",
        "lib/diagnose",
        "lib/quantize",
        "lib/fuzz",
    },
}

# Headers of libraries that only one room may see.
PRIVATE_HEADERS = {
    "lib/codegen": re.compile(r"llvm(-c)?/"),
    "lib/onnx": re.compile(r"(google/protobuf|onnx)/"),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
# Spelled so that this file does not break its own rule.
UNFINISHED = re.compile("TO" + "DO|FIX" + "ME|XX" + "X")
# Made of libraries, whose words are their own.
BUNDLE = ("tools", "report", "dist")
MACHINE_PATH = re.compile("/(wo" + "rk|ro" + "ot)/")


def room_of(path):
    """The room a file of the tree belongs to, or None: "lib/ir", "runtime", "include" ..."""
    depth = 2 if path.parts[0] == "lib" else 1
    return "/".join(path.parts[:depth]) if len(path.parts) > depth else None


def room_of_include(included):
    """The room that an include in quotes leads to, or None if it is within the same folder."""
    first = included.split("/")[0]
    if "/" not in included:
        return None
    return first if first in {*ALLOWED, "tests"} else f"lib/{first}"


def includes(path, lines):
    if path.suffix in CXX:
        for number, line in enumerate(lines, 1):
            if match := INCLUDE.match(line):
                yield number, match.group(1), '"' in line


def check_length(path, lines):
    if path.suffix in CODE and len(lines) > MAX_LINES:
        yield len(lines), f"over {MAX_LINES} lines"


def check_direction(path, lines):
    room = room_of(path)
    if room not in ALLOWED:
        return
    for number, included, quoted in includes(path, lines):
        target = room_of_include(included) if quoted else None
        if target is not None and target != room and target not in ALLOWED[room]:
            yield number, f"{room} must not include {included}"


def unused_permissions(texts):
    """Complaints about rows of ALLOWED that no file needs; `texts` holds the tree's files by path."""
    used = set()
    for path, text in texts.items():
        for _, included, quoted in includes(path, text.splitlines()):
            if quoted:
                used.add((room_of(path), room_of_include(included)))
    for room, targets in ALLOWED.items():
        for target in sorted(targets):
            if (room, target) not in used:
                yield f"tests/lint/lint.py: no file of {room} includes {target}"


def check_private_headers(path, lines):
    if path.parts[0] == "tests":
        return
    for number, included, _ in includes(path, lines):
        for owner, headers in PRIVATE_HEADERS.items():
            if headers.match(included) and room_of(path) != owner:
                # "onnx/Importer.h" in quotes is our own room, not the library.
                if owner == "lib/onnx" and pathlib.PurePath(included).name[0].isupper():
                    continue
                yield number, f"{included} is for {owner} only"


def check_public_headers(path, lines):
    if path.parts[0] != "include":
        return
    for number, included, _ in includes(path, lines):
        if "/" in included and not included.startswith("enfold/"):
            yield number, f"public headers must not include {included}"


def check_headers(path, lines):
    if path.suffix not in {".h", ".hpp"}:
        return
    if not any(line.startswith(("#pragma once", "#ifndef")) for line in lines):
        yield 1, "header without an include guard"
    for number, line in enumerate(lines, 1):
        if re.match(r"\s*using namespace\b", line):
            yield number, "using namespace in a header"


def check_opening_comment(path, lines):
    if path.suffix not in CODE:
        return
    text = [line for line in lines[:2] if not line.startswith("#!")]
    if not text or not text[0].startswith(("//", "/*", "#", '"""')) or text[0].startswith("#i"):
        yield 1, "the file does not open with a comment that says what it is"


def check_finished(path, lines):
    if path.parts[:3] == BUNDLE:
        return
    for number, line in enumerate(lines, 1):
        if UNFINISHED.search(line):
            yield number, "unfinished work"
        if MACHINE_PATH.search(line):
            yield number, "path of a machine"


RULES = [
    check_length,
    check_direction,
    check_private_headers,
    check_public_headers,
    check_headers,
    check_opening_comment,
    check_finished,
]


def check_text(path, text):
    """All complaints about a file, given by its path in the tree and its text."""
    lines = text.splitlines()
    return [f"{path}:{number}: {what}" for rule in RULES for number, what in rule(path, lines)]


def files_of(root):
    """What git tracks or would track; without git, everything but builds and caches."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            check=True,
        ).stdout.decode()
        return sorted(pathlib.PurePath(name) for name in listed.split("\0") if name)
    except (OSError, subprocess.CalledProcessError):
        found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        return sorted(p for p in found if not re.match(r"(build|\.git|\.cache)", p.parts[0]))


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    texts = {}
    for path in files_of(root):
        try:
            texts[path] = (root / path).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # a binary file, or one deleted but not yet committed
    complaints = [line for path, text in texts.items() for line in check_text(path, text)]
    complaints += unused_permissions(texts)
    for complaint in complaints:
        print(complaint)
    print(f"{len(texts)} files, {len(complaints)} complaints")
    return 1 if complaints or not texts else 0


if __name__ == "__main__":
    sys.exit(main())
