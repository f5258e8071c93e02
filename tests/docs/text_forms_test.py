"""The page on text forms is true: its grammars are run here, as parsing expression grammars.

Every example must match its grammar and be what enfold itself makes of it; so must the graphs and
kernels of networks of the zoo. And whatever text the parser of graphs takes, the grammar takes too.
"""

import argparse
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

NETWORKS = ["cnn_batchnorm", "resnet18", "shufflenet_v2", "cnn_3d"]

# Filled in by main().
ENFOLD = PAGE = None

TOKEN = re.compile(
    r"\s*(?:(?P<rule>\w+)(?P<defines>\s*=)?|'(?P<text>[^']+)'|/(?P<regex>(?:[^/\\]|\\.)+)/"
    r"|(?P<symbol>[()|*+?]))"
)


class Grammar:
    """Rules by name. A rule is a tree of tuples: ("text", pattern), ("rule", name), ("all", parts),
    ("any", parts) or ("repeat", part, least, most)."""

    def __init__(self, text):
        self.tokens = self.tokenize(text)
        self.rules = {}
        self.start = None
        while self.tokens:
            _, name = self.tokens.pop(0)
            self.start = self.start or name
            self.rules[name] = self.alternatives()

    @staticmethod
    def tokenize(text):
        tokens, at = [], 0
        while text[at:].strip():
            match = TOKEN.match(text, at)
            if not match:
                raise ValueError(f"grammar: {text[at:at + 30]!r}")
            at = match.end()
            if match["rule"]:
                tokens.append(("define" if match["defines"] else "rule", match["rule"]))
            elif match["text"]:
                # A word does not end within a longer word.
                word = r"(?![A-Za-z0-9_])" if re.fullmatch(r"\w+", match["text"]) else ""
                tokens.append(("text", re.compile(re.escape(match["text"]) + word)))
            elif match["regex"]:
                tokens.append(("text", re.compile(match["regex"])))
            else:
                tokens.append(("symbol", match["symbol"]))
        return tokens

    def accept(self, symbol):
        if self.tokens and self.tokens[0] == ("symbol", symbol):
            return self.tokens.pop(0)
        return None

    def alternatives(self):
        parts = [self.sequence()]
        while self.accept("|"):
            parts.append(self.sequence())
        return ("any", parts)

    def sequence(self):
        parts = []
        while self.tokens and self.tokens[0][0] != "define":
            if self.accept("("):
                part = self.alternatives()
                if not self.accept(")"):
                    raise ValueError("grammar: a parenthesis is open")
            elif self.tokens[0][0] == "symbol":
                break
            else:
                part = self.tokens.pop(0)
            for symbol, least, most in (("*", 0, None), ("+", 1, None), ("?", 0, 1)):
                if self.accept(symbol):
                    part = ("repeat", part, least, most)
            parts.append(part)
        return ("all", parts)

    def matches(self, text):
        """None if all of the text is a sentence, else where the longest attempt ended."""
        self.text, self.furthest = text, 0
        end = self.match(("rule", self.start), 0)
        return None if end is not None and not self.blank(end)[1] else self.furthest

    def blank(self, at):
        end = re.compile(r"(\s|#[^\n]*)*").match(self.text, at).end()
        return end, self.text[end:]

    def match(self, part, at):
        kind = part[0]
        if kind == "text":
            at = re.compile(r"(?:\s|#[^\n]*)*").match(self.text, at).end()
            found = part[1].match(self.text, at)
            if found:
                return found.end()
            self.furthest = max(self.furthest, at)
            return None
        if kind == "rule":
            return self.match(self.rules[part[1]], at)
        if kind == "any":
            for choice in part[1]:
                end = self.match(choice, at)
                if end is not None:
                    return end
            return None
        if kind == "all":
            for piece in part[1]:
                at = self.match(piece, at)
                if at is None:
                    return None
            return at
        _, piece, least, most = part
        count = 0
        while most is None or count < most:
            end = self.match(piece, at)
            if end is None or end == at:
                break
            at, count = end, count + 1
        return at if count >= least else None


def blocks(kind):
    """The contents of the page's ``` blocks of that kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def enfold(*arguments, folder=None, **environment):
    return subprocess.run(
        [ENFOLD, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
    )


class TextForms(unittest.TestCase):
    def setUp(self):
        self.eir = Grammar(blocks("grammar eir")[0])
        self.kir = Grammar(blocks("grammar kir")[0])
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="enfold-"))

    def tearDown(self):
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()

    def assert_matches(self, grammar, text):
        at = grammar.matches(text)
        if at is not None:
            line = text.count("\n", 0, at)
            self.fail(f"the grammar ends in line {line + 1}: {text.splitlines()[line]}")

    def written(self, text, name="example.eir"):
        (self.folder / name).write_text(text)
        return self.folder / name

    def test_examples_of_graphs(self):
        self.assertTrue(blocks("eir"))
        for example in blocks("eir"):
            self.assert_matches(self.eir, example)
            printed = enfold("opt", self.written(example), "--passes", "none")
            self.assertEqual(printed.returncode, 0, printed.stderr)
            self.assertEqual(printed.stdout, example)

    def test_forms_of_constants(self):
        forms = re.findall(r"^\| `(.*?)` \|", PAGE.split("one of these forms")[1], re.MULTILINE)
        self.assertEqual(len(forms), 6)
        (self.folder / "net.bin").write_bytes(bytes(128))
        for form in forms:
            shape = "3" if form.startswith("[") else "1"
            text = f"graph @g(%x: f32[{shape}]) {{\n  %c = const f32[{shape}] {form}\n"
            text += f"  %y = add(%x, %c) : f32[{shape}]\n  return %y\n}}\n"
            self.assert_matches(self.eir, text)
            run = enfold("run", self.written(text), "--random")
            self.assertEqual(run.returncode, 3 if "elided" in form else 0, form + run.stderr)

    def test_example_of_a_kernel(self):
        (example,) = blocks("kir")
        self.assert_matches(self.kir, example)
        model = "graph @g(%x: f32[100]) {\n  %y = leaky_relu(%x) {alpha=0.1} : f32[100]\n  return %y\n}\n"
        output = self.folder / "example.kir"
        made = enfold("compile", self.written(model), "--target-cpu", "x86-64-v3", "-o", output)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(output.read_text(), example)

    def test_networks(self):
        for network in NETWORKS:
            for passes in ([], ["--passes", "none"]):
                printed = enfold("opt", f"zoo:{network}", *passes)
                self.assertEqual(printed.returncode, 0, printed.stderr)
                self.assert_matches(self.eir, printed.stdout)
            output = self.folder / "net.kir"
            made = enfold("compile", f"zoo:{network}", "-o", output)
            self.assertEqual(made.returncode, 0, made.stderr)
            self.assert_matches(self.kir, output.read_text())

    def test_what_the_parser_takes(self):
        """Texts with a token left out, doubled, swapped or replaced: some are still right."""
        tokens = re.findall(r'"[^"]*"|[\w./+-]+|\S', blocks("eir")[0])
        numbers = [i for i, token in enumerate(tokens) if re.match(r'["\d-]', token)]
        others = ["1", "-inf", "1e-05", "+2", "true", "f32", '"q"', "x", "acc", "_", ",", "]"]
        choose = random.Random(1)
        taken = refused = 0
        for _ in range(120):
            some = list(tokens)
            at = choose.randrange(len(some) - 1)
            change = choose.randrange(4)
            if change == 0:
                del some[at]
            elif change == 1:
                some.insert(at, some[at])
            elif change == 2:
                some[at], some[at + 1] = some[at + 1], some[at]
            else:
                some[choose.choice(numbers)] = choose.choice(others)
            text = " ".join(some)
            accepted = enfold("opt", self.written(text), "--passes", "none").returncode == 0
            if accepted:
                self.assert_matches(self.eir, text)
            taken += accepted
            refused += self.eir.matches(text) is not None
        self.assertGreater(taken, 2)
        self.assertGreater(refused, 40)


def main():
    global ENFOLD, PAGE
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--enfold", required=True)
    parser.add_argument("--page", required=True, type=pathlib.Path)
    options, rest = parser.parse_known_args()
    ENFOLD = options.enfold
    PAGE = options.page.read_text()
    sys.setrecursionlimit(10000)
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
