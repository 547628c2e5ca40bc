"""The proof of a belief: how findings made a label as probable as it is, as a step that rests on them.

The last step says ``task(request, label)``. Its weight is the probability, its
bindings are the probabilities before, of all labels that the graph speaks of,
and its comparisons say what each finding added to the log-odds. It rests on
what the request says of the findings, and on the facts of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isclose
from typing import TYPE_CHECKING

import numpy as np

from huiyi.errors import DataError
from huiyi.reason.ask import AskConfig, Asker
from huiyi.reason.evidence import Account, Evidence
from huiyi.reason.facts import Fact, normal
from huiyi.reason.proof import EVIDENCE, Proof, Step
from huiyi.reason.request import DENIES, MENTIONS, REQUEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array

_TOLERANCE = 1e-6
_SAME_PRIOR = 1e-4
"""Of probabilities that were told in another batch: encoders count in 32 bits."""


@dataclass(frozen=True, eq=False)
class Belief:
    """What the graph says of the labels of one task.

    Attributes:
        task: Name of the task.
        labels: The labels that the graph speaks of, in the order of the evidence's candidates.
        columns: Of these among all labels of the task.
        evidence: What findings say of them.
        called: What a finding is called in a language; as the graph names it without.
    """

    task: str
    labels: tuple[str, ...]
    columns: NDArray[np.intp]
    evidence: Evidence
    called: Callable[[str, str], str] | None = None

    @cached_property
    def asker(self) -> Asker:
        """Asks for findings, and reads replies. Who decides knows when it is sure."""
        return Asker(self.evidence, AskConfig(sure_enough=1.0), label=self.called)

    def replied(self, finding: str, reply: str) -> dict[str, bool]:
        """What a reply to the question about a finding says of it and of its values, in either language.

        Raises:
            DataError: The finding is not known, or the reply is none of the options.
        """
        try:
            answer = self.asker.read(finding, reply, "zh")
        except DataError:
            answer = self.asker.read(finding, reply, "en")
        return self.evidence.findings.states({finding: answer})

    def revise(self, probabilities: Array, states: Sequence[Mapping[str, bool]]) -> Array:
        """Probabilities once findings are known.

        What the labels have together that the graph speaks of stays; how they share it changes. A record of which
        nothing is known that says anything keeps what it has.

        Args:
            probabilities: Of all labels, shape (n, k).
            states: Finding to whether it is there, for each record.
        """
        revised = np.array(probabilities, dtype=np.float64)
        prior = revised[:, self.columns]
        mass = prior.sum(axis=1)
        if not self.evidence.trust:
            return revised
        observed = self.evidence.findings.observe(states)
        rows = np.flatnonzero(observed.says_something & (mass > 0))
        if len(rows):
            found = self.evidence.revise(prior[rows] / mass[rows, None], observed.rows(rows))
            revised[np.ix_(rows, self.columns)] = found * mass[rows, None]
        return revised

    def speaks(self, states: Sequence[Mapping[str, bool]]) -> NDArray[np.bool_]:
        """Of which records anything is known that the graph is trusted to speak of, shape (n,)."""
        return self.evidence.findings.observe(states).says_something & (self.evidence.trust > 0)

    def prove(
        self,
        probabilities: Array,
        states: Mapping[str, bool],
        label: str,
        shown: Callable[[Fact], Proof],
    ) -> Proof | None:
        """Why a label is as probable as it is; nothing where findings have no part in it.

        Args:
            probabilities: Of all labels before, shape (k,).
            states: Finding to whether it is there.
            label: The label.
            shown: Proves what the request says of a finding, and a fact of the graph.
        """
        if not self.counts(probabilities, states, label):
            return None
        prior = np.asarray(probabilities, dtype=np.float64)[self.columns]
        account = self._account(prior, states, label)
        steps: list[Step] = []
        because: list[int] = []
        for fact in self._grounds(account, states):
            steps += [replace(one, because=tuple(n + len(steps) for n in one.because)) for one in shown(fact).steps]
            because.append(len(steps) - 1)
        last = Step(
            self.says(label),
            self._probability(prior, states, label),
            EVIDENCE,
            tuple(because),
            {name: float(share) for name, share in zip(self.labels, prior, strict=True)},
            comparisons=_told(account),
        )
        return Proof((*steps, last))

    def replay(self, step: Step, before: Sequence[Step], probabilities: Array, states: Mapping[str, bool]) -> list[str]:
        """What is wrong with a step that says how probable a label is; nothing where it can be worked out again.

        Args:
            step: The step.
            before: Those it rests on.
            probabilities: Of all labels before, shape (k,), as they are now.
            states: Finding to whether it is there, as the record says now.
        """
        label = next((name for name in self.labels if self.says(name) == step.fact), None)
        if label is None or step.absent or step.sources:
            return [f"{step.fact} is nothing that findings say"]
        prior = np.asarray(probabilities, dtype=np.float64)[self.columns]
        told = [step.bindings.get(name) for name in self.labels]
        shares = np.array([share if isinstance(share, int | float) else np.nan for share in told], dtype=np.float64)
        are_shares = len(step.bindings) == len(self.labels) and bool((shares >= 0).all()) and shares.sum() > 0
        if not are_shares or not np.allclose(shares, prior, rtol=0, atol=_SAME_PRIOR):
            return [f"the probabilities before the step on {label!r} are others"]
        account = self._account(shares, states, label)
        if {one.fact for one in before} != set(self._grounds(account, states)):
            return [f"the findings that {label!r} rests on are others"]
        if _told(account) != step.comparisons:
            return [f"the findings add something else to {label!r} by now"]
        probability = self._probability(shares, states, label)
        if not isclose(probability, step.weight, rel_tol=0, abs_tol=_TOLERANCE):
            return [f"the probability of {label!r} is {probability:.4f}, not {step.weight:.4f}"]
        return []

    def counts(self, probabilities: Array, states: Mapping[str, bool], label: str) -> bool:
        """Whether findings have a part in how probable a label is."""
        prior = np.asarray(probabilities, dtype=np.float64)[self.columns]
        if label not in self.labels or not self.evidence.trust or not prior.sum():
            return False
        return bool(self._account(prior, states, label).contributions)

    def says(self, label: str) -> Fact:
        """That a label is meant."""
        return normal(Fact(self.task, (REQUEST, label)))

    def _grounds(self, account: Account, states: Mapping[str, bool]) -> list[Fact]:
        """What a probability rests on: what the request says of each finding, and the fact of the graph."""
        return [
            fact
            for one in account.contributions
            for fact in (said_of(one.finding, states[one.finding]), one.fact)
            if fact is not None
        ]

    def _account(self, prior: Array, states: Mapping[str, bool], label: str) -> Account:
        candidate = self.evidence.candidates[self.labels.index(label)]
        return self.evidence.account(prior / prior.sum(), states, candidate)

    def _probability(self, prior: Array, states: Mapping[str, bool], label: str) -> float:
        observed = self.evidence.findings.observe([states])
        found = self.evidence.revise(prior[None, :] / prior.sum(), observed)[0]
        return float(found[self.labels.index(label)] * prior.sum())


def said_of(finding: str, there: bool) -> Fact:
    """What a request says of a finding."""
    return normal(Fact(MENTIONS if there else DENIES, (REQUEST, finding)))


def _told(account: Account) -> tuple[str, ...]:
    """What each finding added, as text."""
    return tuple(f"{one.finding} {one.log_odds:+.2f}" for one in account.contributions)
