"""The page that is checked in is what its source gives: bundle_test.py FOLDER

Needs node and npm, which fetches the packages that package-lock.json names; skipped without them.
"""

import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from environment import SKIPPED

REPORT = pathlib.Path(__file__).parents[2] / "tools" / "report"


def main():
    folder = pathlib.Path(sys.argv[1])
    if not (shutil.which("node") and shutil.which("npm")):
        print("skipped: needs node and npm")
        return SKIPPED
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("node_modules", "dist")
    shutil.copytree(REPORT, folder, ignore=ignored)
    installed = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode != 0:
        print(f"skipped: npm cannot install the packages: {installed.stderr.strip()[-300:]}")
        return SKIPPED
    subprocess.run(["node", "node_modules/typescript/bin/tsc", "--noEmit"], cwd=folder, check=True)
    subprocess.run(["node", "build.mjs"], cwd=folder, check=True)
    for name in ["page.html", "LICENSES.txt"]:
        if (folder / "dist" / name).read_bytes() != (REPORT / "dist" / name).read_bytes():
            print(f"tools/report/dist/{name} is not what its source gives: npm run build")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
