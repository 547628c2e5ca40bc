"""A policy: what to do when, as rules that people can read.

It is a list of rules, each with conditions and an action; the first rule whose conditions hold counts, and the last one
has none. Trees and tables by intent are written like that. It is plain data, and is saved as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.log import Categories, Column, Numbers
from huiyi.errors import ColumnError, DataError, did_you_mean
from huiyi.values import spelt

Language = Literal["en", "zh"]

_SAID = {
    "en": {
        "is": "{column} {names}", "above": "{column} > {above:g}", "names": (", ", " or "), "and": " and ",
        "rule": "for {when}: {action}", "else": "otherwise: {action}", "always": "always: {action}",
    },
    "zh": {
        "is": "{column}为{names}", "above": "{column} > {above:g}", "names": ("、", "或"), "and": "，且",
        "rule": "{when}：{action}", "else": "其他情况：{action}", "always": "一律：{action}",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """What must hold of a column. Where the column is not known, it does not.

    Attributes:
        column: Its name.
        names: The column holds one of these names; empty for a column of numbers.
        above: The column holds a number above this one; None for a column of names.
    """

    column: str
    names: tuple[str, ...] = ()
    above: float | None = None

    def holds(self, context: Mapping[str, Column]) -> NDArray[np.bool_]:
        """In which of n rows, shape (n,).

        Raises:
            ColumnError: The column is not there, or holds names where numbers are expected, or the other way round.
        """
        if self.column not in context:
            raise ColumnError(
                f"The policy looks at {self.column!r}, which is not there.{did_you_mean(self.column, context)} "
                f"Expected that column: give it, or learn a policy without it"
            )
        column = context[self.column]
        if isinstance(column, Categories):
            if self.above is None:
                among = np.isin(np.array([*column.names, ""]), np.array(self.names))
                return np.asarray(among[column.codes], dtype=bool)  # -1, which is not known, is the last place
        elif self.above is not None and column.ndim == 1:
            return np.asarray(column > self.above, dtype=bool)
        expected = "names" if self.above is None else "numbers"
        raise ColumnError(f"The policy expects {expected} in {self.column!r}: give it as the log had it")


@dataclass(frozen=True)
class Rule:
    """What to do where some conditions hold, and what the log says of each action there.

    Attributes:
        when: All of these must hold; empty for what is done otherwise.
        action: What is done then.
        rows: Rows of the log that it was learnt from.
        means: The mean outcome under each action of the policy there, by doubly robust scores.
        errors: Their standard errors.
    """

    when: tuple[Condition, ...]
    action: str
    rows: int
    means: tuple[float, ...]
    errors: tuple[float, ...]


@dataclass(frozen=True)
class Policy:
    """What to do when.

    Attributes:
        outcome: What it is to bring more of.
        actions: The k actions that were weighed.
        rules: The first that fits counts; the last fits always.

    Example:
        >>> when = Condition("intent", ("refund_status",)), Condition("waiting", above=3)
        >>> rules = Rule(when, "call_back", 90, (), ()), Rule((), "template", 500, (), ())
        >>> policy = Policy("solved", ("call_back", "template"), rules)
        >>> print(*policy.explain(), sep="; ")
        for intent refund status and waiting > 3: call back; otherwise: template
        >>> context = {"intent": Categories.of(["refund_status", "refund_status", "get_invoice"]),
        ...     "waiting": np.array([5.0, np.nan, 9.0])}
        >>> policy.probabilities(context).tolist()
        [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
        >>> Policy.from_json(policy.to_json()) == policy
        True
    """

    outcome: str
    actions: tuple[str, ...]
    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        if not self.rules or self.rules[-1].when or any(rule.action not in self.actions for rule in self.rules):
            raise DataError(
                "A policy cannot be made of these rules. Expected actions that are named, and a last rule without "
                "conditions: add what to do otherwise"
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it looks at."""
        return tuple(dict.fromkeys(condition.column for rule in self.rules for condition in rule.when))

    def places(self, context: Mapping[str, Column], rows: int | None = None) -> NDArray[np.intp]:
        """The place of the rule that counts in each of n rows, shape (n,).

        Args:
            context: Columns by name; those of ``columns`` are needed.
            rows: n, which only a policy needs that looks at no column.

        Raises:
            ColumnError: A column is not there, or holds the wrong thing.
        """
        found = np.full(len(next(iter(context.values()))) if rows is None else rows, len(self.rules) - 1, dtype=np.intp)
        for place in range(len(self.rules) - 2, -1, -1):  # earlier rules overrule later ones
            fits = np.ones(len(found), dtype=bool)
            for condition in self.rules[place].when:
                fits &= condition.holds(context)
            found[fits] = place
        return found

    def probabilities(self, context: Mapping[str, Column], rows: int | None = None) -> Numbers:
        """How probable each action is, shape (n, k): 1 for the one that the rules say.

        Args:
            context: See ``places``.
            rows: See ``places``.

        Raises:
            ColumnError: See ``places``.
        """
        codes = np.array([self.actions.index(rule.action) for rule in self.rules])
        return np.asarray(np.eye(len(self.actions))[codes[self.places(context, rows)]])

    def target(self, names: Sequence[str], context: Mapping[str, Column], rows: int | None = None) -> Numbers:
        """The same as ``probabilities`` for actions in another order, as ``value`` asks for them, shape (n, names).

        The value of a policy in rows that it was learnt from is too good; ``learn`` tells an honest one.

        Args:
            names: Of the actions, those of the policy and others.
            context: See ``places``.
            rows: See ``places``.

        Raises:
            ColumnError: See ``places``.
            DataError: An action of the policy is not among the names.
        """
        if missing := [action for action in self.actions if action not in names]:
            raise DataError(
                f"The policy may do {missing[0]!r}, which the log does not know.{did_you_mean(missing[0], names)} "
                f"Expected its actions among: {', '.join(names)}. Learn a policy from this log"
            )
        placed = np.zeros((len(self.actions), len(names)))
        placed[np.arange(len(self.actions)), [list(names).index(action) for action in self.actions]] = 1
        return np.asarray(self.probabilities(context, rows) @ placed)

    def explain(self, language: Language = "en", label: Callable[[str, str], str] | None = None) -> tuple[str, ...]:
        """The rules in words, a phrase each; the first that fits counts.

        Args:
            language: ``en`` or ``zh``.
            label: What to call a column, a name or an action in a language; as it is spelt when not given.
        """
        said = _SAID[language]

        def call(name: str) -> str:
            return label(name, language) if label else spelt(name) or name

        def phrase(condition: Condition) -> str:
            comma, last = said["names"]
            names = [call(name) for name in condition.names]
            joined = comma.join(names[:-1]) + last + names[-1] if len(names) > 1 else "".join(names)
            form = said["is"] if condition.above is None else said["above"]
            return str(form).format(column=call(condition.column), names=joined, above=condition.above)

        phrases = []
        for rule in self.rules:
            form = said["rule"] if rule.when else said["else"] if len(self.rules) > 1 else said["always"]
            when = str(said["and"]).join(phrase(condition) for condition in rule.when)
            phrases.append(str(form).format(when=when, action=call(rule.action)))
        return tuple(phrases)

    def to_json(self) -> dict[str, Any]:
        """Itself as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Policy:
        """What ``to_json`` gave, also after it was JSON.

        Raises:
            DataError: It is no policy.
        """
        try:
            rules = tuple(map(_rule, data["rules"]))
            return cls(data["outcome"], tuple(data["actions"]), rules)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"This is no policy: {error!r}. Expected what Policy.to_json gives: save it again"
            ) from error


def _rule(data: Mapping[str, Any]) -> Rule:
    """A rule as JSON holds it."""
    when = tuple(Condition(part["column"], tuple(part["names"]), part["above"]) for part in data["when"])
    return Rule(when, data["action"], int(data["rows"]), tuple(data["means"]), tuple(data["errors"]))
