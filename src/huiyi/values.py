"""The values that the stages hand to each other.

Read this page, then ``pipeline.py``, and you have seen the whole system:

    perceive: Record → Context      what do we see and hear?
    align:    Context → Intents     what does the person want done?
    reason:   Intents → Inference   what follows from what we know?
    decide:   Inference → Decision  act, clarify or decline?

All are frozen dataclasses. Those that hold arrays compare by identity.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from huiyi.explanation import Explanation

    Array = NDArray[Any]
    Floats = NDArray[np.float32] | NDArray[np.float64]
    Signal = NDArray[np.float32] | csr_array  # (n, d), dense or sparse

TaskKind = Literal["choice", "several", "spans"]
DecisionKind = Literal["act", "clarify", "decline"]

OUT_OF_SCOPE = "oos"
"""The label of a row that belongs to none of the task's intents."""

_OF_TEXT = ("text", "phrases", "words", "sentence")  # the signals that are views of the text

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Media:
    """A picture or a recording: a file, or the bytes of one."""

    path: Path | None = None
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Reading:
    """What was read in a picture, or heard in a recording, as text.

    Attributes:
        text: The words.
        confidence: How sure the reader is of them, 0 to 1.
    """

    text: str
    confidence: float


@dataclass(frozen=True)
class Turn:
    """One earlier turn of the dialogue."""

    speaker: str
    text: str


@dataclass(frozen=True)
class Span:
    """A stretch of the text, in characters, ``end`` exclusive."""

    label: str
    start: int
    end: int
    probability: float | None = None


@dataclass(frozen=True)
class Record:
    """What one person said or sent, with what came along.

    ``labels`` maps a task's name to what is known to be right: a string for
    ``choice``, a tuple of strings for ``several``, a tuple of ``Span`` for
    ``spans``.

    Example:
        >>> Record(text="my card still hasn't arrived", labels={"intent": "card_arrival"}).labels["intent"]
        'card_arrival'
        >>> Record(labels={"intents": ("refund", "card")}).labels_of("intents")
        ('refund', 'card')
    """

    id: str = ""
    text: str | None = None
    images: tuple[Media, ...] = ()
    audios: tuple[Media, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    history: tuple[Turn, ...] = ()
    answers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    time: datetime | None = None
    labels: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    @property
    def says_nothing(self) -> bool:
        """Whether there is nothing to perceive, neither now nor in the turns before."""
        return is_blank(self.text) and not (self.history or self.fields or self.images or self.audios)

    def labels_of(self, task: str) -> tuple[str, ...]:
        """Names of the labels that are known to be right for a task of any kind; empty where none is known."""
        given = self.labels.get(task, ())
        if isinstance(given, str):
            return (given,)
        return tuple(label.label if isinstance(label, Span) else label for label in given)

    def is_out_of_scope(self, task: str) -> bool:
        """Whether it is labelled as belonging to none of a task's intents."""
        return self.labels_of(task) == (OUT_OF_SCOPE,)


@dataclass(frozen=True)
class Label:
    """One intent of a task.

    Attributes:
        name: What the data call it.
        descriptions: Language code ("" when not said) to what it means, in
            words for people; the model reads them too.
        actions: What may be done about it.
    """

    name: str
    descriptions: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    actions: tuple[str, ...] = ()

    def words(self, language: str = "") -> str:
        """What it means in ``language``, or else in any, or else the name spelt as words.

        Example:
            >>> Label("card_arrival").words("zh")
            'card arrival'
            >>> Label("card_arrival", {"zh": "卡还没到", "en": "where is my card"}).words("zh")
            '卡还没到'
        """
        return self.descriptions.get(language) or next(iter(self.descriptions.values()), "") or spelt(self.name)

    @property
    def texts(self) -> tuple[str, ...]:
        """What the model reads of what it means: its name, if it has words, and its descriptions, each once.

        Example:
            >>> Label("card_arrival", {"en": "where is my card"}).texts, Label("7").texts
            (('card arrival', 'where is my card'), ())
        """
        name = spelt(self.name)
        texts = [name] if any(character.isalpha() for character in name) else []
        return tuple(dict.fromkeys([*texts, *self.descriptions.values()]))


@dataclass(frozen=True)
class Task:
    """What is to be told from a record: one label (``choice``), any number (``several``) or spans."""

    name: str
    kind: TaskKind
    labels: tuple[Label, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Label names, in the order of the probabilities' columns."""
        return tuple(label.name for label in self.labels)


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows of different length, one under the other: what is perceived of the units of n texts.

    Attributes:
        values: Shape (m, d), all units of the first text, then those of the second.
        splits: Where each text begins among them, and at last m, shape (n + 1,).
        offsets: Start and end of each unit in its text, in characters, shape (m, 2).

    Example:
        >>> import numpy as np
        >>> two = Ragged(np.arange(6.0).reshape(3, 2), np.array([0, 2, 3]), np.array([[0, 4], [5, 7], [0, 2]]))
        >>> two.take([1, 1]).values.tolist(), len(two)
        ([[4.0, 5.0], [4.0, 5.0]], 2)
    """

    values: Array
    splits: Array
    offsets: Array

    def __len__(self) -> int:
        """How many texts."""
        return len(self.splits) - 1

    def take(self, rows: Sequence[int] | Array) -> Ragged:
        """Some of the texts, in this order."""
        import numpy as np

        places = [np.arange(self.splits[row], self.splits[row + 1]) for row in rows]
        chosen = np.concatenate([*places, np.zeros(0, dtype=np.intp)]).astype(np.intp)
        splits = np.concatenate([[0], np.cumsum([len(place) for place in places])]).astype(np.intp)
        return Ragged(self.values[chosen], splits, self.offsets[chosen])

    @classmethod
    def joined(cls, parts: Sequence[Ragged]) -> Ragged:
        """The texts of all parts, one part after the other. At least one."""
        import numpy as np

        lengths = np.concatenate([np.diff(part.splits) for part in parts])
        splits = np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp)
        values, offsets = (np.concatenate(some) for some in zip(*((p.values, p.offsets) for p in parts), strict=True))
        return cls(values, splits, offsets)

    def offsets_of(self, row: int) -> Array:
        """Start and end of each unit of one text."""
        offsets: Array = self.offsets[self.splits[row] : self.splits[row + 1]]
        return offsets


@dataclass(frozen=True, eq=False)
class Context:
    """What was perceived of n records.

    Attributes:
        records: The n records. One without a text may have been given what was read in its pictures or recordings.
        signals: Name to array of shape (n, d), dense or sparse.
        present: Boolean, shape (n, number of signals), columns in the order
            of ``signals``. A row without a signal is absent there, and its
            numbers mean nothing.
        tokens: Of some signals, what is perceived of each unit of the texts:
            words, or the characters of scripts without spaces.
        readings: What was read in pictures (``ocr``) or heard in recordings (``speech``) of each record.
        left_out: Sources that the records may have, and that are not to be listened to. See ``only``.
    """

    records: Sequence[Record]
    signals: Mapping[str, Signal]
    present: Array
    tokens: Mapping[str, Ragged] = field(default_factory=lambda: _NOTHING)
    readings: Mapping[str, Sequence[Reading | None]] = field(default_factory=lambda: _NOTHING)
    left_out: Collection[str] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """What the signals come from, each once. See ``source_of``."""
        return tuple(dict.fromkeys(map(source_of, self.signals)))

    def has(self, source: str) -> NDArray[np.bool_]:
        """Which records have any signal of a source, shape (n,)."""
        import numpy as np

        columns = [column for column, signal in enumerate(self.signals) if source_of(signal) == source]
        return np.asarray(self.present[:, columns].any(axis=1), dtype=bool)

    def only(self, sources: Collection[str]) -> Context:
        """The same records, lacking all that comes from other sources."""
        import numpy as np

        kept = np.array([source_of(signal) in sources for signal in self.signals], dtype=bool)
        left_out = (*self.left_out, *(source for source in self.sources if source not in sources))
        return replace(self, present=self.present & kept, left_out=left_out)

    def seeing(self, signals: Mapping[str, Signal], there: NDArray[np.bool_]) -> Context:
        """The same records with some of their signals seen anew, and which of the records have these, shape (n,)."""
        present = self.present.copy()
        present[:, [list(self.signals).index(name) for name in signals]] = there[:, None]
        return replace(self, signals={**self.signals, **signals}, present=present)

    def rows(self, which: NDArray[np.intp]) -> Context:
        """The context of some of the records, by their places."""
        signals = {name: signal[which] for name, signal in self.signals.items()}
        tokens = {name: units.take(which) for name, units in self.tokens.items()}
        readings = {name: [read[row] for row in which] for name, read in self.readings.items()}
        records = [self.records[row] for row in which]
        return Context(records, signals, self.present[which], tokens, readings, self.left_out)


@dataclass(frozen=True, eq=False)
class Intents:
    """What n records mean, for one task.

    Attributes:
        task: The task, whose k labels are the columns.
        probabilities: Shape (n, k), calibrated. Rows sum to 1 for ``choice``;
            for ``several`` each column stands for itself.
            For ``spans`` there is one column: that the row's spans are all right.
        in_scope: Shape (n,), 0 to 1: the share of in-scope rows, held out from
            what was trained, that looked at most as familiar as this one. 0.05 means that only one
            in-scope row in twenty looks as strange; 0, that nothing of the record was perceived,
            nor is anything known of it.
        spans: For ``spans``: what was found in each record.
    """

    task: Task
    probabilities: Array
    in_scope: Array
    spans: Sequence[tuple[Span, ...]] | None = None


@dataclass(frozen=True, eq=False)
class Inference:
    """What follows for n records from what is known of the domain, for one task.

    Attributes:
        intents: What they mean, once that is taken into account.
        aligned: What they mean by themselves. The same, where nothing is known.
        facts: What each record says, as facts that rules can speak of; empty where nothing is known.
    """

    intents: Intents
    aligned: Intents
    facts: Sequence[Any] = ()


@dataclass(frozen=True)
class Candidate:
    """A label that may be meant, and how probably."""

    label: str
    probability: float


@dataclass(frozen=True)
class Question:
    """The one question that would settle most. ``about`` names what it asks for: the task, a slot or a fact."""

    text: str
    options: tuple[str, ...]
    about: str


@dataclass(frozen=True)
class Estimate:
    """A number that was estimated, with what it may be at the stated confidence.

    Attributes:
        value: The likeliest.
        low: From here
        high: to here, at ``level``. Infinite where nothing bounds it.
        error: Its standard error.
        level: How often such an interval holds the truth.
    """

    value: float
    low: float
    high: float
    error: float
    level: float = 0.95


@dataclass(frozen=True)
class Effect:
    """What one action does to an outcome, compared with another action.

    Attributes:
        action: What is done; of a dose: one unit more of it.
        against: What it is compared with; "" for a dose.
        outcome: What it changes.
        estimand: Over whom: ``ATE``, everybody; ``ATT``, those who got the action; ``LATE``, those whom an instrument
            moves to it.
        segment: Name to value of those it is told for; empty for all.
        rows: Rows that tell of it, after those without overlap were left out.
        estimate: By how much the outcome grows on average. None where that cannot be told.
        naive: The plain difference of means, which mixes the effect with who was chosen for the action.
        refused: Why it cannot be told, and what to measure; "" where it can.
        adjusted: The columns that were held equal.
        method: How it was estimated.
        notices: What to know before trusting it, a sentence each.
        extrapolated: Of effects for all, where rows without overlap were left out: the average with these, whose gain
            is told by the models of the outcome alone, which nothing in the log shows to hold there.
    """

    action: str
    against: str
    outcome: str
    estimand: str
    segment: Mapping[str, str]
    rows: int
    estimate: Estimate | None
    naive: float
    refused: str = ""
    adjusted: tuple[str, ...] = ()
    method: str = ""
    notices: tuple[str, ...] = ()
    extrapolated: float | None = None


@dataclass(frozen=True)
class Effects:
    """Which action makes it better, for all and by segment.

    Attributes:
        overall: Each action against the one compared with.
        by_segment: The same for each value of what was asked to tell apart; intervals are widened, since many are
            looked at.
        notices: What holds for all of it, a sentence each.
    """

    overall: tuple[Effect, ...]
    by_segment: tuple[Effect, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What to do with one record.

    Attributes:
        id: Unique to this decision.
        record_id: The record's own id.
        kind: ``act`` on the label, ``clarify`` with the question, or ``decline``.
        task: Name of the task.
        label: The likeliest label of a ``choice``, whatever the kind. ``None``
            when there is none to name.
        labels: The labels given, for ``several``; of a ``choice`` the one
            label; for ``spans`` those of the spans, each once.
        probability: Calibrated probability that ``label`` is right, given that
            the record is in scope. For ``several``: of the least sure label.
            For ``spans``: that all of them are right, and none is missing.
        in_scope: See ``Intents``.
        candidates: The labels that together hold the right one with the stated
            coverage, likeliest first. Empty means: nothing known fits.
        question: Asked when the kind is ``clarify``.
        action: What to do: what rules conclude, or else what a policy that was learnt from a log does.
        propensity: With what probability the policy chose that action. None for what rules conclude.
        model: SHA-256 of the saved model's manifest, or "" when never saved.
        version: Version of Huiyi.
        seed: Seed the model was trained with.
        spans: Of a task of ``spans``: what was found in the text.
        tasks: Where the model has several tasks: the decision on each, by its
            name. What stands beside them is that on the first.
        shares: Only when asked for: how much each source that the record has,
            such as ``text`` or ``fields``, added to ``probability``. They sum to
            it, less what it would be if nothing were known of the record. Empty
            for spans, and where a reply settled it.
        readings: What was read in its pictures (``ocr``) or heard in its
            recordings (``speech``), where that was listened to.
        proofs: Only when asked for: why the label is as probable as it is,
            where facts of the domain have a part in that, and why the action
            follows. Each as JSON can hold it; ``huiyi.reason.Proof`` reads it.
        explanation: Only when asked for: what of the record made the label so probable.
    """

    id: str
    record_id: str
    kind: DecisionKind
    task: str
    label: str | None
    labels: tuple[str, ...]
    probability: float
    in_scope: float
    candidates: tuple[Candidate, ...]
    question: Question | None = None
    action: str | None = None
    propensity: float | None = None
    model: str = ""
    version: str = ""
    seed: int = 0
    spans: tuple[Span, ...] = ()
    tasks: Mapping[str, Decision] = field(default_factory=dict)
    shares: Mapping[str, float] | None = None
    readings: Mapping[str, Reading] = field(default_factory=dict)
    proofs: tuple[Mapping[str, Any], ...] | None = None
    explanation: Explanation | None = None


def source_of(signal: str) -> str:
    """What a record must have for a signal to be there: a text, a history, fields, a picture.

    Example:
        >>> source_of("words"), source_of("text@intent"), source_of("history phrases"), source_of("image")
        ('text', 'text', 'history', 'image')
    """
    first = signal.partition("@")[0].partition(" ")[0]
    return "text" if first in _OF_TEXT else first


def places(spans: Iterable[Span]) -> set[tuple[str, int, int]]:
    """What spans say, however probable they are.

    Example:
        >>> places([Span("city", 3, 9, probability=0.9)]) == places([Span("city", 3, 9)])
        True
    """
    return {(span.label, span.start, span.end) for span in spans}


def is_blank(text: str | None) -> bool:
    """Whether there is nothing to read.

    Example:
        >>> is_blank("  "), is_blank(None), is_blank("?")
        (True, True, False)
    """
    return not (text or "").replace("\0", " ").strip()


def alike(text: str | None) -> str:
    """What texts have in common that differ in case and white space alone.

    Example:
        >>> alike("Where is  my Card") == alike("where is my card")
        True
    """
    return " ".join((text or "").lower().split())


def spelt(name: str) -> str:
    """Spell a label's name as words: ``cardArrival_2`` becomes ``card arrival 2``.

    Example:
        >>> spelt("Refund_not_showing_up"), spelt("cardArrival"), spelt("治疗方案")
        ('refund not showing up', 'card arrival', '治疗方案')
    """
    words: list[str] = []
    for part in name.replace("_", " ").replace("-", " ").replace("/", " ").replace(".", " ").split():
        start = 0
        for i in range(1, len(part)):
            if part[i] != part[i].lower() and part[i - 1].islower():  # some capitals have no small letter
                words.append(part[start:i])
                start = i
        words.append(part[start:])
    return " ".join(words).lower()
