"""Align: from what was perceived to calibrated intents, for one task."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align.base import Head, Memory, Scores
from huiyi.align.blend import loss_at_best
from huiyi.align.fuse import Fusion, fit_fusion, signal_of
from huiyi.align.kernel import KernelHead
from huiyi.align.logistic import LogisticHead
from huiyi.align.prototypes import PrototypesHead
from huiyi.align.pulls import Pull, Pulls
from huiyi.align.scope import Scope
from huiyi.align.svm import SvmConfig, SvmHead
from huiyi.together import side_by_side
from huiyi.values import Context, Intents, Label, Task, source_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array, Signal

HEADS: dict[str, Callable[..., Head]] = {
    "kernel": KernelHead,
    "svm": SvmHead,
    "logistic": LogisticHead,
    "prototypes": PrototypesHead,
}
"""The techniques by name, those that take longest first."""

OPTIONS: dict[str, tuple[Any, ...]] = {"svm": (SvmConfig(), SvmConfig(penalty=0.3))}
"""Options worth trying where there are rows enough to choose by; wrong labels among them call for the lower penalty."""

NEIGHBOURLY = ("phrases", "audio")
"""Dense signals whose names end so tell more by their neighbours than along straight lines."""

TWOFOLD = ("fields",)
"""Dense signals that tell some along straight lines and some by what they hold at once, of many rows too."""

PRIOR_WEIGHTS = {"logistic": 2.4, "kernel": 0.2, "svm": 2.4, "prototypes": 1.0}
"""Weights before there is any evidence: names alone have no neighbours that tell much."""

FOLDS = 3
FOLDS_OF_FEW = 5
FEW_ROWS = 3_000
"""With fewer rows than this, heads that lack a third of them would be too weak to stand for the final ones."""

_NAMED = -1  # the fold of names and descriptions: always there to learn from
_NO_FOLD = -2


def techniques_for(signal_name: str, signal: Signal) -> tuple[str, ...]:
    """The techniques that suit a signal. From few rows, neighbours and straight lines learn different things."""
    if not isinstance(signal, np.ndarray):
        return ("svm",)
    if signal_name.endswith(NEIGHBOURLY):
        return ("kernel",)
    return ("logistic", "kernel") if len(signal) < FEW_ROWS or signal_name in TWOFOLD else ("logistic",)


@dataclass(frozen=True, eq=False)
class _Lessons:
    """What rows teach: targets (n, k), the class of each row, and the fold that leaves it out."""

    targets: Array
    groups: NDArray[np.intp]
    folds: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class FittedHead:
    """A head that was fitted elsewhere, because its signal was learnt from the labels too.

    Attributes:
        head: Fitted on all rows.
        held_out: What was told of rows when neither head nor signal had seen them, in the order of all rows.
        evident: Boolean, shape (n,): the rows that were told of in this way.
    """

    head: Head
    held_out: Scores
    evident: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What held-out heads say of training rows.

    Attributes:
        rows: The rows, by their place among all.
        intents: Their intents.
    """

    rows: NDArray[np.intp]
    intents: Intents


class Aligner:
    """A head or two for each signal, blended by held-out evidence, with a sense of what is out of scope.

    A head says nothing of a record that lacks its signal: its scores there are
    zero, which moves no label up or down.
    """

    def fit(
        self,
        task: Task,
        context: Context,
        names: Context | None = None,
        named: Sequence[int] = (),
        *,
        fitted: Mapping[str, FittedHead] | None = None,
        tick: Callable[[int], None] | None = None,
    ) -> HeldOut:
        """Learn the task from labelled records, and return what held-out heads say of them.

        Args:
            task: The task. Its labels are the columns of the result.
            context: The records' signals. Records labelled ``oos`` teach what
                belongs to no label.
            names: Signals of texts that name or describe labels, taken as
                further examples of them.
            named: For each row of ``names`` the column of its label.
            fitted: Heads of further signals of ``context``, by ``signal/technique``. Nothing is fitted on these.
            tick: Told 1 after each head.

        Returns:
            Intents of the records of ``context``, held out, in their order: of
            those that every head was asked about.
        """
        fitted = fitted or {}
        self.task = task
        several = task.kind == "several"
        targets, groups = _targets(task, context)
        n, described = len(targets), np.asarray(named, dtype=np.intp)
        lessons = _Lessons(
            np.vstack([targets, np.eye(len(task.labels), dtype=np.float32)[described]]),
            np.concatenate([groups, described]),
            np.concatenate([_folds(groups), np.full(len(described), _NAMED)]),
        )
        jobs: dict[str, Callable[[], tuple[Head, Scores]]] = {}
        learnt = {signal_of(name) for name in fitted}
        for column, (signal_name, signal) in enumerate(context.signals.items()):
            if signal_name in learnt:
                continue
            present = context.present[:, column]
            taught = signal
            if names is not None:
                taught = _stacked(signal, names.signals[signal_name])
                present = np.append(present, names.present[:, column])
            if present.sum() < 2:
                continue
            for technique in techniques_for(signal_name, signal):
                makes = _makes(technique, several, n)
                jobs[f"{signal_name}/{technique}"] = partial(_cross_fitted, makes, taught, lessons, present)
        self._heads: dict[str, Head] = {}
        held_out: dict[str, Scores] = {}
        order = sorted(jobs, key=lambda name: list(HEADS).index(_technique(name)))
        for name, (head, told) in zip(order, side_by_side([jobs[name] for name in order]), strict=True):
            held_out[name] = Scores(told.labels[:n], None if told.nearest is None else told.nearest[:n])
            self._heads[name] = head
            if tick is not None:
                tick(1)
        inside, asked = groups != len(task.labels), np.ones(n, dtype=bool)
        for name, elsewhere in fitted.items():
            self._heads[name], held_out[name] = elsewhere.head, elsewhere.held_out
            asked &= elsewhere.evident
        # Heads that never saw a row's label say nothing of how good they are. Without evidence prior weights hold.
        evident = inside & asked & _taught_elsewhere(lessons)[:n]
        labels = {name: held_out[name].labels[evident] for name in [*jobs, *fitted]}
        prior = {name: PRIOR_WEIGHTS[_technique(name)] for name in labels}
        told_of = context.rows(np.flatnonzero(evident))
        tuned = [name for name, elsewhere in fitted.items() if isinstance(elsewhere.head, PrototypesHead)]
        self.fusion = fit_fusion(labels, targets[evident], told_of, several=several, prior=prior, kept=tuned)
        self._heads = {name: self._heads[name] for name in self.fusion.heads}
        mixed, clues = self._mixed_and_clues(held_out, context)
        self._scope = Scope()
        self._scope.fit(clues[inside & asked], clues[~inside & asked])
        rows = np.flatnonzero(asked)
        return HeldOut(rows, self._intents(mixed[rows], clues[rows], context.rows(rows)))

    def align(self, context: Context) -> Intents:
        """What the records mean."""
        return self._intents(*self._mixed_and_clues(self._scores(context), context), context)

    def probabilities(self, context: Context) -> Array:
        """What ``align`` says of the labels, in less time: how familiar the records are is not looked at."""
        mixed, _ = self._mixed_and_clues(self._scores(context, nearest=False), context)
        return self.fusion.usual.probabilities(mixed)

    def remember(self, context: Context, without: int | None = None) -> Memory | None:
        """What a head remembers of the rows it learnt the text by, beside one record; None where none keeps them.

        Of the heads that count for the record, those that tell what each row's label counts come first, and of these
        the one that counts most. The rows are those of the task that have a text, in the order they were learnt in;
        then texts that name labels. ``without`` leaves out the label of one of them.
        """
        weights, _ = self.fusion.weights(context)
        keeping = [
            (isinstance(head, KernelHead), float(weights[name][0]), name, head)
            for name, head in self._heads.items()
            if isinstance(head, KernelHead | LogisticHead | PrototypesHead)
            and source_of(signal_of(name)) == "text"
            and _present(context, name)[0]
            and weights[name][0]
        ]
        if not keeping:
            return None
        *_, name, head = max(keeping, key=lambda one: one[:3])
        signal = context.signals[signal_of(name)]
        return head.remember(signal, without) if isinstance(head, KernelHead) else head.remember(signal)

    def pulls(self, context: Context) -> Pulls | None:
        """How what is said of one record moves with the labels of the rows learnt from; None where no head tells.

        Told by the heads of its text that are linear in these labels. The other heads of it move too, by less than in
        proportion to how far apart they hold the labels: by the root of that, the rows that suffice are as many as when
        heads are fitted again, or one or two more. The rows are those of ``remember``.
        """
        weights, _ = self.fusion.weights(context)
        scores = self._scores(context, nearest=False)
        mixed, _ = self._mixed_and_clues(scores, context)
        loud = {
            name: float(weights[name][0] * told.labels[0].std())
            for name, told in scores.items()
            if source_of(signal_of(name)) == "text"
        }
        found = [
            Pull(name, float(weights[name][0]), head, context.signals[signal_of(name)], pull)
            for name, head in self._heads.items()
            if isinstance(head, KernelHead)
            and source_of(signal_of(name)) == "text"
            and _present(context, name)[0]
            and weights[name][0]
            and (pull := head.remember(context.signals[signal_of(name)]).pull) is not None
        ]
        told = sum(loud[part.name] for part in found)
        return Pulls(self.fusion.usual, mixed[0], tuple(found), (sum(loud.values()) / told) ** 0.5) if told else None

    def relearnt(self, context: Context, names: Context | None = None, named: Sequence[int] = ()) -> Aligner:
        """The same with heads that are fitted again on records, as ``fit`` does; only heads of what these hold.

        How heads are blended, and what is in scope, stays as it is. What was learnt together with its signal stays too.
        """
        targets, groups = _targets(self.task, context)
        described = np.asarray(named, dtype=np.intp)
        targets = np.vstack([targets, np.eye(len(self.task.labels), dtype=np.float32)[described]])
        groups = np.concatenate([groups, described])
        again = Aligner()
        again.task, again.fusion, again._scope, again._heads = self.task, self.fusion, self._scope, dict(self._heads)
        for name, head in self._heads.items():
            signal, present = context.signals[signal_of(name)], _present(context, name)
            if not isinstance(head, KernelHead | LogisticHead | SvmHead) or not present.any():
                continue
            if names is not None:
                signal = _stacked(signal, names.signals[signal_of(name)])
                present = np.append(present, _present(names, name))
            rows = np.flatnonzero(present)
            again._heads[name] = HEADS[_technique(name)](several=head.several, config=head.config)
            again._heads[name].fit(signal[rows], targets[rows], groups[rows])
        return again

    def learnt_with(self, signals: Collection[str]) -> tuple[str, PrototypesHead] | None:
        """Of some signals, the one whose own labels count most, and the head that was learnt with it."""
        found = [
            (self.weights.get(name, 0.0), signal_of(name), head)  # some heads count only where others are not heard
            for name, head in self._heads.items()
            if isinstance(head, PrototypesHead) and signal_of(name) in signals
        ]
        return max(found, key=lambda one: one[:2])[1:] if found else None

    def recalibrate_scope(self, context: Context) -> None:
        """Tell familiarity by these in-scope records, which no part was fitted on."""
        _, clues = self._mixed_and_clues(self._scores(context), context)
        self._scope.recalibrate(clues)

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """All parts, with the part's name before each array's."""
        arrays, config = self._scope.to_arrays()
        found = {f"scope/{key}": value for key, value in arrays.items()}
        heads: dict[str, Any] = {}
        for name, head in self._heads.items():
            arrays, options = head.to_arrays()
            heads[name] = dict(options)
            found |= {f"{name}/{key}": value for key, value in arrays.items()}
        fusion = self.fusion.to_config()
        return found, {"heads": heads, "fusion": fusion, "scope": dict(config), "task": plain_task(self.task)}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""

        def of(part: str) -> dict[str, NDArray[Any]]:
            return {key[len(part) + 1 :]: value for key, value in arrays.items() if key.startswith(f"{part}/")}

        self.task = task_from(config["task"])
        self.fusion = Fusion.from_config(config["fusion"])
        self._scope = Scope()
        self._scope.from_arrays(of("scope"), config["scope"])
        self._heads = {}
        for name, options in config["heads"].items():
            self._heads[name] = HEADS[_technique(name)]()
            self._heads[name].from_arrays(of(name), options)

    @property
    def heads(self) -> Mapping[str, Head]:
        """The heads that are listened to, by ``signal/technique``."""
        return self._heads

    def adds(self, context: Context) -> dict[str, Array]:
        """What each signal adds to the log-odds of the labels of n records, shape (n, k)."""
        weights, _ = self.fusion.weights(context)
        found: dict[str, Array] = {}
        for name, told in self._scores(context, nearest=False).items():
            added = weights[name][:, None] * told.labels
            found[signal_of(name)] = found.get(signal_of(name), 0) + added
        return found

    @property
    def weights(self) -> Mapping[str, float]:
        """What each head counts where all are heard."""
        return self.fusion.usual.weights

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that count."""
        return tuple(dict.fromkeys(map(signal_of, self._heads)))

    def _scores(self, context: Context, *, nearest: bool = True) -> dict[str, Scores]:
        """Scores of every head, zero where its signal is missing."""
        told: dict[str, Scores] = {}
        for name, head in self._heads.items():
            rows = np.flatnonzero(_present(context, name))
            signal = context.signals[signal_of(name)]
            some = signal if len(rows) == signal.shape[0] else signal[rows]
            told[name] = _spread(head.score(some, nearest=nearest), rows, signal.shape[0])
        return told

    def _intents(self, mixed: Array, clues: Array, context: Context) -> Intents:
        """What log-odds and clues say; a record of which nothing is heard is as strange as can be."""
        heard = np.any([_present(context, name) for name in self._heads], axis=0)
        in_scope = np.where(heard, self._scope.measure(clues), 0.0)
        return Intents(self.task, self.fusion.usual.probabilities(mixed), in_scope)

    def _mixed_and_clues(self, told: Mapping[str, Scores], context: Context) -> tuple[Array, Array]:
        """Log-odds (n, k), and the clues of familiarity (n, 2): the best score, and the nearest row."""
        n = len(context.records)
        if not self._heads:
            return np.zeros((n, len(self.task.labels)), np.float32), np.zeros((n, 2), np.float32)
        weights, offset = self.fusion.weights(context)
        mixed = np.sum([weight[:, None] * told[name].labels for name, weight in weights.items()], axis=0)
        mixed += offset[:, None]
        nearest, total = np.zeros(n, np.float32), np.zeros(n, np.float32)
        for name, weight in weights.items():
            near = told[name].nearest
            if near is not None:
                nearest += weight * near
                total += weight * _present(context, name)  # not seen is not far
        nearest /= np.where(total > 0, total, 1)
        return mixed, np.column_stack([mixed.max(axis=1), nearest])


def folds_of(task: Task, context: Context) -> NDArray[np.intp]:
    """The fold that leaves each record out while evidence of the heads is gathered, from 0 on."""
    return _folds(_targets(task, context)[1])


def _folds(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """The fold of each row: as many of each as can be, and each with its share of every class."""
    n = len(groups)
    count = min(n, FOLDS if n >= FEW_ROWS else FOLDS_OF_FEW)
    folds = np.zeros(n, dtype=np.intp)
    folds[np.argsort(groups, kind="stable")] = np.arange(n) % max(count, 1)
    return folds


def _taught_elsewhere(lessons: _Lessons) -> NDArray[np.bool_]:
    """Whether each label of each row occurs outside the row's fold too."""
    targets, folds = lessons.targets, lessons.folds
    total = targets.sum(axis=0)
    taught = np.ones(len(targets), dtype=bool)
    for fold in np.unique(folds[folds >= 0]):
        rows = folds == fold
        taught[rows] = ~(targets[rows] * (targets[rows].sum(axis=0) == total)).any(axis=1)
    return taught


def _present(context: Context, head_name: str) -> NDArray[np.bool_]:
    """Which records have the signal that a head listens to."""
    there: NDArray[np.bool_] = context.present[:, list(context.signals).index(signal_of(head_name))]
    return there


def _technique(head_name: str) -> str:
    """The technique of a head."""
    return head_name.rpartition("/")[2]


def _makes(technique: str, several: bool, n: int) -> list[Callable[[], Head]]:
    """Ways to make a head, the usual one first. Only of many rows can held-out ones choose between them."""
    options = OPTIONS.get(technique, (None,))
    tried = options if n >= FEW_ROWS else options[:1]
    return [partial(HEADS[technique], several=several, config=config) for config in tried]


def _cross_fitted(
    makes: Sequence[Callable[[], Head]], signal: Signal, lessons: _Lessons, present: NDArray[np.bool_]
) -> tuple[Head, Scores]:
    """Fit a head on all rows that are present, and tell each row by another, fitted without the row's fold.

    Rows of the fold _NAMED are always learnt from. Of several ways to make the
    head, the one holds that tells the first fold best.
    """
    folds = lessons.folds

    def fitted(make: Callable[[], Head], left_out: int) -> tuple[Head, NDArray[np.intp], Scores]:
        head = make()
        rows, asked = np.flatnonzero(present & (folds != left_out)), np.flatnonzero(present & (folds == left_out))
        head.fit(signal[rows], lessons.targets[rows], lessons.groups[rows])
        return head, asked, head.score(signal[asked])

    parts = [part for part in range(folds.max(initial=0) + 1) if (present & (folds != part)).any()]
    best, tried = makes[0], []
    if len(makes) > 1 and parts and (present & (folds == parts[0])).any():
        tried = [fitted(make, parts[0]) for make in makes]
        losses = [
            loss_at_best(told.labels, lessons.targets[asked], several=head.several) for head, asked, told in tried
        ]
        place = int(np.argmin(losses))
        best, tried = makes[place], [tried[place]]
    head, asked, told = fitted(best, _NO_FOLD)
    held_out = _spread(told, asked, len(folds))
    for _, asked, told in [*tried, *(fitted(best, part) for part in parts[len(tried) :])]:
        held_out.labels[asked] = told.labels
        if held_out.nearest is not None:
            held_out.nearest[asked] = told.nearest
    return head, held_out


def _targets(task: Task, context: Context) -> tuple[Array, NDArray[np.intp]]:
    """Indicators (n, k), and the class of each row: its label, its set of labels, or k for out of scope."""
    place = {name: column for column, name in enumerate(task.names)}
    targets = np.zeros((len(context.records), len(task.labels)), dtype=np.float32)
    groups = np.zeros(len(context.records), dtype=np.intp)
    sets: dict[tuple[str, ...], int] = {}
    for row, record in enumerate(context.records):
        labels = record.labels_of(task.name)
        if record.is_out_of_scope(task.name):
            groups[row] = len(task.labels)
            continue
        targets[row, [place[label] for label in labels]] = 1
        if len(labels) == 1:
            groups[row] = place[labels[0]]
        else:
            groups[row] = len(task.labels) + 1 + sets.setdefault(tuple(sorted(labels)), len(sets))
    return targets, groups


def _stacked(signal: Signal, below: Signal) -> Signal:
    """Rows of both, one under the other."""
    if isinstance(signal, np.ndarray):
        assert isinstance(below, np.ndarray)
        return np.vstack([signal, below])
    from scipy.sparse import csr_array, vstack

    return csr_array(vstack([signal, csr_array(below)]))


def _spread(told: Scores, rows: NDArray[np.intp], n: int) -> Scores:
    """Put the scores of some rows in their places among n, zero elsewhere."""
    if len(rows) == n:
        return told
    labels = np.zeros((n, told.labels.shape[1]), np.float32)
    labels[rows] = told.labels
    if told.nearest is None:
        return Scores(labels)
    nearest = np.zeros(n, np.float32)
    nearest[rows] = told.nearest
    return Scores(labels, nearest)


def plain_task(task: Task) -> dict[str, Any]:
    """The task as JSON can hold it."""
    labels = [
        {"name": label.name, "descriptions": dict(label.descriptions), "actions": list(label.actions)}
        for label in task.labels
    ]
    return {"name": task.name, "kind": task.kind, "labels": labels}


def task_from(plain: Mapping[str, Any]) -> Task:
    """Take back what ``plain_task`` gave."""
    labels = tuple(Label(label["name"], label["descriptions"], tuple(label["actions"])) for label in plain["labels"])
    return Task(plain["name"], plain["kind"], labels)
