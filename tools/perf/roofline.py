"""Draws the kernels of a network below the limits of the machine.

    enfold bench resnet50.onnx --threads 1 --profile --json profile.json
    tools/perf/roofline.py profile.json --svg docs/roofline.svg

A circle is a kernel: its arithmetic for each byte to the right, its speed upward, its area the time
it takes. Winograd counts the products of the definition, of which it does less, so it can lie above.
"""

import argparse
import json
import math
import pathlib

import drawing

LEFT, TOP, WIDTH, HEIGHT = 60, 24, 640, 380  # pixels: the plane of the plot
X_RANGE, Y_RANGE = (0.1, 1000), (1, 1000)  # flops a byte, GFLOP/s
COLORS = {"conv": "#4878a8", "winograd": "#c07840", "gemm": "#609060", "other": "#808080"}
LARGEST = 26  # pixels: radius of a kernel that takes a tenth of the time


def place(value, limits, pixels):
    low, high = map(math.log10, limits)
    at = (math.log10(min(max(value, limits[0]), limits[1])) - low) / (high - low)
    return at * pixels


def x_of(intensity):
    return LEFT + place(intensity, X_RANGE, WIDTH)


def y_of(gflops):
    return TOP + HEIGHT - place(gflops, Y_RANGE, HEIGHT)


def kind_of(algorithm):
    return next((kind for kind in ("winograd", "conv", "gemm") if algorithm.startswith(kind)), "other")


def axes():
    for power in range(-1, 4):
        x, y = x_of(10.0**power), y_of(10.0**power)
        yield f'<text x="{x:.0f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{10.0**power:g}</text>'
        if power >= 0:
            yield f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{10.0**power:g}</text>'
    yield (f'<text x="{LEFT + WIDTH / 2:.0f}" y="{TOP + HEIGHT + 34}" text-anchor="middle">'
           'arithmetic for each byte, flops</text>')
    yield f'<text x="{LEFT - 40}" y="{TOP - 8}">GFLOP/s</text>'
    yield (f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" '
           'stroke="#c0c0c0"/>')


def roof(limits):
    knee = limits["gflops"] / limits["gbps"]
    corners = [(X_RANGE[0], X_RANGE[0] * limits["gbps"]), (knee, limits["gflops"]),
               (X_RANGE[1], limits["gflops"])]
    points = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in corners)
    yield f'<polyline points="{points}" fill="none" stroke="black"/>'
    yield (f'<text x="{LEFT + WIDTH - 8}" y="{TOP + HEIGHT - 10}" text-anchor="end">'
           f'{limits["gflops"]:.0f} GFLOP/s, {limits["gbps"]:.0f} GB/s from memory</text>')


def kernels(profile):
    total = sum(kernel["us"] for kernel in profile)
    for kernel in sorted(profile, key=lambda k: -k["us"]):
        if kernel["gflops"] < Y_RANGE[0] or kernel["gbps"] == 0:
            continue  # copies
        radius = max(1.5, LARGEST * math.sqrt(10 * kernel["us"] / total))
        yield (f'<circle cx="{x_of(kernel["gflops"] / kernel["gbps"]):.1f}" '
               f'cy="{y_of(kernel["gflops"]):.1f}" r="{radius:.1f}" fill-opacity="0.35" '
               f'fill="{COLORS[kind_of(kernel["algorithm"])]}"/>')
    for index, (kind, color) in enumerate(COLORS.items()):
        x = LEFT + 10 + index * 90
        yield f'<circle cx="{x}" cy="{TOP + 12}" r="5" fill="{color}"/>'
        yield f'<text x="{x + 9}" y="{TOP + 16}">{kind}</text>'


def svg(report):
    width, height = LEFT + WIDTH + 20, TOP + HEIGHT + 44
    parts = [*axes(), *roof(report["limits"]), *kernels(report["profile"])]
    return drawing.document(width, height, parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("profile", type=pathlib.Path, help="JSON of enfold bench --profile")
    parser.add_argument("--svg", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.svg.write_text(svg(json.loads(options.profile.read_text())))


if __name__ == "__main__":
    main()
