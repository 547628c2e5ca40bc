"""The stage: what follows from what records say, which labels it makes likelier, and what to do.

reasoner.fit(...)                       which labels the graph speaks of, and how far it is to be trusted
cases = reasoner.read(context)          what each record says, as facts
reasoner.revise(cases, intents)         the labels' probabilities once that is known
reasoner.conclude(cases, told)          the action that rules conclude, or the question that would settle it
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, partial
from math import isclose
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError, did_you_mean
from huiyi.reason.belief import Belief, said_of
from huiyi.reason.closure import Closure, View, close
from huiyi.reason.domain import Domain
from huiyi.reason.evidence import Evidence
from huiyi.reason.facts import Fact, Given, Key, Sources, Statements, normal, written
from huiyi.reason.findings import Findings
from huiyi.reason.link import Linker
from huiyi.reason.proof import Proof, Step, prove
from huiyi.reason.replay import Weigher, replay
from huiyi.reason.request import (
    CALLED,
    DECISION,
    DENIES,
    DO,
    FORM,
    MENTIONS,
    REPLY,
    REQUEST,
    RESERVED,
    SUPPOSES,
    Heard,
    heard,
    of_links,
    of_spans,
    of_values,
    relations_of,
    weight_of,
)
from huiyi.reason.rules import Rules
from huiyi.reason.trials import Trials
from huiyi.reason.wording import Language, Wording
from huiyi.values import Inference, Label, Task, alike, spelt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Context, Decision, Intents, Question, Record

LONGEST_NAME = 60
"""Characters. A longer text of the graph is not looked for in what people say."""

FEWEST_ROWS = 10
"""Of rows with findings from which the trust in the graph is fitted. Without as many it is trusted as it stands."""


@dataclass(frozen=True, eq=False)
class Case:
    """What one record says, as facts.

    Attributes:
        record: The record.
        given: What it says, with where it says so.
        asked: Findings that were asked for.
        day: On which it is decided.
    """

    record: Record
    given: tuple[Given, ...]
    asked: tuple[str, ...]
    day: date


@dataclass(frozen=True, eq=False)
class Conclusion:
    """What rules conclude about one record once its labels are decided on.

    Attributes:
        case: What it says.
        decided: What was decided, as facts.
        action: What to do, if anything follows.
    """

    case: Case
    decided: tuple[Given, ...]
    action: Fact | None


class Reasoner:
    """What a domain's facts and rules add to decisions.

    Args:
        domain: Facts and rules.
        tasks: What is told of records.
        fields: The form fields that records have.

    Raises:
        DataError: A rule speaks of a relation that is neither in the graph nor of requests, or the labels of no task
            are hidden; the nearest is named. Or a task, slot, field or question has the name of something else.

    Example:
        >>> from huiyi.reason.graph import Knowledge
        >>> rules = "do(request, call_back) :- mentions(request, fever), not denies(request, cough)."
        >>> domain = Domain(Knowledge(), {"desk.rules": rules})
        >>> Reasoner(domain, [], []).rules.by_name["do 1"].head.relation
        'do'
    """

    def __init__(self, domain: Domain, tasks: Sequence[Task], fields: Sequence[str]) -> None:
        self.domain = domain
        self.slots = {task.name: task.names if task.kind == "spans" else () for task in tasks}
        self.fields = tuple(name for name in fields if (name, 2) in domain.rules.keys)  # of others nothing follows
        self._check_names()
        slots = [name for names in self.slots.values() for name in names]
        declared = [relation.atom for relation in domain.rules.relations]
        brought = relations_of(
            self.slots, [*slots, *self.fields, *domain.questions], [atom.relation for atom in declared]
        )
        self.rules = Rules.joined([brought, domain.rules])
        self.rules.check(domain.knowledge.relations(), complete=True)
        concluded = {rule.head.relation for rule in self.rules.rules if rule.head is not None}
        own = {atom.relation for atom in declared if len(atom.terms) == 2} - {*self.slots, *RESERVED, *concluded}
        self.takes = frozenset({*self.fields, *domain.questions, *own})
        self._labels = {label.name: label for task in tasks for label in task.labels}
        self.beliefs: dict[str, Belief] = {}
        for task in tasks:
            belief = self._belief(task)
            if belief is not None:
                self.beliefs[task.name] = belief

    def _check_names(self) -> None:
        """Refuse names that would be taken for something else."""
        taken = {**dict.fromkeys(self.slots, "is a task"), **dict.fromkeys(RESERVED, "says what a request is about")}
        named = [("a task", self.slots, RESERVED), ("a field", self.fields, taken)]
        named += [("a slot", names, taken) for names in self.slots.values()]
        named += [("a question", self.domain.questions, taken)]
        for what, names, others in named:
            for name in names:
                if name in others:
                    raise DataError(
                        f"{what} is called {name!r}, which {taken[name]} in rules. Expected another name: rename it."
                    )
        for name in self.domain.hidden:
            if name not in self.slots:
                raise DataError(
                    f"hidden({name}) changes nothing: there is no such task.{did_you_mean(name, self.slots)} "
                    f"Expected one of {', '.join(self.slots)}: correct it."
                )

    # What the graph knows

    @cached_property
    def closure(self) -> Closure:
        """The graph with all that follows from it alone. Computed when it is first needed."""
        return close(self.domain.knowledge, self.rules)

    @cached_property
    def linker(self) -> Linker | None:
        """What finds the graph's things in texts; nothing where the graph has none."""
        relations = {(relation, 2) for relation in self.domain.evidence.relations}
        relations |= {key for key in self.rules.keys if key[1] in (1, 2)}
        things = {
            value
            for fact, _ in self.domain.facts.facts(relations)
            for value in fact.arguments
            if isinstance(value, str) and len(value) <= LONGEST_NAME
        }
        things |= {
            term
            for rule in self.rules.rules
            for atom in (*rule.atoms, *rule.negated)
            if atom.relation in (MENTIONS, DENIES, SUPPOSES)
            for term in atom.terms
            if isinstance(term, str) and term != REQUEST
        }
        return Linker.of(self.domain.knowledge, things) if things else None

    @cached_property
    def _called(self) -> Mapping[str, str]:
        """Names in small letters, to the thing that has them."""
        found: dict[str, str] = {}
        if self.linker is not None:
            for name in self.linker.names:
                if name.share == 1:
                    found.setdefault(alike(spelt(name.text)), self.linker.entities[name.entity])
        return found

    @property
    def asks(self) -> frozenset[str]:
        """What its questions may be about."""
        findings = (name for belief in self.beliefs.values() for name in belief.evidence.findings.names)
        return frozenset({*self.domain.questions, *findings})

    def known(self, text: str) -> str:
        """What the graph calls a thing of this name, or else the text as it is."""
        return self._called.get(alike(spelt(text)), text)

    def label(self, name: str, language: str) -> str:
        """What to call a thing in words; a label of a task of which the graph has no name, by its description."""
        if name == REQUEST:
            return CALLED["zh" if language == "zh" else "en"]
        called = self.domain.knowledge.label(name, language)
        return self._labels[name].words(language) if called == name and name in self._labels else called

    def wording(self, language: Language) -> Wording:
        """Says facts and proofs in a language."""
        return Wording(self.rules, language, self.label)

    def _belief(self, task: Task) -> Belief | None:
        """What the graph says of the labels of a task; nothing where it does not tell two apart."""
        config = self.domain.evidence
        speaks = {
            written(fact.arguments[0])
            for fact, _ in self.domain.facts.facts({(relation, 2) for relation in config.relations})
        }
        if task.kind != "choice" or not speaks:
            return None
        found: dict[str, tuple[str, int]] = {}
        for column, label in enumerate(task.labels):
            for name in (label.name, label.words(), *label.descriptions.values()):
                candidate = name if name in speaks else self.known(name)
                if candidate in speaks:
                    found.setdefault(candidate, (label.name, column))
                    break
        if len(found) < 2:
            return None
        evidence = Evidence.of(self.domain.facts, list(found), config)
        labels, columns = zip(*found.values(), strict=True)
        return Belief(task.name, labels, np.array(columns, dtype=np.intp), evidence, self.label)

    def hints(self, task: Task) -> dict[str, tuple[str, ...]]:
        """Texts that say what labels mean, by what the graph brings to each: its names, and those of its findings."""
        belief = self.beliefs.get(task.name)
        if belief is None:
            return {}
        evidence = belief.evidence
        found: dict[str, list[str]] = {}
        for (candidate, _), fact in evidence.facts.items():
            found.setdefault(belief.labels[candidate], []).extend(self._names(written(fact.arguments[1])))
        for label, name in zip(belief.labels, evidence.candidates, strict=True):
            found.setdefault(label, []).extend(self._names(name))
        return {label: tuple(dict.fromkeys(texts)) for label, texts in found.items()}

    def _names(self, thing: str) -> list[str]:
        """What a thing is called, spelt as words."""
        labels = self.domain.knowledge.labels(thing)
        names = [*labels.values(), *self.domain.knowledge.aliases(thing)] or [spelt(thing)]
        return [name for name in names if any(character.isalpha() for character in name)]

    # What a record says

    def read(self, context: Context) -> tuple[Case, ...]:
        """What each record says, as facts."""
        texts: list[list[Heard]] = []
        for row, record in enumerate(context.records):
            read = {source: one.text for source, some in context.readings.items() if (one := some[row])}
            texts.append([one for one in heard(record, read) if one.source not in context.left_out])
        flat = [one for some in texts for one in some]
        linked = iter(self.linker.link([one.text for one in flat]) if self.linker else [()] * len(flat))
        cases = []
        for record, some in zip(context.records, texts, strict=True):
            given = [fact for one in some for fact in of_links(one.called, next(linked))]
            if "fields" not in context.left_out:
                given += [
                    fact
                    for name, value in record.fields.items()
                    if name in self.takes
                    for fact in self._usable(name, value, FORM)
                ]
            cases.append(self._case(record, given))
        return tuple(cases)

    def _case(self, record: Record, given: list[Given]) -> Case:
        """What a record says, with the replies that it has to questions, which count more than all else."""
        asked: list[str] = []
        replied: dict[str, bool] = {}
        for name, reply in record.answers.items():
            if name in self.domain.questions:
                given = [one for one in given if one.fact.relation != name]
                given += self._usable(name, reply, REPLY)
                continue
            for belief in self.beliefs.values():
                if name in belief.evidence.findings:
                    asked.append(name)
                    replied |= belief.replied(name, reply)
                    break
        settled = {normal(Fact(way, (REQUEST, finding))) for finding in replied for way in (MENTIONS, DENIES, SUPPOSES)}
        given = [one for one in given if normal(one.fact) not in settled]
        given += [Given(said_of(finding, there), 1.0, REPLY) for finding, there in replied.items()]
        day = record.time.date() if record.time else date.today()
        return Case(record, tuple(given), tuple(asked), day)

    def _usable(self, name: str, values: Any, source: str) -> list[Given]:
        """What a field or a reply says, but for that of which no rule can make anything, so that it is asked for."""
        return [
            one
            for one in of_values(name, values, source, partial(self._meant, name))
            if name not in self.domain.questions or not self._trials.compared[name].expected(one.fact.arguments[1])
        ]

    def expected(self, name: str, reply: str) -> str:
        """What should have been replied to a question, if rules can make nothing of the reply; else ""."""
        if name not in self.domain.questions or not reply.strip():
            return ""
        said = [one.fact.arguments[1] for one in of_values(name, reply, REPLY, partial(self._meant, name))]
        return self._trials.compared[name].expected(said[0]) if said else "a shorter text"

    def _meant(self, name: str, text: str) -> str:
        """What a text means as a value of a relation: one of the options, or a thing of the graph, or the text."""
        option = self._trials.option(name, text, self.label) if name in self.domain.questions else None
        return self.known(text) if option is None else option

    @contextmanager
    def _following(self, case: Case, more: Iterable[Given] = ()) -> Iterator[View]:
        """What follows from what a record says, and more."""
        given = [one for one in (*case.given, *more) if one.fact.key in self._spoken]
        with self.closure.adding(given, today=case.day if self.rules.asks_for_today else None) as view:
            yield view

    @cached_property
    def _spoken(self) -> frozenset[Key]:
        """The relations that rules speak of."""
        return self.rules.keys | {relation.atom.key for relation in self.rules.relations}

    def _states(self, case: Case, findings: Findings) -> dict[str, bool]:
        """What is known of findings: what was mentioned, denied or replied, and what follows from that."""
        facts = [one.fact for one in case.given]
        if any(rule.head is not None and rule.head.relation in (MENTIONS, DENIES) for rule in self.rules.rules):
            with self._following(case) as view:
                facts += [fact for relation in (MENTIONS, DENIES) for fact in view.facts(relation, REQUEST, None)]
        said: dict[str, set[bool]] = {}
        for fact in facts:
            if fact.relation in (MENTIONS, DENIES) and str(fact.arguments[1]) in findings:
                said.setdefault(str(fact.arguments[1]), set()).add(fact.relation == MENTIONS)
        clear = {name: True in ways for name, ways in said.items() if len(ways) == 1}
        try:
            return findings.states(clear)
        except DataError:  # something is there, and what it presupposes is not: what is there was seen
            return findings.states({name: there for name, there in clear.items() if there})

    # What follows

    def fit(self, task: Task, intents: Intents, context: Context) -> None:
        """Find how far the graph is to be trusted on a task.

        Args:
            task: The task.
            intents: Of labelled records, by parts that were not fitted on them.
            context: Of the records.
        """
        belief = self.beliefs.get(task.name)
        if belief is None:
            return
        states = [self._states(case, belief.evidence.findings) for case in self.read(context)]
        place = {label: column for column, label in enumerate(belief.labels)}
        right = [
            place.get(labels[0], -1) if len(labels := record.labels_of(task.name)) == 1 else -1
            for record in context.records
        ]
        prior = np.asarray(intents.probabilities, dtype=np.float64)[:, belief.columns]
        rows = [row for row, known in enumerate(states) if known and right[row] >= 0 and prior[row].sum() > 0]
        if len(rows) < FEWEST_ROWS:
            return
        observed = belief.evidence.findings.observe([states[row] for row in rows])
        targets = np.eye(len(place))[[right[row] for row in rows]]
        fitted = belief.evidence.fit(prior[rows], observed, targets)
        self.beliefs[task.name] = replace(belief, evidence=fitted)

    def revise(self, cases: Sequence[Case], intents: Intents) -> Inference:
        """The probabilities of labels once it is known what the records say.

        A record of which nothing was perceived, such as replies alone, is in scope where the graph speaks of it.
        """
        belief = self.beliefs.get(intents.task.name)
        if belief is None:
            return Inference(intents, intents, cases)
        states = [self._states(case, belief.evidence.findings) for case in cases]
        silent, in_scope = np.flatnonzero(intents.in_scope == 0), np.array(intents.in_scope)
        in_scope[silent] = belief.speaks([states[row] for row in silent])
        revised = replace(intents, probabilities=belief.revise(intents.probabilities, states), in_scope=in_scope)
        return Inference(revised, intents, cases)

    def ask(self, inference: Inference, row: int, decision: Decision, language: Language) -> Question | None:
        """The question about a finding that tells more than the one about labels, where there is one.

        A question is worth the bits its answer is expected to tell, for the time it takes to choose among n options,
        which grows with log₂(n + 1) (Hick, "On the rate of gain of information", Quarterly Journal of Experimental
        Psychology 4, 1952). Where people cannot tell the labels themselves, the one about labels is worth nothing.
        """
        belief = self.beliefs.get(inference.intents.task.name)
        if belief is None or not belief.evidence.trust:
            return None
        case: Case = inference.facts[row]
        states = self._states(case, belief.evidence.findings)
        prior = np.asarray(inference.aligned.probabilities[row], dtype=np.float64)[belief.columns]
        if not prior.sum():
            return None
        asked = [name for name in case.asked if name in belief.evidence.findings]  # others are of other tasks
        found = belief.asker.next(prior, states, asked=asked, language=language)
        if found.question is None or belief.task in self.domain.hidden or decision.question is None:
            return found.question
        shares = np.array([candidate.probability for candidate in decision.candidates])
        shares = shares[: len(decision.question.options) - 1]
        shares = np.append(shares, max(1 - shares.sum(), 0))
        told = -float((shares * np.log2(np.maximum(shares, 1e-12))).sum())
        own, other = len(found.question.options), len(decision.question.options)
        return found.question if found.gain / np.log2(own + 1) > told / np.log2(other + 1) else None

    def conclude(self, case: Case, decisions: Mapping[str, Decision]) -> Conclusion:
        """What to do about a record, by what rules conclude from what it says and what was decided on it.

        Args:
            case: What it says.
            decisions: What was decided on each task.
        """
        decided: list[Given] = []
        for task, decision in decisions.items():
            if decision.kind != "decline":
                labels, share = () if decision.spans else decision.labels, weight_of(decision.probability)
                decided += [Given(Fact(task, (REQUEST, label)), share, DECISION) for label in labels]
                spans = [span for span in decision.spans if span.label not in case.record.answers]
                decided += of_spans(case.record.text or "", spans, self.known)
        if not self._acts:
            return Conclusion(case, tuple(decided), None)
        with self._following(case, decided) as view:
            action = max(view.facts(DO, REQUEST, None), key=view.weight, default=None)
        return Conclusion(case, tuple(decided), action)

    @cached_property
    def _acts(self) -> bool:
        """Whether rules conclude what to do."""
        return any(rule.head is not None and rule.head.key == (DO, 2) for rule in self.rules.rules)

    def missing(self, conclusion: Conclusion, language: Language) -> Question | None:
        """The question whose reply would let rules conclude what to do, where they do not yet."""
        if not self._acts or conclusion.action is not None:
            return None
        case = conclusion.case
        return self._trials.question(
            (*case.given, *conclusion.decided),
            case.day,
            lambda given: self._following(replace(case, given=()), given),
            self.label,
            language,
        )

    @cached_property
    def _trials(self) -> Trials:
        day = date.today() if self.rules.asks_for_today else None  # of which nothing depends but what requests say
        with self.closure.adding((), today=day) as view:
            return Trials.of(self.domain.questions, self.rules, view)

    # Why

    def proofs(self, inference: Inference, row: int, decision: Decision, conclusion: Conclusion) -> tuple[Proof, ...]:
        """Why a label is as probable as it is, where findings have a part in that, and why the action follows."""
        found: list[Proof] = []
        belief = self._believed(conclusion.case, decision)
        if belief is not None:
            states = self._states(conclusion.case, belief.evidence.findings)
            said = Sources(Statements(conclusion.case.given), self.domain.facts)
            with self._following(conclusion.case) as view:

                def shown(fact: Fact) -> Proof:
                    if not said.weight(fact) and fact.key in view.tables and view.entry(fact) is not None:
                        return prove(view, fact)
                    return Proof((Step(fact, said.weight(fact) or 1.0, sources=said.sources(fact)[:1]),))

                proof = belief.prove(inference.aligned.probabilities[row], states, str(decision.label), shown)
            found += [proof] if proof is not None else []
        if decision.action is not None and conclusion.action is not None:
            with self._following(conclusion.case, conclusion.decided) as view:
                found.append(prove(view, conclusion.action))
        return tuple(found)

    def replay(
        self, proofs: Iterable[Proof], inference: Inference, row: int, decision: Decision, conclusion: Conclusion
    ) -> tuple[str, ...]:
        """Check the proofs of a decision against the record, the graph and the rules as they are now.

        Returns:
            What is wrong, one line each: a step that does not hold, or something decided that nothing proves.
        """
        case, belief = conclusion.case, self._believed(conclusion.case, decision)
        implied: list[Fact] = []
        weighers: dict[str, Weigher] = {}
        needed: dict[Fact, float | None] = {}
        if belief is not None:
            probabilities = inference.aligned.probabilities[row]
            states = self._states(case, belief.evidence.findings)
            said = {normal(one.fact) for one in case.given}
            # what a finding presupposes is there with it, though nobody said so
            implied = [fact for name, there in states.items() if (fact := said_of(name, there)) not in said]
            weighers[belief.task] = partial(belief.replay, probabilities=probabilities, states=states)
            if belief.counts(probabilities, states, str(decision.label)):
                needed[belief.says(str(decision.label))] = decision.probability
        if decision.action is not None:
            needed[normal(Fact(DO, (REQUEST, decision.action)))] = None
        day = case.day if self.rules.asks_for_today else None
        given = [*case.given, *conclusion.decided]
        failures: list[str] = []
        for proof in proofs:
            weight = needed.pop(proof.fact, -1.0)
            if weight is not None and not isclose(weight, proof.weight, rel_tol=0, abs_tol=1e-6):
                failures.append(f"{proof.fact}, of weight {proof.weight:.4f}, is not what was decided")
            failures += replay(
                proof, self.domain.knowledge, self.rules, given=given, today=day, evidence=weighers, implied=implied
            )
        return (*failures, *(f"nothing proves {fact}" for fact in needed))

    def _believed(self, case: Case, decision: Decision) -> Belief | None:
        """What the graph says of the labels of a decision; nothing where the person said what is meant."""
        settled = decision.label is None or decision.task in case.record.answers
        return None if settled else self.beliefs.get(decision.task)

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """The domain, what records may bring, and how far it is trusted on each task."""
        arrays, document = self.domain.to_arrays()
        trust = {name: [one.evidence.trust, one.evidence.temperature] for name, one in self.beliefs.items()}
        return arrays, {**document, "slots": self.slots, "fields": self.fields, "trust": trust}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any], tasks: Sequence[Task]
    ) -> Reasoner:
        """Take back what ``to_arrays`` gave.

        Args:
            arrays: From there.
            config: From there.
            tasks: Those of the model. It may have learnt more since, and may have kept but some.
        """
        here = {task.name: task for task in tasks}
        known = [here.get(name) or _left(name, slots) for name, slots in config["slots"].items()]
        reasoner = cls(Domain.from_arrays(arrays, config), known, config["fields"])
        for name, belief in reasoner.beliefs.items():
            trust, temperature = config["trust"][name]
            evidence = replace(belief.evidence, trust=trust, temperature=temperature)
            reasoner.beliefs[name] = replace(belief, evidence=evidence)
        return reasoner


def _left(name: str, slots: Sequence[str]) -> Task:
    """A task that a model does not do any more, of which rules still speak."""
    return Task(name, "spans" if slots else "several", tuple(map(Label, slots)))
