"""The proof of a belief: how findings made a label as probable as it is, as a step that rests on them.

The last step says ``task(request, label)``. Its weight is the probability, its
bindings are the probabilities before, of all labels that the graph speaks of,
and its comparisons say what each finding added to the log-odds. It rests on
what the request says of the findings, and on the facts of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose
from typing import TYPE_CHECKING

import numpy as np

from huiyi.errors import DataError
from huiyi.reason.evidence import Account, Evidence
from huiyi.reason.facts import Fact, Source
from huiyi.reason.proof import EVIDENCE, Proof, Step
from huiyi.reason.request import DENIES, MENTIONS, REQUEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array

_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Belief:
    """What the graph says of the labels of one task.

    Attributes:
        task: Name of the task.
        labels: The labels that the graph speaks of, in the order of the evidence's candidates.
        columns: Of these among all labels of the task.
        evidence: What findings say of them.
    """

    task: str
    labels: tuple[str, ...]
    columns: NDArray[np.intp]
    evidence: Evidence

    def revise(self, probabilities: Array, states: Sequence[Mapping[str, bool]]) -> Array:
        """Probabilities once findings are known.

        What the labels have together that the graph speaks of stays; how they share it changes. A record of which no
        finding is known keeps what it has.

        Args:
            probabilities: Of all labels, shape (n, k).
            states: Finding to whether it is there, for each record.
        """
        revised = np.array(probabilities, dtype=np.float64)
        prior = revised[:, self.columns]
        mass = prior.sum(axis=1)
        known = np.array([bool(some) for some in states], dtype=bool)
        rows = np.flatnonzero(known & (mass > 0))
        if self.evidence.trust > 0 and len(rows):
            observed = self.evidence.findings.observe([states[int(row)] for row in rows])
            found = self.evidence.revise(prior[rows] / mass[rows, None], observed)
            revised[np.ix_(rows, self.columns)] = found * mass[rows, None]
        return revised

    def prove(
        self,
        probabilities: Array,
        states: Mapping[str, bool],
        label: str,
        shown: Callable[[Fact], Proof],
        graph: Source,
    ) -> Proof | None:
        """Why a label is as probable as it is; nothing where findings have no part in it.

        Args:
            probabilities: Of all labels before, shape (k,).
            states: Finding to whether it is there.
            label: The label.
            shown: Proves what the request says of a finding.
            graph: Where facts on candidates come from.
        """
        prior = np.asarray(probabilities, dtype=np.float64)[self.columns]
        if label not in self.labels or not states or not self.evidence.trust or not prior.sum():
            return None
        account = self._account(prior, states, label)
        if not account.contributions:
            return None
        steps: list[Step] = []
        because: list[int] = []
        for contribution in account.contributions:
            relation = MENTIONS if states[contribution.finding] else DENIES
            for proof in (shown(Fact(relation, (REQUEST, contribution.finding))), _given(contribution.fact, graph)):
                if proof is not None:
                    moved = [replace(one, because=tuple(n + len(steps) for n in one.because)) for one in proof.steps]
                    steps += moved
                    because.append(len(steps) - 1)
        last = Step(
            Fact(self.task, (REQUEST, label)),
            self._probability(prior, states, label),
            EVIDENCE,
            tuple(because),
            {name: float(share) for name, share in zip(self.labels, prior, strict=True)},
            comparisons=_told(account),
        )
        return Proof((*steps, last))

    def replay(self, step: Step, before: Sequence[Step]) -> list[str]:
        """What is wrong with a step that says how probable a label is; nothing where it can be worked out again."""
        states = {
            str(one.fact.arguments[1]): one.fact.relation == MENTIONS
            for one in before
            if one.fact.relation in (MENTIONS, DENIES)
        }
        label = str(step.fact.arguments[-1])
        if tuple(step.bindings) != self.labels:
            return [f"the labels that the graph speaks of are no longer those of the step on {label!r}"]
        prior = np.array([float(share) for share in step.bindings.values()])  # type: ignore[arg-type]
        try:
            account = self._account(prior, states, label)
        except DataError as error:
            return [str(error)]
        if _told(account) != step.comparisons:
            return [f"the findings add something else to {label!r} by now"]
        probability = self._probability(prior, states, label)
        if not isclose(probability, step.weight, abs_tol=_TOLERANCE):
            return [f"the probability of {label!r} is {probability:.4f}, not {step.weight:.4f}"]
        return []

    def _account(self, prior: Array, states: Mapping[str, bool], label: str) -> Account:
        candidate = self.evidence.candidates[self.labels.index(label)]
        return self.evidence.account(prior / prior.sum(), states, candidate)

    def _probability(self, prior: Array, states: Mapping[str, bool], label: str) -> float:
        observed = self.evidence.findings.observe([states])
        found = self.evidence.revise(prior[None, :] / prior.sum(), observed)[0]
        return float(found[self.labels.index(label)] * prior.sum())


def _given(fact: Fact | None, graph: Source) -> Proof | None:
    """A fact of the graph as a proof of one step."""
    return None if fact is None else Proof((Step(fact, graph.weight(fact), sources=graph.sources(fact)[:1]),))


def _told(account: Account) -> tuple[str, ...]:
    """What each finding added, as text."""
    return tuple(f"{one.finding} {one.log_odds:+.2f}" for one in account.contributions)
