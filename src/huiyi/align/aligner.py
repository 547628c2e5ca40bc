"""Align: from what was perceived to calibrated intents, for one task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align.base import Head, Scores
from huiyi.align.blend import Blend, fit_blend
from huiyi.align.kernel import KernelConfig, KernelHead
from huiyi.align.scope import Scope
from huiyi.values import OUT_OF_SCOPE, Context, Intents, Label, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array, Signal

HEADS: dict[str, Callable[[], Head]] = {"kernel": KernelHead}
"""The techniques by name."""

SPARSE = KernelConfig(sharpness=1.0)
"""Sparse rows are nearly at right angles to each other; a wider kernel lets more of them speak."""


class Aligner:
    """One head a signal, blended by held-out evidence, with a sense of what is out of scope.

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
        tick: Callable[[int], None] | None = None,
    ) -> Intents:
        """Learn the task from labelled records, and return what held-out heads say of them.

        Args:
            task: The task. Its labels are the columns of the result.
            context: The records' signals. Records labelled ``oos`` teach what
                belongs to no label.
            names: Signals of texts that name or describe labels, taken as
                further examples of them.
            named: For each row of ``names`` the column of its label.
            tick: Told 1 after each head.

        Returns:
            Intents of the records of ``context``, held out, in their order.
        """
        self.task = task
        targets, groups = _targets(task, context)
        n, described = len(targets), np.asarray(named, dtype=np.intp)
        all_targets = np.vstack([targets, np.eye(len(task.labels), dtype=np.float32)[described]])
        all_groups = np.concatenate([groups, described])
        self._heads: dict[str, Head] = {}
        held_out: dict[str, Scores] = {}
        for column, (name, signal) in enumerate(context.signals.items()):
            present = context.present[:, column]
            taught = signal
            if names is not None:
                taught = _stacked(signal, names.signals[name])
                present = np.append(present, names.present[:, column])
            rows = np.flatnonzero(present)
            if len(rows) < 2:
                continue
            head = KernelHead() if isinstance(taught, np.ndarray) else KernelHead(SPARSE)
            told = head.fit(taught[rows], all_targets[rows], all_groups[rows])
            held_out[name] = _spread(told, rows, len(all_targets), len(task.labels), n)
            self._heads[name] = head
            if tick is not None:
                tick(1)
        inside = groups != len(task.labels)  # without any such row there is no evidence: prior weights hold
        several = task.kind == "several"
        labels = {name: scores.labels[inside] for name, scores in held_out.items()}
        self.blend = fit_blend(labels, targets[inside], several=several)
        self._heads = {name: self._heads[name] for name in self.blend.weights}
        mixed, clues = self._mixed_and_clues(held_out, n)
        self._scope = Scope()
        self._scope.fit(clues[inside], clues[~inside])
        return Intents(task, self.blend.probabilities(mixed), self._scope.measure(clues))

    def align(self, context: Context) -> Intents:
        """What the records mean."""
        mixed, clues = self._mixed_and_clues(self._scores(context), len(context.records))
        return Intents(self.task, self.blend.probabilities(mixed), self._scope.measure(clues))

    def recalibrate_scope(self, context: Context) -> None:
        """Tell familiarity by these in-scope records, which no part was fitted on."""
        _, clues = self._mixed_and_clues(self._scores(context), len(context.records))
        self._scope.recalibrate(clues)

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """All parts, with the part's name before each array's."""
        arrays, config = self._scope.to_arrays()
        found = {f"scope/{key}": value for key, value in arrays.items()}
        heads: dict[str, Any] = {}
        for name, head in self._heads.items():
            arrays, options = head.to_arrays()
            kind = next(kind for kind, make in HEADS.items() if make is type(head))
            heads[name] = {"kind": kind, "options": dict(options)}
            found |= {f"{name}/{key}": value for key, value in arrays.items()}
        blend = {"weights": dict(self.blend.weights), "several": self.blend.several, "offset": self.blend.offset}
        return found, {"heads": heads, "blend": blend, "scope": dict(config), "task": _plain(self.task)}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""

        def of(part: str) -> dict[str, NDArray[Any]]:
            return {key[len(part) + 1 :]: value for key, value in arrays.items() if key.startswith(f"{part}/")}

        task = config["task"]
        labels = tuple(Label(label["name"], label["descriptions"], tuple(label["actions"])) for label in task["labels"])
        self.task = Task(task["name"], task["kind"], labels)
        self.blend = Blend(**config["blend"])
        self._scope = Scope()
        self._scope.from_arrays(of("scope"), config["scope"])
        self._heads = {}
        for name, saved in config["heads"].items():
            self._heads[name] = HEADS[saved["kind"]]()
            self._heads[name].from_arrays(of(name), saved["options"])

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that count."""
        return tuple(self._heads)

    def _scores(self, context: Context) -> dict[str, Scores]:
        """Scores of every head, zero where its signal is missing."""
        k, n = len(self.task.labels), len(context.records)
        columns = {name: column for column, name in enumerate(context.signals)}
        told: dict[str, Scores] = {}
        for name, head in self._heads.items():
            rows = np.flatnonzero(context.present[:, columns[name]])
            if len(rows) == n:
                told[name] = head.score(context.signals[name])
            elif len(rows):
                told[name] = _spread(head.score(context.signals[name][rows]), rows, n, k, n)
            else:
                told[name] = Scores(np.zeros((n, k), np.float32), np.zeros(n, np.float32))
        return told

    def _mixed_and_clues(self, told: Mapping[str, Scores], n: int) -> tuple[Array, Array]:
        """Log-odds (n, k), and the clues of familiarity (n, 3): best score, nearest row, lead of the best."""
        k = len(self.task.labels)
        if not self.blend.weights:
            return np.zeros((n, k), np.float32), np.zeros((n, 3), np.float32)
        mixed = self.blend.mix({name: scores.labels for name, scores in told.items()})
        total = sum(self.blend.weights.values())
        nearest = sum(weight * told[name].nearest for name, weight in self.blend.weights.items()) / total
        best = np.partition(mixed, max(k - 2, 0), axis=1)[:, -2:]
        return mixed, np.column_stack([best[:, -1], nearest, best[:, -1] - best[:, 0]])


def _targets(task: Task, context: Context) -> tuple[Array, NDArray[np.intp]]:
    """Indicators (n, k), and the class of each row: its label, its set of labels, or k for out of scope."""
    place = {name: column for column, name in enumerate(task.names)}
    targets = np.zeros((len(context.records), len(task.labels)), dtype=np.float32)
    groups = np.zeros(len(context.records), dtype=np.intp)
    sets: dict[tuple[str, ...], int] = {}
    for row, record in enumerate(context.records):
        given = record.labels[task.name]
        labels = (given,) if isinstance(given, str) else tuple(given)
        if labels == (OUT_OF_SCOPE,):
            groups[row] = len(task.labels)
            continue
        targets[row, [place[label] for label in labels]] = 1
        if task.kind == "choice":
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


def _spread(told: Scores, rows: NDArray[np.intp], n: int, k: int, kept: int) -> Scores:
    """Put the scores of some rows in their places among n, zero elsewhere; return the first ``kept``."""
    labels, nearest = np.zeros((n, k), np.float32), np.zeros(n, np.float32)
    labels[rows], nearest[rows] = told.labels, told.nearest
    return Scores(labels[:kept], nearest[:kept])


def _plain(task: Task) -> dict[str, Any]:
    """The task as JSON can hold it."""
    labels = [
        {"name": label.name, "descriptions": dict(label.descriptions), "actions": list(label.actions)}
        for label in task.labels
    ]
    return {"name": task.name, "kind": task.kind, "labels": labels}
