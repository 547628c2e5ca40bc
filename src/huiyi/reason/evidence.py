"""Evidence: how probable each candidate is once some findings are known.

A graph says which findings each of k candidates brings, such as
``has_symptom(measles, fever)``. Exactly one candidate is taken to be right. A
finding j is there because the candidate c brings it or because something else
does, which is a noisy-or of two causes: with the strength s and the leak l,

    q(c, j) = P(j is there | c) = 1 − (1 − l_j) · (1 − s(c, j))

Without a fact between them s is 0, and q is the leak. Given the candidate,
findings are independent, so that with the prior π, the trust t and the
temperature T

    log p(c) = (log π(c) + t · Σ_j w(c, j)) / T + constant
    w(c, j)  = log q(c, j) / l_j               where j is there,
               log (1 − q(c, j)) / (1 − l_j)   where it is not,
               0                               where it is not known.

With t = T = 1 this is Bayes' rule. With t = 0 nothing that the graph says
counts. What makes a candidate likelier (a cause of it, such as smoking) and
what it shows itself by (an indication, such as a cough) both come in as q:
Bayes' rule asks only how often the finding goes with the candidate, whichever
way the arrow points.

A finding that presupposes another one, and a value of a finding, speaks only
where that other one is there: q is then the probability given both.

Source:
    Noisy-or: Pearl, "Probabilistic Reasoning in Intelligent Systems", 1988,
    section 4.3. Its use with leaks, for one disease and for several at once:
    Shwe et al., "Probabilistic diagnosis using a reformulation of the
    INTERNIST-1/QMR knowledge base", Methods of Information in Medicine 30,
    1991; Heckerman, "A tractable inference algorithm for diagnosing multiple
    diseases", UAI 1989 (1990). Jensen and Nielsen, "Bayesian Networks and Decision
    Graphs", 2007, section 3.3. The account of what each finding contributed:
    Aumann and Shapley, "Values of Non-Atomic Games", 1974.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError, OptionError, did_you_mean
from huiyi.reason.facts import Fact, Source, Value, normal, normalised, written

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array

Answer = bool | Value | Sequence[Value] | None
"""What is known of a finding: that it is there or not, which value or values it has, or nothing (``None``)."""

_SMALLEST = 1e-6  # no probability of a finding is nearer to 0 or 1
_SMALLEST_PRIOR = 1e-12
_LARGEST_TRUST, _LARGEST_SHARPNESS = 10.0, 10.0
_SURE_ENOUGH = 2.0  # standard errors by which the graph must make held-out rows likelier before it is trusted
_STEPS = 64  # points of the path along which contributions are summed


@dataclass(frozen=True)
class EvidenceConfig:
    """How facts are read as strengths.

    The strengths and leaks were chosen on the training patients of ``benchmarks/evidence.py``.

    Attributes:
        relations: Relation between a candidate and a finding, to the strength of its facts. The weight of a fact
            multiplies it, so that with a strength of 1 the weights of the graph are the strengths.
        leak: How often a finding is there although nothing known brings it.
        leak_within: The same for a finding that presupposes another one, or is a value, where that one is there.
        strength_within: Strength of such a finding, in the place of that of its relation.
        presupposes: Relation from a finding to the one it presupposes.
        values: Relation from a finding to each value it may have.
        none: Relation from a finding to the value that says it is not there.
        prior_cases: How many cases a strength of the graph counts as, where cases are learnt from.
    """

    relations: Mapping[str, float] = field(default_factory=lambda: {"has_symptom": 0.5, "has_antecedent": 0.6})
    leak: float = 0.01
    leak_within: float = 0.5
    strength_within: float = 0.9
    presupposes: str = "sub_question_of"
    values: str = "has_value"
    none: str = "has_none_value"
    prior_cases: float = 4.0

    def __post_init__(self) -> None:
        shares = {**self.relations, "strength_within": self.strength_within}
        wrong = [f"{name} = {share}" for name, share in shares.items() if not 0 < share <= 1]
        leaks = {"leak": self.leak, "leak_within": self.leak_within}
        wrong += [f"{name} = {share}" for name, share in leaks.items() if not 0 < share < 1]
        if not self.relations or wrong or not self.prior_cases > 0:
            raise OptionError(
                f"EvidenceConfig cannot be used: {', '.join(wrong) or 'no relation, or prior_cases not above 0'}. "
                "Expected at least one relation, strengths above 0 and up to 1, leaks between 0 and 1, "
                "and prior_cases above 0."
            )


@dataclass(frozen=True)
class Contribution:
    """What one finding did to the log-odds of one candidate.

    Attributes:
        finding: Its name.
        log_odds: What it added.
        fact: The fact of the graph it rests on: the candidate's own where there is one, else that of the likeliest
            other candidate that has one. ``None`` where it was learnt from cases alone.
    """

    finding: str
    log_odds: float
    fact: Fact | None


@dataclass(frozen=True)
class Account:
    """Why a candidate is as probable as it is.

    Attributes:
        candidate: Its name.
        prior: Its log-odds before any finding.
        contributions: What each known finding added, largest first; those that say nothing of any candidate left out.
        log_odds: Its log-odds then: ``prior`` and all contributions together.
    """

    candidate: str
    prior: float
    contributions: tuple[Contribution, ...]
    log_odds: float


@dataclass(frozen=True, eq=False)
class Observed:
    """What is known of n records, of m findings each: two sparse matrices of ones, shape (n, m)."""

    present: Any
    absent: Any

    def __len__(self) -> int:
        """How many records."""
        return int(self.present.shape[0])


@dataclass(frozen=True, eq=False)
class Evidence:
    """What findings say of candidates.

    Attributes:
        candidates: The k candidates.
        findings: The m findings. A value of a finding is one too, such as ``pain=sharp``.
        strengths: Sparse, shape (k, m).
        leaks: Shape (m,).
        parents: For each finding the place of the one it presupposes, or -1. Shape (m,).
        nones: Finding to the value that says it is not there.
        facts: Places of candidate and finding to the fact of the graph.
        config: See there.
        trust: How much the graph counts; 0 is not at all.
        temperature: Above 1, the probabilities are less extreme.

    Example:
        >>> from huiyi.reason import Statements
        >>> said = [("flu", "fever"), ("flu", "cough"), ("cold", "cough")]
        >>> graph = Statements([Fact("has_symptom", pair) for pair in said])
        >>> evidence = Evidence.of(graph, ["flu", "cold"])
        >>> seen = evidence.observe([{"fever": True}, {"fever": False}, {"fever": None}])
        >>> evidence.revise(np.full((3, 2), 0.5), seen).round(2)
        array([[0.98, 0.02],
               [0.33, 0.67],
               [0.5 , 0.5 ]])
    """

    candidates: tuple[str, ...]
    findings: tuple[str, ...]
    strengths: Any
    leaks: Array
    parents: NDArray[np.intp]
    nones: Mapping[str, str]
    facts: Mapping[tuple[int, int], Fact]
    config: EvidenceConfig = EvidenceConfig()
    trust: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        places = {name: place for place, name in enumerate(self.findings)}
        object.__setattr__(self, "_places", places)
        given = self.present_if.tocoo()
        leaks = self.leaks[given.col]
        shape = (len(self.findings), len(self.candidates))
        object.__setattr__(self, "_when_present", _sparse(np.log(given.data / leaks), given.col, given.row, shape))
        against = np.log1p(-given.data) - np.log1p(-leaks)
        object.__setattr__(self, "_when_absent", _sparse(against, given.col, given.row, shape))

    @classmethod
    def of(cls, source: Source, candidates: Sequence[str], config: EvidenceConfig | None = None) -> Evidence:
        """Read strengths off a graph.

        Args:
            source: A ``Knowledge``, or ``Statements``.
            candidates: Names of the candidates, as the graph has them.
            config: See there.

        Raises:
            DataError: A candidate is there twice, no fact speaks of any candidate, or a finding presupposes itself.
        """
        config = config or EvidenceConfig()
        names = [written(normalised(name)) for name in candidates]
        if len(set(names)) < len(names) or not names:
            twice = sorted({name for name in names if names.count(name) > 1})
            said = f"The candidate {twice[0]!r} is there twice" if twice else "There is no candidate"
            raise DataError(f"{said}. Expected each once, and at least one: correct the list.")
        order = {name: place for place, name in enumerate(names)}
        weights: dict[tuple[str, str], tuple[float, Fact]] = {}
        for fact, weight in source.facts({(relation, 2) for relation in config.relations}):
            head, tail = map(written, fact.arguments)
            key, weight = (head, tail), weight * config.relations[fact.relation]
            if head in order and weight > weights.get(key, (0.0, fact))[0]:
                weights[key] = weight, fact
        if not weights:
            found = sorted(source.relations())
            raise DataError(
                f"The graph says nothing of any candidate by {' or '.join(sorted(config.relations))}."
                f"{did_you_mean(next(iter(config.relations)), found)} "
                "Expected facts that begin with a candidate: name the relations in EvidenceConfig."
            )
        names_of_findings, above, nones = _findings(source, config, {tail for _, tail in weights})
        places = {name: place for place, name in enumerate(names_of_findings)}
        parents = np.array([places.get(above.get(name, ""), -1) for name in names_of_findings], dtype=np.intp)
        edges = [(order[head], places[tail]) for head, tail in weights]
        strengths = [
            weight if parents[places[tail]] < 0 else weight / config.relations[fact.relation] * config.strength_within
            for (_, tail), (weight, fact) in weights.items()
        ]
        rows, columns = (np.array(some, dtype=np.intp) for some in zip(*edges, strict=True))
        return cls(
            candidates=tuple(candidates),
            findings=tuple(names_of_findings),
            strengths=_sparse(np.array(strengths), rows, columns, (len(names), len(places))),
            leaks=np.where(parents < 0, config.leak, config.leak_within),
            parents=parents,
            nones=nones,
            facts={edge: fact for edge, (_, fact) in zip(edges, weights.values(), strict=True)},
            config=config,
        )

    @property
    def present_if(self) -> Any:
        """How often a finding is there if a candidate is right, where that is not the leak. Sparse, shape (k, m)."""
        given = self.strengths.tocoo()
        chances = 1 - (1 - self.leaks[given.col]) * (1 - given.data)
        return _sparse(np.clip(chances, _SMALLEST, 1 - _SMALLEST), given.row, given.col, given.shape)

    def observe(self, records: Sequence[Mapping[str, Answer]]) -> Observed:
        """Read what is known of records.

        Of a finding that has a value, its other values are absent. What is there
        makes what it presupposes be there; what presupposes something absent or unknown says nothing
        by being absent.

        Args:
            records: Finding to what is known of it. One that is not named is not known.

        Raises:
            DataError: A finding or value is not known, or two answers contradict each other.

        Example:
            >>> from huiyi.reason import Statements
            >>> facts = [Fact("has_symptom", ("flu", "ache")), Fact("has_value", ("ache", "dull"))]
            >>> evidence = Evidence.of(Statements(facts), ["flu"])
            >>> evidence.findings, evidence.observe([{"ache": "dull"}]).present.toarray()
            (('ache', 'ache=dull'), array([[1., 1.]]))
        """
        places: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]] = []
        for row, answers in enumerate(records):
            states = self._states(answers)
            places.append(
                (
                    [(row, place) for place, there in states.items() if there],
                    [(row, place) for place, there in states.items() if not there and self._speaks(place, states)],
                )
            )
        shape = (len(records), len(self.findings))
        present, absent = (
            np.array([pair for both in places for pair in both[side]], dtype=np.intp).reshape(-1, 2) for side in (0, 1)
        )
        return Observed(*(_sparse(np.ones(len(some)), some[:, 0], some[:, 1], shape) for some in (present, absent)))

    def states(self, answers: Mapping[str, Answer]) -> dict[str, bool]:
        """What is known of one record: finding to whether it is there, with all that it presupposes."""
        return {self.findings[place]: there for place, there in self._states(answers).items()}

    def _states(self, answers: Mapping[str, Answer]) -> dict[int, bool]:
        """Places of findings, to whether they are there."""
        states: dict[int, bool] = {}
        for name, answer in answers.items():
            place = self.place(name)
            if answer is None:
                continue
            values = () if isinstance(answer, bool) else _values(answer)
            there = answer if isinstance(answer, bool) else values != (self.nones.get(name),)
            self._settle(states, place, there)
            for value in values if there else ():
                self._settle(states, self._value(name, value), True)
            if there and values:
                for other in self._values_of.get(place, ()):
                    states.setdefault(other, False)
        return states

    def _settle(self, states: dict[int, bool], place: int, there: bool) -> None:
        """Take in one finding, and what it presupposes if it is there."""
        while place >= 0:
            if states.setdefault(place, there) != there:
                raise DataError(
                    f"The answers say both that {self.findings[place]!r} is there and that it is not. "
                    "Expected one of them: correct the answer, or the one that presupposes it."
                )
            if not there:
                return
            place = int(self.parents[place])

    def _speaks(self, place: int, states: Mapping[int, bool]) -> bool:
        """Whether the absence of a finding says something: what it presupposes must be there."""
        return self.parents[place] < 0 or states.get(int(self.parents[place]), False)

    def place(self, name: str) -> int:
        """Place of a finding.

        Raises:
            DataError: It is not known; the message names the nearest.
        """
        found: int | None = self._places.get(name)  # type: ignore[attr-defined]
        if found is None:
            raise DataError(
                f"No fact speaks of the finding {name!r}.{did_you_mean(str(name), self.findings)} "
                f"Expected one of the {len(self.findings)} findings of the graph: correct it, or leave it out."
            )
        return found

    def options(self, name: str) -> tuple[str, ...]:
        """The values that a finding may have, without the one that says it is not there; empty for yes or no."""
        return tuple(self.findings[place][len(name) + 1 :] for place in self._values_of.get(self.place(name), ()))

    @property
    def value_places(self) -> frozenset[int]:
        """Places of the findings that are values of another one."""
        return frozenset(place for places in self._values_of.values() for place in places)

    @property
    def _values_of(self) -> dict[int, list[int]]:
        """Place of a finding to those of its values."""
        if "_values" not in self.__dict__:
            found: dict[int, list[int]] = {}
            for place, parent in enumerate(self.parents):
                if parent >= 0 and self.findings[place].startswith(f"{self.findings[parent]}="):
                    found.setdefault(int(parent), []).append(place)
            object.__setattr__(self, "_values", found)
        return self.__dict__["_values"]  # type: ignore[no-any-return]

    def _value(self, name: str, value: str) -> int:
        """Place of the value of a finding."""
        if f"{name}={value}" in self._places:  # type: ignore[attr-defined]
            return self.place(f"{name}={value}")
        options = self.options(name)
        raise DataError(
            f"The finding {name!r} has no value {value!r}.{did_you_mean(value, options)} "
            + (f"Expected one of {', '.join(options[:8])}" if options else "Expected true or false")
            + (", …: correct it." if len(options) > 8 else ": correct it.")
        )

    def weigh(self, observed: Observed) -> Array:
        """Sums of what the findings say for each candidate, Σ w, before trust and temperature. Shape (n, k)."""
        present, absent = self._when_present, self._when_absent  # type: ignore[attr-defined]
        return np.asarray((observed.present @ present + observed.absent @ absent).toarray(), dtype=np.float64)

    def revise(self, prior: Array, observed: Observed) -> Array:
        """Probabilities of the candidates once the findings are known.

        Args:
            prior: Shape (n, k), such as the aligned probabilities. Rows need not sum to 1. Nothing is held for
                less probable than one in a million millions.
            observed: What ``observe`` gave of the n records.

        Returns:
            Shape (n, k); rows sum to 1.

        Raises:
            DataError: The shapes do not fit, or a prior is negative, no number, or 0 for all candidates.
        """
        start = self._log_prior(prior, len(observed))
        return _softmax((start + self.trust * self.weigh(observed)) / self.temperature)

    def _log_prior(self, prior: Array, rows: int) -> Array:
        """Logarithms of the priors, checked."""
        prior = np.asarray(prior, dtype=np.float64)
        if prior.shape != (rows, len(self.candidates)):
            raise DataError(
                f"The prior has the shape {prior.shape}. "
                f"Expected {(rows, len(self.candidates))}, one row a record and one column a candidate."
            )
        if not np.isfinite(prior).all() or (prior < 0).any() or (rows and not prior.sum(axis=1).all()):
            raise DataError(
                "The prior holds a number that is negative, not finite, or a row of zeros. Expected probabilities."
            )
        return np.log(np.maximum(prior / prior.sum(axis=1, keepdims=True), _SMALLEST_PRIOR))

    def fit(self, prior: Array, observed: Observed, targets: Array) -> Evidence:
        """Find trust and temperature on rows whose right candidate is known.

        They make the right candidates likeliest. Trust is 0 unless the graph makes
        them likelier by two standard errors than the prior alone: bad knowledge is ignored.

        Args:
            prior: As for ``revise``.
            observed: As for ``revise``.
            targets: Shape (n, k), 1 where right; or shares that sum to 1 in each row.

        Raises:
            DataError: There is no row, or the targets do not fit.
        """
        from scipy.optimize import minimize

        start, weights = self._log_prior(prior, len(observed)), self.weigh(observed)
        targets = self._checked(targets, len(observed))

        def losses(sharpness: float, trusted: float) -> tuple[Array, Array]:
            """Loss of each row, and the probabilities."""
            found = _softmax(sharpness * start + trusted * weights)
            return -(targets * np.log(np.maximum(found, 1e-300))).sum(axis=1), found

        def with_slope(point: Array) -> tuple[float, Array]:
            loss, found = losses(*point)
            slopes = [np.mean(((found - targets) * of).sum(axis=1)) for of in (start, weights)]
            return float(loss.mean()), np.array(slopes)

        bounds = [(1 / _LARGEST_SHARPNESS, _LARGEST_SHARPNESS), (0.0, _LARGEST_TRUST)]
        alone = minimize(with_slope, [1.0, 0.0], jac=True, bounds=[bounds[0], (0.0, 0.0)], method="L-BFGS-B").x
        both = minimize(with_slope, [1.0, 0.1], jac=True, bounds=bounds, method="L-BFGS-B").x
        gained = losses(*alone)[0] - losses(*both)[0]
        if gained.mean() <= _SURE_ENOUGH * gained.std() / np.sqrt(len(gained)):
            both = alone
        return replace(self, trust=float(both[1] / both[0]), temperature=float(1 / both[0]))

    def learn(self, observed: Observed, targets: Array) -> Evidence:
        """Correct the strengths by cases; the graph is the prior.

        q(c, j) has a Beta prior whose mean is that of the graph and whose weight is ``prior_cases`` cases. Of
        N cases of c where j is known, x have it, so the posterior mean is
        ``(prior_cases · q + x) / (prior_cases + N)``, and s follows from it; where it is less than the leak, s is 0.

        Args:
            observed: What ``observe`` gave of the cases.
            targets: As for ``fit``.

        Raises:
            DataError: There is no case, or the targets do not fit.
        """
        from scipy.sparse import csr_array

        cases = csr_array(self._checked(targets, len(observed)).T)
        there = (cases @ observed.present).tocsr()
        known = (there + cases @ observed.absent).tocsr()
        touched = (self.strengths + there).tocoo()  # what has neither a fact nor a case stays the leak
        rows, columns = touched.row, touched.col
        strengths, found, of = (np.asarray(some[rows, columns]).ravel() for some in (self.strengths, there, known))
        chances = 1 - (1 - self.leaks[columns]) * (1 - strengths)
        chances = (self.config.prior_cases * chances + found) / (self.config.prior_cases + of)
        after = np.clip(1 - (1 - chances) / (1 - self.leaks[columns]), 0, 1)
        return replace(self, strengths=_sparse(after, rows, columns, self.strengths.shape))

    def _checked(self, targets: Array, rows: int) -> Array:
        """The targets as numbers, if they fit."""
        targets = np.asarray(targets, dtype=np.float64)
        if rows == 0 or targets.shape != (rows, len(self.candidates)):
            raise DataError(
                f"The targets have the shape {targets.shape}. Expected {(rows, len(self.candidates))}, "
                "one row a record, at least one, and one column a candidate."
            )
        if not (targets >= 0).all() or not np.allclose(targets.sum(axis=1), 1, atol=1e-3):
            raise DataError("The targets of a row do not sum to 1. Expected 1 for the right candidate and 0 elsewhere.")
        return targets

    def account(self, prior: Array, answers: Mapping[str, Answer], candidate: str) -> Account:
        """What each finding contributed to the log-odds of one candidate of one record.

        The contributions do not depend on the order of the findings: all come in
        together, little by little, and each is credited with what it changes on the
        way. What the sum along that way misses is shared out in proportion, so that they sum to the result.

        Args:
            prior: Shape (k,).
            answers: Finding to what is known of it.
            candidate: Its name.

        Raises:
            DataError: The candidate, a finding or a value is not known, or answers contradict each other.
        """
        if candidate not in self.candidates:
            raise DataError(
                f"There is no candidate {candidate!r}.{did_you_mean(candidate, self.candidates)} "
                f"Expected one of the {len(self.candidates)}: correct it."
            )
        place, observed = self.candidates.index(candidate), self.observe([answers])
        start = self._log_prior(np.asarray(prior)[None, :], 1)[0] / self.temperature
        known = np.concatenate([observed.present.indices, observed.absent.indices])
        there, missing = (self._when_present, self._when_absent)  # type: ignore[attr-defined]
        says = np.concatenate([there[observed.present.indices].toarray(), missing[observed.absent.indices].toarray()])
        says *= self.trust / self.temperature  # (findings, k)
        end = start + says.sum(axis=0)
        before, after = _log_odds(start, place), _log_odds(end, place)
        kept = np.flatnonzero(says.any(axis=1))
        if len(self.candidates) == 1 or not len(kept):
            return Account(candidate, before, (), before)
        points, shares = np.polynomial.legendre.leggauss(_STEPS)
        path = start + (points[:, None] + 1) / 2 * (end - start)  # (steps, k)
        path[:, place] = -np.inf
        rivals = shares @ _softmax(path) / 2  # mean share of each rival among the rivals
        added = says[kept, place] - says[kept] @ rivals
        sizes = np.abs(added)
        missed = after - before - added.sum()
        added += missed * (sizes / sizes.sum() if sizes.sum() > 0 else 1 / len(added))
        likeliest = np.argsort(-end, kind="stable")
        contributions = [
            Contribution(self.findings[known[row]], float(size), self._fact(place, int(known[row]), likeliest))
            for row, size in zip(kept, added, strict=True)
        ]
        contributions.sort(key=lambda one: (-abs(one.log_odds), one.finding))
        return Account(candidate, before, tuple(contributions), after)

    def _fact(self, candidate: int, finding: int, likeliest: NDArray[np.intp]) -> Fact | None:
        """The fact that a contribution rests on."""
        order = (candidate, *map(int, likeliest))
        return next((self.facts[place, finding] for place in order if (place, finding) in self.facts), None)

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """Strengths with their places, leaks and parents; and names, facts and options."""
        given = self.strengths.tocoo()
        arrays = {
            "strengths": given.data,
            "strength_rows": np.asarray(given.row, dtype=np.int64),
            "strength_columns": np.asarray(given.col, dtype=np.int64),
            "leaks": self.leaks,
            "parents": np.asarray(self.parents, dtype=np.int64),
        }
        document = {
            "candidates": list(self.candidates),
            "findings": list(self.findings),
            "nones": dict(self.nones),
            "facts": [[*place, fact.relation, *map(written, fact.arguments)] for place, fact in self.facts.items()],
            "config": asdict(self.config),
            "trust": self.trust,
            "temperature": self.temperature,
        }
        return arrays, document

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], document: Mapping[str, Any]) -> Evidence:
        """Take back what ``to_arrays`` gave."""
        shape = (len(document["candidates"]), len(document["findings"]))
        return cls(
            candidates=tuple(document["candidates"]),
            findings=tuple(document["findings"]),
            strengths=_sparse(arrays["strengths"], arrays["strength_rows"], arrays["strength_columns"], shape),
            leaks=arrays["leaks"],
            parents=arrays["parents"].astype(np.intp),
            nones=dict(document["nones"]),
            facts={(row, column): normal(Fact(of, (a, b))) for row, column, of, a, b in document["facts"]},
            config=EvidenceConfig(**document["config"]),
            trust=document["trust"],
            temperature=document["temperature"],
        )


def _findings(
    source: Source, config: EvidenceConfig, direct: set[str]
) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """All findings in order, what each presupposes, and which value says that one is not there."""
    pairs: dict[str, list[tuple[str, str]]] = {config.presupposes: [], config.values: [], config.none: []}
    for fact, _ in source.facts({(relation, 2) for relation in pairs}):
        head, tail = map(written, fact.arguments)
        pairs[fact.relation].append((head, tail))
    names = set(direct)
    nones = {head: tail for head, tail in sorted(pairs[config.none]) if head in names}
    above = {head: tail for head, tail in sorted(pairs[config.presupposes]) if head in names and tail in names}
    for head, tail in sorted(pairs[config.values]):
        if head in direct and nones.get(head) != tail:
            names.add(f"{head}={tail}")
            above[f"{head}={tail}"] = head
    for name in above:
        seen, at = {name}, above[name]
        while at in above:
            if at in seen:
                raise DataError(
                    f"The finding {at!r} presupposes itself by {config.presupposes}. "
                    "Expected no circle: remove one of these facts."
                )
            seen.add(at)
            at = above[at]
        if at in seen:
            raise DataError(
                f"The finding {at!r} presupposes itself by {config.presupposes}. "
                "Expected no circle: remove one of these facts."
            )
    return sorted(names), above, nones


def _values(answer: Value | Sequence[Value]) -> tuple[str, ...]:
    """The values of an answer, as text."""
    several = answer if isinstance(answer, list | tuple | set | frozenset) else (answer,)
    return tuple(sorted(written(normalised(value)) for value in several))  # type: ignore[arg-type]


def _sparse(data: Array, rows: NDArray[Any], columns: NDArray[Any], shape: tuple[int, int]) -> Any:
    """A sparse matrix."""
    from scipy.sparse import csr_array

    return csr_array((data, (rows, columns)), shape=shape)


def _softmax(scores: Array) -> Array:
    """Numbers that sum to 1 along each row."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _log_odds(scores: Array, place: int) -> float:
    """Log-odds of one candidate against all others together."""
    others = np.delete(scores, place)
    if not len(others):
        return float("inf")
    return float(scores[place] - others.max() - np.log(np.exp(others - others.max()).sum()))
