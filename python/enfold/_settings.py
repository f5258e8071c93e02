"""Options of Python as the settings of the compiler."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Shapes = Mapping[str, "int | Sequence[int]"]


def text_of(value: Any) -> str:
    """A value as the compiler reads it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def names(option: str, given: Iterable[str]) -> list[str]:
    """The names given for an option: one, or several."""
    if isinstance(given, (bytes, bytearray, memoryview)):
        raise TypeError(f"{option} are names, not {type(given).__name__}")
    all_names = [given] if isinstance(given, str) else list(given)
    for name in all_names:
        if not isinstance(name, str):
            raise TypeError(f"{option} are names, not {type(name).__name__}")
    return all_names


def pairs(
    shapes: Shapes | None = None,
    disabled_passes: Iterable[str] = (),
    disabled_kernels: Iterable[str] = (),
    cache: bool | str | os.PathLike[str] = False,
    **options: Any,
) -> list[tuple[str, str]]:
    """Names with values for the compiler. Options that are None keep their defaults."""
    settings = [("disable-pass", name) for name in names("disabled_passes", disabled_passes)]
    for name in names("disabled_kernels", disabled_kernels):
        settings.append(("disable-kernel", name))
    for name, sizes in dict(shapes or {}).items():
        sizes = [sizes] if isinstance(sizes, int) else sizes
        settings.append(("shape", f"{name}={'x'.join(str(size) for size in sizes)}"))
    if cache:
        settings.append(("cache", "1"))
        if not isinstance(cache, bool):
            settings.append(("cache-folder", os.fspath(cache)))
    for name, value in options.items():
        if value is not None:
            settings.append((name.replace("_", "-"), text_of(value)))
    return settings


def model_of(model: Any) -> str | bytes:
    """A path or bytes of whatever a model may be given as: a path, bytes, or an onnx.ModelProto."""
    if isinstance(model, (bytes, bytearray, memoryview)):
        return bytes(model)
    if isinstance(model, (str, os.PathLike)):
        return os.fspath(model)
    if hasattr(model, "SerializeToString"):
        return model.SerializeToString()
    raise TypeError(f"a model is a path, bytes or an onnx.ModelProto, not {type(model).__name__}")


def write_model(model: str | bytes, path: str | os.PathLike[str]) -> None:
    """Writes a model as it is."""
    if isinstance(model, bytes):
        with open(path, "wb") as file:
            file.write(model)
    elif not (os.path.exists(path) and os.path.samefile(model, path)):
        import shutil

        shutil.copyfile(model, path)
