"""Draws a result of `scripts/bench kernels --json` as an SVG bar chart: how many times as fast as the best library.

    python3 bench/picture.py bench/results/kernels.zen4.json docs/kernels.svg
"""
import html
import json
import pathlib
import sys

ROW, TOP, LEFT, WIDTH, RIGHT = 15, 34, 265, 380, 175
FASTER, SLOWER, INK, LINE = "#2f6f4f", "#b9805a", "#333333", "#999999"


def draw(result):
    """The rows with the largest ratio first; the line is the best library."""
    rows = sorted(result["rows"], key=lambda row: -row["ratio"])
    scale = WIDTH / rows[0]["ratio"]
    width, height = LEFT + WIDTH + RIGHT, TOP + ROW * len(rows) + 8
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">'
             % (width, height, width, height),
             "<style>text{font:11px sans-serif;fill:%s}</style>" % INK,
             '<rect width="100%" height="100%" fill="white"/>',
             '<text x="%d" y="18">times as fast as the best library, one core; geometric mean %.2f</text>'
             % (LEFT, result["geomean_ratio"])]
    for i, row in enumerate(rows):
        y = TOP + i * ROW
        label = "%.2f  %.0f us, %s %.0f us" % (row["ratio"], row["ours_ns"] / 1e3, row["peer"], row["peer_ns"] / 1e3)
        length = row["ratio"] * scale
        parts.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (LEFT - 8, y + 10, html.escape(row["shape"])))
        parts.append('<rect x="%d" y="%d" width="%.1f" height="11" fill="%s"/><text x="%.1f" y="%d">%s</text>'
                     % (LEFT, y, length, FASTER if row["ratio"] >= 1 else SLOWER, LEFT + length + 4, y + 10,
                        html.escape(label)))
    parts.append('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s" stroke-dasharray="3"/>'
                 % (LEFT + scale, LEFT + scale, TOP - 8, height - 4, LINE))
    return "\n".join(parts + ["</svg>"]) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: python3 bench/picture.py RESULT.json PICTURE.svg")
    result = json.loads(pathlib.Path(sys.argv[1]).read_text())
    pathlib.Path(sys.argv[2]).write_text(draw(result))


if __name__ == "__main__":
    main()
