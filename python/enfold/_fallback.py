"""Models that cannot be compiled, handed to onnxruntime where that is installed and wanted."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from enfold import _options

_COPIED = (
    "enable_cpu_mem_arena",
    "enable_mem_pattern",
    "enable_mem_reuse",
    "enable_profiling",
    "inter_op_num_threads",
    "intra_op_num_threads",
    "log_severity_level",
    "log_verbosity_level",
    "logid",
    "profile_file_prefix",
)

_loaded: Any = None
_warned = False


def _is_onnxruntime(name: str) -> bool:
    return name == "onnxruntime" or name.startswith("onnxruntime.")


def onnxruntime() -> Any:
    """The real package, even where enfold stands in its place. Raises ImportError without one."""
    global _loaded
    if _loaded is None:
        standing = {
            name: sys.modules.pop(name) for name in list(sys.modules) if _is_onnxruntime(name)
        }
        try:
            _loaded = importlib.import_module("onnxruntime")
        finally:
            for name in [name for name in sys.modules if _is_onnxruntime(name)]:
                if standing:
                    del sys.modules[name]
            sys.modules.update(standing)
    return _loaded


def session(model: str | bytes, options: Any, why: Exception) -> Any:
    """A session of onnxruntime for the model; raises `why` where that is not wanted or not possible."""
    global _warned
    if _options.fallback() != "onnxruntime":
        raise why
    try:
        real = onnxruntime()
    except ImportError:
        raise why from None
    if not _warned:
        import warnings

        _warned = True
        warnings.warn(f"enfold cannot compile a model, so onnxruntime runs it: {why}", stacklevel=4)
    settings = real.SessionOptions()
    for name in _COPIED:
        setattr(settings, name, getattr(options, name))
    for name, size in options._dimensions.items():
        settings.add_free_dimension_override_by_name(name, size)
    kept = {
        name: real.OrtValue.ortvalue_from_numpy(array)
        for name, array in options._initializers.items()
    }
    for name, value in kept.items():
        settings.add_initializer(name, value)
    files = options._files
    if files:
        settings.add_external_initializers_from_files_in_memory(
            list(files), list(files.values()), [len(content) for content in files.values()]
        )
    made = real.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    made._kept_initializers = kept  # onnxruntime refers to them
    return made
