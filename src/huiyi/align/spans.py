"""Align: from what was perceived of words to calibrated spans, for one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align.aligner import HeldOut, plain_task, task_from
from huiyi.align.lattice import NEVER, Lattice, allowed, lattices, spans_of, tags_of
from huiyi.values import Context, Intents, Ragged, Span, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array

SCALES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5)
"""What log-odds of units may be multiplied with, as they are too sure of themselves."""

CUSTOMS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""What may be made of how often one tag follows another, beside what each unit says."""

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
        rights = [_bare(told) == _bare(spans) for told, spans in zip(raw.spans or (), truth, strict=True)]
        self._record_line = _line(raw.probabilities[:, 0], np.array(rights, dtype=bool))
        found = [
            (span.probability, replace(span, probability=None) in spans)
            for told, spans in zip(raw.spans or (), truth, strict=True)
            for span in told
        ]
        self._span_line = _line(np.array([share for share, _ in found]), np.array([right for _, right in found], bool))
        return HeldOut(evidence.rows, self._told(evidence.held_out))

    @property
    def signals(self) -> tuple[str, ...]:
        """What it listens to."""
        return (self.signal,)

    def align(self, context: Context) -> Intents:
        """The spans of the records, and how probable it is that all are right and none is missing."""
        units = context.tokens[self.signal]
        return self._told(replace(units, values=units.values @ self._weights.T + self._bias))

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
            for place, row in enumerate(rows):
                length = lattice.lengths[place]
                offsets = odds.offsets[odds.splits[row] : odds.splits[row + 1]]
                told = tags[place, :length]
                begins = np.flatnonzero(told % 2)
                spans[row] = tuple(
                    replace(span, probability=self._sure(lattice, place, told, int(first), sums))
                    for span, first in zip(spans_of(told, offsets, names), begins, strict=True)
                )
        return Intents(self.task, _on_line(shares, self._record_line)[:, None], np.ones(len(odds)), spans)

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
        names = self.task.names
        right = [
            tags_of(odds.offsets[odds.splits[row] : odds.splits[row + 1]], spans, names)
            for row, spans in enumerate(truth)
        ]
        loss = {}
        for custom in CUSTOMS:
            for scale in SCALES:
                total = 0.0
                for rows, lattice in lattices(_scaled(odds, scale), self._joined(custom)):
                    tags = np.zeros(lattice.scores.shape[:2], dtype=np.intp)
                    for place, row in enumerate(rows):
                        tags[place, : len(right[row])] = right[row]
                    total += float((lattice.total(lattice.forward()) - lattice.score_of(tags)).sum())
                loss[scale, custom] = total
        return min(loss, key=loss.__getitem__) if len(odds) else (1.0, 0.0)


def _customs(task: Task, context: Context, units: Ragged) -> Array:
    """How much likelier a tag is after another than anywhere, as a logarithm; the last row is the beginning."""
    tags = 2 * len(task.labels) + 1
    counts = np.full((tags + 1, tags), UNSEEN)
    for row, record in enumerate(context.records):
        if task.name in record.labels:
            offsets = units.offsets[units.splits[row] : units.splits[row + 1]]
            told = tags_of(offsets, record.labels[task.name], task.names)
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


def _bare(spans: Sequence[Span]) -> set[Span]:
    """Spans without their probabilities."""
    return {replace(span, probability=None) for span in spans}


def _line(shares: Array, right: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and bias of the line on the log-odds that makes probabilities true, drawn slightly to what they were."""
    odds = _odds(shares)
    slope, bias = 1.0, 0.0
    for _ in range(30):  # Newton
        told = 1 / (1 + np.exp(-(slope * odds + bias)))
        error, spread = told - right, told * (1 - told)
        gradient = np.array([(error * odds).sum() + slope - 1, error.sum() + bias])
        cross = (spread * odds).sum()
        curve = np.array([[(spread * odds**2).sum() + 1, cross], [cross, spread.sum() + 1]])
        step = np.linalg.solve(curve, gradient)
        slope, bias = slope - float(step[0]), bias - float(step[1])
    return max(slope, 1e-3), bias


def _on_line(shares: Array, line: tuple[float, float]) -> Array:
    """Probabilities after the line."""
    told: Array = 1 / (1 + np.exp(-(line[0] * _odds(shares) + line[1])))
    return told


def _odds(shares: Array) -> Array:
    """Log-odds of probabilities, none of them surer than one in a million."""
    kept = np.clip(shares, 1e-6, 1 - 1e-6)
    odds: Array = np.log(kept / (1 - kept))
    return odds
