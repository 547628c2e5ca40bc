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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError
from huiyi.reason.evidence import EvidenceConfig
from huiyi.reason.facts import Fact, Given, written
from huiyi.reason.graph import Knowledge
from huiyi.reason.rules import Rules

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

    Example:
        >>> domain = Domain(Knowledge(), {"desk.rules": "hidden(illness).  mortal(?x) :- human(?x)."})
        >>> domain.hides("illness"), domain.hides("mood"), len(domain.rules.rules)
        (True, False, 1)
    """

    knowledge: Knowledge
    texts: Mapping[str, str] = field(default_factory=dict)
    rules: Rules = field(init=False)

    def __post_init__(self) -> None:
        parts = [Rules.parse(text, source=name) for name, text in self.texts.items()]
        object.__setattr__(self, "rules", Rules.joined([*parts, Rules.of_schema(self.knowledge)]))
        self._check_uses()

    @classmethod
    def read(cls, files: Iterable[str | os.PathLike[str]]) -> Domain:
        """Read files of facts, and of rules, whose names end in ``.rules``.

        Raises:
            MissingExtraError: ``pyoxigraph`` is not installed.
            DataError: A file cannot be read; the message names the line.
        """
        knowledge, texts = Knowledge(), {}
        for file in map(Path, files):
            if file.name.endswith(RULES):
                if file.name in texts:
                    raise DataError(f"{file.name} is there twice. Expected files of different names: rename one.")
                Rules.read(file)
                texts[file.name] = file.read_text(encoding="utf-8-sig")
            else:
                knowledge.read(file)
        return cls(knowledge, texts)

    @property
    def evidence(self) -> EvidenceConfig:
        """Which relations say what candidates bring: those of facts of ``evidence``, or else the usual ones."""
        given = {written(fact.arguments[0]): fact.arguments[1] for fact in self._uses(EVIDENCE)}
        return EvidenceConfig(relations=given) if given else EvidenceConfig()  # type: ignore[arg-type]

    def hides(self, task: str) -> bool:
        """Whether people cannot tell the labels of a task themselves."""
        return any(written(fact.arguments[0]) == task for fact in self._uses(HIDDEN))

    @property
    def questions(self) -> dict[str, dict[str, str]]:
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
        """Refuse facts that say how the rest is used, and say it wrongly."""
        for given in self.rules.facts:
            fact = given.fact
            if (expected := _expected(fact)) is not None:
                raise DataError(f"{_where(given)}{fact} cannot be used. Expected {expected}: correct it.")


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
