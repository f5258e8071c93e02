"""The `enfold` command of the wheel: the same as the one that is built alone."""

from __future__ import annotations

import ctypes
import pathlib
import sys


def main() -> int:
    library = ctypes.CDLL(str(pathlib.Path(__file__).parent / "libenfold.so.0"))
    words = [b"enfold", *(word.encode("utf-8", "surrogateescape") for word in sys.argv[1:])]
    arguments = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    return library.enfold_command(len(words), arguments)


if __name__ == "__main__":
    sys.exit(main())
