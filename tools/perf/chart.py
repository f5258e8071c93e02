"""Writes the figures of compare.py as a Markdown table and as a bar chart.

    tools/perf/chart.py figures.json --markdown - --svg docs/performance.svg

A bar is the time of the fastest peer over that of enfold: beyond the line at 1, enfold is ahead.
"""

import argparse
import json
import math
import pathlib

import drawing

ENGINES = ["onnxruntime", "openvino", "ncnn", "enfold"]
TITLES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "ncnn": "ncnn", "enfold": "enfold"}
COLORS = {1: "#4878a8", 2: "#c07840"}
ROW, LEFT, UNIT = 11, 150, 220  # pixels: of a bar, of the names, of a ratio of 1


def geomean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def markdown(rows):
    engines = [e for e in ENGINES if any(e in row["ms"] for row in rows)]
    lines = ["| network | threads | " + " | ".join(TITLES[e] for e in engines) + " | ratio |",
             "|---|--:|" + "--:|" * (len(engines) + 1)]
    for row in rows:
        times = [f"{row['ms'][e]:.2f}" if e in row["ms"] else "–" for e in engines]
        lines.append(f"| {row['model']} | {row['threads']} | " + " | ".join(times) +
                     f" | {row['ratio']:.2f} |")
    for threads in sorted({row["threads"] for row in rows}):
        mean = geomean([row["ratio"] for row in rows if row["threads"] == threads])
        lines.append(f"| geometric mean | {threads} |" + " |" * len(engines) + f" {mean:.2f} |")
    return "\n".join(lines) + "\n"


def svg(rows):
    models = list(dict.fromkeys(row["model"] for row in rows))
    counts = sorted({row["threads"] for row in rows})
    step = ROW * len(counts) + 6
    height = step * len(models) + 40
    width = LEFT + UNIT * 3
    parts = []
    for index, model in enumerate(models):
        top = 24 + index * step
        parts.append(f'<text x="{LEFT - 6}" y="{top + ROW}" text-anchor="end">{model}</text>')
        for row in rows:
            if row["model"] != model:
                continue
            y = top + counts.index(row["threads"]) * ROW
            bar = min(row["ratio"], 2.8) * UNIT
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{bar:.0f}" height="{ROW - 1}" '
                         f'fill="{COLORS.get(row["threads"], "gray")}"/>')
            parts.append(f'<text x="{LEFT + bar + 4:.0f}" y="{y + ROW - 2}" font-size="9">'
                         f'{row["ratio"]:.2f}</text>')
    for index, threads in enumerate(counts):
        x = LEFT + index * 90
        parts.append(f'<rect x="{x}" y="6" width="10" height="10" '
                     f'fill="{COLORS.get(threads, "gray")}"/>')
        parts.append(f'<text x="{x + 14}" y="15">{threads} thread{"s" if threads > 1 else ""}</text>')
    parts.append(f'<line x1="{LEFT + UNIT}" y1="20" x2="{LEFT + UNIT}" y2="{height - 12}" '
                 'stroke="black" stroke-dasharray="3"/>')
    return drawing.document(width, height, parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures", nargs="+", type=pathlib.Path, help="JSON files of compare.py")
    parser.add_argument("--markdown", help="file to write, - for stdout")
    parser.add_argument("--svg", type=pathlib.Path)
    options = parser.parse_args()
    rows = [row for file in options.figures for row in json.loads(file.read_text())]
    rows.sort(key=lambda row: (row["model"], row["threads"]))
    if options.markdown == "-":
        print(markdown(rows), end="")
    elif options.markdown:
        pathlib.Path(options.markdown).write_text(markdown(rows))
    if options.svg:
        options.svg.write_text(svg(rows))


if __name__ == "__main__":
    main()
