"""Puts nanobind's backend, which differs between versions of Python, into the package.

    vendor_backend.py FOLDER [VERSION ...]

The installed package is copied; with versions of Python, such as 3.10, the wheels for these are
downloaded and their modules put beside it.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

import nanobind_backend


def main(folder: str, versions: list[str]) -> None:
    target = pathlib.Path(folder) / "nanobind_backend"
    source = pathlib.Path(nanobind_backend.__file__).parent
    shutil.copytree(
        source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    (pathlib.Path(folder) / "__init__.py").touch()
    if not versions:
        return
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "show", "nanobind-backend"],
        capture_output=True,
        text=True,
        check=True,
    )
    fields = dict(line.split(": ", 1) for line in installed.stdout.splitlines() if ": " in line)
    for version in versions:
        with tempfile.TemporaryDirectory() as download:
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
                + ["--only-binary=:all:", "--python-version", version, "--dest", download]
                + [f"nanobind-backend=={fields['Version']}"],
                check=True,
            )
            for wheel in pathlib.Path(download).glob("*.whl"):
                with zipfile.ZipFile(wheel) as archive:
                    for name in archive.namelist():
                        if name.endswith(".so"):
                            (target / pathlib.PurePath(name).name).write_bytes(archive.read(name))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
