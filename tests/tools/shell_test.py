"""The help, the manual and the completions that the command writes of itself."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ENFOLD = sys.argv.pop(1)


def enfold(*arguments, code=0):
    done = subprocess.run([ENFOLD, *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def commands():
    """The commands that the help lists."""
    listed = enfold("--help").split("Commands:")[1].split("\n\n")[0]
    return re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE)


class Help(unittest.TestCase):
    def test_fits_a_terminal(self):
        for text in [enfold("--help"), *(enfold(command, "--help") for command in commands())]:
            for line in text.splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_shows_two_examples_that_name_options_there_are(self):
        for command in commands():
            text = enfold(command, "--help")
            examples = text.split("Examples:\n")[1].strip().splitlines()
            self.assertEqual(len(examples), 2)
            for example in examples:
                words = example.split("|")[0].split()
                self.assertIn(command, words)
                for word in words:
                    if word.startswith("-") and command != "cache":
                        self.assertIn(word, text)


class Completion(unittest.TestCase):
    def complete(self, *words):
        """What bash offers for the last of the words behind `enfold`."""
        quoted = " ".join(f"'{word}'" for word in ("enfold", *words))
        script = f"""
            source <('{ENFOLD}' completion bash)
            COMP_WORDS=({quoted}); COMP_CWORD={len(words)}
            _enfold; printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_commands(self):
        self.assertLessEqual(set(commands()), set(self.complete("")))
        self.assertEqual(self.complete("exp"), ["explain"])

    def test_options(self):
        self.assertIn("--threads", self.complete("run", "--thr"))
        self.assertEqual(self.complete("zoo", "--thr"), [])

    def test_words_of_an_option(self):
        self.assertEqual(self.complete("run", "--accuracy", ""), ["standard", "strict"])

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.onnx"
            path.touch()
            self.assertEqual(self.complete("run", f"{folder}/mo"), [str(path)])

    def test_other_shells(self):
        for shell in ("zsh", "fish"):
            script = enfold("completion", shell)
            for command in commands():
                self.assertIn(command, script)
            if shutil.which(shell):
                subprocess.run([shell, "-n"], input=script, text=True, check=True)
        self.assertIn("csh", enfold("completion", "csh", code=2))

    def test_zsh_knows_a_script_that_was_read(self):
        program = "autoload -U compinit; compinit -D; source script; echo ${_comps[enfold]}"
        self.check_by("zsh", program, "_enfold")

    def test_fish_completes_words(self):
        offered = 'complete -C "enfold run --agai" | string split --fields 1 \\t'
        self.check_by("fish", f"source script; {offered}", "--against")

    def check_by(self, shell, program, expected):
        """The shell prints that for a program that reads the file `script`."""
        if not shutil.which(shell):
            self.skipTest(f"there is no {shell}")
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "script").write_text(enfold("completion", shell))
            done = subprocess.run(
                [shell, "-c", program],
                capture_output=True,
                text=True,
                cwd=folder,
                env=dict(os.environ, HOME=folder),
            )
        self.assertEqual(done.stdout.strip(), expected, done.stderr)


class Manual(unittest.TestCase):
    def test_every_command_has_a_page(self):
        with tempfile.TemporaryDirectory() as folder:
            enfold("man", "-o", folder)
            pages = {f"enfold-{command}.1" for command in commands()} | {"enfold.1"}
            self.assertEqual(set(os.listdir(folder)), pages)
            for page in pages:
                self.check((pathlib.Path(folder) / page).read_text())

    def check(self, text):
        requests = re.findall(r"^[.'](.*)$", text, re.MULTILINE)
        for request in requests:
            self.assertRegex(request, r"^(TH|SH|SS|TP|B|BR|I|br)\b")
        if shutil.which("groff"):
            done = subprocess.run(
                ["groff", "-man", "-Tutf8", "-ww"], input=text, capture_output=True, text=True
            )
            self.assertEqual(done.stderr, "")

    def test_a_page_names_the_options(self):
        page = enfold("man", "run").replace("\\-", "-")
        for option in ("--shape", "--check", "--threads"):
            self.assertIn(option, page)

    def test_no_such_command(self):
        self.assertIn("no command walk", enfold("man", "walk", code=2))


if __name__ == "__main__":
    unittest.main()
