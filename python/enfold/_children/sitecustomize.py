"""Imported at the start of every Python that a program run by `python -m enfold.as_onnxruntime` starts,
so that enfold stands in onnxruntime's place there as well."""

import importlib.machinery
import importlib.util
import os
import sys


def _run_the_next() -> None:
    """The module of this name that Python would have imported."""
    here = os.path.dirname(os.path.abspath(__file__))
    others = [folder for folder in sys.path if os.path.abspath(folder) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


try:
    import enfold.as_onnxruntime  # noqa: F401
except ImportError:  # another Python, without enfold
    pass
_run_the_next()
