"""Align: from what was perceived of words to calibrated spans, for one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align.aligner import HeldOut, plain_task, task_from
from huiyi.align.lattice import NEVER, Lattice, allowed, lattices, spans_of, tags_of
from huiyi.values import Context, Intents, Ragged, Span, Task, places

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array

SCALES = (0.05, 3.0)
"""Between these lies what log-odds of units may be multiplied with."""

CUSTOMS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""What may be made of how often one tag follows another, beside what each unit says."""

ROWS_WEIGHED = 1_000
"""Of more held-out rows evenly spread ones tell both weights."""

UNSEEN = 0.5
"""Added to each count of two tags, so that what was never seen stays possible."""


@dataclass(frozen=True, eq=False)
class SpanEvidence:
    """The head of a task of spans, fitted with its signal, and what it is worth.

    Attributes:
        weights: Of each tag, shape (tags, d).
        bias: Shape (tags,).
        held_out: Log-odds of the tags of units, told when neither head nor signal had seen their rows.
        rows: These rows, by their place among all.
    """

    weights: Array
    bias: Array
    held_out: Ragged
    rows: NDArray[np.intp]


class SpansAligner:
    """Tags of words by a line for each tag, joined to the likeliest spans that can be.

    A tagging is as probable as its score among all that are allowed: the
    log-odds of its units, scaled, and what is added where one tag follows
    another, as often as in the training rows. Both weights are those that give
    the right taggings of held-out rows the highest likelihood. What it then
    says of whole records and of spans is calibrated once more, by a line on the
    log-odds.

    Source:
        Lafferty et al., "Conditional Random Fields", ICML 2001; Platt,
        "Probabilistic Outputs for Support Vector Machines", 1999.
    """

    def fit(self, task: Task, context: Context, signal: str, evidence: SpanEvidence) -> HeldOut:
        """Learn how tags follow each other, and how sure to be.

        Args:
            task: Its labels are those of the spans.
            context: Of the training rows, with the tokens of ``signal``.
            signal: What it listens to.
            evidence: The head.

        Returns:
            Intents of the held-out rows.
        """
        self.task, self.signal = task, signal
        self._weights, self._bias = evidence.weights, evidence.bias
        units = context.tokens[signal]
        self._steps = _customs(task, context, units)
        truth = [context.records[row].labels[task.name] for row in evidence.rows]
        self._scale, self._custom = self._likeliest(evidence.held_out, truth)
        self._record_line = self._span_line = (1.0, 0.0)
        raw = self._told(evidence.held_out)
        told = [(found, places(spans)) for found, spans in zip(raw.spans or (), truth, strict=True)]
        rights = np.array([places(found) == right for found, right in told], dtype=bool)
        self._record_line = _line(raw.probabilities[:, 0], rights)
        shares = np.array([span.probability for found, _ in told for span in found])
        hits = np.array([bool(places([span]) & right) for found, right in told for span in found], dtype=bool)
        self._span_line = _line(shares, hits)
        return HeldOut(evidence.rows, self._told(evidence.held_out))

    @property
    def signals(self) -> tuple[str, ...]:
        """What it listens to."""
        return (self.signal,)

    @property
    def weights(self) -> Mapping[str, float]:
        """What its one head counts: what log-odds of units are multiplied with."""
        return {f"{self.signal}/tags": self._scale}

    def align(self, context: Context) -> Intents:
        """The spans of the records, and how probable it is that all are right and none is missing."""
        units = context.tokens[self.signal]
        return self._told(replace(units, values=units.values @ self._weights.T + self._bias))

    def recalibrate_scope(self, context: Context) -> None:
        """Nothing to learn: spans do not tell what is familiar, all records are as much in scope."""

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The head, what follows what, and the lines."""
        arrays = {"weights": self._weights, "bias": self._bias, "steps": self._steps}
        lines = {"record_line": self._record_line, "span_line": self._span_line}
        weights = {"scale": self._scale, "custom": self._custom}
        return arrays, {"task": plain_task(self.task), "signal": self.signal, **weights, **lines}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        self._weights, self._bias, self._steps = arrays["weights"], arrays["bias"], arrays["steps"]
        self.task, self.signal = task_from(config["task"]), config["signal"]
        self._scale, self._custom = config["scale"], config["custom"]
        self._record_line, self._span_line = tuple(config["record_line"]), tuple(config["span_line"])

    def _told(self, odds: Ragged) -> Intents:
        """Intents by the log-odds of units."""
        names = self.task.names
        spans: list[tuple[Span, ...]] = [()] * len(odds)
        shares = np.ones(len(odds))
        for rows, lattice in lattices(_scaled(odds, self._scale), self._joined(self._custom)):
            tags, forward = lattice.best(), lattice.forward()
            sums = forward, lattice.backward(), lattice.total(forward)
            shares[rows] = np.exp(np.minimum(0.0, lattice.score_of(tags) - sums[2]))
            for position, row in enumerate(rows):
                length = lattice.lengths[position]
                told = tags[position, :length]
                begins = np.flatnonzero(told % 2)
                spans[row] = tuple(
                    replace(span, probability=self._sure(lattice, position, told, int(first), sums))
                    for span, first in zip(spans_of(told, odds.offsets_of(row), names), begins, strict=True)
                )
        heard = (np.diff(odds.splits) > 0).astype(float)
        return Intents(self.task, _on_line(shares, self._record_line)[:, None], heard, spans)

    def _sure(
        self, lattice: Lattice, row: int, tags: NDArray[np.intp], first: int, sums: tuple[Array, Array, Array]
    ) -> float:
        """The calibrated probability of the span that begins at a unit."""
        after = first + 1
        while after < len(tags) and tags[after] and not tags[after] % 2:
            after += 1
        share = lattice.probability_of(row, first, after, int(tags[first]), sums)
        return float(_on_line(np.array([share]), self._span_line)[0])

    def _joined(self, custom: float) -> Array:
        """What is added where one tag follows another, when custom counts this much."""
        return np.where(allowed(len(self.task.labels)), custom * self._steps, NEVER)

    def _likeliest(self, odds: Ragged, truth: Sequence[Sequence[Span]]) -> tuple[float, float]:
        """The weights that give the right taggings the highest likelihood."""
        from scipy.optimize import minimize_scalar

        some = range(0, len(odds), max(1, len(odds) // ROWS_WEIGHED))
        odds = odds.take(some)
        right = [tags_of(odds.offsets_of(row), truth[place], self.task.names) for row, place in enumerate(some)]

        def loss(scale: float, custom: float) -> float:
            total = 0.0
            for rows, lattice in lattices(_scaled(odds, scale), self._joined(custom)):
                tags = np.zeros(lattice.scores.shape[:2], dtype=np.intp)
                for position, row in enumerate(rows):
                    tags[position, : len(right[row])] = right[row]
                total += float((lattice.total(lattice.forward()) - lattice.score_of(tags)).sum())
            return total

        low, high = np.log(SCALES)
        found = {}
        for custom in CUSTOMS:
            best = minimize_scalar(
                lambda scale, custom=custom: loss(float(np.exp(scale)), custom),
                bounds=(low, high),
                method="bounded",
                options={"xatol": 0.05},
            )
            found[custom] = float(best.fun), float(np.exp(best.x))
        custom = min(found, key=found.__getitem__)
        return found[custom][1], custom


def _customs(task: Task, context: Context, units: Ragged) -> Array:
    """How much likelier a tag is after another than anywhere, as a logarithm; the last row is the beginning."""
    tags = 2 * len(task.labels) + 1
    counts = np.full((tags + 1, tags), UNSEEN)
    for row, record in enumerate(context.records):
        if task.name in record.labels:
            told = tags_of(units.offsets_of(row), record.labels[task.name], task.names)
            np.add.at(counts, (np.concatenate([[tags], told[:-1]]).astype(np.intp)[: len(told)], told), 1)
    counts *= allowed(len(task.labels))
    shares = counts / counts.sum(axis=1, keepdims=True)
    steps: Array = np.log(np.maximum(shares, 1e-12)) - np.log(counts.sum(axis=0) / counts.sum())
    return steps


def _scaled(odds: Ragged, scale: float) -> Ragged:
    """Log-probabilities of the tags of each unit, when log-odds are scaled."""
    values = scale * odds.values
    values = values - values.max(axis=1, keepdims=True)
    return replace(odds, values=values - np.log(np.exp(values).sum(axis=1, keepdims=True)))


def _line(shares: Array, right: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and bias of the line on the log-odds that makes probabilities true, drawn slightly to what they were."""
    from scipy.optimize import minimize
    from scipy.special import expit

    odds = _odds(shares)

    def loss(line: Array) -> tuple[float, Array]:
        told = line[0] * odds + line[1]
        error = expit(told) - right
        away = line - (1.0, 0.0)
        slope = np.array([(error * odds).sum(), error.sum()])
        return float((np.logaddexp(0, told) - right * told).sum() + (away**2).sum() / 2), slope + away

    slope, bias = minimize(
        loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.0, None), (None, None)]
    ).x
    return float(slope), float(bias)


def _on_line(shares: Array, line: tuple[float, float]) -> Array:
    """Probabilities after the line."""
    from scipy.special import expit

    told: Array = expit(line[0] * _odds(shares) + line[1])
    return told


def _odds(shares: Array) -> Array:
    """Log-odds of probabilities, none of them surer than one in a million."""
    kept = np.clip(shares, 1e-6, 1 - 1e-6)
    odds: Array = np.log(kept / (1 - kept))
    return odds
