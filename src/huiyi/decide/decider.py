"""Decide: act, clarify or decline?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from huiyi.decide.candidates import candidate_threshold
from huiyi.decide.clarify import ask, ask_about, is_none_of_these, language_of, reply_to, says_yes
from huiyi.decide.promise import Promise, fit_promise
from huiyi.values import OUT_OF_SCOPE, Candidate, Decision, DecisionKind, Intents, Question, Record, places

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Decider:
    """Turns intents into decisions that keep the error asked for."""

    promise: Promise

    def fit(
        self, intents: Intents, records: Sequence[Record], *, max_error: float, oos_rate: float, held_out: bool
    ) -> None:
        """Fit thresholds on labelled records.

        Args:
            intents: Of the records, by parts that were not fitted on them.
            records: With labels of the intents' task.
            max_error: See ``Promise``.
            oos_rate: See ``Promise``.
            held_out: Whether no part at all was fitted on them.
        """
        place = {name: column for column, name in enumerate(intents.task.names)}
        given = [record.labels[intents.task.name] for record in records]
        outside = np.array([record.is_out_of_scope(intents.task.name) for record in records], dtype=bool)
        inside = ~outside
        probabilities = intents.probabilities
        if intents.task.kind == "several":
            truth = np.zeros(probabilities.shape, dtype=bool)
            for row, labels in enumerate(given):
                truth[row, [place[label] for label in labels if label in place]] = True
            self.label_threshold = _best_f1(probabilities[inside], truth[inside])
            self.candidate_threshold = self.label_threshold
            strange = np.array([bool({*labels} - {*place, OUT_OF_SCOPE}) for labels in given], dtype=bool)
            correct = ((probabilities >= self.label_threshold) == truth).all(axis=1) & ~strange
            confidence = _least_sure(probabilities, self.label_threshold)
        elif intents.task.kind == "spans":
            self.label_threshold = self.candidate_threshold = 0.0
            assert intents.spans is not None, "an aligner of spans tells spans"
            pairs = zip(given, intents.spans, strict=True)
            correct = np.array([places(right) == places(found) for right, found in pairs], dtype=bool)
            confidence = probabilities[:, 0]
        else:
            right = np.array([place.get(label, -1) for label in given], dtype=np.intp)
            self.label_threshold = 0.0
            known = inside & (right >= 0)
            self.candidate_threshold = candidate_threshold(
                np.append(probabilities[known, right[known]], np.zeros((inside & (right < 0)).sum()))
            )
            correct = probabilities.argmax(axis=1) == right
            confidence = probabilities.max(axis=1)
        self.promise = fit_promise(
            confidence[inside],
            correct[inside],
            intents.in_scope[inside],
            confidence[outside],
            intents.in_scope[outside],
            max_error=max_error,
            oos_rate=oos_rate,
            held_out=held_out,
        )

    def decide(
        self, intents: Intents, records: Sequence[Record], *, model: str = "", version: str = "", seed: int = 0
    ) -> tuple[Decision, ...]:
        """One decision a record, in their order."""
        answers = self._about_spans(intents, records) if intents.task.kind == "spans" else self._about(intents, records)
        return tuple(
            Decision(
                id=uuid4().hex,
                record_id=record.id,
                task=intents.task.name,
                in_scope=float(intents.in_scope[row]),
                model=model,
                version=version,
                seed=seed,
                **answer,
            )
            for row, (record, answer) in enumerate(zip(records, answers, strict=True))
        )

    def _about(self, intents: Intents, records: Sequence[Record]) -> Iterator[dict[str, Any]]:
        """What to do about the labels of each record."""
        several = intents.task.kind == "several"
        confidence = (
            _least_sure(intents.probabilities, self.label_threshold) if several else intents.probabilities.max(axis=1)
        )
        for row, record in enumerate(records):
            candidates = self._candidates(intents, row)
            sure = float(confidence[row])
            label = None if several else intents.task.names[int(intents.probabilities[row].argmax())]
            labels = tuple(candidate.label for candidate in candidates) if several else (str(label),)
            kind, question = self._kind(intents, record, sure, float(intents.in_scope[row]), candidates)
            replied = reply_to(intents.task, record)
            if replied is not None:
                # The person has said what is meant: there is nothing left to infer.
                kind, question, sure = "act", None, 1.0
                label, labels, candidates = replied, (replied,), (Candidate(replied, 1.0),)
            yield {
                "kind": kind,
                "label": label,
                "labels": labels,
                "probability": sure,
                "candidates": candidates,
                "question": question,
            }

    def _about_spans(self, intents: Intents, records: Sequence[Record]) -> Iterator[dict[str, Any]]:
        """What to do about the spans found in each record: act on all, ask about the least sure, or decline."""
        assert intents.spans is not None, "an aligner of spans tells spans"
        for row, (record, spans) in enumerate(zip(records, intents.spans, strict=True)):
            sure = float(intents.probabilities[row, 0])
            kind: DecisionKind = "clarify" if spans else "decline"
            heard = intents.in_scope[row] > 0
            if not heard or intents.in_scope[row] < self.promise.scope_level:
                kind = "decline"
            elif sure >= self.promise.threshold:
                kind = "act"
            replied = says_yes(intents.task, record) if heard else None
            if replied is not None:
                # The person has said whether it is so: there is nothing left to infer.
                kind, sure = ("act", 1.0) if replied else ("decline", sure)
            question = None
            if kind == "clarify":
                unsure = min(spans, key=lambda span: span.probability or 0.0)
                text = record.text or ""
                question = ask_about(intents.task, unsure, text, language=language_of(text))
            yield {
                "kind": kind,
                "label": None,
                "labels": tuple(dict.fromkeys(span.label for span in spans)),
                "probability": sure,
                "candidates": (),
                "question": question,
                "spans": spans,
            }

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """No arrays: a promise and two thresholds."""
        return {}, {
            "promise": asdict(self.promise),
            "candidate_threshold": self.candidate_threshold,
            "label_threshold": self.label_threshold,
        }

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        self.promise = Promise(**config["promise"])
        self.candidate_threshold = config["candidate_threshold"]
        self.label_threshold = config["label_threshold"]

    def _candidates(self, intents: Intents, row: int) -> tuple[Candidate, ...]:
        """Labels that may be meant, likeliest first."""
        probabilities = intents.probabilities[row]
        chosen = np.flatnonzero(probabilities >= self.candidate_threshold)
        chosen = chosen[np.argsort(-probabilities[chosen], kind="stable")]
        return tuple(Candidate(intents.task.names[column], float(probabilities[column])) for column in chosen)

    def _kind(
        self, intents: Intents, record: Record, sure: float, familiar: float, candidates: tuple[Candidate, ...]
    ) -> tuple[DecisionKind, Question | None]:
        """Act, clarify or decline, and the question to clarify with."""
        if not familiar or familiar < self.promise.scope_level:
            return "decline", None
        nothing_fits = not candidates and intents.task.kind == "choice"
        if sure >= self.promise.threshold and not nothing_fits:
            return "act", None
        if not candidates or is_none_of_these(intents.task, record):
            return "decline", None
        return "clarify", ask(intents.task, candidates, language=language_of(record.text or ""))


def _least_sure(probabilities: NDArray[np.floating], threshold: float) -> NDArray[np.floating]:
    """How sure the least sure label of each row is, given or not given."""
    sure: NDArray[np.floating] = np.where(probabilities >= threshold, probabilities, 1 - probabilities).min(axis=1)
    return sure


def _best_f1(probabilities: NDArray[np.floating], truth: NDArray[np.bool_]) -> float:
    """The threshold of the best micro F1; 0.5 where nothing is ever right."""
    if not truth.any():
        return 0.5
    order = np.argsort(-probabilities, axis=None)
    ordered = probabilities.ravel()[order]
    hits = np.cumsum(truth.ravel()[order])
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + truth.sum())
    ends = np.append(ordered[1:] < ordered[:-1], True)  # a threshold takes all that are as probable
    return float(ordered[int(np.where(ends, f1, -1).argmax())])
