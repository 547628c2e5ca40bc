"""What a model does about an intent: by a policy that was learnt from a log, and now and then something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import numpy as np

from huiyi.cause.explore import Exploration
from huiyi.cause.log import Categories, Column
from huiyi.cause.policy import Policy
from huiyi.cause.table import as_number
from huiyi.values import Decision, Record


@dataclass(frozen=True)
class Actor:
    """Fills in the action of decisions to act, and how probable it was.

    Attributes:
        policy: What is done when.
        exploration: How often something else is done, so that the next log can tell what it would bring.
        intent: The column of the log that held the intent: the label decided on stands for it. The policy's other
            columns are fields of the record.

    Example:
        >>> from huiyi.cause.policy import Condition, Rule
        >>> late = Rule((Condition("intent", ("late",)), Condition("waiting", above=3)), "call", 90, (), ())
        >>> actor = Actor(Policy("solved", ("call", "mail"), (late, Rule((), "mail", 500, (), ()))))
        >>> decision = Decision("d", "r", "act", "intent", "late", ("late",), 0.9, 1.0, ())
        >>> (done,) = actor.act([decision], [Record("r", "where is it?", fields={"waiting": "5"})])
        >>> done.action, done.propensity
        ('call', 1.0)
    """

    policy: Policy
    exploration: Exploration = field(default_factory=Exploration)
    intent: str = "intent"

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of records that it looks at."""
        return tuple(name for name in self.policy.columns if name != self.intent)

    @property
    def intents(self) -> tuple[str, ...]:
        """The intents that it tells apart."""
        conditions = (condition for rule in self.policy.rules for condition in rule.when)
        named = (name for condition in conditions if condition.column == self.intent for name in condition.names)
        return tuple(dict.fromkeys(named))

    def act(self, decisions: Sequence[Decision], records: Sequence[Record]) -> tuple[Decision, ...]:
        """The same decisions; those to act, for which nothing else has chosen the action, have one.

        What is drawn for a record follows from its id, or else from its text, so it is drawn again in a replay.

        Args:
            decisions: n of one task.
            records: What they are on.
        """
        rows = [row for row, decision in enumerate(decisions) if decision.kind == "act" and decision.action is None]
        if not rows:
            return tuple(decisions)
        context = self._context([decisions[row] for row in rows], [records[row] for row in rows])
        ids = [
            records[row].id or sha256((records[row].text or "").encode("utf-8", "replace")).hexdigest() for row in rows
        ]
        chosen = self.exploration.choose(self.policy, context, ids)
        told = list(decisions)
        for place, row in enumerate(rows):
            told[row] = replace(told[row], action=chosen.actions[place], propensity=float(chosen.propensities[place]))
        return tuple(told)

    def _context(self, decisions: Sequence[Decision], records: Sequence[Record]) -> dict[str, Column]:
        """What the policy looks at. What a record lacks is not known."""
        context: dict[str, Column] = {}
        for rule in self.policy.rules:
            for condition in rule.when:
                if condition.column == self.intent:
                    context[self.intent] = Categories.of([decision.label for decision in decisions])
                elif condition.above is None:
                    cells = [record.fields.get(condition.column) for record in records]
                    context[condition.column] = Categories.of([None if cell is None else str(cell) for cell in cells])
                else:
                    numbers = [as_number(record.fields.get(condition.column)) for record in records]
                    context[condition.column] = np.array(numbers, dtype=float)
        return context

    def to_json(self) -> dict[str, Any]:
        """Itself as JSON can hold it."""
        return {"policy": self.policy.to_json(), "exploration": self.exploration.to_json(), "intent": self.intent}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Actor:
        """What ``to_json`` gave.

        Raises:
            DataError: It is no policy, or no exploration.
        """
        return cls(Policy.from_json(data["policy"]), Exploration.from_json(data["exploration"]), str(data["intent"]))
