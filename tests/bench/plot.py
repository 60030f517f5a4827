"""Ratios to a floor as horizontal bars on a logarithmic axis: an SVG for light and dark pages."""
import math
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP = 760, 225, 50, 64
BAR, GAP, BETWEEN = 16, 4, 18
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .group { font-weight: 600; }
  .faint { font-size: 11px; fill: #59636e; }
  .grid { stroke: #d1d9e0; }
  .floor { stroke: #59636e; }
  .own { fill: #0969da; }
  .other { fill: #9aa4af; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .faint { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .floor { stroke: #9198a1; }
    .own { fill: #4493f8; }
    .other { fill: #656c76; }
  }
"""


def draw(title, note, groups):
    """The text of an SVG; groups: [(name, [(program, ratio), ...]), ...]. Programs that begin with
    "coracle" are drawn in the colour of their own."""
    rows = sum(len(bars) for _, bars in groups)
    height = TOP + rows * (BAR + GAP) + len(groups) * BETWEEN + 8
    ratios = [ratio for _, bars in groups for _, ratio in bars] + [1]
    low = math.floor(math.log2(min(ratios)))
    high = max(math.ceil(math.log2(max(ratios))), low + 1)
    scale = (WIDTH - LEFT - RIGHT) / (high - low)

    def place(ratio):
        return LEFT + scale * (math.log2(ratio) - low)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
             f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">',
             f"<style>{STYLE}</style>", _text(8, 20, title, "title"), _text(8, 38, note, "faint")]
    for step in range(low, high + 1):
        x = place(2 ** step)
        kind = "grid" if step else "floor"
        parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - 6}"/>')
        parts.append(_text(x, TOP - 6, f"{2 ** step:g}" if step else "floor", "faint", "middle"))
    y = TOP
    for name, bars in groups:
        y += BETWEEN
        parts.append(_text(8, y + BAR - 4, name, "group"))
        for program, ratio in bars:
            parts += _bar(y, program, ratio, place)
            y += BAR + GAP
    return "\n".join([*parts, "</svg>", ""])


def _bar(y, program, ratio, place):
    kind = "own" if program.startswith("coracle") else "other"
    label = f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"
    begin, end = sorted((place(1), place(ratio)))
    return [_text(LEFT - 8, y + BAR - 4, program, "", "end"),
            f'<rect class="{kind}" x="{begin:.1f}" y="{y}" width="{max(end - begin, 1):.1f}"'
            f' height="{BAR}" rx="2"><title>{escape(program)}: {label}</title></rect>',
            _text(end + 6, y + BAR - 4, label)]


def _text(x, y, text, kind="", anchor="start"):
    return (f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f"{escape(text)}</text>")
