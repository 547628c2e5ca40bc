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
from huiyi.reason.facts import Fact, Source, normal, normalised, written
from huiyi.reason.findings import Answer, Findings, Observed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array

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

    relations: Mapping[str, float] = field(default_factory=lambda: {"has_symptom": 0.6, "has_antecedent": 0.7})
    leak: float = 0.001
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
class Evidence:
    """What findings say of candidates.

    Attributes:
        candidates: The k candidates.
        findings: The m findings.
        strengths: Sparse, shape (k, m).
        leaks: Shape (m,).
        facts: Places of candidate and finding to the fact of the graph.
        config: See there.
        trust: How much the graph counts; 0 is not at all.
        temperature: Above 1, the probabilities are less extreme.

    Example:
        >>> from huiyi.reason import Statements
        >>> said = [("flu", "fever"), ("flu", "cough"), ("cold", "cough")]
        >>> graph = Statements([Fact("has_symptom", pair) for pair in said])
        >>> evidence = Evidence.of(graph, ["flu", "cold"])
        >>> seen = evidence.findings.observe([{"fever": True}, {"fever": False}, {"fever": None}])
        >>> evidence.revise(np.full((3, 2), 0.5), seen).round(2)
        array([[1.  , 0.  ],
               [0.29, 0.71],
               [0.5 , 0.5 ]])
    """

    candidates: tuple[str, ...]
    findings: Findings
    strengths: Any
    leaks: Array
    facts: Mapping[tuple[int, int], Fact]
    config: EvidenceConfig = EvidenceConfig()
    trust: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
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
        found: dict[tuple[str, str], tuple[float, Fact]] = {}  # of two facts the stronger one
        for fact, weight in source.facts({(relation, 2) for relation in config.relations}):
            head, tail = map(written, fact.arguments)
            strength = weight * config.relations[fact.relation]
            known = found.get((head, tail))
            if head in order and (known is None or (strength, fact.relation) > (known[0], known[1].relation)):
                found[head, tail] = strength, fact
        if not found:
            near = did_you_mean(next(iter(config.relations)), sorted(source.relations()))
            raise DataError(
                f"The graph says nothing of any candidate by {' or '.join(sorted(config.relations))}.{near} "
                "Expected facts that begin with a candidate: name the relations in EvidenceConfig."
            )
        findings = Findings.of(
            {tail for _, tail in found},
            presupposes=_pairs(source, config.presupposes),
            values=_pairs(source, config.values),
            nones=_pairs(source, config.none),
        )
        within = findings.parents >= 0
        facts: dict[tuple[int, int], Fact] = {}
        strengths: list[float] = []
        for (head, tail), (strength, fact) in sorted(found.items()):
            column = findings.place(tail)
            facts[order[head], column] = fact
            own = config.relations[fact.relation]
            strengths.append(strength / own * config.strength_within if within[column] else strength)
        rows, columns = np.array(list(facts), dtype=np.intp).T
        return cls(
            candidates=tuple(names),
            findings=findings,
            strengths=_sparse(np.array(strengths), rows, columns, (len(names), len(findings))),
            leaks=np.where(within, config.leak_within, config.leak),
            facts=facts,
            config=config,
        )

    @property
    def present_if(self) -> Any:
        """How often a finding is there if a candidate is right, where that is not the leak. Sparse, shape (k, m)."""
        given = self.strengths.tocoo()
        chances = 1 - (1 - self.leaks[given.col]) * (1 - given.data)
        return _sparse(np.clip(chances, _SMALLEST, 1 - _SMALLEST), given.row, given.col, given.shape)

    def weigh(self, observed: Observed) -> Array:
        """Sums of what the findings say for each candidate, Σ w, before trust and temperature. Shape (n, k)."""
        present, absent = self._when_present, self._when_absent  # type: ignore[attr-defined]
        return np.asarray((observed.present @ present + observed.absent @ absent).toarray(), dtype=np.float64)

    def revise(self, prior: Array, observed: Observed) -> Array:
        """Probabilities of the candidates once the findings are known.

        Args:
            prior: Shape (n, k), such as the aligned probabilities. Rows need not sum to 1. Nothing is held for
                less probable than one in a million millions.
            observed: What ``Findings.observe`` gave of the n records.

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
        shares: Array = np.maximum(prior / prior.sum(axis=1, keepdims=True), _SMALLEST_PRIOR)
        return np.asarray(np.log(shares))

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
            observed: What ``Findings.observe`` gave of the cases.
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
        place, observed = self.candidates.index(candidate), self.findings.observe([answers])
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
            Contribution(self.findings.names[known[row]], float(size), self._fact(place, int(known[row]), likeliest))
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
            "parents": np.asarray(self.findings.parents, dtype=np.int64),
        }
        document = {
            "candidates": list(self.candidates),
            "findings": list(self.findings.names),
            "nones": dict(self.findings.nones),
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
            findings=Findings(tuple(document["findings"]), arrays["parents"].astype(np.intp), dict(document["nones"])),
            strengths=_sparse(arrays["strengths"], arrays["strength_rows"], arrays["strength_columns"], shape),
            leaks=arrays["leaks"],
            facts={(row, column): normal(Fact(of, (a, b))) for row, column, of, a, b in document["facts"]},
            config=EvidenceConfig(**document["config"]),
            trust=document["trust"],
            temperature=document["temperature"],
        )


def _pairs(source: Source, relation: str) -> list[tuple[str, str]]:
    """What stands in a relation, as texts."""
    return [(written(fact.arguments[0]), written(fact.arguments[1])) for fact, _ in source.facts({(relation, 2)})]


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
