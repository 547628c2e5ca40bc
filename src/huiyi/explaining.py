"""Why a model decides as it does: its stages asked again and again about one record that is altered a little."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from huiyi.align import Aligner
from huiyi.errors import OptionError, did_you_mean
from huiyi.explain import (
    BACKBONE_METHODS,
    METHODS,
    Corpus,
    Inside,
    Search,
    Unit,
    explain_words,
    fewest_rows,
    influential_examples,
    nearest_examples,
    shapley,
)
from huiyi.explanation import Example, Explanation, Relabelling
from huiyi.perceive import Perception, pieces
from huiyi.values import Context, Decision, Inference, Intents, Record, Task, is_blank, source_of
from huiyi.weighing import Beside, Turns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.explain import Game, Weights
    from huiyi.explain.gradients import Reads
    from huiyi.reason import Reasoner
    from huiyi.values import Signal

    _Remembered = tuple[Sequence[Record], str, NDArray[np.floating], NDArray[np.floating] | None]

_TRIED = 6  # examples, to see whether a head keeps their rows in their order
_SAME = 0.999  # the cosine of a row with itself, apart from rounding

REFIT_ROWS = 1_000
"""With more training rows than this, heads are not fitted again to see which of them to relabel: it takes seconds."""


class Explained(Protocol):
    """What is asked of a model; ``huiyi.Model`` is one. See there."""

    perception: Perception
    examples: tuple[Record, ...]
    reasoner: Reasoner | None

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What it tells."""

    @property
    def skills(self) -> Mapping[str, Any]:
        """What it does for each task."""

    def perceive(self, records: Sequence[Record], /) -> Context:
        """The first stage."""

    def align(self, context: Context, task: str, /) -> Intents:
        """The second."""

    def reason(self, context: Context, intents: Intents, /) -> Inference:
        """The third."""

    def choose(self, context: Context, inference: Inference, /) -> tuple[Decision, ...]:
        """What follows from it."""


class Explainer:
    """Explains what one model tells, and keeps what it found out about the model on the way.

    Args:
        model: The model.
    """

    def __init__(self, model: Explained) -> None:
        self.model = model
        self._lessons: dict[str, tuple[Context, Context, list[int]]] = {}
        self._taught: dict[str, tuple[Sequence[Record], Context | None]] = {}
        self._corpora: dict[str, Corpus] = {}
        self._replayed: dict[str, Reads] = {}

    def shares(
        self,
        context: Context,
        task: Task,
        worth: Callable[[NDArray[np.floating]], NDArray[np.floating]],
        whole: NDArray[np.floating] | None = None,
    ) -> tuple[dict[str, float], ...]:
        """How much each source of n records added to what a function of the labels' probabilities tells of each.

        ``whole`` are the probabilities by all sources, where they are known.
        """

        def told(sources: frozenset[str]) -> NDArray[np.floating]:
            if whole is not None and len(sources) == len(context.sources):
                return worth(whole)
            return worth(self.told(context.only(sources), task))

        found = shapley(context.sources, told)
        there = {source: context.has(source) for source in found}
        return tuple(
            {source: float(share[row]) for source, share in found.items() if there[source][row]}
            for row in range(len(context.records))
        )

    def told(self, context: Context, task: Task) -> NDArray[np.floating]:
        """Probabilities of the labels of a task, with what is known of the domain, shape (n, k)."""
        aligner = self.model.skills[task.name].aligner
        assert isinstance(aligner, Aligner), "spans are not explained"
        unseen = np.full(len(context.records), np.nan)  # how familiar they are has no part in it
        told: NDArray[np.floating] = self.model.reason(
            context, Intents(task, aligner.probabilities(context), unseen)
        ).intents.probabilities
        return told

    def explain(
        self,
        record: Record,
        about: str | None,
        *,
        method: str,
        seconds: float | None,
        seed: int,
        counterfactual: bool,
    ) -> Explanation:
        """Why a label is as probable as it is. See ``huiyi.Model.explain``."""
        until = None if seconds is None else perf_counter() + seconds
        task = _explainable(self.model.tasks, about)
        context = self.model.perceive([record])
        inference = self.model.reason(context, self.model.align(context, task.name))
        (decision,) = self.model.choose(context, inference)
        label = about or decision.label or task.names[int(inference.intents.probabilities[0].argmax())]
        column = task.names.index(label)
        reasoned = () if self.model.reasoner is None else self.model.reasoner.fields
        beside = Beside.of(self.model.perception, context, {*self.model.perception.fields, *reasoned})
        turns = Turns(seconds, 1 + beside.count)

        def told(altered: Context) -> NDArray[np.floating]:
            return self.told(altered, task)[:, column]

        def worth(texts: Sequence[str]) -> NDArray[np.floating]:
            return told(self.model.perception.reworded(context, texts))

        found = explain_words(
            context.records[0].text or "",
            worth,
            task=task.name,
            label=label,
            cut=pieces,
            method=method,
            until=turns.next(),
            seed=seed,
            weigh=self._looking_inside(method, task, column) if method in BACKBONE_METHODS else None,
        )
        fields, regions, stretches = beside.weighed(told, turns, method=method, seed=seed)
        (shares,) = self.shares(context, task, lambda told: told[:, column], inference.intents.probabilities)
        remembered = self._remembered(context, task)

        def decided(texts: Sequence[str]) -> tuple[Sequence[Decision], NDArray[np.floating]]:
            altered = self.model.perception.reworded(context, texts)
            inference = self.model.reason(altered, self.model.align(altered, task.name))
            return self.model.choose(altered, inference), inference.intents.probabilities

        changed = relabelled = None
        if counterfactual and task.name not in context.records[0].answers:  # a reply settles, whatever the text says
            units = [Unit(word.text, word.start, word.end) for word in found.words]
            weights = [word.weight for word in found.words]
            search = (context.records[0].text or "", units, weights, decision, task.names, decided, self._corpus(task))
            changed = Search(*search).run()
            if remembered and task.kind == "choice":
                relabelled = self._relabelling(context, inference, column, remembered, until)
        return replace(
            found,
            shares=shares,
            counterfactual=changed,
            nearest=nearest_examples(*remembered) if remembered else (),
            influential=influential_examples(*remembered) if remembered else (),
            relabelling=relabelled,
            fields=fields,
            regions=regions,
            stretches=stretches,
        )

    def _relabelling(
        self, context: Context, inference: Inference, column: int, remembered: _Remembered, until: float | None
    ) -> Relabelling | None:
        """The fewest examples whose other label would change the label told of one record; None where none are found.

        They are told by fitting heads again where examples are few and there is time, else by heads that are linear in
        the labels alone.
        """
        task = inference.intents.task
        records, _, similar, pull = remembered
        aligner = self.model.skills[task.name].aligner
        assert isinstance(aligner, Aligner), "spans are not explained"
        pulls = None if pull is None else aligner.pulls(context)
        if pulls is None or pull is None or len({len(part.pull) for part in pulls.parts}) > 1:
            return None
        place = {name: number for number, name in enumerate(task.names)}
        columns = np.full(len(pulls.counts), -1)
        columns[: len(records)] = [place.get(next(iter(one.labels_of(task.name)), ""), -1) for one in records]
        counts = np.where(columns >= 0, pulls.counts, 0.0)  # rows of no label, and texts that name labels, stay

        def estimated(sets: Sequence[Sequence[int]], to: int) -> NDArray[np.floating]:
            return self._revised(context, task, pulls.relabelled(sets, columns, to))

        def refitted(rows: Sequence[int], to: int) -> NDArray[np.floating]:
            assert lessons is not None
            taught, names, named = lessons
            ids = {id(records[row]) for row in rows}
            own = [
                replace(one, labels={**one.labels, task.name: task.names[to]}) if id(known) in ids else one
                for known, one in zip(self._examples_for(task), taught.records, strict=True)
            ]
            again = aligner.relearnt(replace(taught, records=own), names, named)
            told: NDArray[np.floating] = self._revised(context, task, again.probabilities(context))[0]
            return told

        told = inference.intents.probabilities[0]
        top = int(told.argmax())
        has_time = len(records) <= REFIT_ROWS and (until is None or perf_counter() < until)
        lessons = self._lessons_of(task, len(pulls.counts) - len(records)) if has_time else None
        found = fewest_rows(
            columns, counts, told, estimated, refitted if lessons else None, rival=None if column == top else column
        )
        if found is None:
            return None
        rows, to, probability = found
        named_rows = tuple(
            Example(records[row].text or "", records[row].labels_of(task.name),
                    float(np.clip(similar[row], 0, 1)), float(pull[row]))
            for row in rows
        )  # fmt: skip
        return Relabelling(task.names[to], named_rows, probability, is_verified=lessons is not None)

    def _revised(self, context: Context, task: Task, probabilities: NDArray[np.floating]) -> NDArray[np.floating]:
        """What is known of the domain makes of several probabilities of one record, shape (n, k)."""
        if self.model.reasoner is None:
            return probabilities
        cases = self.model.reasoner.read(context) * len(probabilities)
        unseen = np.full(len(probabilities), np.nan)
        revised: NDArray[np.floating] = self.model.reasoner.revise(
            cases, Intents(task, probabilities, unseen)
        ).intents.probabilities
        return revised

    def _examples_for(self, task: Task) -> list[Record]:
        """The examples that teach a task."""
        return [one for one in self.model.examples if task.name in one.labels]

    def _lessons_of(self, task: Task, names: int) -> tuple[Context, Context, list[int]] | None:
        """What was learnt from: texts and dialogues of the examples, and as many texts that name labels as there were.

        None where the model does not hold these texts any more.
        """
        if task.name not in self._lessons:
            hints = {} if self.model.reasoner is None else self.model.reasoner.hints(task)
            plain = [(text, column) for column, label in enumerate(task.labels) for text in label.texts]
            hinted = [
                (text, column)
                for column, label in enumerate(task.labels)
                for text in dict.fromkeys([*label.texts, *hints.get(label.name, ())])
            ]
            named = next((some for some in (plain, hinted) if len(some) == names), None)
            if named is None:
                return None
            own = [Record(text=one.text, history=one.history, labels=one.labels) for one in self._examples_for(task)]
            texts = [Record(text=text) for text, _ in named]
            self._lessons[task.name] = (
                self.model.perceive(own),
                self.model.perceive(texts),
                [column for _, column in named],
            )
        return self._lessons[task.name]

    def _looking_inside(self, method: str, task: Task, column: int) -> Callable[[Game, np.random.Generator], Weights]:
        """What weighs words by the tuned backbone that counts most."""
        aligner = self.model.skills[task.name].aligner
        assert isinstance(aligner, Aligner), "spans are not explained"
        backbones = self.model.perception.backbones
        tuned = aligner.learnt_with(backbones)
        if tuned is None:
            raise OptionError(
                f"method {method!r} looks into a backbone that was tuned, and the model has none; expected one of: "
                f"{', '.join(METHODS)}"
            )
        signal, head = tuned
        if signal not in self._replayed:
            self._replayed[signal] = backbones[signal].replayed()
        inside = Inside(self._replayed[signal], *head.lines, column, several=head.several)
        return lambda game, rng: BACKBONE_METHODS[method](game, inside)

    def _corpus(self, task: Task) -> Corpus:
        """The words of the examples of a task, read once."""
        if task.name not in self._corpora:
            own = self._examples_for(task)
            labels = [one.labels_of(task.name) for one in own]
            self._corpora[task.name] = Corpus([one.text or "" for one in own], labels, pieces)
        return self._corpora[task.name]

    def _remembered(self, context: Context, task: Task) -> _Remembered | None:
        """The examples of a task, how like each is to the one record of a context, and what its label counts there.

        Told by the rows that a head keeps, where these are known to be the examples; else by perceiving the examples
        anew, once. None where there are no examples, or the record has no text.
        """
        aligner = self.model.skills[task.name].aligner
        assert isinstance(aligner, Aligner), "spans are not explained"
        if not self.model.examples or not context.has("text")[0]:
            return None
        if task.name not in self._taught:
            self._taught[task.name] = self._examples_of(task, aligner)
        records, seen = self._taught[task.name]
        if seen is not None:
            signal = next(name for name in seen.signals if source_of(name) == "text")
            return records, task.name, _cosines(seen.signals[signal], context.signals[signal]), None
        memory = aligner.remember(context)
        if memory is None:
            return None
        pull = None if memory.pull is None else memory.pull[: len(records)]
        return records, task.name, memory.similar[: len(records)], pull

    def _examples_of(self, task: Task, aligner: Aligner) -> tuple[Sequence[Record], Context | None]:
        """The examples of a task that have a text, and what is perceived of them where no head keeps just these rows.

        Whether it does is tried on some of them: the row in the place of each must be just like it.
        """
        records = [one for one in self._examples_for(task) if not is_blank(one.text)]
        for row in range(0, len(records), max(1, len(records) // _TRIED)):
            context = self.model.perceive([Record(text=records[row].text)])
            memory = aligner.remember(context)
            if memory is None or len(memory.similar) < len(records) or memory.similar[row] < _SAME:
                return records, self.model.perceive([Record(text=one.text) for one in records])
        return records, None


def _cosines(rows: Signal, other: Signal) -> NDArray[np.floating]:
    """Cosine of each row, shape (n, d), with one other, shape (1, d); dense or sparse."""
    if isinstance(rows, np.ndarray) and isinstance(other, np.ndarray):
        products, lengths = rows @ other[0], np.linalg.norm(rows, axis=1) * np.linalg.norm(other)
    else:
        assert not isinstance(rows, np.ndarray) and not isinstance(other, np.ndarray), "both are of one signal"
        products = (rows @ other.T).toarray()[:, 0]
        lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel() * float(other.multiply(other).sum()))
    return np.asarray(products / np.maximum(lengths, 1e-12))


def _explainable(tasks: Sequence[Task], about: str | None) -> Task:
    """The first task that has a label, or the first of all, apart from those of spans.

    Raises:
        OptionError: There is none.
    """
    known = [task for task in tasks if task.kind != "spans"]
    if not known:
        raise OptionError(
            f"the model tells spans ({tasks[0].name}), and these cannot be explained; expected a task of one label a "
            "record, or of several"
        )
    for task in known:
        if about is None or about in task.names:
            return task
    names = [name for task in known for name in task.names]
    raise OptionError(
        f"the model has no label {about!r}; expected one of its {len(names)} labels.{did_you_mean(str(about), names)}"
    )
