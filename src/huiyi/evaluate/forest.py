"""Effects as a forest plot, in inline SVG: one line each, with its interval, and the naive answer beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from huiyi.evaluate.markup import one_line
from huiyi.evaluate.plots import BLUE, GREY, ORANGE
from huiyi.values import Estimate

_WIDTH, _ROW, _TOP, _BOTTOM = 420, 40, 4, 28  # as wide as a phone, so that names and numbers can be read there
_SIDE = 26  # room beside the first and the last number
_CHARACTERS = 60  # of a name
_TICKS = 5


@dataclass(frozen=True)
class Twig:
    """One line of a forest plot.

    Attributes:
        name: What it is about.
        estimate: What was estimated; None where that could not be told.
        naive: The plain difference.
    """

    name: str
    estimate: Estimate | None
    naive: float | None = None


def forest(twigs: Sequence[Twig], title: str, *, are_shares: bool = False) -> str:
    """Draw effects below each other on one axis, with a line where there is none.

    Args:
        twigs: What to draw, from top to bottom.
        title: What it shows, for those who cannot see it.
        are_shares: Whether numbers are shares, told in points of a hundred.

    Example:
        >>> svg = forest([Twig("call", Estimate(0.08, 0.06, 0.10, 0.01), -0.04)], "what replies do")
        >>> svg.startswith("<svg"), svg.count("<circle")
        (True, 2)
    """
    ends = [end for twig in twigs if twig.estimate for end in (twig.estimate.low, twig.estimate.high)]
    ends += [twig.naive for twig in twigs if twig.naive is not None]
    bounded = [0.0, *filter(isfinite, ends)]
    low, high = min(bounded), max(bounded)
    room = (high - low or 1.0) * 0.06
    low, high = low - room, high + room
    height = _TOP + _ROW * len(twigs) + _BOTTOM

    def left(value: float) -> float:
        value = min(max(value, low), high)  # an end may be infinite
        return round(_SIDE + (value - low) / (high - low) * (_WIDTH - 2 * _SIDE), 1)

    bottom = height - _BOTTOM
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{one_line(title)}" '
        'style="width:100%;max-width:36rem" font-family="system-ui, sans-serif" font-size="12">',
    ]
    for tick in _ticks(low, high):
        told = f"{100 * tick:+,.10g}%" if are_shares else f"{tick:+,.10g}"
        parts.append(f'<text x="{left(tick)}" y="{bottom + 20}" text-anchor="middle" style="fill:{GREY}">{told}</text>')
    for place, twig in enumerate(twigs):
        above = _TOP + _ROW * place
        top = above + _ROW - 10
        parts.append(
            f'<line x1="{left(0)}" x2="{left(0)}" y1="{above + 20}" y2="{above + _ROW}" stroke-dasharray="4 4" '
            f'style="stroke:{GREY}"/>'
        )
        parts.append(
            f'<text x="0" y="{above + 14}" style="fill:currentColor">{one_line(twig.name, most=_CHARACTERS)}</text>'
        )
        if twig.naive is not None:
            parts.append(_dot(left(twig.naive), top, ORANGE, f"{twig.naive:+.4g}", 3.5))
        if twig.estimate is not None:
            estimate = twig.estimate
            parts.append(
                f'<line x1="{left(estimate.low)}" x2="{left(estimate.high)}" y1="{top}" y2="{top}" stroke-width="2" '
                f'style="stroke:{BLUE}"/>'
            )
            told = f"{estimate.value:+.4g} ({estimate.low:+.4g} … {estimate.high:+.4g})"
            parts.append(_dot(left(estimate.value), top, BLUE, told, 5))
    return "".join([*parts, "</svg>"])


def _dot(left: float, top: float, colour: str, told: str, radius: float) -> str:
    return f'<circle cx="{left}" cy="{top}" r="{radius}" style="fill:{colour}"><title>{told}</title></circle>'


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between the ends, 0 among them."""
    rough = (high - low) / _TICKS
    size = 10.0 ** len(str(int(rough))) if rough >= 1 else 1.0
    while size > rough:
        size /= 10
    step = next(size * times for times in (1, 2, 5, 10) if size * times >= rough)
    first, last = int(low / step), int(high / step)
    return [step * place for place in range(first, last + 1)]
