"""Draws the speed of single convolutions as a heat map, in per cent of the peak.

    build/release/tests/perf sweep > sweep.txt
    tools/perf/heatmap.py sweep.txt --svg docs/heatmap.svg

A table is a window, a stride and a batch; its rows are sizes of the image, its columns numbers of
channels. Winograd counts the products of the definition, of which it does less, so it can exceed
100.
"""

import argparse
import pathlib
import re

import drawing

CELL_WIDTH, CELL_HEIGHT, GAP = 34, 15, 26  # pixels
LABEL = 40  # of the sizes of images
PER_ROW = 3
# Per cent of the peak and colour, light to dark: told apart without red and green.
SHADES = [(40, "#f2f0f7", "black"), (60, "#dadaeb", "black"), (80, "#bcbddc", "black"),
          (100, "#9e9ac8", "black"), (200, "#756bb1", "white"), (float("inf"), "#54278f", "white")]


def tables(text):
    """Title, numbers of channels, and rows of size and percentages, of each table of a sweep."""
    for block in re.split(r"\n\s*\n", text.strip()):
        title, header, *lines = block.splitlines()
        yield title, header.split()[1:], [(size, [int(cell.rstrip("%")) for cell in cells])
                                          for size, *cells in map(str.split, lines)]


def table_svg(left, top, title, channels, rows):
    yield f'<text x="{left}" y="{top - 18}" font-weight="bold">{title}</text>'
    for column, count in enumerate(channels):
        x = left + LABEL + (column + 0.5) * CELL_WIDTH
        yield f'<text x="{x:.0f}" y="{top - 4}" text-anchor="middle">{count}</text>'
    for row, (size, cells) in enumerate(rows):
        y = top + row * CELL_HEIGHT
        yield f'<text x="{left + LABEL - 5}" y="{y + 11}" text-anchor="end">{size}</text>'
        for column, percent in enumerate(cells):
            x = left + LABEL + column * CELL_WIDTH
            _, fill, ink = next(shade for shade in SHADES if percent < shade[0])
            yield (f'<rect x="{x}" y="{y}" width="{CELL_WIDTH - 1}" height="{CELL_HEIGHT - 1}" '
                   f'fill="{fill}"/>')
            yield (f'<text x="{x + CELL_WIDTH / 2:.0f}" y="{y + 11}" text-anchor="middle" '
                   f'fill="{ink}">{percent}</text>')


def svg(text):
    found = list(tables(text))
    rows = max(len(rows) for _, _, rows in found)
    columns = max(len(channels) for _, channels, _ in found)
    step_x, step_y = LABEL + columns * CELL_WIDTH + GAP, rows * CELL_HEIGHT + GAP + 34
    width, height = PER_ROW * step_x, (len(found) + PER_ROW - 1) // PER_ROW * step_y + 12
    parts = []
    for index, table in enumerate(found):
        parts += table_svg(8 + index % PER_ROW * step_x, 40 + index // PER_ROW * step_y, *table)
    return drawing.document(width, height, parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep", type=pathlib.Path, help="what tests/perf sweep printed")
    parser.add_argument("--svg", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.svg.write_text(svg(options.sweep.read_text()))


if __name__ == "__main__":
    main()
