"""The three plots of the report, each a figure with its heading, its keys and its note."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from huiyi.evaluate.markup import figure
from huiyi.evaluate.metrics import reliability_bins, risk_coverage, wilson_interval
from huiyi.evaluate.plots import BLUE, GREY, ORANGE, Axis, Bars, Dots, Line, Mark, Whiskers, chart

if TYPE_CHECKING:
    from huiyi.evaluate.evaluation import Evaluation
    from huiyi.evaluate.wording import Wording
    from huiyi.values import Array

_CURVE_POINTS = 300  # as many as the eye can tell apart
_CURVE_FROM = 0.02  # of the rows: before that, a single mistake is a peak
_SCOPE_BINS = 20


def reliability_figure(evaluation: Evaluation, words: Wording) -> str:
    """Stated probability against the share that was right, on in-scope rows.

    With several labels a row no one probability stands for all of them, so
    there is nothing to draw.
    """
    outcomes = evaluation.outcomes
    if evaluation.task.kind != "choice" or outcomes.is_oos.all():
        return ""
    bins = reliability_bins(outcomes.confidence[~outcomes.is_oos], outcomes.correct[~outcomes.is_oos])
    spans = [wilson_interval(right * rows, rows) for right, rows in zip(bins.accuracy, bins.rows, strict=True)]
    lowest = min(bins.confidence.min(), *(low for low, _ in spans))
    low = min(0.9, floor(10 * lowest) / 10)
    svg = chart(
        words.reliability_title,
        Axis(words.reliability_x, low, 1),
        Axis(words.reliability_y, low, 1),
        [
            Line([(low, low), (1, 1)], GREY, is_dashed=True),
            Whiskers([(x, *span) for x, span in zip(bins.confidence, spans, strict=True)]),
            Dots(list(zip(bins.confidence, bins.accuracy, strict=True))),
        ],
    )
    return figure(words.reliability_title, svg, [], note=words.reliability_note)


def risk_figure(evaluation: Evaluation, words: Wording) -> str:
    """The error of acting on more and more rows, the error asked for, and where the model stands."""
    outcomes, asked = evaluation.outcomes, evaluation.max_error
    # A row called out of scope is not acted on however probable its label is, so it comes last.
    surest_first = outcomes.confidence - outcomes.called_oos
    curve = risk_coverage(surest_first, outcomes.correct)
    first = np.argmax(curve.coverage >= _CURVE_FROM)
    shown = np.unique(np.linspace(first, curve.risk.size - 1, _CURVE_POINTS).astype(int))
    points = list(zip(curve.coverage[shown], curve.risk[shown], strict=True))
    marks: list[Mark] = [Line([(0, asked), (1, asked)], GREY, is_dashed=True), Line(points)]
    keys = [(BLUE, words.risk_curve), (GREY, words.risk_asked)]
    if outcomes.acted.any():
        marks.append(Dots([(evaluation.figures["act_rate"], evaluation.figures["act_error"])], ORANGE, radius=5))
        keys.append((ORANGE, words.risk_done))
    highest = max(asked, evaluation.figures.get("act_error", 0), *curve.risk[shown])
    top = min(1.0, ceil(22 * highest) / 20)  # a little room above, to a whole 5 %
    svg = chart(words.risk_title, Axis(words.risk_x, 0, 1), Axis(words.risk_y, 0, top), marks)
    return figure(words.risk_title, svg, keys, note=words.risk_note)


def scope_figure(evaluation: Evaluation, words: Wording) -> str:
    """How familiar the in-scope and the out-of-scope rows look."""
    in_scope, is_oos = evaluation.outcomes.in_scope, evaluation.outcomes.is_oos
    kinds = ((BLUE, words.in_scope, ~is_oos), (ORANGE, words.oos, is_oos))
    shown = [(colour, name, _bin_shares(in_scope[rows])) for colour, name, rows in kinds if rows.any()]
    highest = max(height for _, _, heights in shown for height in heights)
    top, level = ceil(20 * highest) / 20, evaluation.scope_level
    svg = chart(
        words.scope_title,
        Axis(words.scope_x, 0, 1),
        Axis(words.scope_y, 0, top),
        [
            Bars([(colour, heights) for colour, _, heights in shown]),
            Line([(level, 0), (level, top)], GREY, is_dashed=True),
        ],
    )
    return figure(words.scope_title, svg, [(colour, name) for colour, name, _ in shown], note=words.scope_note)


def _bin_shares(values: Array) -> list[float]:
    """The share of the values in each bin from 0 to 1."""
    counts, _ = np.histogram(values, bins=_SCOPE_BINS, range=(0, 1))
    return [float(count) / values.size for count in counts]
