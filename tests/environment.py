"""Virtual environments for tests that need Python packages: made once, in the build folder."""

import pathlib
import subprocess
import sys
import venv

SKIPPED = 77  # the exit code by which CTest knows a test that was skipped


def python_with_packages(folder, packages):
    """The interpreter of the environment in `folder`, made if need be; None, with a message, if it
    cannot be had, as without a network. Packages may have versions: "numpy", "onnx==1.2"."""
    python = folder / "bin" / "python"
    names = [package.split("==")[0] for package in packages]
    probe = [python, "-c", "import " + ", ".join(names)]
    if python.exists() and subprocess.run(probe, capture_output=True).returncode == 0:
        return python
    try:
        venv.create(folder, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        installed = subprocess.run(pip + packages, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"skipped: no virtual environment with pip: {error}")
        return None
    if installed.returncode != 0:
        print(f"skipped: pip cannot install {' '.join(packages)}: {installed.stderr.strip()[-300:]}")
        return None
    return python


def run_with_packages(folder, packages, run):
    """run() with the packages at hand, from a script's last line: called at once by the interpreter of
    the environment in `folder`, which else runs the same script with the same arguments. Returns the
    exit code; SKIPPED if the packages cannot be had."""
    if pathlib.Path(sys.prefix).resolve() == folder.resolve():
        return run()
    python = python_with_packages(folder, packages)
    if python is None:
        return SKIPPED
    script = pathlib.Path(sys.argv[0]).resolve()
    return subprocess.run([python, script, *sys.argv[1:]]).returncode
