"""Plots as inline SVG: two axes, and marks (lines, dots, whiskers, bars) between them.

All numbers are shares and shown in percent. Colours can be read on light and
on dark paper; a page may set its own through the CSS variables.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

BLUE, ORANGE = "var(--blue, #2f6fde)", "var(--orange, #d0690b)"
GREY = "var(--soft, #7b8290)"

_WIDTH, _HEIGHT = 420, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 20, 34, 46  # room around the marks for the axes' numbers and names


@dataclass(frozen=True)
class Axis:
    """One axis: its name and its ends, ``low`` below ``high``."""

    name: str
    low: float
    high: float

    def place(self, value: float) -> float:
        """Where a value lies between the ends, 0 to 1."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Frame:
    """The two axes, laid out on the drawing."""

    x: Axis
    y: Axis

    def left(self, value: float) -> float:
        """Pixels from the left edge."""
        return round(_LEFT + self.x.place(value) * (_WIDTH - _LEFT - _RIGHT), 1)

    def top(self, value: float) -> float:
        """Pixels from the top edge."""
        return round(_HEIGHT - _BOTTOM - self.y.place(value) * (_HEIGHT - _TOP - _BOTTOM), 1)


class Mark(Protocol):
    """Something drawn between the axes."""

    def svg(self, frame: Frame) -> str:
        """The mark as SVG elements."""
        ...


@dataclass(frozen=True)
class Line:
    """Points (x, y) joined in order."""

    points: Sequence[tuple[float, float]]
    colour: str = BLUE
    is_dashed: bool = False

    def svg(self, frame: Frame) -> str:
        """One polyline."""
        points = " ".join(f"{frame.left(x)},{frame.top(y)}" for x, y in self.points)
        dashes = ' stroke-dasharray="5 4"' if self.is_dashed else ""
        return f'<polyline points="{points}" fill="none" stroke-width="1.8"{dashes} style="stroke:{self.colour}"/>'


@dataclass(frozen=True)
class Dots:
    """Points (x, y), each with its numbers to be read when pointed at."""

    points: Sequence[tuple[float, float]]
    colour: str = BLUE
    radius: float = 3.5

    def svg(self, frame: Frame) -> str:
        """One circle a point."""
        return "".join(
            f'<circle cx="{frame.left(x)}" cy="{frame.top(y)}" r="{self.radius}" style="fill:{self.colour}">'
            f"<title>{x:.1%}, {y:.1%}</title></circle>"
            for x, y in self.points
        )


@dataclass(frozen=True)
class Whiskers:
    """Upright strokes (x, low, high) that show how far a dot may be off."""

    strokes: Sequence[tuple[float, float, float]]
    colour: str = BLUE

    def svg(self, frame: Frame) -> str:
        """One line a stroke."""
        return "".join(
            f'<line x1="{frame.left(x)}" x2="{frame.left(x)}" y1="{frame.top(low)}" y2="{frame.top(high)}" '
            f'stroke-width="1.2" stroke-opacity="0.5" style="stroke:{self.colour}"/>'
            for x, low, high in self.strokes
        )


@dataclass(frozen=True)
class Bars:
    """One or more histograms (colour, heights) over the same bins, side by side. The bins divide the x axis evenly."""

    histograms: Sequence[tuple[str, Sequence[float]]]

    def svg(self, frame: Frame) -> str:
        """One rectangle a bar; those of height 0 have none."""
        return "".join(
            self._bar(frame, j, i, height)
            for j, (_, heights) in enumerate(self.histograms)
            for i, height in enumerate(heights)
            if height > 0
        )

    def _bar(self, frame: Frame, j: int, i: int, height: float) -> str:
        colour, heights = self.histograms[j]
        bin_width = (_WIDTH - _LEFT - _RIGHT) / len(heights)
        width = 0.86 * bin_width / len(self.histograms)
        left, top = _LEFT + i * bin_width + 0.07 * bin_width + j * width, frame.top(height)
        return (
            f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{frame.top(frame.y.low) - top:.1f}" '
            f'style="fill:{colour}"><title>{height:.1%}</title></rect>'
        )


def chart(title: str, x: Axis, y: Axis, marks: Sequence[Mark]) -> str:
    """Draw marks between two axes.

    Args:
        title: Read out to those who cannot see the plot.
        x: The axis along the bottom.
        y: The axis on the left.
        marks: Drawn in order, the last on top.

    Returns:
        An ``<svg>`` element to be put into a page, as wide as its place.

    Example:
        >>> axis = Axis("share", 0, 1)
        >>> svg = chart("A diagonal", axis, axis, [Line([(0, 0), (1, 1)]), Dots([(0.5, 0.5)])])
        >>> svg[:4], "<title>A diagonal</title>" in svg, svg.count("<polyline"), svg.count("<circle")
        ('<svg', True, 1, 1)
    """
    frame = Frame(x, y)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-size="12" fill="currentColor">'
        f"<title>{escape(title)}</title>{_axes(frame)}{''.join(mark.svg(frame) for mark in marks)}</svg>"
    )


def ticks(low: float, high: float) -> list[float]:
    """About five round numbers from ``low`` to ``high``.

    Example:
        >>> ticks(0, 1)
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        >>> ticks(0.85, 1)
        [0.85, 0.9, 0.95, 1.0]
    """
    step = _step(low, high)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _step(low: float, high: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that needs at most five steps."""
    fifth = (high - low) / 5
    power = float(10 ** floor(log10(fifth)))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= fifth * (1 - 1e-9))


def _axes(frame: Frame) -> str:
    """Names, numbers, and a thin line at each number on the left."""
    left, right, bottom = _LEFT, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [
        f'<text x="4" y="14" style="fill:{GREY}">{escape(frame.y.name)}</text>',
        f'<text x="{(left + right) / 2}" y="{_HEIGHT - 6}" text-anchor="middle" '
        f'style="fill:{GREY}">{escape(frame.x.name)}</text>',
    ]
    for value, text in _numbers(frame.y):
        y = frame.top(value)
        parts.append(
            f'<line x1="{left}" x2="{right}" y1="{y}" y2="{y}" stroke="currentColor" stroke-opacity="0.14"/>'
            f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{text}</text>'
        )
    for value, text in _numbers(frame.x):
        parts.append(f'<text x="{frame.left(value)}" y="{bottom + 17}" text-anchor="middle">{text}</text>')
    return "".join(parts)


def _numbers(axis: Axis) -> list[tuple[float, str]]:
    """The round numbers of an axis, in percent with as many decimals as their step needs."""
    decimals = max(0, ceil(round(-log10(100 * _step(axis.low, axis.high)), 6)))
    return [(value, f"{value:.{decimals}%}") for value in ticks(axis.low, axis.high)]
