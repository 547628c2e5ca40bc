"""The figures, as pure functions of arrays.

Shapes used throughout, for n rows and k labels:

    truth, said, candidates   boolean (n, k): the labels that are right, given, offered
    correct, acted, is_oos    boolean (n,)
    confidence, in_scope      floats (n,), 0 to 1

A figure that does not apply (a share of no rows, say) is ``None``, never NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from huiyi.values import Array

_Z_95 = 1.959963984540054  # a normal variable stays within ± this 95 % of the time


@dataclass(frozen=True)
class Share:
    """``hits`` of ``total`` rows, ``total`` at least 1.

    Example:
        >>> Share(hits=9, total=10).value
        0.9
    """

    hits: int
    total: int

    @property
    def value(self) -> float:
        """The share itself, 0 to 1."""
        return self.hits / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval, see ``wilson_interval``."""
        return wilson_interval(self.hits, self.total)


def wilson_interval(hits: float, total: float) -> tuple[float, float]:
    """The 95 % interval of a share, sensible near 0 and 1 and for few rows.

    Args:
        hits: Rows that count, 0 to ``total``.
        total: Rows, more than 0.

    Returns:
        The lower and the upper end, within 0 to 1.

    Example:
        >>> low, high = wilson_interval(0, 10)
        >>> round(low, 3), round(high, 3)
        (0.0, 0.278)

    Source:
        Wilson, "Probable Inference, the Law of Succession, and Statistical
        Inference", JASA 22(158), 1927.
    """
    share, shrink = hits / total, 1 + _Z_95**2 / total
    centre = (share + _Z_95**2 / (2 * total)) / shrink
    half = _Z_95 * float(np.sqrt(share * (1 - share) / total + (_Z_95 / (2 * total)) ** 2)) / shrink
    return max(0.0, centre - half), min(1.0, centre + half)


# --- which label ------------------------------------------------------------


def accuracy(truth: Array, said: Array) -> Share | None:
    """Rows whose labels are exactly right: for one label a row, the usual accuracy.

    Example:
        >>> truth, said = np.array([[1, 0], [0, 1]], bool), np.array([[1, 0], [1, 1]], bool)
        >>> accuracy(truth, said)
        Share(hits=1, total=2)

    Source:
        For several labels a row this is the "subset accuracy" of Ghamrawi and
        McCallum, "Collective Multi-label Classification", CIKM 2005.
    """
    return _share(np.all(truth == said, axis=1))


@dataclass(frozen=True, eq=False)
class LabelCounts:
    """Per label, shape (k,): rows that have it, rows that were given it, and rows where both agree."""

    true: Array
    given: Array
    right: Array

    @property
    def precision(self) -> Array:
        """Of the rows given the label, the share that has it; 0 where none was given it."""
        return _ratio(self.right, self.given)

    @property
    def recall(self) -> Array:
        """Of the rows that have the label, the share that was given it; 0 where none has it."""
        return _ratio(self.right, self.true)

    @property
    def f1(self) -> Array:
        """Harmonic mean of precision and recall; 0 where the label never occurs."""
        return _ratio(2 * self.right, self.true + self.given)


def count_labels(truth: Array, said: Array) -> LabelCounts:
    """Count each label's rows, for its precision, recall and F1.

    Example:
        >>> truth, said = np.array([[1, 0], [0, 1], [0, 1]], bool), np.array([[1, 0], [1, 0], [0, 1]], bool)
        >>> count_labels(truth, said).f1.round(2)
        array([0.67, 0.67])

    Source:
        van Rijsbergen, "Information Retrieval", 2nd ed., 1979, chapter 7.
    """
    return LabelCounts(true=truth.sum(axis=0), given=said.sum(axis=0), right=(truth & said).sum(axis=0))


def macro_f1(truth: Array, said: Array) -> float | None:
    """Mean F1 over the labels that occur in ``truth`` or in ``said``, each counting the same.

    A label that occurs in neither has no F1 and is left out of the mean.

    Example:
        >>> truth, said = np.array([[1, 0, 0], [0, 1, 0]], bool), np.array([[1, 0, 0], [1, 0, 0]], bool)
        >>> round(macro_f1(truth, said), 3)
        0.333

    Source:
        The mean of F1 scores, not the F1 of means: Opitz and Burst, "Macro F1
        and Macro F1", arXiv 1911.03347, 2019.
    """
    counts = count_labels(truth, said)
    occurs = (counts.true + counts.given) > 0
    return float(counts.f1[occurs].mean()) if occurs.any() else None


def micro_f1(truth: Array, said: Array) -> float | None:
    """F1 over all (row, label) pairs at once. With one label a row it equals the accuracy.

    Example:
        >>> truth, said = np.array([[1, 1], [0, 1]], bool), np.array([[1, 0], [0, 1]], bool)
        >>> micro_f1(truth, said)
        0.8

    Source:
        Yang, "An Evaluation of Statistical Approaches to Text Categorization",
        Information Retrieval 1, 1999.
    """
    pairs = int(truth.sum() + said.sum())
    return 2 * int((truth & said).sum()) / pairs if pairs else None


# --- how sure ---------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ReliabilityBins:
    """Rows grouped by confidence: how many, their mean confidence, and the share that was right."""

    rows: Array
    confidence: Array
    accuracy: Array


def reliability_bins(confidence: Array, correct: Array, *, bins: int = 15) -> ReliabilityBins:
    """Group rows by confidence into bins of (nearly) equal numbers of rows.

    With fewer rows than bins, each row is a bin. Rows of equal confidence share
    one value of correctness, their mean, so that their order does not matter.

    Example:
        >>> groups = reliability_bins(np.array([0.2, 0.4, 0.9, 0.9]), np.array([False, True, True, True]), bins=2)
        >>> groups.confidence.round(1), groups.accuracy
        (array([0.3, 0.9]), array([0.5, 1. ]))

    Source:
        Nguyen and O'Connor, "Posterior calibration and exploratory analysis for
        natural language processing models", EMNLP 2015.
    """
    _, ties, sizes = np.unique(confidence, return_inverse=True, return_counts=True)
    shared = (np.bincount(ties, weights=correct) / sizes)[ties]
    groups = [rows for rows in np.array_split(np.argsort(confidence, kind="stable"), bins) if rows.size]
    return ReliabilityBins(
        rows=np.array([rows.size for rows in groups]),
        confidence=np.array([confidence[rows].mean(dtype=np.float64) for rows in groups]),
        accuracy=np.array([shared[rows].mean() for rows in groups]),
    )


def expected_calibration_error(confidence: Array, correct: Array, *, bins: int = 15) -> float | None:
    """How far confidence is from the share that is right, on average over equal-mass bins.

    Args:
        confidence: Probability of the top label, shape (n,).
        correct: Whether that label is right, shape (n,).
        bins: Number of bins, each of about n / ``bins`` rows.

    Example:
        >>> expected_calibration_error(np.array([0.75, 0.75, 0.75, 0.75]), np.array([True, True, False, False]), bins=1)
        0.25

    Source:
        Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian
        Binning", AAAI 2015; bins of equal mass as in ``reliability_bins``.
    """
    if not confidence.size:
        return None
    groups = reliability_bins(confidence, correct, bins=bins)
    return float(np.average(np.abs(groups.accuracy - groups.confidence), weights=groups.rows))


def nll(probabilities: Array, truth: Array) -> float | None:
    """Mean negative log (natural) of the probability given to the right label.

    Probabilities are kept above 2.2e-16, so that one certain mistake does not
    make the mean infinite.

    Args:
        probabilities: Shape (n, k).
        truth: Boolean, shape (n, k), exactly one label a row.

    Example:
        >>> round(nll(np.array([[0.5, 0.5], [0.1, 0.9]]), np.array([[1, 0], [0, 1]], bool)), 3)
        0.399

    Source:
        Good, "Rational Decisions", Journal of the Royal Statistical Society B
        14(1), 1952.
    """
    given_to_truth = probabilities[truth].astype(np.float64)
    return float(-np.log(given_to_truth.clip(np.finfo(np.float64).eps)).mean()) if given_to_truth.size else None


# --- in scope or not --------------------------------------------------------


def oos_auroc(in_scope: Array, is_oos: Array) -> float | None:
    """How often an out-of-scope row looks stranger than an in-scope row; a tie counts half.

    Example:
        >>> oos_auroc(np.array([0.9, 0.4, 0.4, 0.1]), np.array([False, False, True, True]))
        0.875

    Source:
        Hanley and McNeil, "The meaning and use of the area under a receiver
        operating characteristic (ROC) curve", Radiology 143(1), 1982.
    """
    inside, outside = int((~is_oos).sum()), int(is_oos.sum())
    if not inside or not outside:
        return None
    _, ties, sizes = np.unique(in_scope, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[ties]  # 1 is strangest; equal values share their mean rank
    return float((ranks[~is_oos].sum() - inside * (inside + 1) / 2) / (inside * outside))


def oos_aupr(in_scope: Array, is_oos: Array) -> float | None:
    """Average precision of finding out-of-scope rows, strangest first; equal values are found together.

    Example:
        >>> round(oos_aupr(np.array([0.9, 0.4, 0.4, 0.1]), np.array([False, False, True, True])), 3)
        0.833

    Source:
        Davis and Goadrich, "The Relationship Between Precision-Recall and ROC
        Curves", ICML 2006: steps, since straight lines would flatter.
    """
    if is_oos.all() or not is_oos.any():
        return None
    _, ties, sizes = np.unique(in_scope, return_inverse=True, return_counts=True)
    found = np.bincount(ties, weights=is_oos)
    precision = np.cumsum(found) / np.cumsum(sizes)
    return float((precision * found).sum() / found.sum())


def oos_f1(called_oos: Array, is_oos: Array) -> float | None:
    """F1 of calling rows out of scope, at the operating point.

    Example:
        >>> round(oos_f1(np.array([True, True, False]), np.array([True, False, False])), 3)
        0.667

    Source:
        van Rijsbergen, "Information Retrieval", 2nd ed., 1979, chapter 7.
    """
    if is_oos.all() or not is_oos.any():
        return None
    return 2 * int((called_oos & is_oos).sum()) / int(called_oos.sum() + is_oos.sum())


def oos_recall(called_oos: Array, is_oos: Array) -> Share | None:
    """Of the out-of-scope rows, those called so, at the operating point.

    Example:
        >>> oos_recall(np.array([True, True, False]), np.array([True, False, True]))
        Share(hits=1, total=2)

    Source:
        Larson et al., "An Evaluation Dataset for Intent Classification and
        Out-of-Scope Prediction", EMNLP 2019.
    """
    return _share(called_oos[is_oos])


# --- acting -----------------------------------------------------------------


def act_rate(acted: Array) -> Share | None:
    """Of all rows, in scope or not, those acted on.

    Example:
        >>> act_rate(np.array([True, False, True, True])).value
        0.75

    Source:
        "Coverage" of El-Yaniv and Wiener, "On the Foundations of Noise-free
        Selective Classification", JMLR 11, 2010.
    """
    return _share(acted)


def act_error(acted: Array, correct: Array, is_oos: Array) -> Share | None:
    """Of all acts, the wrong ones: in scope with a wrong label, or out of scope at all.

    Example:
        >>> acted, correct = np.array([True, True, True, False]), np.array([True, False, False, False])
        >>> act_error(acted, correct, is_oos=np.array([False, False, True, True]))
        Share(hits=2, total=3)

    Source:
        "Selective risk" of El-Yaniv and Wiener, JMLR 11, 2010, where no act on
        an out-of-scope row can be right.
    """
    return _share((~correct | is_oos)[acted])


def act_error_in_scope(acted: Array, correct: Array, is_oos: Array) -> Share | None:
    """Of the acts on in-scope rows, those on a wrong label.

    Example:
        >>> acted, correct = np.array([True, True, True, False]), np.array([True, False, False, False])
        >>> act_error_in_scope(acted, correct, is_oos=np.array([False, False, True, True]))
        Share(hits=1, total=2)

    Source:
        "Selective risk" of El-Yaniv and Wiener, JMLR 11, 2010.
    """
    return _share(~correct[acted & ~is_oos])


def oos_act_rate(acted: Array, is_oos: Array) -> Share | None:
    """Of the out-of-scope rows, those acted on. Each is a mistake.

    Example:
        >>> oos_act_rate(np.array([True, True, False]), np.array([False, True, True]))
        Share(hits=1, total=2)

    Source:
        The false positive rate of Hendrycks and Gimpel, "A Baseline for
        Detecting Misclassified and Out-of-Distribution Examples in Neural
        Networks", ICLR 2017, at the operating point.
    """
    return _share(acted[is_oos])


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Points of a curve: acting on the surest share ``coverage`` of rows, the share ``risk`` of acts is wrong."""

    coverage: Array
    risk: Array


def risk_coverage(confidence: Array, correct: Array) -> RiskCoverage:
    """What acting on more rows would cost: the error among the surest rows, for every share of rows.

    Rows of equal confidence are acted on together, so there is one point for
    each distinct confidence.

    Example:
        >>> curve = risk_coverage(np.array([0.9, 0.8, 0.7, 0.7]), np.array([True, True, False, True]))
        >>> curve.coverage, curve.risk
        (array([0.25, 0.5 , 1.  ]), array([0.  , 0.  , 0.25]))

    Source:
        El-Yaniv and Wiener, "On the Foundations of Noise-free Selective
        Classification", JMLR 11, 2010.
    """
    _, ties, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(ties, weights=~correct)
    acts = np.cumsum(sizes)
    return RiskCoverage(coverage=acts / max(confidence.size, 1), risk=np.cumsum(wrong) / acts)


# --- candidate sets ---------------------------------------------------------


def set_coverage(truth: Array, candidates: Array) -> Share | None:
    """Rows whose candidate set holds the right label. An empty set is a miss.

    Example:
        >>> truth, candidates = np.array([[1, 0], [0, 1]], bool), np.array([[1, 1], [0, 0]], bool)
        >>> set_coverage(truth, candidates)
        Share(hits=1, total=2)

    Source:
        Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World",
        Springer, 2005.
    """
    return _share(np.any(truth & candidates, axis=1))


def set_size(candidates: Array) -> float | None:
    """Mean number of labels in the candidate sets, empty ones included.

    Example:
        >>> set_size(np.array([[1, 1], [0, 0], [1, 0]], bool))
        1.0

    Source:
        Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World",
        Springer, 2005.
    """
    return float(candidates.sum(axis=1).mean()) if len(candidates) else None


def _share(hits: Array) -> Share | None:
    return Share(int(hits.sum()), hits.size) if hits.size else None


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
