"""Small charts as inline SVG. Colours come from the page's style sheet, which has a light and a dark mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log2

from markupsafe import Markup

WIDTH, HEIGHT = 340, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 16, 14, 36


@dataclass(frozen=True)
class Point:
    """A figure at a training step."""

    step: int
    value: float
    """A share, 0 to 1, or a correlation, -1 to 1."""
    low: float | None
    high: float | None


def floor_of(points: Sequence[Point]) -> float:
    """Return the start of the vertical axis: a round tenth below all points, at most 0.4."""
    lowest = min((point.value if point.low is None else point.low for point in points), default=0.4)
    return max(0.0, min(0.4, int(lowest * 10) / 10))


@dataclass(frozen=True)
class Height:
    """The vertical axis of a curve; it ends at 1."""

    bottom: float
    chance: float | None = 0.5
    """Value of the line for a random judge."""
    is_share: bool = True
    """Shown in per cent; otherwise unchanged."""

    def tell(self, value: float, digits: int = 1) -> str:
        """Return a figure as text."""
        return f"{value:.{digits}%}" if self.is_share else f"{value:.{digits + 1}f}"


def height_of(points: Sequence[Point], chance: float | None, is_share: bool) -> Height:
    """Return the axis for all these points; for a correlation it begins at 0, or a fifth below all negative values."""
    if is_share:
        return Height(floor_of(points), chance)
    lowest = min((point.value if point.low is None else point.low for point in points), default=0.0)
    return Height(min(0.0, floor(lowest * 5) / 5), chance, is_share)


@dataclass(frozen=True)
class Axis:
    """The horizontal axis of a curve."""

    place: Callable[[int], float]
    """Maps a step to a share of the width, 0 to 1."""
    label: Callable[[int], str]
    caption: str


def learning_curve(points: Sequence[Point], extra: Point | None, height: Height, title: str, kind: str) -> Markup:
    """Draw a figure over training steps with its confidence band; `extra` is drawn as a ring. Empty without points.

    `kind` is the CSS class with the colour.
    """
    last = max((point.step for point in points), default=0)
    axis = Axis(lambda step: step / last if last else 0.5, lambda step: str(step) if step else "base", "training step")
    return curve(points, extra, height, title, kind, axis)


def k_curve(points: Sequence[Point], bottom: float, title: str, kind: str) -> Markup:
    """Draw accuracy over the number of passes (`Point.step`, 1 or more), on a log axis. Empty without points."""
    last = max((point.step for point in points), default=1)
    axis = Axis(lambda step: log2(step) / log2(last) if last > 1 else 0.5, str, "passes averaged, K")
    return curve(points, None, Height(bottom), title, kind, axis)


def curve(points: Sequence[Point], extra: Point | None, height: Height, title: str, kind: str, axis: Axis) -> Markup:
    """Draw a curve, see `learning_curve`."""
    if not points:
        return Markup("")

    def x(step: int) -> float:
        return round(_LEFT + axis.place(step) * (WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        return round(_TOP + (1 - value) / (1 - height.bottom) * (HEIGHT - _TOP - _BOTTOM), 1)

    parts = [_grid(height, y), _steps([point.step for point in points], x, axis)]
    banded = [(point.step, point.low, point.high) for point in points]
    above = [f"{x(step)},{y(high)}" for step, _, high in banded if high is not None]
    below = [f"{x(step)},{y(low)}" for step, low, _ in reversed(banded) if low is not None]
    if len(above) > 1:
        parts.append(f'<polygon class="band" points="{" ".join([*above, *below])}"/>')
    parts.append(f'<polyline class="line" points="{" ".join(f"{x(p.step)},{y(p.value)}" for p in points)}"/>')
    radius = 4.0 if len(points) <= 16 else 2.2
    for point in points:
        if len(above) == 1 and point.low is not None and point.high is not None:
            parts.append(_whisker(x(point.step), y(point.low), y(point.high)))
        parts.append(_dot(x(point.step), y(point.value), "dot", _told(point, axis, height), radius))
    if extra is not None:
        parts.append(_dot(x(extra.step), y(extra.value), "ring", _told(extra, axis, height), 4.0))
    return Markup(
        f'<svg class="chart {kind}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{_plain(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _grid(height: Height, y: Callable[[float], float]) -> str:
    parts = []
    for tenth in range(round(height.bottom * 10), 11, 2 if height.bottom < 0.35 else 1):
        value = tenth / 10
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(value)}" y2="{y(value)}"/>')
        parts.append(
            f'<text class="tick" x="{_LEFT - 6}" y="{y(value) + 4}" text-anchor="end">{height.tell(value, 0)}</text>'
        )
    if height.chance is not None:
        level = y(height.chance)
        parts.append(f'<line class="chance" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{level}" y2="{level}"/>')
    return "".join(parts)


def _steps(steps: Sequence[int], x: Callable[[int], float], axis: Axis) -> str:
    """Draw labels below the axis, as many as fit side by side."""
    shown: list[int] = []
    for step in sorted(steps, reverse=True):
        if not shown or x(shown[-1]) - x(step) >= 34:
            shown.append(step)
    ticks = [
        f'<text class="tick" x="{x(step)}" y="{HEIGHT - 18}" text-anchor="middle">{_plain(axis.label(step))}</text>'
        for step in shown
    ]
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    caption = f'<text class="tick" x="{middle}" y="{HEIGHT - 3}" text-anchor="middle">{_plain(axis.caption)}</text>'
    return "".join(ticks) + caption


def _dot(x: float, y: float, kind: str, told: str, radius: float) -> str:
    return f'<circle class="{kind}" cx="{x}" cy="{y}" r="{radius:g}"><title>{told}</title></circle>'


def _whisker(x: float, low: float, high: float) -> str:
    return f'<line class="whisker" x1="{x}" x2="{x}" y1="{low}" y2="{high}"/>'


def _told(point: Point, axis: Axis, height: Height) -> str:
    ends = (point.low, point.high)
    interval = "" if None in ends else f" ({' to '.join(height.tell(end) for end in ends if end is not None)})"
    return f"{_plain(axis.caption)} {_plain(axis.label(point.step))}: {height.tell(point.value)}{interval}"


def _plain(text: str) -> str:
    return str(Markup.escape(text))


def strip(value: float | None, low: float | None, high: float | None, kind: str) -> Markup:
    """Draw a figure with its interval on a line from 0 to 1, with a mark at one half. Empty without a value."""
    if value is None:
        return Markup("")
    bar = ""
    if low is not None and high is not None:
        width = max(1.0, (high - low) * 100)
        bar = f'<rect class="range" x="{low * 100:.1f}" y="3" width="{width:.1f}" height="6" rx="3"/>'
    return Markup(
        f'<svg class="strip {kind}" viewBox="-3 0 106 12" aria-hidden="true"><line class="grid" x1="0" x2="100" y1="6" '
        f'y2="6"/><line class="chance" x1="50" x2="50" y1="1" y2="11"/>{bar}'
        f'<circle class="dot" cx="{value * 100:.1f}" cy="6" r="3.2"/></svg>'
    )
