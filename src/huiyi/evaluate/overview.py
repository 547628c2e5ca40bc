"""Look through a whole model: which words, fields and signals drive its labels, and which labels it mixes up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from huiyi.align import Aligner
from huiyi.errors import OptionError
from huiyi.explain import Overview, Pair, drivers, units_of, without
from huiyi.explain.overview import LabelDrivers
from huiyi.perceive import pieces
from huiyi.perceive.fields import FieldsPerceiver
from huiyi.values import Record, is_blank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.pipeline import Model
    from huiyi.values import Context, Task

SECONDS = 10.0
"""How long training rows may be looked at."""

MOST_ROWS = 1_000
MOST_WORDS = 20_000
MOST_VALUES = 2_000  # of fields
MOST_PAIRS = 10
FEWEST_ROWS = 2  # that use a word, where there are many words
_AT_ONCE = 64
_WORDS, _FIELDS = "words/svm", "fields"


def overview(
    model: Model,
    task: str | None = None,
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    seconds: float = SECONDS,
) -> Overview:
    """Say what a model goes by, label by label.

    Words are weighed by the head that is linear in them, where the model has one: exactly what it says of each word
    alone. Else training rows are told without each of their words. Which labels are mixed up is told by what the head
    that keeps its rows says of each when it is left out.

    Args:
        model: The model.
        task: Name of the task; the first that tells labels where none is named.
        pairs: Labels that are known to be mixed up; training rows tell where none are named.
        seconds: How long training rows may be looked at, beside some seconds for the rest.

    Raises:
        OptionError: The model tells spans alone, or has no such task; or there is no time at all.

    Example:
        >>> import huiyi
        >>> model = huiyi.train([("where is my card", "arrival"), ("my card was stolen", "theft")])
        >>> {one.label: one.words[0].text for one in overview(model).labels}
        {'arrival': 'where', 'theft': 'stolen'}
    """
    if not seconds > 0:
        raise OptionError(f"{seconds:g} seconds are too few to look at anything; expected more than 0")
    known = [one for one in model.tasks if one.kind != "spans" and task in (None, one.name)]
    if not known:
        name = task or model.task.name
        raise OptionError(
            f"{name}: there is no such task, or it tells spans; expected one of a label a record, or of several"
        )
    return _Look(model, known[0], perf_counter() + seconds).told(pairs)


@dataclass(frozen=True, eq=False)
class _Weighed:
    """Words, or values of fields: what each adds to each label, and how many of the label's rows have it."""

    names: Sequence[str]
    weights: NDArray[np.floating]
    shares: NDArray[np.floating] | None


class _Look:
    """One look at a task of a model."""

    def __init__(self, model: Model, task: Task, until: float) -> None:
        aligner = model.skills[task.name].aligner
        assert isinstance(aligner, Aligner), "spans are not explained"
        self.model, self.task, self.aligner = model, task, aligner
        # Where words have to be left out of rows one by one, that takes most of the time.
        self.until, self.until_looked_at = until, until if self.is_exact else until - (until - perf_counter()) / 2
        self.place = {name: column for column, name in enumerate(task.names)}
        self.records = [
            one for one in model.examples if not is_blank(one.text) and self.place.keys() & {*one.labels_of(task.name)}
        ]
        self.sample = _by_turns(self.records, task.name)[:MOST_ROWS]
        self.sufficed, self.looked_at = True, 0
        self.added: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.taken: Counter[tuple[str, str]] = Counter()
        self.rows: Counter[str] = Counter()

    def told(self, pairs: Sequence[tuple[str, str]] | None) -> Overview:
        """All of it."""
        self.look()
        found = self.mixed_up() if pairs is None else [(pair, None) for pair in pairs]
        words, fields = self.words(), self.fields()
        labels = tuple(
            LabelDrivers(
                name,
                drivers(words.names, words.weights, words.shares, column),
                drivers(fields.names, fields.weights, fields.shares, column),
                self.signals(name),
            )
            for name, column in self.place.items()
        )
        told = tuple(
            Pair(
                pair,
                share,
                (
                    drivers(words.names, words.weights, words.shares, self.place[pair[0]], self.place[pair[1]]),
                    drivers(words.names, words.weights, words.shares, self.place[pair[1]], self.place[pair[0]]),
                ),
            )
            for pair, share in found
            if {*pair} <= self.place.keys()
        )
        return Overview(self.task.name, labels, told, self.is_exact, self.looked_at, self.sufficed)

    @property
    def is_exact(self) -> bool:
        """Whether a head is linear in words."""
        return _WORDS in self.aligner.weights

    def words(self) -> _Weighed:
        """Words and what they add."""
        counts, rows = self._used()
        names = list(counts)
        if not counts and self.is_exact:
            names = [term[1:] for term in self.model.perception["words"].to_arrays()[1]["terms"] if term[:1] == "\t"]
            names = [name for name in names if " " not in name][:MOST_WORDS]
        if not names:
            return _Weighed((), np.zeros((0, len(self.place))), None)
        shares = np.array([counts[name] for name in names]) / np.maximum(rows, 1) if counts else None
        if self.is_exact:
            return _Weighed(names, self._alone(names), shares)
        kept, weights = self._missed(names)
        return _Weighed([names[place] for place in kept], weights, None if shares is None else shares[kept])

    def _used(self) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.int64]]:
        """How many rows of each label use each word, and how many rows there are."""
        counts: dict[str, NDArray[np.int64]] = {}
        rows = np.zeros(len(self.place), dtype=np.int64)
        for record in self.records:
            columns = [self.place[label] for label in record.labels_of(self.task.name) if label in self.place]
            rows[columns] += 1
            for word in {unit.text.lower() for unit in units_of(record.text or "", pieces)}:
                counts.setdefault(word, np.zeros(len(self.place), dtype=np.int64))[columns] += 1
        least = FEWEST_ROWS if len(self.records) > MOST_ROWS else 1
        frequent = sorted(counts, key=lambda word: (-int(counts[word].sum()), word))[:MOST_WORDS]
        return {word: counts[word] for word in frequent if counts[word].sum() >= least}, rows

    def _alone(self, names: Sequence[str]) -> NDArray[np.floating]:
        """What the head that is linear in words says of each alone, more than of no word, shape (m, k)."""
        texts = [Record(text=name) for name in (*names, "")]
        (signal,) = self.model.perception["words"].perceive(texts)[0].values()
        told = self.aligner.heads[_WORDS].score(signal, nearest=False).labels
        weights: NDArray[np.floating] = self.aligner.weights[_WORDS] * (told[:-1] - told[-1])
        return weights

    def _missed(self, names: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
        """Of words in the rows that were looked at, the places, and what labels lose without each, shape (m, k)."""
        place = {name: number for number, name in enumerate(names)}
        sums, seen = np.zeros((len(names), len(self.place))), np.zeros(len(names))
        for looked_at, record in enumerate(self.sample):
            if perf_counter() > self.until and looked_at:
                self.sufficed, self.looked_at = False, looked_at
                break
            text = record.text or ""
            units = units_of(text, pieces)
            context = self.model.perceive([Record(text=text)])
            texts = [text, *(without(text, units, {number}) for number in range(len(units)))]
            told = np.log(np.maximum(self.aligner.probabilities(self.model.perception.reworded(context, texts)), 1e-6))
            for number, unit in enumerate(units):
                if (known := place.get(unit.text.lower())) is not None:
                    sums[known] += told[0] - told[number + 1]
                    seen[known] += 1
        kept = np.flatnonzero(seen)
        return kept, sums[kept] / seen[kept, None]

    def fields(self) -> _Weighed:
        """Values of fields, and what the heads of fields say of each alone, more than of an empty form."""
        heads = [name for name in self.aligner.weights if name.rpartition("/")[0] == _FIELDS]
        perceiver = self.model.perception[_FIELDS] if heads else None
        values: list[tuple[str, str | float]] = []
        if isinstance(perceiver, FieldsPerceiver):
            for name, one in perceiver.fields.items():
                known = one.values or (one.knots if one.kind == "number" else ())
                values += [(name, value) for value in known]
        values = values[:MOST_VALUES]
        if not values or perceiver is None:
            return _Weighed((), np.zeros((0, len(self.place))), None)
        forms = [Record(fields={name: value}) for name, value in values]
        (signal,) = perceiver.perceive([*forms, Record()])[0].values()
        added = np.zeros((len(values), len(self.place)))
        for name in heads:
            told = self.aligner.heads[name].score(signal, nearest=False).labels
            added += self.aligner.weights[name] * (told[:-1] - told[-1])
        names = [f"{name}: {value:g}" if isinstance(value, float) else f"{name}: {value}" for name, value in values]
        return _Weighed(names, added, None)

    def look(self) -> None:
        """Look at training rows: what each signal adds to their labels, and what each is taken for when left out."""
        known = [one for one in self.model.examples if self.task.name in one.labels and not is_blank(one.text)]
        places = {id(record): row for row, record in enumerate(known)}
        columns = np.array([self.place.get(next(iter(one.labels_of(self.task.name)), ""), -1) for one in known])
        for start in range(0, len(self.sample), _AT_ONCE):
            if perf_counter() > self.until_looked_at and start:
                self.sufficed = False
                return
            some = self.sample[start : start + _AT_ONCE]
            context = self.model.perceive([Record(text=one.text, history=one.history) for one in some])
            added = {
                signal: told - told.mean(axis=1, keepdims=True) for signal, told in self.aligner.adds(context).items()
            }
            for row, record in enumerate(some):
                for label in self.place.keys() & {*record.labels_of(self.task.name)}:
                    self.rows[label] += 1
                    for signal, told in added.items():
                        self.added[label][signal] += float(told[row, self.place[label]])
                if self.task.kind == "choice":
                    self._leave_out(context.rows(np.array([row])), places[id(record)], columns)
            self.looked_at += len(some)

    def _leave_out(self, context: Context, row: int, columns: NDArray[np.intp]) -> None:
        """Count for what a row is taken by the head that keeps its rows, when it is left out."""
        memory = self.aligner.remember(context, row)
        if memory is None or memory.pull is None or len(memory.pull) < len(columns):
            return
        told = np.zeros(len(self.place))
        np.add.at(told, columns[columns >= 0], memory.pull[: len(columns)][columns >= 0])
        said = int(told.argmax())
        if said != columns[row]:
            first, second = sorted((said, int(columns[row])))
            self.taken[self.task.names[first], self.task.names[second]] += 1

    def signals(self, label: str) -> dict[str, float]:
        """What each signal adds to a label in rows of it, more than to an average label; what adds most first."""
        ranked = sorted(self.added.get(label, {}).items(), key=lambda one: -one[1])
        return {signal: total / self.rows[label] for signal, total in ranked}

    def mixed_up(self) -> list[tuple[tuple[str, str], float | None]]:
        """The labels that are mixed up most, two by two, and the share of both's rows that are taken for the other."""
        shares = {pair: count / (self.rows[pair[0]] + self.rows[pair[1]]) for pair, count in self.taken.items()}
        worst = sorted(shares, key=lambda pair: (-self.taken[pair], -shares[pair], pair))[:MOST_PAIRS]
        return [(pair, shares[pair]) for pair in worst]


def _by_turns(records: Sequence[Record], task: str) -> list[Record]:
    """Records in an order in which labels take turns, so that a beginning of it has some of each."""
    seen: Counter[str] = Counter()
    turns = []
    for number, record in enumerate(records):
        label = next(iter(record.labels_of(task)), "")
        turns.append((seen[label], number))
        seen[label] += 1
    return [records[number] for _, number in sorted(turns)]
