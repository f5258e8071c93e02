"""Runs one file test: the commands that its `RUN:` lines name, which must all succeed.

A RUN line is a shell pipeline after any comment mark; one ending in a backslash goes on in the next
RUN line. In it %s stands for the test file, %S for its folder, %t for a path of its own in a fresh
temporary folder, and %% for a percent sign. Commands are found first in the folders given by --path:
`enfold` itself, and FileCheck and `not` of LLVM.

    # RUN: enfold opt %s --passes fold-batchnorm | FileCheck %s
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

RUN_LINE = re.compile(r"^\W*RUN:\s*(.*?)\s*$")
SUBSTITUTION = re.compile(r"%(.?)")


class TestError(Exception):
    """The test file itself is wrong."""


def run_commands(text):
    """The commands of a test file's text, continued lines joined."""
    commands, unfinished = [], ""
    for line in text.splitlines():
        match = RUN_LINE.match(line)
        if not match:
            continue
        part = match.group(1)
        if part.endswith("\\"):
            unfinished += part[:-1]
            continue
        commands.append(unfinished + part)
        unfinished = ""
    if unfinished:
        raise TestError("the last RUN line asks for another")
    if not commands:
        raise TestError("there is no RUN line")
    return commands


def substitute(command, values):
    """Replaces %x by values["x"]; an unknown one is an error, not left to the shell."""

    def value_of(match):
        if match.group(1) not in values:
            raise TestError(f"unknown substitution {match.group(0)!r}")
        return values[match.group(1)]

    return SUBSTITUTION.sub(value_of, command)


def run(command, path, timeout):
    """Runs a pipeline; returns its exit status, 124 after the timeout, and all it printed."""
    environment = dict(os.environ, PATH=os.pathsep.join(path + [os.environ["PATH"]]))
    try:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        return 124, (expired.stdout or b"") + b"timed out\n"
    return done.returncode, done.stdout


def run_test(file, path, timeout):
    """Runs all commands of a file up to the first that fails; true if none does."""
    with tempfile.TemporaryDirectory(prefix="enfold-filetest-") as folder:
        values = {
            "s": str(file),
            "S": str(file.parent),
            "t": os.path.join(folder, file.stem),
            "%": "%",
        }
        for command in run_commands(file.read_text(encoding="utf-8")):
            command = substitute(command, values)
            status, output = run(command, path, timeout)
            if status != 0:
                print(f"{file}: exit status {status} of\n  {command}")
                sys.stdout.flush()
                sys.stdout.buffer.write(output)
                return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", action="append", default=[], help="folder to find commands in")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for each command")
    parser.add_argument("file", type=pathlib.Path)
    arguments = parser.parse_args()
    try:
        return 0 if run_test(arguments.file.resolve(), arguments.path, arguments.timeout) else 1
    except (OSError, UnicodeDecodeError, TestError) as error:
        print(f"{arguments.file}: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
