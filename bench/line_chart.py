"""Line charts as SVG: a curve for each strategy, with its legend, on axes with round numbers."""
import html
import math

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 640, 360, 62, 34, 42, 170
COLOURS = ("#2f6f4f", "#b9805a", "#4a6fa5", "#8a4f7d", "#8c8c3a", "#555555")
LINE = "#dddddd"


def ticks(least, most, count=5):
    """Round numbers from at or above `least` to at or below `most`."""
    step = 10 ** math.floor(math.log10((most - least) / count))
    step *= next(factor for factor in (1, 2, 5, 10) if (most - least) / (step * factor) <= count)
    first = math.ceil(least / step - 1e-9)
    return [round(step * i, 10) for i in range(first, int(most / step + 1e-9) + 1)]


def powers(least, most):
    """1, 2, 5, 10, 20 ... within the range, for a logarithmic axis."""
    exponents = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    return [factor * 10**e for e in exponents for factor in (1, 2, 5) if least <= factor * 10**e <= most]


def draw(title, x_label, y_label, curves, lines=()):
    """`curves`: name -> points (x > 0, y), x logarithmic; `lines`: (y, text) of what to compare with."""
    xs = [x for points in curves.values() for x, _ in points]
    ys = [y for points in curves.values() for _, y in points] + [y for y, _ in lines]
    low_x, high_x = min(xs), max(xs)
    margin = 0.05 * (max(ys) - min(ys)) or 1
    low_y, high_y = min(ys) - margin, max(ys) + margin

    def place(x, y):
        across = math.log(x / low_x) / math.log(high_x / low_x) if high_x > low_x else 0
        return LEFT + across * WIDTH, TOP + HEIGHT - (y - low_y) / (high_y - low_y) * HEIGHT

    total_width, total_height = LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">'
             % (total_width, total_height, total_width, total_height),
             "<style>text{font:11px sans-serif;fill:#333333}</style>",
             '<rect width="100%" height="100%" fill="white"/>',
             '<text x="%d" y="18">%s</text>' % (LEFT, html.escape(title)),
             '<text x="%d" y="%d">%s</text>' % (LEFT, total_height - 6, html.escape("%s; %s" % (x_label, y_label)))]
    for value in ticks(low_y, high_y):
        _, y = place(low_x, value)
        parts.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s"/><text x="%d" y="%.1f" text-anchor="end">%g'
                     '</text>' % (LEFT, LEFT + WIDTH, y, y, LINE, LEFT - 6, y + 4, value))
    for value in powers(low_x, high_x):
        x, _ = place(value, low_y)
        parts.append('<text x="%.1f" y="%d" text-anchor="middle">%g</text>' % (x, TOP + HEIGHT + 16, value))
    for value, text in lines:
        _, y = place(low_x, value)
        parts.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#999999" stroke-dasharray="4"/>'
                     '<text x="%d" y="%.1f">%s</text>'
                     % (LEFT, LEFT + WIDTH, y, y, LEFT + 4, y - 4, html.escape(text)))
    for number, (name, points) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join("%.1f,%.1f" % place(x, y) for x, y in points)
        parts.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (path, colour))
        parts.append('<rect x="%d" y="%d" width="12" height="3" fill="%s"/><text x="%d" y="%d">%s</text>'
                     % (LEFT + WIDTH + 8, TOP + 18 * number, colour, LEFT + WIDTH + 26, TOP + 18 * number + 6,
                        html.escape(name)))
    return "\n".join(parts + ["</svg>"]) + "\n"
