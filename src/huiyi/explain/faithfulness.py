"""How far an explanation can be trusted: whether the words it names really made the decision.

With v the probability of the label, x the text and x₋ₖ the text without the k words named first,

    comprehensiveness = mean over shares q of   v(x) − v(x without the first ⌈qn⌉ words)      large is good
    sufficiency       = mean over shares q of   v(x) − v(the first ⌈qn⌉ words alone)          small is good

Both are areas over the perturbation curve (AOPC). Monotonicity is the share of
words, added back from the least named one on, after which v does not fall.

Source:
    DeYoung et al., "ERASER: A Benchmark to Evaluate Rationalized NLP Models", ACL 2020, section 4 (comprehensiveness,
    sufficiency, and their means over shares); Samek et al., "Evaluating the Visualization of What a Deep Neural Network
    Has Learned", IEEE TNNLS 28(11), 2017 (AOPC); Arya et al., "One Explanation Does Not Fit All", arXiv:1909.03012
    (monotonicity); Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018 (randomised models).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from huiyi.explain.parts import Parts
from huiyi.explanation import Faithfulness

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Of the words that are taken out, or left."""


def faithfulness(parts: Parts, order: Sequence[int], *, shares: Sequence[float] = SHARES) -> Faithfulness:
    """Measure an order of the words of a text, or of other parts of a thing.

    Args:
        parts: The parts, and the model for the label that is explained.
        order: Their places, the most important first.
        shares: Of the parts that are taken out, or left.

    Example:
        >>> from huiyi.explain.tokens import Game
        >>> from huiyi.explain.units import units_of
        >>> text = "my card was stolen"
        >>> def worth(texts):
        ...     return np.array([0.9 if "stolen" in one else 0.1 for one in texts])
        >>> good = faithfulness(Game(text, units_of(text), worth), [3, 1, 0, 2])
        >>> round(good.comprehensiveness, 6), good.sufficiency, good.monotonicity
        (0.8, 0.0, 1.0)
    """
    count = len(order)
    if not count:
        return Faithfulness(0.0, 0.0, 1.0)
    (whole,) = parts.gone([frozenset()])
    sizes = [ceil(share * count) for share in shares]
    out = [frozenset(order[:size]) for size in sizes]
    kept = [frozenset(order[size:]) for size in sizes]
    added = parts.gone([frozenset(order[:size]) for size in range(count, -1, -1)])
    return Faithfulness(
        float(np.mean(whole - parts.gone(out))),
        float(np.mean(whole - parts.gone(kept))),
        float(np.mean(np.diff(added) >= -1e-9)),
    )


def likeness(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rank correlation of two explanations of one text; 0 where either tells nothing apart.

    Example:
        >>> likeness([0.1, 0.5, 0.2], [1, 3, 2]), likeness([1, 1, 1], [1, 2, 3])
        (1.0, 0.0)
    """
    first, second = _ranks(one), _ranks(other)
    if len(first) < 2 or not first.std() or not second.std():
        return 0.0
    return float(np.round(np.corrcoef(first, second)[0, 1], 12))


def _ranks(weights: Sequence[float]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    return np.asarray(rankdata(weights), dtype=np.float64)
