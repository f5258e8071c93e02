"""What holds for all sessions of the process."""

from __future__ import annotations

import os
from typing import Any

_ALLOWED_FALLBACKS = (None, "onnxruntime")
_VALUES: dict[str, Any] = {
    "fallback": None,
    "cache": True,
    "accuracy": None,
    "precision": "fp32",
    "threads": None,
}


def options(**values: Any) -> dict[str, Any]:
    """Sets and returns what holds for sessions made from now on.

    fallback: "onnxruntime" hands models that cannot be compiled to onnxruntime, if it is installed.
    cache: keep compiled programs in the user's cache folder, if there is one, or in the folder given,
        so that the next process need not compile them; False: do not.
    accuracy: "standard", or "strict" for no algorithm that rounds more than direct sums.
    precision: "fp32" computes networks of f16 in f32, as onnxruntime does on most processors; "model"
        in f16; "bf16" has networks of f32 multiply bf16 and sum in f32.
    threads: of sessions whose options leave the number open.

    Raises TypeError for other names, ValueError for other values.
    """
    for name, value in values.items():
        if name not in _VALUES:
            raise TypeError(f"no option {name!r}; there are {', '.join(_VALUES)}")
        if name == "fallback" and value not in _ALLOWED_FALLBACKS:
            raise ValueError(f"fallback is one of {_ALLOWED_FALLBACKS}, not {value!r}")
    _VALUES.update(values)
    return dict(_VALUES)


def fallback() -> str | None:
    return _VALUES["fallback"]


def session_settings() -> dict[str, Any]:
    """Of all sessions, as settings of the compiler."""
    cache = _VALUES["cache"]
    if cache is True:
        cache = any(os.environ.get(name) for name in ("ENFOLD_CACHE_DIR", "XDG_CACHE_HOME", "HOME"))
    return {
        "cache": cache,
        "accuracy": _VALUES["accuracy"],
        "precision": _VALUES["precision"],
    }


def default_threads() -> int:
    return int(_VALUES["threads"] or 0)
