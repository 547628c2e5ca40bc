"""Overlap: whether rows that are alike got either action. Where they did not, nothing can be compared.

Source:
    Crump, Hotz, Imbens and Mitnik, "Dealing with Limited Overlap in Estimation of Average Treatment Effects",
    Biometrika 96(1), 2009 (leaving rows out). Ju, Schwab and van der Laan, "On Adaptive Propensity Score Truncation in
    Causal Inference", Statistical Methods in Medical Research 28(6), 2019 (the least propensity by the number of rows).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.checks import FEWEST_OF_AN_ACTION
from huiyi.cause.log import Categories, Column, Log, Numbers
from huiyi.cause.means import effective_rows

LEAST_SHARE = 0.1
"""Fewer than this share of rows with overlap is none."""

BINS = 20

_TELLS = 0.99  # share of rows whose action a column tells, by which it tells the action apart


@dataclass(frozen=True, eq=False)
class Overlap:
    """How alike those are who got an action and those who got the one compared with.

    Attributes:
        action: What is done.
        against: What it is compared with.
        least: Rows in which either action was less probable than this are left out.
        kept: Which rows are left, of those that were asked about, shape (n,).
        edges: Ends of the bins of the propensity of ``action`` beside ``against``, shape (bins + 1,).
        got: Rows in each bin that got ``action``, shape (bins,).
        got_other: Rows in each bin that got ``against``, shape (bins,).
        effective_rows: To how many rows without weights those that are left come, of the action that has fewer.
        refused: Why nothing can be compared; "" where it can.
        notices: What was done, a sentence each.
    """

    action: str
    against: str
    least: float
    kept: NDArray[np.bool_]
    edges: Numbers
    got: NDArray[np.intp]
    got_other: NDArray[np.intp]
    effective_rows: float
    refused: str = ""
    notices: tuple[str, ...] = ()


def overlap(
    log: Log,
    propensities: Numbers,
    *,
    action: str,
    against: str,
    adjust: tuple[str, ...],
    estimand: str = "ATE",
) -> Overlap:
    """Show overlap, and leave out the rows that have none.

    Args:
        log: n rows.
        propensities: Of each action of the log, shape (n, k).
        action: What is done.
        against: What it is compared with.
        adjust: The columns that are held equal, to name one that tells the actions apart.
        estimand: For ``ATE`` both actions must be possible in a row, for ``ATT`` the one compared with.

    Example:
        >>> log = Log("log.csv", "reply", Categories(("mail", "call"), np.tile([0, 1], 50)), {})
        >>> found = overlap(log, np.full((100, 2), 0.5), action="call", against="mail", adjust=())
        >>> int(found.kept.sum()), found.effective_rows, found.refused
        (100, 50.0, '')
    """
    assert isinstance(log.actions, Categories), "doses have no propensities"
    got, other = log.actions.are(action), log.actions.are(against)
    of_action = propensities[:, log.actions.names.index(action)]
    of_other = propensities[:, log.actions.names.index(against)]
    pair = got | other
    least = least_propensity(int(pair.sum()))
    kept = of_other >= least
    if estimand == "ATE":
        kept &= of_action >= least
    beside = of_action / (of_action + of_other)
    edges = np.linspace(0, 1, BINS + 1)
    effective = min(
        effective_rows(1 / of_action[got & kept]) if estimand == "ATE" else float((got & kept).sum()),
        effective_rows((1 if estimand == "ATE" else of_action[other & kept]) / of_other[other & kept]),
    )
    asked = np.ones(len(log), dtype=bool) if estimand == "ATE" else got
    share = float(kept[asked].mean()) if asked.any() else 0.0
    fewest = min(int((got & kept).sum()), int((other & kept).sum()))
    refused, notices = _told_apart(log, action, against, adjust), []
    if not refused and (share < LEAST_SHARE or fewest < FEWEST_OF_AN_ACTION):
        refused = (
            f"There is no overlap: in {1 - share:.0%} of rows either {action!r} or {against!r} was almost certain "
            "given what is held equal. Let both be chosen at random in some decisions, or hold fewer columns equal."
        )
    if not refused and share < 1:
        gone = int((asked & ~kept).sum())
        notices.append(
            f"{gone:,} of {int(asked.sum()):,} rows were left out: either {action!r} or {against!r} was almost "
            f"certain there (the other's probability is below {least:.2g}), so nothing shows what it would have done."
        )
    return Overlap(
        action,
        against,
        least,
        kept,
        edges,
        np.histogram(beside[got], edges)[0].astype(np.intp),
        np.histogram(beside[other], edges)[0].astype(np.intp),
        effective,
        refused,
        tuple(notices),
    )


def least_propensity(n: int) -> float:
    """The least propensity, among n rows, of an action that can be compared: 5 / (√n ln n), at most 0.1.

    Example:
        >>> round(least_propensity(1_000), 3), round(least_propensity(100_000), 4)
        (0.023, 0.0014)
    """
    return min(0.1, 5 / (math.sqrt(n) * math.log(max(n, 3))))


def _told_apart(log: Log, action: str, against: str, adjust: tuple[str, ...]) -> str:
    """Names a column that tells two actions apart; "" where none does."""
    assert isinstance(log.actions, Categories), "doses have no propensities"
    got = log.actions.are(action)
    pair = got | log.actions.are(against)
    for name in adjust:
        column = log.context[name]
        some = column.rows(pair) if isinstance(column, Categories) else column[pair]
        if tells_apart(some, got[pair]) >= _TELLS:
            return (
                f"{name!r} tells apart who got {action!r} and who got {against!r}, so no two rows that are alike got "
                f"different actions. If {name!r} is no cause of the outcome, or follows the action, leave it out; "
                "else log decisions in which the action varies among rows that are alike in it."
            )
    return ""


def tells_apart(column: Column, got: NDArray[np.bool_]) -> float:
    """The share of rows whose action a column tells, beyond what guessing the more frequent action tells, 0 to 1.

    Example:
        >>> tells_apart(np.array([1.0, 2.0, 7.0, 8.0]), np.array([False, False, True, True]))
        1.0
        >>> tells_apart(Categories.of(["a", "b"] * 6), np.arange(12) < 6)
        0.0
    """
    if not isinstance(column, Categories) and column.ndim > 1:
        return 0.0
    if isinstance(column, Categories):
        codes = column.codes + 1
        if np.count_nonzero(np.bincount(codes)) > len(codes) / 5:
            return 0.0
        yes = np.bincount(codes[got], minlength=int(codes.max()) + 1)
        right = float(np.maximum(yes, np.bincount(codes) - yes).sum())
    else:
        order = np.argsort(column, kind="stable")  # what is missing comes last
        ends = np.flatnonzero(np.append(np.diff(column[order]) != 0, True))
        so_far = np.cumsum(got[order])[ends]
        below = ends + 1 - so_far + (got.sum() - so_far)  # right if all above an end got it, and none below
        right = float(np.maximum(below, len(got) - below).max())
    guess = float(max(got.sum(), (~got).sum()))
    return (right - guess) / (len(got) - guess) if guess < len(got) else 1.0
