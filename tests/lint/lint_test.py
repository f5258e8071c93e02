"""Each house rule must find a file that breaks it, and let a good file pass."""

import pathlib
import unittest

import lint

GOOD_HEADER = "// What this is.\n#pragma once\n"


class Lint(unittest.TestCase):
    def assert_complains(self, path, text, what):
        complaints = lint.check_text(pathlib.PurePath(path), text)
        self.assertEqual(len(complaints), 1, complaints)
        self.assertIn(what, complaints[0])

    def assert_passes(self, path, text):
        self.assertEqual(lint.check_text(pathlib.PurePath(path), text), [])

    def test_length(self):
        self.assert_passes("lib/ir/A.cpp", "// x\n" * 900)
        self.assert_complains("lib/ir/A.cpp", "// x\n" * 901, "900 lines")

    def test_direction(self):
        self.assert_passes("passes/A.cpp", '// x\n#include "ir/Graph.h"\n#include "passes/Pass.h"\n')
        self.assert_complains("lib/ir/A.cpp", '// x\n#include "passes/Pass.h"\n', "must not include")
        self.assert_complains("lib/kernel/A.cpp", '// x\n#include "ir/Graph.h"\n', "must not")
        self.assert_complains("runtime/A.cpp", '// x\n#include "support/R.h"\n', "must not include")
        self.assert_complains("lib/ir/ops/A.h", GOOD_HEADER + '#include "onnx/I.h"\n', "must not")
        self.assert_passes("lib/diagnose/A.cpp", '// x\n#include "driver/C.h"\n')
        self.assert_complains("lib/driver/A.cpp", '// x\n#include "diagnose/C.h"\n', "must not")
        self.assert_complains("lib/diagnose/A.cpp", '// x\n#include "tools/C.h"\n', "must not")
        self.assert_complains("lib/lower/A.cpp", '// x\n#include "reference/R.h"\n', "must not")

    def test_unused_permissions(self):
        used = "".join(
            f'#include "{target.removeprefix("lib/")}/A.h"\n' for target in lint.ALLOWED["passes"]
        )
        texts = {pathlib.PurePath("passes/A.cpp"): used}
        unused = list(lint.unused_permissions(texts))
        self.assertFalse([line for line in unused if "of passes " in line])
        self.assertTrue([line for line in unused if "of tools includes lib/ir" in line])

    def test_private_headers(self):
        llvm = "// x\n#include <llvm/IR/IRBuilder.h>\n"
        self.assert_passes("lib/codegen/A.cpp", llvm)
        self.assert_passes("tests/codegen/A.cpp", llvm)
        self.assert_complains("lib/driver/A.cpp", llvm, "lib/codegen only")
        protobuf = "// x\n#include <google/protobuf/message.h>\n"
        self.assert_passes("lib/onnx/A.cpp", protobuf)
        self.assert_complains("tools/A.cpp", protobuf, "lib/onnx only")
        self.assert_complains("passes/A.cpp", "// x\n#include <onnx/onnx-ml.pb.h>\n", "lib/onnx only")
        self.assert_passes("lib/driver/A.cpp", '// x\n#include "onnx/Importer.h"\n')

    def test_public_headers(self):
        path = "include/enfold/enfold.hpp"
        self.assert_passes(path, GOOD_HEADER + "#include <enfold/enfold.h>\n#include <string>\n")
        self.assert_complains(path, GOOD_HEADER + "#include <fmt/core.h>\n", "public headers")
        self.assert_complains(path, GOOD_HEADER + '#include "ir/Graph.h"\n', "public headers")

    def test_headers(self):
        self.assert_complains("lib/ir/A.h", "// x\nint a();\n", "include guard")
        self.assert_complains("lib/ir/A.h", GOOD_HEADER + "using namespace std;\n", "using namespace")
        self.assert_passes("lib/ir/A.cpp", "// x\nusing namespace enfold;\n")

    def test_opening_comment(self):
        self.assert_complains("lib/ir/A.cpp", "#include <vector>\n", "comment")
        self.assert_complains("tools/a.py", "import os\n", "comment")
        self.assert_complains("tools/a.sh", "#!/bin/sh\nset -e\n", "comment")
        self.assert_passes("tools/a.sh", "#!/bin/sh\n# What this does.\nset -e\n")
        self.assert_passes("tools/a.py", '"""What this does."""\n')

    def test_finished(self):
        self.assert_complains("docs/a.md", "a TO" + "DO here\n", "unfinished")
        self.assert_complains("docs/a.md", "cd /wo" + "rk/main\n", "path of a machine")
        self.assert_passes("docs/a.md", "a network and its roots\n")


if __name__ == "__main__":
    unittest.main()
