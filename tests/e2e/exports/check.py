"""Checks that an exported model means what the graph means.

Every subject (the networks of the zoo, models and faults of the shared folder, a sample of the
official ONNX suite, random graphs) is exported twice, as it was imported and after the passes. Both
files must be valid ONNX, and ONNX Runtime and the onnx package's evaluator must both answer for both
what was recorded with the model, or where nothing was, what enfold answers. Where one of the two does
not follow the specification, exceptions.py says so, and why.

The packages are installed into a virtual environment, once. Where that cannot be done, for lack of a
network, the test is skipped; without the shared folder its models are.
"""

import argparse
import collections
import multiprocessing
import pathlib
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
from environment import run_with_packages  # noqa: E402

PACKAGES = ["numpy", "onnx==1.23.2", "onnxruntime==1.32.0"]
EXPORTS = {"raw": ["--passes", "none"], "passed": []}


def check_subject(task):
    """The comparison of one subject, and how long it took."""
    from comparing import Comparison, compare
    from exporting import Exporter

    enfold, subject = task
    start = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            exporter = Exporter(enfold, subject, pathlib.Path(folder))
            comparison = compare(subject, exporter, EXPORTS)
    except Exception:  # one subject must not hide the others
        comparison = Comparison([f"{subject.name}: {traceback.format_exc(limit=-3)}"])
    return subject.name, comparison, time.monotonic() - start


def check_all(options):
    from subjects import all_subjects

    with tempfile.TemporaryDirectory() as folder:
        subjects = [
            subject
            for subject in all_subjects(options.enfold, pathlib.Path(folder))
            if not options.only or any(part in subject.name for part in options.only)
        ]
        print(f"{len(subjects)} subjects", flush=True)
        wrong, compared, skipped = [], 0, collections.Counter()
        with multiprocessing.Pool(options.jobs) as pool:
            tasks = [(options.enfold, subject) for subject in subjects]
            for name, comparison, seconds in pool.imap_unordered(check_subject, tasks):
                compared += comparison.compared
                skipped.update(comparison.skipped)
                if comparison.differences:
                    wrong.append(name)
                if options.verbose or comparison.differences:
                    right = "WRONG" if comparison.differences else "right"
                    print(f"{name}: {right}, {seconds:.1f} s", flush=True)
                    print(*comparison.differences, sep="\n", flush=True)
    for why, count in sorted(skipped.items()):
        print(f"{count} exports were not run by {why}")
    print(f"{compared} answers compared, {len(wrong)} of {len(subjects)} subjects wrong")
    return 1 if wrong or not compared else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("enfold", type=pathlib.Path, help="the enfold command")
    parser.add_argument("environment", type=pathlib.Path, help="folder of the virtual environment")
    parser.add_argument("only", nargs="*", help="subjects whose name contains one of these")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--verbose", action="store_true", help="a line for every subject")
    options = parser.parse_args()
    return run_with_packages(options.environment, PACKAGES, lambda: check_all(options))


if __name__ == "__main__":
    sys.exit(main())
