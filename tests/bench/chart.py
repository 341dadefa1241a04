"""A chart as SVG: for each work, how many times riad's time the others take. It needs nothing to be drawn, and is readable on light and on dark."""
import math
from xml.sax.saxutils import escape

SUBJECT = "riad"
# Told apart also by who sees no red or no green, and neither too light nor too dark.
COLOURS = {"plain": "#7f8c8d", "passthrough": "#3b8fd9", "passthrough-cached": "#76b7e8", "riad-device": "#c9a227", "riad-local": "#c9a227",
           "securefs": "#d9730d", "gocryptfs": "#a45fc4", "encfs": "#2a9d8f", "cryfs": "#c94f6d"}
# Where the viewer does not say whether it is light or dark: grey, which is readable on both.
STYLE = """text { font: 12px sans-serif; fill: #777; } .small { font-size: 10px; } .title { font-size: 14px; font-weight: bold; }
line { stroke: #999; stroke-width: 0.5; } .one { stroke: #777; stroke-width: 1.5; }
@media (prefers-color-scheme: light) { text { fill: #333; } .one { stroke: #333; } }
@media (prefers-color-scheme: dark) { text { fill: #ddd; } .one { stroke: #eee; } }"""
LEFT, PLOT, RIGHT, TOP, BAR, GAP, LEGEND = 190, 560, 60, 62, 11, 10, 20
LEAST_SPAN = 0.3  # decades to either side of riad


def ratios_of(result):
    """[(work, [(peer, ratio)])], of the works that riad was measured at beside somebody."""
    rows = []
    for work, row in result["figures"].items():
        others = [(peer, row[peer] / row[SUBJECT]) for peer in result["peers"] if peer != SUBJECT and row.get(peer) and row.get(SUBJECT)]
        if others:
            rows.append((work, others))
    return rows


class Scale:
    """Logarithmic: twice as long is as far from riad as half as long."""

    def __init__(self, ratios):
        self.low = min(-LEAST_SPAN, *(math.log10(ratio) for ratio in ratios))
        self.high = max(LEAST_SPAN, *(math.log10(ratio) for ratio in ratios))

    def at(self, ratio):
        return LEFT + PLOT * (math.log10(ratio) - self.low) / (self.high - self.low)

    def ticks(self):
        steps = (1, 2, 5) if self.high - self.low < 2.5 else (1,)
        values = (step * 10.0 ** decade for decade in range(math.floor(self.low), math.ceil(self.high) + 1) for step in steps)
        return [value for value in values if self.low <= math.log10(value) <= self.high]


def text(x, y, words, anchor="start", kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'


def bar(scale, y, peer, ratio):
    left, right = sorted((scale.at(1), scale.at(ratio)))
    parts = [f'<rect x="{left:.1f}" y="{y}" width="{max(1, right - left):.1f}" height="{BAR - 2}" fill="{COLOURS[peer]}"/>']
    where, anchor = (right + 3, "start") if ratio >= 1 else (left - 3, "end")
    return parts + [text(where, y + BAR - 2, f"{ratio:.2g}" if ratio < 100 else f"{ratio:.0f}", anchor, "small")]


def axis(scale, bottom):
    parts = []
    for value in scale.ticks():
        x, kind = scale.at(value), "one" if value == 1 else ""
        parts += [f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{bottom}" class="{kind}"/>', text(x, TOP - 8, f"{value:g}", "middle", "small")]
    return parts


def legend(peers, y):
    parts, x = [], 10
    for peer in peers:
        parts += [f'<rect x="{x}" y="{y}" width="10" height="10" fill="{COLOURS[peer]}"/>', text(x + 14, y + 9, peer, kind="small")]
        x += 30 + 6 * len(peer)
    return parts


def groups(rows, scale):
    """Gives the parts and where they end."""
    parts, y = [], TOP
    for work, others in rows:
        parts.append(text(LEFT - 40, y + len(others) * BAR / 2 + 4, work, "end"))
        for peer, ratio in others:
            parts += bar(scale, y, peer, ratio)
            y += BAR
        y += GAP
    return parts, y


def draw(result):
    rows = ratios_of(result)
    if not rows:
        raise SystemExit("bench: there is nothing to draw: the chart is of riad beside others")
    scale = Scale([ratio for _, others in rows for _, ratio in others])
    bars, bottom = groups(rows, scale)
    machine = result["machine"]
    where = f"{machine['date']}, {machine['processors']} processors, Linux {machine['kernel']}" + (f", stores on {result['rig']}" if result["rig"] else "")
    peers = [peer for peer in result["peers"] if peer != SUBJECT]
    parts = [f"<style>{STYLE}</style>", text(10, 20, "Times riad's figure (1, the strong line): right of it is slower, or more", kind="title"),
             text(10, 36, where, kind="small"), *axis(scale, bottom), *bars, *legend(peers, bottom + 4)]
    width, height = LEFT + PLOT + RIGHT, bottom + LEGEND + 4
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">\n' + "\n".join(parts) + "\n</svg>\n"
