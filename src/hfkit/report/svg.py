"""A small kit for plots as inline SVG: no script, no font, colours from the page's stylesheet (so dark mode works)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 400, 260
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 28, 42

Points = Sequence[tuple[float, float]]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, about so many."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * min((1, 2, 2.5, 5, 10), key=lambda factor: abs(factor * power - rough))
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """A tick's label, with all digits of a round number: `1.5e6` beside `2e6`."""
    if value and (abs(value) >= 10_000 or abs(value) < 0.001):
        digits, power = f"{value:.3e}".split("e")
        return f"{float(digits):g}e{int(power)}"
    return f"{value:g}"


@dataclass
class Plot:
    """Axes with marks, 400 units wide. Data coordinates go in, an `<svg>` comes out."""

    title: str  # what a screen reader says
    x: tuple[float, float]  # (low, high) of the axes
    y: tuple[float, float]
    x_label: str = ""
    y_label: str = ""
    height: int = HEIGHT
    left: int = LEFT  # room for names left of the axis

    def __post_init__(self) -> None:
        # Ends that differ, so that a constant can be drawn.
        self.x, self.y = ((low, high) if high > low else (low - 0.5, high + 0.5) for low, high in (self.x, self.y))
        self.parts: list[Markup] = []

    def px(self, value: float) -> float:
        share = (value - self.x[0]) / (self.x[1] - self.x[0])
        return round(self.left + share * (WIDTH - self.left - RIGHT), 1)

    def py(self, value: float) -> float:
        share = (value - self.y[0]) / (self.y[1] - self.y[0])
        return round(self.height - BOTTOM - share * (self.height - TOP - BOTTOM), 1)

    def grid(self, x_ticks: Sequence[float] | None = None, y_ticks: Sequence[float] | None = None) -> "Plot":
        """Light lines at round numbers, with their labels."""
        for value in ticks(*self.y) if y_ticks is None else y_ticks:
            at = self.py(value)
            self.add('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>', self.left, WIDTH - RIGHT, at, at)
            self.text(self.left - 6, at + 4, short(value), "end")
        for value in ticks(*self.x) if x_ticks is None else x_ticks:
            self.text(self.px(value), self.height - BOTTOM + 16, short(value), "middle")
        base = self.height - BOTTOM
        self.add('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>', self.left, WIDTH - RIGHT, base, base)
        return self

    def add(self, template: str, *values: object) -> "Plot":
        """A piece of SVG; the values are escaped."""
        self.parts.append(Markup(template).format(*values))
        return self

    def text(self, x: float, y: float, content: str, anchor: str = "start", kind: str = "tick") -> "Plot":
        return self.add('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>', kind, x, y, anchor, content)

    def line(self, points: Points, kind: str = "s0") -> "Plot":
        path = " ".join(f"{self.px(x)},{self.py(y)}" for x, y in points)
        return self.add('<polyline class="line {}" points="{}"/>', kind, path)

    def dots(self, points: Points, kind: str = "s0", radius: float = 3.5) -> "Plot":
        for x, y in points:
            self.add('<circle class="dot {}" cx="{}" cy="{}" r="{}"/>', kind, self.px(x), self.py(y), radius)
        return self

    def whisker(self, x: float, low: float, high: float, kind: str = "s0") -> "Plot":
        """A vertical interval."""
        at = self.px(x)
        line = '<line class="whisker {}" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        return self.add(line, kind, at, at, self.py(low), self.py(high))

    def bar(self, x_low: float, x_high: float, y: float, kind: str = "s0") -> "Plot":
        """A bar from the bottom axis to `y`."""
        left, right, top = self.px(x_low), self.px(x_high), self.py(y)
        width, height = round(max(right - left - 1, 0.5), 1), round(self.height - BOTTOM - top, 1)
        box = '<rect class="bar {}" x="{}" y="{}" width="{}" height="{}"/>'
        return self.add(box, kind, left + 0.5, top, width, height)

    def names(self, entries: Sequence[tuple[str, str]]) -> "Plot":
        """(name, class) pairs in one line above the plot, right of the vertical axis' name."""
        x = WIDTH - RIGHT - 5.0
        for name, kind in reversed(entries):
            self.add('<circle class="dot {}" cx="{}" cy="8" r="4"/>', kind, x)
            self.text(x - 9, 12, name, "end", "key")
            x -= 30 + 6 * len(name)
        return self

    def legend(self, entries: Sequence[tuple[str, str]], on_left: bool = False) -> "Plot":
        """(name, class) pairs in a lower corner of the plot."""
        at, inwards, anchor = (self.left + 12, 9, "start") if on_left else (WIDTH - RIGHT - 8, -9, "end")
        for place, (name, kind) in enumerate(reversed(entries)):
            y = self.height - BOTTOM - 10 - 17 * place
            self.add('<circle class="dot {}" cx="{}" cy="{}" r="4"/>', kind, at, y - 4)
            self.text(at + inwards, y, name, anchor, "key")
        return self

    def svg(self) -> Markup:
        """The whole element, titled for screen readers."""
        middle = (self.left + WIDTH - RIGHT) / 2
        if self.x_label:
            self.text(middle, self.height - 6, self.x_label, "middle", "label")
        if self.y_label:
            self.text(2, 12, self.y_label, kind="label")
        opening = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, self.height, self.title)
        return opening + Markup("").join(self.parts) + Markup("</svg>")


def thin(points: Points, at_most: int = 300) -> Points:
    """Every n-th point, first and last kept: a page needs no more than a pixel each."""
    if len(points) <= at_most:
        return points
    step = math.ceil(len(points) / at_most)
    return [*points[:-1:step], points[-1]]
