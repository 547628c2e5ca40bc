"""A domain: what is known of it as facts, the rules of it, and what these say of how they are to be used.

Facts of four relations say how the rest is used; they stand among the rules:

    evidence(has_symptom, 0.6).     has_symptom(candidate, finding): how often a candidate brings the finding
    hidden(diagnosis).              people cannot tell the labels of this task themselves: ask them for findings
    ask(ordered_on, "When did you order it?").          how to ask for a relation of the request
    ask(ordered_on, "什么时候下的单？", zh).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError, did_you_mean
from huiyi.reason.evidence import EvidenceConfig
from huiyi.reason.facts import Fact, Given, Source, Sources, Statements, written
from huiyi.reason.graph import Knowledge
from huiyi.reason.rules import Rules, text_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

RULES = ".rules"
"""How the names of files of rules end. All others hold facts."""

EVIDENCE, HIDDEN, ASK = "evidence", "hidden", "ask"

_GRAPH = "knowledge.nq"


@dataclass(frozen=True, eq=False)
class Domain:
    """Facts and rules of one domain.

    Attributes:
        knowledge: The facts.
        texts: The rules as they were written: name of the file, and what stands in it.
        rules: The rules, and those that the graph's RDFS and OWL stand for.
        facts: All facts: those of the graph, and those among the rules.

    Raises:
        DataError: Rules cannot be read, or a fact that says how the rest is used says it wrongly.

    Example:
        >>> domain = Domain(Knowledge(), {"desk.rules": "hidden(illness).  mortal(?x) :- human(?x)."})
        >>> domain.hidden, len(domain.rules.rules)
        (('illness',), 1)
    """

    knowledge: Knowledge
    texts: Mapping[str, str] = field(default_factory=dict)
    rules: Rules = field(init=False)
    facts: Source = field(init=False)

    def __post_init__(self) -> None:
        rules = Rules.joined([Rules.of_texts(self.texts), Rules.of_schema(self.knowledge)])
        object.__setattr__(self, "rules", rules)
        object.__setattr__(self, "facts", Sources(self.knowledge, Statements(rules.facts)))
        self._check_uses()

    @classmethod
    def read(cls, files: Iterable[str | os.PathLike[str]] | str | os.PathLike[str]) -> Domain:
        """Read files of facts, and of rules, whose names end in ``.rules``.

        Raises:
            MissingExtraError: ``pyoxigraph`` is not installed.
            DataError: A file cannot be read; the message names the line.
        """
        knowledge, texts = Knowledge(), {}
        for file in map(Path, [files] if isinstance(files, str | os.PathLike) else files):
            if file.suffix.lower() != RULES:
                knowledge.read(file)
            elif file.name in texts:
                raise DataError(f"{file.name} is there twice. Expected files of different names: rename one.")
            else:
                texts[file.name] = text_of(file)
        return cls(knowledge, texts)

    @cached_property
    def evidence(self) -> EvidenceConfig:
        """Which relations say what candidates bring: those of facts of ``evidence``, or else the usual ones."""
        given = {written(fact.arguments[0]): fact.arguments[1] for fact in self._uses(EVIDENCE)}
        return EvidenceConfig(relations=given) if given else EvidenceConfig()  # type: ignore[arg-type]

    @cached_property
    def hidden(self) -> tuple[str, ...]:
        """The tasks whose labels people cannot tell themselves."""
        return tuple(written(fact.arguments[0]) for fact in self._uses(HIDDEN))

    @cached_property
    def questions(self) -> Mapping[str, Mapping[str, str]]:
        """Relations of the request that may be asked for: language to the words, in the order they were written."""
        found: dict[str, dict[str, str]] = {}
        for fact in self._uses(ASK):
            relation, text, *language = map(written, fact.arguments)
            found.setdefault(relation, {})[language[0] if language else "en"] = text
        return found

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """The facts as the bytes of an N-Quads file, and the rules as text."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / _GRAPH
            self.knowledge.write(file)
            content = np.frombuffer(file.read_bytes(), dtype=np.uint8)
        return {_GRAPH: content}, {"rules": dict(self.texts)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> Domain:
        """Take back what ``to_arrays`` gave."""
        knowledge = Knowledge()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / _GRAPH
            file.write_bytes(arrays[_GRAPH].tobytes())
            if arrays[_GRAPH].size:
                knowledge.read(file)
        return cls(knowledge, config["rules"])

    def _uses(self, relation: str) -> Sequence[Fact]:
        return [given.fact for given in self.rules.facts if given.fact.relation == relation]

    def _check_uses(self) -> None:
        """Refuse what says how the rest is used, and says it wrongly."""
        for given in self.rules.facts:
            if (expected := _expected(given.fact)) is not None:
                raise DataError(f"{_where(given)}{given.fact} cannot be used. Expected {expected}: correct it.")
        for rule in self.rules.rules:
            if rule.head is not None and rule.head.relation in (EVIDENCE, HIDDEN, ASK):
                raise DataError(
                    f"{rule.source}: {rule.head.relation} says how the rest is used, so it cannot follow from a rule. "
                    "Expected it as a fact: write one for each."
                )
            if rule.name == EVIDENCE:
                raise DataError(
                    f"{rule.source}: {EVIDENCE!r} is what proofs call what is weighed, not a rule. "
                    "Expected another name: rename it after '@rule'."
                )
        brought = {name for name, arities in self.facts.relations().items() if 2 in arities}
        for relation in self.evidence.relations if self._uses(EVIDENCE) else ():
            if relation not in brought:
                raise DataError(
                    f"{EVIDENCE}({relation}, …) changes nothing: there is no fact of {relation!r}."
                    f"{did_you_mean(relation, sorted(brought))} Expected a relation of the graph: correct its name."
                )
        spoken = {name for name, arguments in self.rules.keys if arguments == 2}
        for relation in self.questions:
            if relation not in spoken:
                raise DataError(
                    f"{ASK}({relation}, …) changes nothing: no rule speaks of {relation!r}."
                    f"{did_you_mean(relation, sorted(spoken))} Expected a relation of the rules: correct its name."
                )


def _expected(fact: Fact) -> str | None:
    """What a fact that says how the rest is used should have been; nothing where it is right."""
    arguments = fact.arguments
    if fact.relation == EVIDENCE:
        strength = arguments[1] if len(arguments) == 2 else None
        if not (isinstance(strength, int | float) and 0 < strength <= 1):
            return "a relation and a strength above 0 and up to 1, such as evidence(has_symptom, 0.6)"
    if fact.relation == HIDDEN and len(arguments) != 1:
        return "the name of a task, such as hidden(diagnosis)"
    if fact.relation == ASK and (len(arguments) not in (2, 3) or arguments[2:] not in ((), ("en",), ("zh",))):
        return 'a relation, a question and perhaps en or zh, such as ask(ordered_on, "When did you order it?", en)'
    return None


def _where(given: Given) -> str:
    return f"{given.source}: " if given.source else ""
