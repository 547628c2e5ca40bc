"""Why a label is as probable as it is: what each word of the text added, and how far that can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np

from huiyi.errors import OptionError, did_you_mean
from huiyi.explain.faithfulness import faithfulness
from huiyi.explain.gradients import BACKBONE_METHODS
from huiyi.explain.tokens import METHODS, Game, Weights, Worth, attribute
from huiyi.explain.units import Cut, phrases, units_of
from huiyi.explanation import Explanation, Word

MOST_UNITS = 60
"""Of a text of more words than this, phrases of several words are weighed."""


def explain_words(
    text: str,
    worth: Worth,
    *,
    task: str,
    label: str,
    cut: Cut | None = None,
    method: str = "chains",
    until: float = inf,
    seed: int = 0,
    weigh: Callable[[Game, np.random.Generator], Weights] | None = None,
) -> Explanation:
    """Say what each word of a text added to the probability of a label.

    Args:
        text: The text.
        worth: The model, for the label.
        task: Name of the task.
        label: The label.
        cut: Cuts scripts without spaces into words; without it, each character is one.
        method: How words are weighed, one of ``METHODS``.
        until: When to stop asking, as ``perf_counter`` counts.
        seed: Of random orders.
        weigh: What weighs the words, where ``method`` is none of these but a name for it.

    Raises:
        OptionError: There is no such method.

    Example:
        >>> import numpy as np
        >>> def worth(texts):
        ...     return np.array([0.1 + 0.5 * ("stolen" in one) for one in texts])
        >>> found = explain_words("my card was stolen", worth, task="intent", label="theft")
        >>> [(word.text, round(word.weight, 6)) for word in found.words][-1], found.faithfulness.sufficiency
        (('stolen', 0.5), 0.0)
    """
    if weigh is None and method not in METHODS:
        known = (*METHODS, *BACKBONE_METHODS)
        raise OptionError(
            f"method {method!r} is not known; expected one of: {', '.join(known)}.{did_you_mean(method, known)}"
        )
    game = Game(text, phrases(text, units_of(text, cut), MOST_UNITS), worth, until=until)
    found = attribute(game, method=method, seed=seed, weigh=weigh)
    measured = faithfulness(game, found.order) if game.units else None
    return Explanation(
        task=task,
        label=label,
        probability=found.all,
        without_words=found.none,
        words=tuple(
            Word(unit.text, unit.start, unit.end, weight)
            for unit, weight in zip(game.units, found.weights, strict=True)
        ),
        shares={},
        method=method,
        passes=game.passes,
        sufficed=found.sufficed,
        seed=seed,
        faithfulness=measured,
    )
