"""Reports of several networks, opened in a real browser without a network: report_test.py ENFOLD FOLDER

Chromium is looked for in the PATH; without it, or without playwright, the test is skipped.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from environment import SKIPPED, run_with_packages

TREE = pathlib.Path(__file__).parents[2]
SHARED = TREE.parent / "shared"
PLACES = "[...document.querySelectorAll('.box')].map((box) => box.getAttribute('transform'))"
HOSTILE = "</script><img src=x onerror=alert(1)>"


def hostile_model():
    """A small network whose names try to break out of the page."""
    name = HOSTILE.replace('"', '\\"')
    return f"""graph @hostile(%x: f32[1,8,16,16]) {{
  %w = const f32[8,8,3,3] random(seed=1)
  %a = conv(%x, %w) {{pads=[1,1,1,1]}} : f32[1,8,16,16]   @"{name}"
  %b = relu(%a) : f32[1,8,16,16]   @"<!-- relu"
  return %b
}}
"""


def large_model(nodes):
    """Blocks of four ops with a connection past them, without scopes in the names."""
    lines = ["graph @large(%v0: f32[1,8,4,4]) {"]
    kinds = ["relu", "sigmoid", "tanh"]
    value = 0
    for block in range(nodes // 4):
        start = value
        for kind in kinds:
            lines.append(f'  %v{value + 1} = {kind}(%v{value}) : f32[1,8,4,4]   @"{kind}_{block}"')
            value += 1
        lines.append(f'  %v{value + 1} = add(%v{value}, %v{start}) : f32[1,8,4,4]   @"add_{block}"')
        value += 1
    return "\n".join([*lines, f"  return %v{value}", "}"]) + "\n"


class Page:
    """A report in the browser; anything it asks for or complains about fails the test."""

    def __init__(self, browser, path, width=1280, scheme="light"):
        height = 800 if width > 600 else 844
        viewport = {"width": width, "height": height}
        self.page = browser.new_page(viewport=viewport, color_scheme=scheme)
        self.complaints = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on("request", self.requested)
        self.page.context.set_offline(True)
        self.url = path.resolve().as_uri()
        self.page.goto(self.url)
        self.page.wait_for_selector("nav")

    def requested(self, request):
        if request.url != self.url:
            self.complaints.append(f"asks for {request.url}")

    def view(self, name):
        self.page.click(f'nav button:text-is("{name}")')

    def all_views(self):
        for name in ["Summary", "Kernels", "Passes", "Memory", "Roofline", "Timeline", "Compare"]:
            self.view(name)
            assert self.page.locator("main h1").count() == 1, name
        self.view("Graph")
        self.page.wait_for_selector(".box")

    def close(self):
        self.page.close()
        assert not self.complaints, self.complaints


def check_network(browser, path, has_convolution=True):
    """What every report must do."""
    report = Page(browser, path)
    report.all_views()
    page = report.page
    stages = page.locator('input[aria-label="Stage"]')
    last = int(stages.get_attribute("max"))
    assert last > 0, "no pass changed the graph"
    before = page.locator(".box:not(.ghost)").count()
    places = page.evaluate(PLACES)
    stages.fill("0")
    page.wait_for_function(
        "n => document.querySelector('.stage-name').textContent.startsWith(`0/${n}`)", arg=last
    )
    assert page.locator(".box.ghost").count() == 0, "the imported graph has no ghosts"
    at_first = page.evaluate(PLACES)
    assert set(at_first) <= set(places), "boxes move between stages"
    assert before > 0
    page.keyboard.press("ArrowRight")
    stages.fill(str(last))
    if has_convolution:
        page.fill('input[aria-label="Search"]', "conv")
        page.keyboard.press("Enter")
        page.wait_for_selector('pre[aria-label="Assembly"] .row')
        check_code(page)
    page.keyboard.press("Escape")
    report.close()


def check_code(page):
    """Assembly is shown, and a line of it lights those of the Kernel IR that it comes from."""
    assembly = page.locator('pre[aria-label="Assembly"]')
    assert "ret" in assembly.text_content()  # rows out of view have no inner text
    line = page.evaluate(
        """() => {
          const rows = [...document.querySelectorAll('pre[aria-label="Assembly"] .row')];
          const row = rows.find((row) => Number(row.dataset.line) > 1);
          row.scrollIntoView();
          row.click();
          return row.dataset.line;
        }"""
    )
    lit = page.locator('pre[aria-label="Kernel IR"] .row.lit')
    assert lit.count() == 1 and lit.get_attribute("data-row") == line
    assert page.locator('pre[aria-label="LLVM IR"] .row').count() > 3


def check_timeline(browser, path):
    """A row for each thread; a kernel under the pointer is marked in all of them."""
    report = Page(browser, path)
    report.view("Timeline")
    page = report.page
    timeline = page.evaluate(
        "JSON.parse(document.getElementById('report').textContent).timeline"
    )
    assert timeline["threads"] == 2
    assert {span["thread"] for span in timeline["spans"]} <= {0, 1}
    assert all(0 <= s["begin_us"] <= s["end_us"] <= timeline["us"] for s in timeline["spans"])
    assert page.locator(".lane").count() == 2
    spans = page.locator('svg[aria-label="Threads over time"] .buffer')
    assert 0 < spans.count() <= len(timeline["spans"])
    longest = max(timeline["spans"], key=lambda span: span["end_us"] - span["begin_us"])
    parts = sum(span["kernel"] == longest["kernel"] for span in timeline["spans"])
    page.evaluate(
        """() => {
          const width = (span) => Number(span.querySelector('rect').getAttribute('width'));
          const spans = [...document.querySelectorAll('.chart .buffer')];
          const longest = spans.reduce((a, b) => (width(a) >= width(b) ? a : b));
          longest.dispatchEvent(new MouseEvent('mouseenter'));
        }"""
    )
    page.wait_for_selector(".buffer.lit")
    assert page.locator(".buffer.lit").count() == parts
    assert page.locator('table[aria-label="Where threads wait"] tbody tr').count() > 10
    report.close()


def check_hostile(browser, path):
    report = Page(browser, path)
    report.all_views()
    page = report.page
    assert page.locator("img").count() == 0
    page.fill('input[aria-label="Search"]', "onerror")
    page.keyboard.press("Enter")
    assert HOSTILE in page.locator(".detail .nodes").inner_text()
    report.close()


def check_large(browser, path):
    start = time.monotonic()
    report = Page(browser, path)
    report.view("Graph")
    report.page.wait_for_selector(".box")
    print(f"large graph: {time.monotonic() - start:.1f} s until it is drawn")
    report.page.fill('input[aria-label="Search"]', "add_1200")
    report.page.keyboard.press("Enter")
    report.page.wait_for_selector(".box.selected")
    report.close()


def check_comparison(browser, path):
    report = Page(browser, path)
    page = report.page
    assert page.locator("main h1").inner_text() == "Comparison"
    table = page.locator('table[aria-label="Node by node"] tbody tr')
    everything = table.count()
    page.check('label:has-text("only what differs") input')
    assert 0 < table.count() <= everything
    report.close()


def check_complaints(browser, path):
    """What speaks against the times is said, and nothing where nothing does."""
    begin, data, end = re.split(
        r'(?<=<script type="application/json" id="report">)(.*?)(?=</script>)', path.read_text(), 1
    )
    data = json.loads(data)
    for complaints in [[], ["other programs kept 1.5 processors busy", "the clock is slower"]]:
        data["complaints"] = complaints
        changed = path.with_name("complaints.html")
        changed.write_text(begin + json.dumps(data).replace("<", "\\u003c") + end)
        report = Page(browser, changed)
        report.view("Summary")
        texts = report.page.locator(".warning").all_inner_texts()
        assert len(texts) == bool(complaints), texts
        assert all(complaint in texts[0] for complaint in complaints), texts
        report.close()


def check_narrow(browser, path):
    """Nothing is wider than a telephone, in the dark too."""
    report = Page(browser, path, width=390, scheme="dark")
    for button in report.page.locator("nav button").all():
        box = button.bounding_box()
        assert 0 <= box["x"] and box["x"] + box["width"] <= 390, button.inner_text()
    for name in ["Summary", "Kernels", "Memory", "Roofline", "Timeline", "Graph"]:
        report.view(name)
        assert report.page.evaluate("document.documentElement.scrollWidth") <= 390, name
    report.close()


def check_schema(path):
    import jsonschema

    schema = json.loads((TREE / "docs" / "schemas" / "report.json").read_text())
    jsonschema.validate(json.loads(path.read_text()), schema)


def browse(paths, chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name in ["resnet", "int8", "shared"]:
            if name in paths:
                check_network(browser, paths[name])
        check_timeline(browser, paths["resnet"])
        check_complaints(browser, paths["comparison"])
        check_narrow(browser, paths["resnet"])
        check_hostile(browser, paths["hostile"])
        check_comparison(browser, paths["comparison"])
        check_large(browser, paths["large"])
        browser.close()


def write_report(enfold, output, model, *options):
    subprocess.run([enfold, "report", model, "-o", output, *options], check=True)
    return output


def shared_models():
    """An int8 network and another of those beside the tree, if they are there."""
    found = {}
    for name, folder in [("int8", "tinycnn_int8"), ("shared", "yunet_n_320")]:
        models = sorted((SHARED / "models" / folder).glob("*.onnx"))
        if models:
            found[name] = models[0]
    return found


def main():
    enfold, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    (folder / "hostile.eir").write_text(hostile_model())
    (folder / "large.eir").write_text(large_model(5000))
    quick = ["--seconds", "0.1"]
    data = folder / "resnet.json"
    paths = {
        "resnet": write_report(
            enfold, folder / "resnet.html", "zoo:resnet50", "--threads", "2", "--json", data, *quick
        ),
        "hostile": write_report(enfold, folder / "hostile.html", folder / "hostile.eir", *quick),
        "large": write_report(
            enfold, folder / "large.html", folder / "large.eir", "--seconds", "0"
        ),
        "comparison": write_report(
            enfold, folder / "comparison.html", "zoo:cnn_batchnorm", "--against", "unfused", *quick
        ),
    }
    for name, model in shared_models().items():
        paths[name] = write_report(enfold, folder / f"{name}.html", model, *quick)
    check_schema(data)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        print("skipped: the pages are written, but there is no chromium to open them")
        return SKIPPED
    browse(paths, chromium)
    return 0


if __name__ == "__main__":
    environment = pathlib.Path(sys.argv[2]) / "venv"
    sys.exit(run_with_packages(environment, ["playwright", "jsonschema"], main))
