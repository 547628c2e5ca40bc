"""The next question: the one whose answer is expected to tell most.

What the answer to a finding j tells of the candidate c is their mutual
information, in bits, with p what is believed now and q(c, j) from ``Evidence``:

    gain(j) = H(Σ_c p(c) · q(c, j)) − Σ_c p(c) · H(q(c, j)),   H(x) = −x log₂ x − (1 − x) log₂ (1 − x)

Where questions cost something, the gain for each unit of cost counts. Of a
finding that has values, only whether it is there is counted. A finding that
presupposes another one is asked for only once that other one is known to be there.

Source:
    Lindley, "On a Measure of the Information Provided by an Experiment",
    Annals of Mathematical Statistics 27(4), 1956.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from huiyi.errors import DataError, OptionError, did_you_mean
from huiyi.reason.evidence import Evidence
from huiyi.reason.findings import Answer
from huiyi.values import Question, spelt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array

Language = Literal["en", "zh"]
Stop = Literal["", "sure", "nothing to gain", "most questions"]

_SAID = {
    "en": {"yes": "yes", "no": "no", "unknown": "I don't know", "ask": "Is this so: {0}?", "none": "none of these"},
    "zh": {"yes": "是", "no": "否", "unknown": "不知道", "ask": "有没有这种情况：{0}？", "none": "都不是"},
}


@dataclass(frozen=True)
class AskConfig:
    """When to stop asking.

    Attributes:
        sure_enough: Probability of the likeliest candidate from which on nothing is asked.
        least_gain: Bits; a question that is expected to tell less is not asked.
        most_questions: How many questions are asked at most.
    """

    sure_enough: float = 0.95
    least_gain: float = 0.05
    most_questions: int = 20

    def __post_init__(self) -> None:
        if not 0 < self.sure_enough <= 1 or not self.least_gain >= 0 or self.most_questions < 0:
            raise OptionError(
                f"{self} cannot be used. Expected sure_enough above 0 and up to 1, and the others not below 0."
            )


@dataclass(frozen=True)
class Next:
    """What to ask next, or why nothing is asked.

    Attributes:
        question: ``None`` when nothing is asked; its ``about`` is the finding.
        gain: Bits that the answer is expected to tell.
        stop: Why nothing is asked; "" when something is.
    """

    question: Question | None
    gain: float
    stop: Stop


@dataclass(frozen=True)
class Asker:
    """Asks for findings.

    Args:
        evidence: What findings say of candidates.
        config: When to stop.
        label: What to call a finding or a value in a language, as ``Knowledge.label`` does. A label that ends with a
            question mark is asked as it stands.
        costs: Finding to what asking for it costs; 1 where it is not named.

    Raises:
        DataError: A cost names no finding.
        OptionError: A cost is not above 0.

    Example:
        >>> from huiyi.reason import Fact, Statements
        >>> said = [("flu", "fever"), ("flu", "cough"), ("cold", "cough")]
        >>> evidence = Evidence.of(Statements([Fact("has_symptom", pair) for pair in said]), ["flu", "cold"])
        >>> asker = Asker(evidence)
        >>> asker.next([0.5, 0.5], {}).question
        Question(text='Is this so: fever?', options=('yes', 'no', "I don't know"), about='fever')
        >>> asker.next([0.5, 0.5], {"fever": asker.read("fever", "yes")}).stop
        'sure'
    """

    evidence: Evidence
    config: AskConfig = AskConfig()
    label: Callable[[str, str], str] | None = None
    costs: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        evidence = self.evidence
        costs = np.ones(len(evidence.findings))
        for name, cost in (self.costs or {}).items():
            if not cost > 0:
                raise OptionError(f"Asking for {name!r} costs {cost}. Expected a number above 0: correct it.")
            costs[evidence.findings.place(name)] = cost
        given = evidence.present_if.tocoo()
        leaks = evidence.leaks
        shape = given.shape
        from scipy.sparse import csr_array

        places = (given.row, given.col)
        more = csr_array((given.data - leaks[given.col], places), shape=shape)
        doubt = csr_array((_entropy(given.data) - _entropy(leaks[given.col]), places), shape=shape)
        for name, value in {"_costs": costs, "_more": more, "_doubt": doubt}.items():
            object.__setattr__(self, name, value)

    def gains(self, probabilities: Array) -> Array:
        """Bits that each finding is expected to tell, shape (n, m), whether or not it is known.

        Args:
            probabilities: What is believed of the candidates, shape (n, k).
        """
        leaks = self.evidence.leaks
        there = np.clip(leaks + probabilities @ self._more, 0, 1)  # type: ignore[attr-defined]
        known = _entropy(leaks) + probabilities @ self._doubt  # type: ignore[attr-defined]
        return np.asarray(np.maximum(_entropy(there) - known, 0))

    def open(self, answers: Mapping[str, Answer], asked: Collection[str] = ()) -> NDArray[np.bool_]:
        """Which findings may be asked for, shape (m,).

        They are those of which nothing is known, that were not asked for, that are no value of another one, and of
        which what they presuppose is there.
        """
        findings = self.evidence.findings
        states = findings.states(answers)
        known = {*states, *asked, *answers}
        there = np.array([states.get(name, False) for name in findings.names], dtype=bool)
        new = np.array([name not in known for name in findings.names], dtype=bool)
        return np.asarray(new & ~findings.are_values & ((findings.parents < 0) | there[findings.parents]))

    def choose(self, probabilities: Array, allowed: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Place of the finding to ask for in each of n records, or -1 where nothing is left to gain. Shape (n,).

        Args:
            probabilities: Shape (n, k).
            allowed: Which findings may be asked for, shape (n, m).
        """
        gains = self.gains(probabilities)
        worth = np.where(allowed & (gains >= self.config.least_gain) & (gains > 0), gains / self._costs, -1.0)  # type: ignore[attr-defined]
        best = np.asarray(np.argmax(worth.round(12), axis=1))  # of equal ones the first in order of the alphabet
        return np.where(worth[np.arange(len(best)), best] > 0, best, -1)

    def next(
        self, prior: Array, answers: Mapping[str, Answer], *, asked: Collection[str] = (), language: Language = "en"
    ) -> Next:
        """The next question about one record, or why there is none.

        Args:
            prior: Probabilities before any finding, shape (k,).
            answers: Finding to what is known of it.
            asked: Findings that were asked for, whatever the answer. They count against the most questions.
            language: Of the question.

        Raises:
            DataError: A finding or value is not known, or answers contradict each other.
        """
        for name in asked:
            self.evidence.findings.place(name)
        found = self.evidence.revise(
            np.asarray(prior, dtype=np.float64)[None, :], self.evidence.findings.observe([answers])
        )
        if found.max() >= self.config.sure_enough:
            return Next(None, 0.0, "sure")
        if len(set(asked)) >= self.config.most_questions:
            return Next(None, 0.0, "most questions")
        place = int(self.choose(found, self.open(answers, asked)[None, :])[0])
        if place < 0:
            return Next(None, 0.0, "nothing to gain")
        return Next(
            self.question(self.evidence.findings.names[place], language), float(self.gains(found)[0, place]), ""
        )

    def question(self, finding: str, language: Language = "en") -> Question:
        """The question about one finding.

        Raises:
            DataError: The finding is not known.
        """
        say = _SAID[language]
        text = self._called(finding, language)
        options = self._options(finding, language)
        return Question(
            text if text.endswith(("?", "？", ":", "：")) else say["ask"].format(text), tuple(options), finding
        )

    def read(self, finding: str, reply: str, language: Language = "en") -> Answer:
        """What a reply says, which must be one of the question's options: an answer for ``Evidence``.

        Raises:
            DataError: The finding is not known, or the reply is none of the options.
        """
        options = self._options(finding, language)
        folded = {name.casefold(): answer for name, answer in options.items()}
        if reply.strip().casefold() not in folded:
            raise DataError(
                f"The reply {reply!r} is no answer to the question about {finding!r}.{did_you_mean(reply, options)} "
                f"Expected one of {', '.join(list(options)[:8])}{', …' if len(options) > 8 else ''}: choose one."
            )
        return folded[reply.strip().casefold()]

    def _options(self, finding: str, language: Language) -> dict[str, Answer]:
        """Options, and what each says."""
        say = _SAID[language]
        values = self.evidence.findings.options(finding)
        if not values:
            return {say["yes"]: True, say["no"]: False, say["unknown"]: None}
        called = [self._called(value, language) for value in values]
        names = [
            name if called.count(name) == 1 else f"{name} ({value})" for name, value in zip(called, values, strict=True)
        ]
        none = self.evidence.findings.nones.get(finding)
        without = self._called(none, language) if none and none not in names else say["none"]
        return {**dict(zip(names, values, strict=True)), without: False, say["unknown"]: None}

    def _called(self, name: str, language: Language) -> str:
        """What to call a finding or a value."""
        label = self.label(name, language) if self.label else name
        return spelt(name) if label == name and not name.replace(".", "").isdigit() else label


def _entropy(chances: Array) -> Array:
    """Bits of doubt about a yes or no."""
    chances = np.clip(chances, 1e-15, 1 - 1e-15)
    return np.asarray(-chances * np.log2(chances) - (1 - chances) * np.log2(1 - chances))
