"""Histograms, calibration and heat maps as inline SVG; curves are in `charts`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 340, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 10, 34
_LEVELS = 20
"""Colour steps of a heat map from 0 to 1; the style sheet has a class for each."""


@dataclass(frozen=True)
class Bin:
    """One bin of a calibration chart."""

    x: float
    """0 to 1 on the axis."""
    told: str
    """Text of the bin."""
    value: float
    """Share, 0 to 1."""
    low: float | None
    high: float | None
    n: int


def _x(share: float) -> float:
    return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)


def _y(share: float) -> float:
    return round(_TOP + (1 - share) * (HEIGHT - _TOP - _BOTTOM), 1)


def _frame(body: str, caption: str, ticks: Sequence[tuple[float, str]], title: str, kind: str) -> Markup:
    labels = "".join(
        f'<text class="tick" x="{_x(share)}" y="{HEIGHT - 18}" text-anchor="middle">{escape(text)}</text>'
        for share, text in ticks
    )
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    return Markup(
        f'<svg class="chart {kind}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{_y(0)}" y2="{_y(0)}"/>{body}{labels}'
        f'<text class="tick" x="{middle}" y="{HEIGHT - 3}" text-anchor="middle">{escape(caption)}</text></svg>'
    )


def histogram(counts: Sequence[int], low: float, high: float, caption: str, title: str, kind: str) -> Markup:
    """Draw bars of equal width from `low` to `high`, the highest count at the axis. Empty when all counts are 0."""
    total, most = sum(counts), max(counts, default=0)
    if most == 0:
        return Markup("")
    width = 1 / len(counts)
    bars = []
    for place, count in enumerate(counts):
        if count == 0:
            continue
        left, right, top = _x(place * width), _x((place + 1) * width), _y(count / most)
        start = low + place * width * (high - low)
        told = f"{start:.4g} to {start + width * (high - low):.4g}: {count:,} ({count / total:.1%})"
        bars.append(
            f'<rect class="column" x="{left + 0.5:.1f}" y="{top}" width="{max(0.5, right - left - 1):.1f}" '
            f'height="{_y(0) - top:.1f}"><title>{told}</title></rect>'
        )
    top_label = f'<text class="tick" x="{_LEFT - 6}" y="{_y(1) + 4}" text-anchor="end">{most:,}</text>'
    ticks = [(share, f"{low + share * (high - low):.4g}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    return _frame("".join(bars) + top_label, caption, ticks, title, kind)


def calibration(bins: Sequence[Bin], ticks: Sequence[tuple[float, str]], caption: str, title: str, kind: str) -> Markup:
    """Draw the share right per bin with its interval and a line at one half; dot size: pairs. Empty without bins."""
    if not bins:
        return Markup("")
    parts = [
        f'<text class="tick" x="{_LEFT - 6}" y="{_y(share) + 4}" text-anchor="end">{share:.0%}</text>'
        for share in (0.0, 0.5, 1.0)
    ]
    parts.append(f'<line class="chance" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{_y(0.5)}" y2="{_y(0.5)}"/>')
    parts.append(f'<polyline class="line" points="{" ".join(f"{_x(item.x)},{_y(item.value)}" for item in bins)}"/>')
    most = max(item.n for item in bins)
    for item in bins:
        interval = ""
        if item.low is not None and item.high is not None:
            interval = f" ({item.low:.1%} to {item.high:.1%})"
            parts.append(
                f'<line class="whisker" x1="{_x(item.x)}" x2="{_x(item.x)}" y1="{_y(item.low)}" y2="{_y(item.high)}"/>'
            )
        radius = 2 + 4 * (item.n / most) ** 0.5
        parts.append(
            f'<circle class="dot" cx="{_x(item.x)}" cy="{_y(item.value)}" r="{radius:.1f}">'
            f"<title>{escape(item.told)}: {item.value:.1%}{interval}, n = {item.n:,}</title></circle>"
        )
    return _frame("".join(parts), caption, ticks, title, kind)


def heat_class(value: float) -> str:
    """Return the style sheet's class for a share, 0 to 1."""
    return f"h{round(min(1.0, max(0.0, value)) * _LEVELS)}"


def heat_map(
    rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]], title: str
) -> Markup:
    """Draw rows x columns of shares, 0 to 1, as coloured cells with the figure on hover; None is white."""
    left, top, cell, width = 122, 4, 17, 640
    step = min(26.0, (width - left) / max(1, len(columns)))
    parts = []
    for line, name in enumerate(rows):
        y = top + line * cell
        parts.append(f'<text class="tick" x="{left - 6}" y="{y + 12}" text-anchor="end">{escape(name)}</text>')
        for place, column in enumerate(columns):
            value = values[line][place]
            if value is not None:
                parts.append(
                    f'<rect class="{heat_class(value)}" x="{left + place * step:.1f}" y="{y}" width="{step - 0.6:.1f}" '
                    f'height="{cell - 1}"><title>{escape(name)}, {escape(column)}: {value:.1%}</title></rect>'
                )
    bottom = top + len(rows) * cell
    every = max(1, round(40 / step))
    parts += [
        f'<text class="tick" x="{left + (place + 0.5) * step:.1f}" y="{bottom + 13}" text-anchor="middle">'
        f"{escape(column)}</text>"
        for place, column in enumerate(columns)
        if place % every == 0 and (place == 0 or place + every / 2 < len(columns))
    ]
    used = max(left + step * len(columns), 240)
    return Markup(
        f'<svg class="heatmap" viewBox="0 0 {used:.0f} {bottom + 18}" style="max-width: {used:.0f}px" '
        f'role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )
