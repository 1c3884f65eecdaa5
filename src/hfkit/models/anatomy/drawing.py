"""A model drawn: a box a layer, from the input at the top to what it gives, and a line wherever one reads another."""

from collections import defaultdict
from html import escape

from hfkit.models.anatomy.layers import Layer, Summary

BOX, HEIGHT = 264, 40  # pixels of a box
LETTERS = 36  # that fit a box
GAP, DOWN = 26, 28  # between boxes of a rank, and between ranks

STYLE = """
svg { font: 12px system-ui, sans-serif; background: #fff }
rect { fill: #eef3fb; stroke: #8aa4c8 }
rect.weights { fill: #dbe8ff; stroke: #35609c }
circle { fill: #fff; stroke: #777 }
path { fill: none; stroke: #999 }
.kind { font-weight: 600 }
.note { fill: #555 }
@media (prefers-color-scheme: dark) {
  svg { background: #16181c }
  text { fill: #e8e8e8 }
  rect { fill: #23282f; stroke: #55637a }
  rect.weights { fill: #22344f; stroke: #7da7e8 }
  circle { fill: #16181c; stroke: #aaa }
  .note { fill: #aaa }
}
"""


def drawing_of(summary: Summary) -> str:
    """An SVG that stands alone. Layers stand on the rank of their longest way from the input; those with weights are
    darker; circles are where ways meet outside a layer."""
    layers = {layer.name: layer for layer in summary.layers}
    ranks = _ranks(list(layers), summary.edges)
    rows = defaultdict(list)
    for name in ranks:
        rows[ranks[name]].append(name)
    width = max(len(row) for row in rows.values()) * (BOX + GAP) + 2 * GAP
    places = {
        name: (width / 2 + (place - (len(row) - 1) / 2) * (BOX + GAP), GAP + rank * (HEIGHT + DOWN))
        for rank, row in rows.items()
        for place, name in enumerate(row)
    }
    height = 2 * GAP + len(rows) * (HEIGHT + DOWN)
    lines = [_line(places[before], places[after], ranks[after] - ranks[before]) for before, after in summary.edges]
    boxes = [_box(layers[name], *place) if name in layers else _circle(name, *place) for name, place in places.items()]
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="the layers of a model">'
    return "\n".join([opening, f"<style>{STYLE}</style>", *lines, *boxes, "</svg>", ""])


def _ranks(layers: list[str], edges: list[tuple[str, str]]) -> dict[str, int]:
    """Every layer's and junction's rank: one below the lowest that it reads."""
    before = defaultdict(list)
    for source, name in edges:
        before[name].append(source)
    ranks: dict[str, int] = {}
    begun: set[str] = set()  # also what waits: met again it closes a ring, as a layer that runs twice makes one
    waiting = [*layers, *(after for _, after in edges)][::-1]
    while waiting:
        name = waiting[-1]
        missing = [] if name in begun else [one for one in before[name] if one not in begun]
        begun.add(name)
        waiting += missing
        if not missing:
            ranks.setdefault(name, max((ranks[one] for one in before[name] if one in ranks), default=-1) + 1)
            waiting.pop()
    return ranks


def _line(start: tuple[float, float], end: tuple[float, float], ranks: int) -> str:
    """From below one box to above another. Past boxes between them it keeps to its own column, or goes around them."""
    (x1, y1), (x2, y2) = (start[0], start[1] + HEIGHT), end
    bow = 0.0 if ranks == 1 or x1 != x2 else (BOX / 2 + GAP / 2) / 0.75  # a curve reaches three quarters of the way
    bend = DOWN if ranks == 1 else (y2 - y1) / 3 if bow else y2 - y1
    return (
        f'<path d="M{x1:.0f} {y1:.0f} C{x1 - bow:.0f} {y1 + bend:.0f} {x2 - bow:.0f} {y2 - min(bend, 2 * HEIGHT):.0f}'
        f' {x2:.0f} {y2:.0f}"/>'
    )


def _box(layer: Layer, x: float, y: float) -> str:
    size = " × ".join(f"{side:,}" for side in layer.shape) or "–"
    held = f" · {layer.parameters:,} parameters" if layer.parameters else ""
    weights = ' class="weights"' if layer.parameters else ""
    name = layer.name[-max(8, LETTERS - len(layer.kind)) :]
    return (
        f'<rect x="{x - BOX / 2:.0f}" y="{y:.0f}" width="{BOX}" height="{HEIGHT}" rx="5"{weights}/>'
        f'<text x="{x:.0f}" y="{y + 16:.0f}" text-anchor="middle"><tspan class="kind">{escape(layer.kind)}</tspan>'
        f' {escape(name)}</text><text x="{x:.0f}" y="{y + 32:.0f}" text-anchor="middle" class="note">'
        f"{size}{held}<title>{escape(layer.name)}</title></text>"
    )


def _circle(name: str, x: float, y: float) -> str:
    operation = name.rsplit(" ", 1)[0]
    sign = {"Add": "+", "Mul": "×", "Sub": "-", "Div": "÷", "Bmm": "×", "Cat": "join"}.get(operation, operation)
    middle = y + HEIGHT / 2
    return (
        f'<path d="M{x:.0f} {y:.0f} V{y + HEIGHT:.0f}"/><circle cx="{x:.0f}" cy="{middle:.0f}" r="13"/>'
        f'<text x="{x:.0f}" y="{middle + 4:.0f}" text-anchor="middle">{escape(sign)}</text>'
    )
