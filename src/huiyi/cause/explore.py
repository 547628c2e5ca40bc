"""Exploration: now and then something else than the policy says, so that tomorrow's log can tell what it would bring.

Nothing is explored unless it is switched on. With the share s of decisions, the policy's choice π, and k actions,

    epsilon    (1 − s) π + s / k
    thompson   (1 − s) π + s (0.8 β + 0.2 / k)

where β is the probability that an action is the best one, given what the log says of each action where the rule counts:
the less is known, the more is tried. The last part sees to it that each action keeps a probability of its own, without
which nothing more could be learnt about it. In no case does the policy's choice fall below 1 − s.

What is drawn follows from the seed and the id of the decision alone, so the same decision is drawn again when it is
replayed.

Sources:
    Thompson, "On the Likelihood That One Unknown Probability Exceeds Another in View of the Evidence of Two Samples",
    Biometrika 25, 1933. Sutton and Barto, "Reinforcement Learning", 2018, section 2.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.log import Column, Numbers
from huiyi.cause.policy import Language, Policy, Rule
from huiyi.errors import DataError, OptionError, did_you_mean

Kind: TypeAlias = Literal["epsilon", "thompson"]

MOST_SHARE = 0.5
"""No more of the decisions is explored."""

EVENLY = 0.2
"""The part of what is explored by ``thompson`` that is drawn evenly."""

_GRID = 2001  # numbers at which it is told how probable it is that a mean lies below


@dataclass(frozen=True, eq=False)
class Choices:
    """What was drawn for n decisions.

    Attributes:
        actions: Its name, for each.
        propensities: How probable that action was, shape (n,).
        probabilities: How probable each of the policy's k actions was, shape (n, k).
    """

    actions: tuple[str, ...]
    propensities: Numbers
    probabilities: Numbers


@dataclass(frozen=True)
class Exploration:
    """How much is explored, and how.

    Attributes:
        share: Of the decisions, 0 to ``MOST_SHARE``; 0 does what the policy says.
        kind: ``epsilon`` tries all actions alike, ``thompson`` those that may be the best.
        seed: What is drawn follows from it.

    Example:
        >>> policy = Policy("solved", ("call", "mail"), (Rule((), "call", 90, (0.5, 0.4), (0.1, 0.1)),))
        >>> Exploration(0.1).probabilities(policy, {}, rows=1).round(3).tolist()
        [[0.95, 0.05]]
        >>> Exploration(0.1, "thompson").probabilities(policy, {}, rows=1).round(3).tolist()
        [[0.971, 0.029]]
        >>> Exploration(0.1).choose(policy, {}, ["a", "b"]).actions
        ('call', 'call')
    """

    share: float = 0.0
    kind: Kind = "epsilon"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= MOST_SHARE:
            raise OptionError(
                f"A share of {self.share:g} cannot be explored. Expected 0 to {MOST_SHARE:g}: set --explore 0.05."
            )
        if self.kind not in get_args(Kind):
            raise OptionError(
                f"There is no exploration {self.kind!r}.{did_you_mean(self.kind, get_args(Kind))} "
                f"Expected one of: {', '.join(get_args(Kind))}."
            )

    def probabilities(self, policy: Policy, context: Mapping[str, Column], rows: int | None = None) -> Numbers:
        """How probable each action is in each of n decisions, shape (n, k).

        Args:
            policy: What is done where nothing is explored.
            context: Columns by name; those of ``policy.columns`` are needed.
            rows: n, which only a policy needs that looks at no column.

        Raises:
            ColumnError: A column is not there, or holds the wrong thing.
            DataError: Rules do not tell what actions bring, which ``thompson`` needs.
        """
        k = len(policy.actions)
        each = []
        for rule in policy.rules:
            tried = np.full(k, 1 / k)
            if self.kind == "thompson":
                tried = (1 - EVENLY) * _best(rule) + EVENLY / k
            each.append((1 - self.share) * np.eye(k)[policy.actions.index(rule.action)] + self.share * tried)
        return np.asarray(np.array(each)[policy.places(context, rows)])

    def choose(self, policy: Policy, context: Mapping[str, Column], ids: Sequence[str]) -> Choices:
        """Draw an action for each of n decisions.

        Args:
            policy: What is done where nothing is explored.
            context: See ``probabilities``.
            ids: Of the decisions; each is drawn by its own.

        Raises:
            ColumnError: See ``probabilities``.
        """
        probabilities = self.probabilities(policy, context, len(ids))
        upto = probabilities.cumsum(axis=1)
        drawn = np.array([_uniform(self.seed, name) for name in ids])
        codes = (drawn[:, None] >= upto[:, :-1] / upto[:, -1:]).sum(axis=1)
        actions = tuple(policy.actions[code] for code in codes)
        return Choices(actions, probabilities[np.arange(len(ids)), codes], probabilities)

    def explain(self, language: Language = "en") -> str:
        """What is explored, in a sentence."""
        if not self.share:
            return {"en": "Nothing is explored.", "zh": "不做探索。"}[language]
        if language == "zh":
            how = "各动作机会均等" if self.kind == "epsilon" else "越可能是最佳的动作，机会越大"
            return f"{self.share:.1%} 的决定用于探索：{how}。"
        how = "all actions alike" if self.kind == "epsilon" else "the more an action may be the best, the more often"
        return f"{self.share:.1%} of the decisions are explored: {how}."

    def to_json(self) -> dict[str, Any]:
        """Itself as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Exploration:
        """What ``to_json`` gave, also after it was JSON.

        Raises:
            DataError: It is none.
        """
        try:
            return cls(float(data["share"]), data["kind"], int(data["seed"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"This is no exploration: {error!r}. Expected what Exploration.to_json gives: save it again"
            ) from error


def _best(rule: Rule) -> NDArray[np.float64]:
    """How probable it is that each action is the best, its mean being normal, shape (k,).

    P(a) = ∫ Π_{b ≠ a} F_b dF_a, by sums over a grid; F are the distributions of the means.
    """
    from scipy.special import ndtr

    if len(rule.means) < 2 or len(rule.errors) != len(rule.means):
        raise DataError(
            "A rule of the policy does not tell what each action brings, so 'thompson' cannot explore. Expected a "
            "policy that was learnt: learn it, or use 'epsilon'"
        )
    means, errors = np.array(rule.means), np.maximum(rule.errors, 1e-9)
    grid = np.linspace((means - 8 * errors).min(), (means + 8 * errors).max(), _GRID)
    below = ndtr((grid[:, None] - means) / errors)  # (grid, k)
    steps, middles = np.diff(below, axis=0), (below[1:] + below[:-1]) / 2
    best = np.array([(steps[:, a] * np.delete(middles, a, axis=1).prod(axis=1)).sum() for a in range(len(means))])
    return np.asarray(best / best.sum())


def _uniform(seed: int, name: str) -> float:
    """A number from 0 to below 1 that follows from both."""
    return int.from_bytes(sha256(f"{seed}\n{name}".encode()).digest()[:6]) / 2**48
