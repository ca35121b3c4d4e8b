"""Plots of a report as inline SVG; colours by CSS class, so that they follow light and dark and print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ftgui.base.formatting import plural
from ftgui.data.metrics import Bin, Counts

Point = tuple[float, float]

_WIDTH, _HEIGHT = 560, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 34, 30


@dataclass(frozen=True)
class Line:
    """One curve; NaN leaves a gap out."""

    kind: str
    """CSS class: ``"train"``, ``"faint"`` or ``"val"``."""
    points: Sequence[Point]


def line_chart(
    name: str, lines: Sequence[Line], marks: Sequence[tuple[str, float, str]] = (), share: bool = False
) -> str:
    """Curves over steps.

    Args:
        name: for screen readers.
        lines: behind each other, the last on top.
        marks: ``"phase"`` or ``"steering"``, step, text.
        share: values lie between 0 and 1.
    """
    points = [point for line in lines for point in line.points if math.isfinite(point[1])]
    if not points:
        return ""
    right = max(1.0, *(x for x, _ in points))
    low, high = min(y for _, y in points), max(y for _, y in points)
    if share:
        low, high = max(low - 0.05, 0.0), 1.0
    ticks = _ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])

    def place(x: float, y: float) -> Point:
        return (
            _LEFT + x / right * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - (y - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM),
        )

    parts = [_grid(ticks, [t for t in _ticks(0, right) if t <= right], place, share)]
    parts += [_mark(kind, place(step, low)[0], text, row) for row, (kind, step, text) in enumerate(marks)]
    for line in lines:
        at = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in line.points if math.isfinite(y))
        parts.append(f'<polyline class="line {line.kind}" points="{at}"/>')
        if line.kind == "val":
            dots = (place(x, y) for x, y in line.points if math.isfinite(y))
            parts += ['<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="2.5"/>'.format(*dot) for dot in dots]
    return _svg(name, _WIDTH, _HEIGHT, parts)


def _grid(ticks_y: list[float], ticks_x: list[float], place, share: bool) -> str:  # type: ignore[no-untyped-def]
    parts = []
    for tick in ticks_y:
        _, y = place(0, tick)
        text = f"{tick:.0%}" if share else f"{tick:g}"
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    for tick in ticks_x:
        x, _ = place(tick, ticks_y[0])
        parts.append(f'<text class="tick" x="{x:.1f}" y="{_HEIGHT - 10}" text-anchor="middle">{tick:,g}</text>')
    return "".join(parts)


def _mark(kind: str, x: float, text: str, row: int) -> str:
    """Phases have their names at the top; of steering, which may be frequent, a number that the list below explains."""
    words = escape(text if kind == "phase" else str(row + 1))
    y = 14 if kind == "phase" else _HEIGHT - _BOTTOM - 4
    anchor = "end" if x > _WIDTH * 0.8 else "start"
    shift = -3 if anchor == "end" else 3
    line = f'<line class="mark {kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{8}" y2="{_HEIGHT - _BOTTOM}"/>'
    label = f'<text class="marked" x="{x + shift:.1f}" y="{y}" text-anchor="{anchor}">{words}</text>'
    return f"<g>{line}{label}<title>{escape(text)}</title></g>"


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, about five, that reach around the range."""
    span = high - low or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]


def reliability_chart(bins: Sequence[Bin]) -> str:
    """A bar per confidence: how often the model was right; the diagonal is a perfectly calibrated model."""
    side, left, bottom, top = 240, 44, 34, 8

    def x(share: float) -> float:
        return left + share * side

    def y(share: float) -> float:
        return top + (1 - share) * side

    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<line class="grid" x1="{left}" x2="{x(1)}" y1="{y(tick)}" y2="{y(tick)}"/>')
        parts.append(f'<text class="tick" x="{left - 6}" y="{y(tick) + 4}" text-anchor="end">{tick:.0%}</text>')
        parts.append(f'<text class="tick" x="{x(tick)}" y="{y(0) + 16}" text-anchor="middle">{tick:.0%}</text>')
    for one in bins:
        if not one.count:
            continue
        width = (one.high - one.low) * side - 2
        tip = f"{plural(one.count, 'answer')}, on average {one.confidence:.1%} sure, {one.accuracy:.1%} right"
        # With few answers a bar says little, so it is paler.
        weight = min(1.0, 0.35 + one.count / 40)
        parts.append(
            f'<rect class="bar" fill-opacity="{weight:.2f}" x="{x(one.low) + 1:.1f}" y="{y(one.accuracy):.1f}" '
            f'width="{width:.1f}" height="{max(y(0) - y(one.accuracy), 1):.1f}"><title>{tip}</title></rect>'
        )
    parts.append(f'<line class="ideal" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}"/>')
    parts.append(f'<text class="tick" x="{x(0.5)}" y="{y(0) + 30}" text-anchor="middle">confidence</text>')
    return _svg("Reliability diagram: accuracy against confidence", left + side + 16, top + side + bottom, parts)


_MOST_LETTERS = 22


def confusion_chart(names: Sequence[str], confusion: Counts) -> str:
    """Rows: what it is; columns: what the model said. Numbers where there is room; every cell has a tooltip."""
    count = len(names)
    cell = 52 if count <= 8 else 30 if count <= 24 else 13 if count <= 70 else 10
    letter = {52: 12, 30: 12, 13: 9, 10: 8}[cell]
    short = [name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…" for name in names]
    room = round(max(map(len, short)) * letter * 0.58) + 12
    totals = confusion.sum(1)
    parts = []
    for row in range(count):
        y = room + row * cell
        title = f"<title>{escape(names[row])}</title>"
        parts.append(
            f'<text class="name" font-size="{letter}" x="{room - 6}" y="{y + cell / 2 + letter * 0.35:.1f}" '
            f'text-anchor="end">{escape(short[row])}{title}</text>'
        )
        x = room + row * cell + cell / 2 + letter * 0.35
        parts.append(
            f'<text class="name" font-size="{letter}" transform="translate({x:.1f},{room - 6}) rotate(-90)">'
            f"{escape(short[row])}{title}</text>"
        )
        for column in confusion[row].nonzero()[0].tolist():
            here = int(confusion[row, column])
            parts.append(_cell(names, row, column, here, here / int(totals[row]), room, cell))
    side = room + count * cell
    outline = f'<rect class="outline" x="{room}" y="{room}" width="{count * cell}" height="{count * cell}"/>'
    return _svg(
        "Confusion matrix: rows are true classes, columns the model's answers", side + 2, side + 2, [outline, *parts]
    )


def _cell(names: Sequence[str], row: int, column: int, here: int, share: float, room: int, cell: int) -> str:
    kind = "right" if row == column else "wrong"
    x, y = room + column * cell, room + row * cell
    tip = escape(f"{names[row]} → {names[column]}: {here:,} ({share:.0%})")
    number = ""
    if cell > 13:
        size = 14 if cell > 40 else 10
        tone = "on" if share > 0.55 else "off"
        number = (
            f'<text class="number {tone}" font-size="{size}" x="{x + cell / 2:.1f}" y="{y + cell / 2 + size * 0.36:.1f}" '
            f'text-anchor="middle">{here}</text>'
        )
    box = (
        f'<rect class="{kind}" fill-opacity="{0.12 + 0.88 * share:.2f}" x="{x + 1}" y="{y + 1}" '
        f'width="{cell - 2}" height="{cell - 2}" rx="{min(cell // 10, 4)}"/>'
    )
    return f"<g>{box}{number}<title>{tip}</title></g>"


def _svg(name: str, width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg role="img" aria-label="{escape(name)}" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}">{"".join(parts)}</svg>'
    )
