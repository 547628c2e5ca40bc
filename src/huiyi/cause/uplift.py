"""Whether rows with a larger predicted effect have a larger one: Qini curve, Qini coefficient, AUUC, and by parts.

Rows are sorted by what the action is predicted to do for them, the largest first. Among the share φ that comes first,
R₁ and R₀ are the sums of the outcome of those who got the action and those who got the other one, N₁ and N₀ how many
they are, and N their number in the whole log:

    Qini curve          Q(φ) = (R₁(φ) − R₀(φ) N₁(φ) / N₀(φ)) / N₁(1)
    Qini coefficient    ∫ Q(φ) − φ Q(1) dφ
    uplift curve        U(φ) = φ (R₁(φ) / N₁(φ) − R₀(φ) / N₀(φ))
    AUUC                ∫ U(φ) dφ

All are in the outcome's unit for each row of the log: Q(φ) is what is gained if the action is given to the share φ
alone. Rows in random order have the straight line φ Q(1), so a Qini coefficient of 0. Where actions were not drawn at
random alike for all, each row counts 1 / propensity. Rows with the same prediction come at once.

Source:
    Radcliffe, "Using Control Groups to Target on Predicted Lift", Direct Marketing Analytics Journal 1, 2007 (Qini;
    there it is divided by that of the best possible order, which is not known here); Gutierrez and Gérardy, "Causal
    Inference and Uplift Modelling: A Review of the Literature", PMLR 67, 2016, section 4 (both curves; there they are
    multiplied by the number of rows).
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.log import Categories, Log, Numbers
from huiyi.errors import ColumnError, DataError
from huiyi.values import Estimate

PARTS = 10
"""Into as many parts the rows are divided, by the effect that is predicted."""

REPEATS = 100
"""Of the bootstrap."""

_POINTS = 101  # of the curve, as it is told
_LEVEL = 0.95
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 420, 300, 58, 34, 20, 46


@dataclass(frozen=True)
class Part:
    """Rows with a like predicted effect.

    Attributes:
        rows: How many.
        predicted: The mean effect that is predicted for them.
        estimate: The difference of means among them; None where either action is missing.
    """

    rows: int
    predicted: float
    estimate: Estimate | None


@dataclass(frozen=True)
class Uplift:
    """What giving an action first to those with the largest predicted effect gains.

    Attributes:
        action: What is done.
        against: What it is compared with.
        outcome: What is gained.
        rows: How many rows got either action.
        shares: Of the rows that come first, from 0 to 1.
        gains: The Qini curve there.
        qini: The Qini coefficient.
        auuc: The area under the uplift curve.
        parts: The rows in ``PARTS`` of one size, those with the largest predicted effect first.
        said: In a plain sentence.
    """

    action: str
    against: str
    outcome: str
    rows: int
    shares: tuple[float, ...]
    gains: tuple[float, ...]
    qini: Estimate
    auuc: Estimate
    parts: tuple[Part, ...]
    said: str

    def svg(self) -> str:
        """The Qini curve, and the straight line of a random order, as an ``<svg>`` element."""
        return _drawn(self)


def uplift(
    log: Log,
    outcome: str,
    predicted: Numbers,
    *,
    action: str,
    against: str,
    propensities: Numbers | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Uplift:
    """Measure effects that were predicted row by row, on rows that they were not learnt from.

    Args:
        log: n rows, of actions with names.
        outcome: Of the log. Rows where it is missing are left out.
        predicted: What the action is predicted to do for each row, shape (n,).
        action: What is done.
        against: What it is compared with.
        propensities: How probable the action that was taken was, shape (n,); those of the log by default. Without
            either, actions are taken for drawn at random alike for all.
        repeats: Of the bootstrap, by unit where there are some, for the intervals of ``qini`` and ``auuc``.
        seed: Of the bootstrap.

    Raises:
        DataError: The actions are doses, or one of the two was not taken.
        ColumnError: There is no such outcome, or predictions are not one for each row.
        OptionError: There is no such action.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> mailed, young = rng.integers(0, 2, (2, 4000))
        >>> reply = Categories(("call", "mail"), mailed)
        >>> log = Log("log.csv", "reply", reply, {"bought": mailed * young + 0.1 * rng.normal(size=4000)})
        >>> found = uplift(log, "bought", young.astype(float), action="mail", against="call")
        >>> round(found.qini.value, 2), found.qini.low > 0.1, round(found.gains[50], 1), round(found.gains[-1], 1)
        (0.13, True, 0.5, 0.5)
    """
    rows = _Rows(log, outcome, predicted, action, against, propensities)
    ones = np.ones(len(rows.got))
    shares, gains, lifts = rows.curves(ones)
    qini, auuc = _areas(shares, gains, lifts)
    rng = np.random.default_rng([seed, 1])  # not the numbers by which a simulated log may have been drawn
    again = np.array([_areas(*rows.curves(rows.drawn(rng))) for _ in range(repeats)])
    points = np.linspace(0, 1, _POINTS)
    told = (_with_interval(qini, again[:, 0]), _with_interval(auuc, again[:, 1]))
    return Uplift(
        action,
        against,
        outcome,
        len(rows.got),
        tuple(points.tolist()),
        tuple(np.interp(points, shares, gains).tolist()),
        *told,
        rows.parts(),
        _said(told[0], action, outcome),
    )


class _Rows:
    """Rows that got either action, the largest predicted effect first."""

    def __init__(
        self,
        log: Log,
        outcome: str,
        predicted: Numbers,
        action: str,
        against: str,
        propensities: Numbers | None,
    ) -> None:
        ended = log.column(outcome)
        if isinstance(ended, Categories) or not isinstance(log.actions, Categories):
            raise DataError(f"{log.source}: uplift needs actions with names and an outcome of numbers")
        if predicted.shape != (len(log),) or not np.isfinite(predicted).all():
            raise ColumnError(
                f"{log.source}: predicted effects are of shape {predicted.shape}, {len(log):,} rows. "
                "Expected one number for each row"
            )
        log.check_done(action, against)
        used = np.isfinite(ended) & (log.actions.are(action) | log.actions.are(against))
        places = np.flatnonzero(used)
        places = places[np.argsort(-predicted[places], kind="stable")]
        self.predicted = predicted[places]
        self.got = log.actions.are(action)[places]
        if self.got.all() or not self.got.any():
            raise DataError(f"{log.source}: rows with {outcome!r} all got one action. Expected both")
        self.outcome = ended[places]
        chances = log.propensities if propensities is None else propensities
        self.weights = np.ones(len(places)) if chances is None else 1 / chances[places]
        self.units = None if log.units is None else np.unique(log.units.codes[places], return_inverse=True)[1]
        self.ends = np.flatnonzero(np.append(np.diff(self.predicted) != 0, True))

    def drawn(self, rng: np.random.Generator) -> Numbers:
        """How often each row is there in a sample of them, or of the units, with replacement, shape (n,)."""
        if self.units is None:
            return rng.poisson(1.0, len(self.got)).astype(float)
        return rng.poisson(1.0, int(self.units.max()) + 1)[self.units].astype(float)

    def curves(self, times: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """The share φ at the end of each prediction, Q(φ) and U(φ), each row counted so many times."""
        weights = self.weights * times
        one, other = weights * self.got, weights * ~self.got
        sums = np.stack([one, other, one * self.outcome, other * self.outcome, times])
        counted, counted_other, total, total_other, seen = np.cumsum(sums, axis=1)[:, self.ends]
        share = seen / max(float(seen[-1]), 1.0)
        mean = np.divide(total, counted, out=np.zeros_like(total), where=counted > 0)
        mean_other = np.divide(total_other, counted_other, out=np.zeros_like(total), where=counted_other > 0)
        lift = np.where((counted > 0) & (counted_other > 0), mean - mean_other, 0.0)
        gains = lift * counted / max(float(counted[-1]), 1e-12)  # R₁ − R₀ N₁ / N₀ = N₁ (mean₁ − mean₀)
        start = np.zeros(1)
        return np.append(start, share), np.append(start, gains), np.append(start, share * lift)

    def parts(self) -> tuple[Part, ...]:
        """The rows in parts of one size."""
        return tuple(self._part(places) for places in np.array_split(np.arange(len(self.got)), PARTS) if len(places))

    def _part(self, places: NDArray[np.intp]) -> Part:
        got, weights, outcome = self.got[places], self.weights[places], self.outcome[places]
        predicted = float(self.predicted[places].mean())
        if got.all() or not got.any():
            return Part(len(places), predicted, None)
        means, variance = [], 0.0
        for which in (got, ~got):
            share = weights[which] / weights[which].sum()
            mean = float(share @ outcome[which])
            means.append(mean)
            variance += float(share**2 @ (outcome[which] - mean) ** 2)
        value, error = means[0] - means[1], float(np.sqrt(variance))
        return Part(len(places), predicted, Estimate(value, value - 1.96 * error, value + 1.96 * error, error, _LEVEL))


def _areas(shares: Numbers, gains: Numbers, lifts: Numbers) -> tuple[float, float]:
    """Qini coefficient and AUUC."""
    area = float(np.trapezoid(gains, shares))
    return area - float(gains[-1]) / 2, float(np.trapezoid(lifts, shares))


def _with_interval(value: float, again: Numbers) -> Estimate:
    """A value with the quantiles of the bootstrap."""
    low, high = np.quantile(again, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Estimate(value, float(min(low, value)), float(max(high, value)), float(again.std()), _LEVEL)


def _said(qini: Estimate, action: str, outcome: str) -> str:
    shown = f"Qini {qini.value:.3g}, {qini.low:.3g} to {qini.high:.3g}"
    if qini.low > 0:
        return f"Giving {action!r} first to those with the largest predicted effect gains more {outcome!r} ({shown})."
    if qini.high < 0:
        return f"Those with the largest predicted effect of {action!r} have the smallest on {outcome!r} ({shown})."
    return f"Whether the predicted effects put the right ones first cannot be told ({shown})."


def _drawn(found: Uplift) -> str:
    """The curve, the straight line of a random order, and axes."""
    values = (*found.gains, 0.0)
    low, high = min(values), max(values)
    spread = (high - low) or 1.0
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def point(share: float, gain: float) -> str:
        x = _LEFT + share * (right - _LEFT)
        y = bottom - (gain - low) / spread * (bottom - _TOP)
        return f"{x:.1f},{y:.1f}"

    def line(points: str, style: str) -> str:
        return f'<polyline points="{points}" fill="none" stroke-width="1.8" {style}/>'

    title = f"Gain in {found.outcome} when {found.action} is given to those first for whom it is predicted to do most"
    grey = 'style="fill:var(--soft, #7b8290)"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-size="12" '
        f'fill="currentColor"><title>{escape(title)}</title>',
        f'<text x="4" y="14" {grey}>{escape(found.outcome)} gained for each row</text>',
        f'<text x="{(_LEFT + right) / 2:g}" y="{_HEIGHT - 6}" text-anchor="middle" {grey}>share of rows that get '
        f"{escape(found.action)}, largest predicted effect first</text>",
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, _ = point(share, low).split(",")
        parts.append(f'<text x="{x}" y="{bottom + 17}" text-anchor="middle">{share:.0%}</text>')
    near = (high - low) / 12  # of nought there is no room for another number
    for gain in dict.fromkeys((*(end for end in (low, high) if abs(end) > near), 0.0)):
        _, y = point(0, gain).split(",")
        parts.append(
            f'<line x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}" stroke="currentColor" stroke-opacity="0.14"/>'
            f'<text x="{_LEFT - 6}" y="{float(y) + 4:g}" text-anchor="end">{gain:.3g}</text>'
        )
    straight = f"{point(0, 0)} {point(1, found.gains[-1])}"
    curve = " ".join(point(share, gain) for share, gain in zip(found.shares, found.gains, strict=True))
    parts.append(line(straight, 'stroke-dasharray="5 4" style="stroke:var(--soft, #7b8290)"'))
    parts.append(line(curve, 'style="stroke:var(--blue, #2f6fde)"'))
    return "".join([*parts, "</svg>"])
