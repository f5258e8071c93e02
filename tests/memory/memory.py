"""Want of memory is an error: networks under falling limits, and limits that are stated.

usage: memory.py CASE ENFOLD
  falling   six networks run under fewer and fewer addresses: each run ends with 0, or with 3 and a
            message that says what memory was wanted for
  files     the same while native code is written, of which nothing is left behind
  stated    --limit-memory states a peak that the run keeps to, and refuses less
"""

import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile
import typing

NETWORKS = ["vgg16_bn", "resnet18", "mobilenet_v2", "densenet121", "googlenet", "unet"]
MEBI = 1 << 20
SECONDS = 300  # after which a run hangs


class Ended(typing.NamedTuple):
    """How a run ended: its exit code (negative: a signal), what it said, its peak of memory."""

    code: int
    text: str
    peak: int


def run(command: list[str], addresses: int | None = None) -> Ended:
    """Runs the command, with no more than `addresses` bytes of addresses if that is given."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if addresses is not None:
            resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses))

    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, preexec_fn=limit
        )
        signal.signal(signal.SIGALRM, lambda *_: process.kill())
        signal.alarm(SECONDS)
        _, status, usage = os.wait4(process.pid, 0)
        signal.alarm(0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    return Ended(process.returncode, text, usage.ru_maxrss * 1024)


def least_addresses(enfold: str) -> int:
    """The fewest addresses, in steps of 8 MiB, with which the command starts at all."""
    low, high = 0, 4096
    while high - low > 8:
        middle = (low + high) // 2
        if run([enfold, "--version"], middle * MEBI).code == 0:
            high = middle
        else:
            low = middle
    return high * MEBI


def limits(least: int, more: int) -> list[int]:
    """From `more` addresses above the least down to few; the fewer, the closer to each other."""
    ratio = (least + 12 * MEBI) / (least + more)
    return [
        *(round((least + more) * ratio ** (step / 9)) for step in range(10)),
        *(least + above * MEBI for above in range(10, 0, -2)),
    ]


def check_falling(enfold: str, command: list[str], limits: list[int]) -> list[str]:
    """Runs under each of the limits; what went wrong."""
    problems = []
    refused = 0
    for addresses in limits:
        ended = run([enfold, *command], addresses)
        what = f"{' '.join(command)} with {addresses} bytes: exit {ended.code}: {ended.text}"
        if ended.code not in (0, 3):
            problems.append(what)
        elif ended.code == 3:
            refused += 1
            if not re.search(r"memory|threads", ended.text) or "bug" in ended.text:
                problems.append(what)
    if refused == 0:
        problems.append(f"{' '.join(command)} was never refused")
    return problems


def falling(enfold: str) -> list[str]:
    least = least_addresses(enfold)
    problems = []
    for network in NETWORKS:
        more = (2400 if network == "vgg16_bn" else 600) * MEBI
        command = ["run", f"zoo:{network}", "--random", "1", "--threads", "2"]
        problems += check_falling(enfold, command, limits(least, more))
    return problems


def files(enfold: str) -> list[str]:
    least = least_addresses(enfold)
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for network in ["cnn_batchnorm", "mobilenet_v2"]:
            command = ["compile", f"zoo:{network}", "-o", f"{folder}/model.o"]
            problems += check_falling(enfold, command, limits(least, 400 * MEBI))
        left = [path.name for path in pathlib.Path(folder).iterdir() if path.name != "model.o"]
        if left:
            problems.append(f"left behind: {left}")
    return problems


def stated(enfold: str) -> list[str]:
    problems = []
    for network in ["vgg16_bn", "resnet18", "mobilenet_v2", "densenet121"]:
        command = [enfold, "run", f"zoo:{network}", "--random", "1", "--limit-memory"]
        ended = run([*command, "8G"])
        found = re.search(r"memory: at most ([\d.]+) MB", ended.text)
        if ended.code != 0 or not found:
            problems.append(f"{network}: exit {ended.code}: {ended.text}")
            continue
        peak = float(found.group(1)) * 1e6
        if not 0.97 * ended.peak <= peak <= 1.5 * ended.peak:
            problems.append(f"{network}: states {peak}, takes {ended.peak}")
        refused = run([*command, str(int(0.8 * ended.peak))])
        if refused.code != 3 or "over the memory limit" not in refused.text:
            problems.append(f"{network}: exit {refused.code}: {refused.text}")
    return problems


def main() -> int:
    case, enfold = sys.argv[1:]
    problems = {"falling": falling, "files": files, "stated": stated}[case](enfold)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
