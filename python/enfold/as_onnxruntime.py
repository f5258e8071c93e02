"""Puts enfold in onnxruntime's place: programs that import onnxruntime after this module get enfold.

python -m enfold.as_onnxruntime SCRIPT [ARGUMENT...]
python -m enfold.as_onnxruntime -m MODULE [ARGUMENT...]

Programs run so get enfold in the processes that they start as well.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import runpy
import sys
import types
from typing import Any

from enfold import _errors, _standins, session, values

VERSION = "1.32.0"  # of the interface

_ERRORS = {
    name: getattr(_errors, name)
    for name in (
        "EPFail",
        "EngineError",
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "ModelLoaded",
        "NoModel",
        "NoSuchFile",
        "NotImplemented",
        "RuntimeException",
    )
}


def _module(name: str, content: dict[str, Any], is_package: bool = False) -> types.ModuleType:
    module = types.ModuleType(name, "enfold under onnxruntime's name")
    module.__dict__.update(content)
    module.__file__ = __file__
    module.__spec__ = importlib.machinery.ModuleSpec(
        name, None, origin=__file__, is_package=is_package
    )
    if is_package:
        module.__path__ = []
    sys.modules[name] = module
    return module


class _Distribution(importlib.metadata.Distribution):
    """What importlib.metadata says of onnxruntime to those who ask whether it is installed."""

    def read_text(self, filename: str) -> str | None:
        if filename in ("METADATA", "PKG-INFO"):
            return f"Metadata-Version: 2.1\nName: onnxruntime\nVersion: {VERSION}\n"
        return None

    def locate_file(self, path: Any) -> Any:
        return path


class _Finder(importlib.metadata.DistributionFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        return None

    def find_distributions(self, context: Any = None) -> list[importlib.metadata.Distribution]:
        name = getattr(context, "name", None)
        return [_Distribution()] if name in (None, "onnxruntime") else []


def _installed_folders() -> list[str]:
    """Where parts of the installed onnxruntime lie that need no library of its own, such as
    onnxruntime.quantization; they find enfold where they look for sessions."""
    path = [folder for folder in sys.path if folder]
    spec = importlib.machinery.PathFinder.find_spec("onnxruntime", path)
    return list(spec.submodule_search_locations or []) if spec is not None else []


def install() -> None:
    """Does it; called by importing this module."""
    public = {
        name: value
        for module in (_standins, values, session)
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not isinstance(value, types.ModuleType)
        and getattr(value, "__module__", module.__name__) == module.__name__
    }
    del public["NATIVE"], public["on_cpu"]
    public |= {"SessionIOBinding": session.IOBinding, "Session": session.InferenceSession}
    public |= {"__version__": VERSION, "version": VERSION, "get_version_string": lambda: VERSION}
    root = _module("onnxruntime", {**public}, is_package=True)
    root.__path__ = _installed_folders()
    state = {**public, **_ERRORS, **_standins.NATIVE}
    capi = _module("onnxruntime.capi", {}, is_package=True)
    for name in ("onnxruntime_pybind11_state", "_pybind_state", "onnxruntime_inference_collection"):
        setattr(capi, name, _module(f"onnxruntime.capi.{name}", dict(state)))
    package = {"package_name": "onnxruntime", "__version__": VERSION, "cuda_version": ""}
    for name in ("build_and_package_info", "onnxruntime_validation", "_ld_preload"):
        setattr(capi, name, _module(f"onnxruntime.capi.{name}", dict(package)))
    root.onnxruntime_validation = capi.onnxruntime_validation
    capi.onnxruntime_validation.check_distro_info = lambda: None
    capi.onnxruntime_validation.get_package_name_and_version_info = lambda: (
        "onnxruntime",
        VERSION,
        "",
    )
    root.capi = capi
    sys.meta_path.insert(0, _Finder())
    _errors.Error.in_place_of_onnxruntime = True


install()


def _hold_for_children() -> None:
    """Has every Python that this process starts import this module."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_children")
    inherited = os.environ.get("PYTHONPATH", "")
    if folder not in inherited.split(os.pathsep):
        os.environ["PYTHONPATH"] = folder + (os.pathsep + inherited if inherited else "")


def main(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        raise SystemExit(0 if arguments else 2)
    _hold_for_children()
    if arguments[0] == "-m":
        if len(arguments) < 2:
            raise SystemExit("enfold.as_onnxruntime: -m needs the name of a module")
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
