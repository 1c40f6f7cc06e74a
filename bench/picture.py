"""Draws a result of `scripts/bench kernels --json` as an SVG bar chart: GFLOP/s of ours and of the best peer.

    python3 bench/picture.py bench/results/kernels.zen4.json docs/kernels.svg
"""
import html
import json
import pathlib
import sys

ROW, LEFT, WIDTH = 30, 215, 470
OURS, THEIRS, INK, GRID = "#2f6f4f", "#b9b09a", "#333333", "#dddddd"


def bar(y, value, scale, colour, label):
    length = value * scale
    return ('<rect x="%d" y="%d" width="%.1f" height="10" fill="%s"/><text x="%.1f" y="%d" class="small">%s</text>'
            % (LEFT, y, length, colour, LEFT + length + 4, y + 9, html.escape(label)))


def draw(result):
    peak = result["fma_peak_gflops"]
    rows = [row for row in result["rows"] if row["flops"]]
    scale = WIDTH / peak
    height = ROW * len(rows) + 62
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">'
             % (LEFT + WIDTH + 90, height, LEFT + WIDTH + 90, height),
             "<style>text{font:12px sans-serif;fill:%s}.small{font-size:10px}</style>" % INK,
             '<rect width="100%" height="100%" fill="white"/>',
             '<text x="%d" y="18">GFLOP/s on one core; the line is its measured peak (%.0f)</text>' % (LEFT, peak),
             '<rect x="%d" y="26" width="10" height="10" fill="%s"/><text x="%d" y="35" class="small">Tilth, tuned</text>'
             % (LEFT, OURS, LEFT + 14),
             '<rect x="%d" y="26" width="10" height="10" fill="%s"/><text x="%d" y="35" class="small">'
             "the best library</text>" % (LEFT + 100, THEIRS, LEFT + 114)]
    for i, row in enumerate(rows):
        y = 46 + i * ROW
        ours, theirs = row["flops"] / row["ours_ns"], row["flops"] / row["peer_ns"]
        parts.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (LEFT - 8, y + 15, html.escape(row["shape"])))
        parts.append(bar(y, ours, scale, OURS, "%.0f (%.2fx)" % (ours, row["ratio"])))
        parts.append(bar(y + 11, theirs, scale, THEIRS, "%.0f %s" % (theirs, row["peer"])))
    parts.append('<line x1="%d" x2="%d" y1="42" y2="%d" stroke="%s"/>'
                 % (LEFT + WIDTH, LEFT + WIDTH, height - 14, GRID))
    return "\n".join(parts + ["</svg>"]) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: python3 bench/picture.py RESULT.json PICTURE.svg")
    result = json.loads(pathlib.Path(sys.argv[1]).read_text())
    pathlib.Path(sys.argv[2]).write_text(draw(result))


if __name__ == "__main__":
    main()
