"""A request: what one record says, as facts that rules can speak of.

- ``mentions(request, fever)``: something of the graph that it speaks of; ``denies(request, fever)``: that it is not so;
  ``supposes(request, fever)``: that it may be so, as one does who asks for it or makes it a condition.
- ``intent(request, refund)``: a label of the task ``intent``.
- ``ordered_on(request, 2026-01-10)``: a form field, a slot found in the text, or the reply to a question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np

from huiyi.reason.facts import LARGEST_TEXT, Fact, Given, Value, normalised
from huiyi.reason.link import Link
from huiyi.reason.logic import Atom, Variable
from huiyi.reason.rules import Rules
from huiyi.reason.syntax import Relation
from huiyi.values import Record, Span, is_blank, spelt

REQUEST = "request"
"""What rules and proofs call the record that is decided on."""

MENTIONS, DENIES, SUPPOSES, DO = "mentions", "denies", "supposes", "do"
RESERVED = (MENTIONS, DENIES, SUPPOSES, DO)
"""What no task, slot, field or question may be called."""

_SAID: Mapping[str, Mapping[str, str]] = {
    MENTIONS: {"en": "?request speaks of ?what", "zh": "?request提到了?what"},
    DENIES: {"en": "?request says that ?what is not so", "zh": "?request否认?what"},
    SUPPOSES: {"en": "?request asks about ?what or supposes it", "zh": "?request询问或假设?what"},
    DO: {"en": "what to do about ?request: ?what", "zh": "对?request应当：?what"},
}
CALLED = {"en": "the request", "zh": "本请求"}
"""What to call the request in words."""

TEXT, OCR, SPEECH, FORM, REPLY, DECISION = (
    "the text",
    "the picture",
    "the recording",
    "the form",
    "the reply",
    "the decision",
)
"""Where what a request says comes from."""

_LEAST = 1e-6  # no fact weighs less

_SOURCES = {"text": TEXT, "ocr": OCR, "speech": SPEECH}


@dataclass(frozen=True)
class Heard:
    """A text of a record in which things may be mentioned, and its source, as ``Context.sources`` names it."""

    source: str
    text: str

    @property
    def called(self) -> str:
        """What proofs call the source."""
        return _SOURCES[self.source]


def heard(record: Record, readings: Mapping[str, str]) -> list[Heard]:
    """The texts of a record: its own, and what was read in pictures and heard in recordings."""
    texts = [] if is_blank(record.text) else [Heard("text", record.text or "")]
    return texts + [Heard(source, text) for source, text in readings.items() if text != record.text]


def of_links(source: str, links: Iterable[Link]) -> Iterator[Given]:
    """What links say: that something is so, is not, or may be. What is over, or somebody else's, says nothing.

    Example:
        >>> from huiyi.reason.link import Linker
        >>> linker = Linker.of(["fever", "cough"])
        >>> for given in of_links("the text", linker.link(["I have a fever but no cough"])[0]):
        ...     print(given.fact, given.source)
        mentions(request, fever) the text: “fever”
        denies(request, cough) the text: “cough”
    """
    relations = {"present": MENTIONS, "absent": DENIES, "uncertain": SUPPOSES}
    for link in links:
        if link.polarity in relations:
            fact = Fact(relations[link.polarity], (REQUEST, link.entity))
            yield Given(fact, link.score, f"{source}: “{link.quote}”")


def of_values(relation: str, values: Any, source: str, known: Callable[[str], str]) -> Iterator[Given]:
    """What a field, a slot or a reply says: a fact for each value.

    Args:
        relation: Name of the field, or of the slot.
        values: A value, or several.
        source: What proofs say of where it came from.
        known: What the graph calls a text, or the text itself.
    """
    for value in values if isinstance(values, list | tuple | set | frozenset) else [values]:
        if isinstance(value, bool | np.bool_):
            yield Given(Fact(relation, (REQUEST, "yes" if value else "no")), 1.0, source)
        elif (said := _said(value)) is not None:
            yield Given(Fact(relation, (REQUEST, known(said) if isinstance(said, str) else said)), 1.0, source)


def _said(value: Any) -> Value | None:
    """A value of a form as one of facts; nothing where it says nothing, or more than a fact may hold."""
    if isinstance(value, str):
        value = value.strip()
        return normalised(value) if 0 < len(value) <= LARGEST_TEXT else None
    if isinstance(value, date):
        return normalised(value)
    if isinstance(value, Real) and isfinite(value):
        return normalised(int(value) if isinstance(value, Integral) else float(value))
    return None


def of_spans(text: str, spans: Sequence[Span], known: Callable[[str], str]) -> Iterator[Given]:
    """What slots found in a text say."""
    for span in spans:
        quote = text[span.start : span.end]
        for given in of_values(span.label, quote, f"{TEXT}: “{quote}”", known):
            yield Given(given.fact, weight_of(1.0 if span.probability is None else span.probability), given.source)


def weight_of(probability: float) -> float:
    """A probability as the weight of a fact, which is above 0 and up to 1."""
    return min(max(probability, _LEAST), 1.0)


def relations_of(tasks: Iterable[str], names: Iterable[str], taken: Iterable[str]) -> Rules:
    """Rules that declare what requests may bring, but for what is declared elsewhere.

    Args:
        tasks: Tasks, whose labels are told of a request.
        names: Slots, fields and what is asked for.
        taken: Relations that have a declaration.
    """
    said = {**{task: {"en": f"{spelt(task)}: ?what", "zh": f"{spelt(task)}：?what"} for task in tasks}, **_SAID}
    declared = set(taken)
    return Rules(
        relations=[
            Relation(Atom(name, (Variable(REQUEST), Variable("what"))), said.get(name, {}))
            for name in dict.fromkeys([*said, *names])
            if name not in declared
        ]
    )
