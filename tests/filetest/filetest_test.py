"""The runner of file tests must fail wherever a command does, and must not lose a RUN line."""

import contextlib
import io
import pathlib
import tempfile
import unittest

import filetest


class FileTest(unittest.TestCase):
    def run_text(self, text, timeout=20):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "case.eir"
            file.write_text(text, encoding="utf-8")
            self.output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
            with contextlib.redirect_stdout(self.output):
                passed = filetest.run_test(file, [], timeout)
            self.output.seek(0)
            return passed

    def test_success(self):
        self.assertTrue(self.run_text("# RUN: true\n# RUN: cat %s | grep -q needle\n# needle\n"))

    def test_any_failing_command_fails(self):
        self.assertFalse(self.run_text("# RUN: false\n# RUN: true\n"))
        self.assertFalse(self.run_text("# RUN: true\n# RUN: false\n"))

    def test_failure_inside_a_pipeline_fails(self):
        self.assertFalse(self.run_text("# RUN: false | cat\n"))

    def test_output_of_the_failing_command_is_shown(self):
        self.assertFalse(self.run_text("# RUN: echo reason >&2; exit 3\n"))
        shown = self.output.read()
        self.assertIn("reason", shown)
        self.assertIn("exit status 3", shown)

    def test_continued_lines(self):
        self.assertTrue(self.run_text("# RUN: echo one \\\n# RUN:   two | grep -q 'one two'\n"))
        with self.assertRaises(filetest.TestError):
            self.run_text("# RUN: echo one \\\n")

    def test_temporary_path_is_shared_by_the_commands(self):
        self.assertTrue(self.run_text("# RUN: echo 7 > %t.x\n# RUN: grep -q 7 %t.x\n"))

    def test_percent_and_unknown_substitution(self):
        self.assertTrue(self.run_text("# RUN: test %% = '%%'\n"))
        with self.assertRaises(filetest.TestError):
            self.run_text("# RUN: echo %q\n")

    def test_file_without_commands_is_an_error(self):
        with self.assertRaises(filetest.TestError):
            self.run_text("# CHECK: nothing\n")

    def test_timeout_fails(self):
        self.assertFalse(self.run_text("# RUN: sleep 20\n", timeout=0.2))


if __name__ == "__main__":
    unittest.main()
