"""Run after run of fine-tuning on the same lessons: for evidence with rows left out, and at last on all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align import FittedHead, LogisticHead, PrototypesConfig, PrototypesHead, Scores, SpanEvidence, softmax
from huiyi.align.nearest import unit
from huiyi.errors import DataError
from huiyi.perceive import BackbonePerceiver, TunablePerceiver, said
from huiyi.perceive.encoders import Encoder
from huiyi.perceive.encoders.onnx import OnnxEncoder
from huiyi.perceive.pictures import PICTURES
from huiyi.train.config import Session, ticks
from huiyi.train.fast import Seen
from huiyi.train.tuning.backbones import Backbone, encoder_module, hears_units, load_backbone, tokenizer_json
from huiyi.train.tuning.checkpoints import Checkpoints
from huiyi.train.tuning.export import export
from huiyi.train.tuning.finetune import Epoch, FinetuneConfig, Finetuned, Rows, finetune, suited
from huiyi.train.tuning.loop import Learner
from huiyi.train.tuning.methods import METHODS
from huiyi.train.tuning.propagate import neighbours, propagate, share_that_suits
from huiyi.train.tuning.selfsupervision import SelfSupervisionConfig, selfsupervise
from huiyi.values import Media, Ragged, Record, Span, Task, alike, is_blank

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from huiyi.values import Array

MOST_UNLABELLED = 20_000
"""Of more unlabelled texts evenly spread ones are used."""

FIRST_GUESS = 2.0
"""What log-odds count in the first guess of unlabelled texts: heads of few rows are too unsure of themselves."""

EPOCHS_OF_LABELLED = 5
"""Epochs of tuning to the labelled texts alone, before unlabelled ones are read by what that teaches."""

FEWEST_TO_STOP_BY = 300
"""Fewer held-out rows cannot tell when to stop: it is tuned for all epochs, until the rate has fallen to nothing."""

PARITY_ROWS = 300
"""Rows on which an exported backbone must agree with the one in torch."""


@dataclass(frozen=True, eq=False)
class Lessons:
    """What is learnt from: the rows, and below them the texts that describe labels.

    Attributes:
        tasks: The tasks.
        texts: What each says, "" where a row has no text; or what a backbone takes in the place of texts.
        there: Boolean, which of them have something to learn from.
        targets: By task what is right of each, see ``Rows``.
        rows: How many of them are rows.
        unlabelled: Other texts, of which nothing is known.
        dearness: How many short texts take as long as one of these.
    """

    tasks: Sequence[Task]
    texts: Sequence[Any]
    there: NDArray[np.bool_]
    targets: Mapping[str, Any]
    rows: int
    unlabelled: Sequence[str]
    dearness: float = 1.0

    @property
    def count(self) -> int:
        """How many are read: these, and the unlabelled texts."""
        return len(self.texts) + len(self.unlabelled)

    @property
    def size(self) -> float:
        """How many short texts would take as long to learn from, once."""
        return self.dearness * self.count

    @property
    def mostly_unlabelled(self) -> bool:
        """Whether frozen signals lack labels of their own, so that what is passed on teaches them too."""
        return len(self.unlabelled) > self.rows

    @classmethod
    def of(cls, tasks: Sequence[Task], seen: Seen, unlabelled: Sequence[Record]) -> tuple[Lessons, list[str]]:
        """Of what was seen, and what the user should know of the unlabelled texts."""
        records = [*seen.context.records, *seen.names.records]
        targets = {task.name: (_spans if task.kind == "spans" else targets_of)(task, seen) for task in tasks}
        texts = [said(record) for record in records]
        others = {alike(text): text for text in map(said, unlabelled) if not is_blank(text)}
        for text in texts:
            others.pop(alike(text), None)
        step = -(-len(others) // MOST_UNLABELLED) or 1
        notices = []
        if unlabelled:
            used = len(range(0, len(others), step))
            notices.append(
                f"of {len(unlabelled):,} unlabelled texts {used:,} are used; the others are blank, or said before"
                + (", or more than help" if step > 1 else "")
            )
        there = np.array([not is_blank(text) for text in texts], dtype=bool)
        rows = len(seen.context.records)
        return cls(tasks, texts, there, targets, rows, list(others.values())[::step]), notices


@dataclass(frozen=True, eq=False)
class Evidence:
    """What runs that left rows out say of these.

    Attributes:
        told: By task of labels, of all rows in their order.
        evident: Boolean, shape (rows,): those that were told of.
        epochs: After how many epochs the runs were best.
        units: By task of spans, the log-odds of the units of some rows.
        unit_rows: Which rows these are.
    """

    told: Mapping[str, Scores]
    evident: NDArray[np.bool_]
    epochs: int
    units: Mapping[str, Ragged] = field(default_factory=dict)
    unit_rows: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))


class Tuner:
    """Tunes a backbone to the same lessons, again and again, with other rows left out.

    Args:
        name: Of the backbone.
        signal: Of what it becomes, to be told by.
        lessons: What it learns.
        config: Options of each run.
        session: Whom to tell, and where to write logs.
        checkpoints: Where runs keep their epochs, if anywhere.

    Attributes:
        companions: Those of other backbones, which read the unlabelled texts beside it.
        teaches: Whether it keeps what each run says, for a student.
        said: By which lessons were taught (their bytes), by task of labels: the probabilities of these lessons and,
            below them, of the unlabelled texts.
        rows_of_evidence: As many folds are left out, one run each, as it takes to have evidence on this many rows; on
            fewer where rows are long.
        most_rows_seen: No further fold is left out once the runs for evidence have seen this many rows; or fewer.
    """

    rows_of_evidence, most_rows_seen = 400, 40_000

    def __init__(
        self,
        name: str,
        signal: str,
        lessons: Lessons,
        config: FinetuneConfig,
        session: Session,
        checkpoints: Path | None = None,
    ) -> None:
        self.name, self.signal, self.lessons, self.config, self.session = name, signal, lessons, config, session
        self.checkpoints = checkpoints
        self.companions: Sequence[Tuner] = ()
        self.teaches = False
        self.said: dict[bytes, Mapping[str, Array]] = {}
        self._weights: Mapping[str, Tensor] | None = None
        self._passed_on: dict[bytes, Mapping[str, Array]] = {}
        self._spoken = lessons.there

    @property
    def usual_rate(self) -> float:
        """The learning rate that it tunes with."""
        return self.config.rate or METHODS[self.config.method]().learning_rate

    def trying(self, config: FinetuneConfig, session: Session, checkpoints: Path | None) -> Tuner:
        """One that tunes to the same lessons with other options."""
        other = copy(self)
        other.config, other.session, other.checkpoints, other.said = config, session, checkpoints, {}
        return other

    def read(self, encoder: Encoder) -> None:
        """Read the lessons and the unlabelled texts as the backbone came, to see which mean the same."""
        if self.lessons.unlabelled:
            tick = ticks(self.session.progress, "reading unlabelled texts", len(self.lessons.unlabelled))
            self._lesson_vectors = encoder.encode(self.lessons.texts)[""]
            self.unlabelled_vectors = encoder.encode(self.lessons.unlabelled, tick=tick)[""]

    def spoken(self, seen: Seen, signal: str) -> Array:
        """A signal of all lessons that have a text."""
        rows = [np.asarray(context.signals[signal]) for context in (seen.context, seen.names)]
        spoken: Array = np.vstack(rows)[self._spoken]
        return spoken

    def left_out(self, rows: NDArray[np.intp] | None) -> NDArray[np.bool_]:
        """Which lessons a run is not taught: these rows, and those without a text."""
        out = ~self._spoken
        if rows is not None:
            out[rows] = True
        return out

    def known(self, task: Task) -> NDArray[np.bool_]:
        """Of which lessons it is known what is right."""
        known: NDArray[np.bool_] = ~np.isnan(self.lessons.targets[task.name][:, 0])
        return known

    @property
    def spans(self) -> list[Task]:
        """Tasks of spans."""
        return [task for task in self.lessons.tasks if task.kind == "spans"]

    @property
    def labels(self) -> list[Task]:
        """Tasks of labels."""
        return [task for task in self.lessons.tasks if task.kind != "spans"]

    def run(
        self, what: str, taught: NDArray[np.bool_], *, epochs: int | None = None, told: Rows | None = None
    ) -> Finetuned:
        """Tune a fresh backbone to the lessons that are taught.

        Args:
            what: What the run is called.
            taught: Boolean, which lessons these are.
            epochs: How many, where another run has told; the rate falls to nothing in them.
            told: Rows that tell when to stop.
        """
        session, signal = self.session, self.signal
        rows = self._with_unlabelled(self._rows(taught), taught)
        config = replace(self.config, epochs=epochs or self.config.epochs)
        checkpoints = Checkpoints(self.checkpoints / what) if self.checkpoints else None
        found = finetune(
            self._fresh(),
            rows,
            self.lessons.tasks,
            held_out=told,
            config=config,
            checkpoints=checkpoints,
            tick=ticks(session.progress, f"tuning {signal}, {what}", len(rows.texts) * config.epochs),
            tell=partial(self._tell, f"{signal}, {what}"),
        )
        if self.teaches:
            self.said[taught.tobytes()] = self._says(found, taught)
        return found

    def _says(self, run: Finetuned, taught: NDArray[np.bool_]) -> Mapping[str, Array]:
        """Probabilities of the labels of what a run was taught and of the unlabelled texts, by task of labels."""
        from scipy.special import expit

        texts = [*self._texts(np.flatnonzero(taught)), *self.lessons.unlabelled]
        vectors = run.encode(texts, max_tokens=self.config.max_tokens)
        return {
            task.name: (expit if task.kind == "several" else softmax)(
                run.learnt[task.name].odds(self.config.sharpness * vectors)
            )
            for task in self.labels
        }

    def perceiver(self, encoder: Any) -> TunablePerceiver:
        """What hears the backbone once it is out of torch."""
        return BackbonePerceiver(self.signal, encoder, tuned=True)

    def _fresh(self) -> Learner:
        """The backbone ready for the tasks, after what it learns from unlabelled texts alone, which is done once."""
        backbone, config = load_backbone(self.name), self.config
        if self._weights is not None:
            backbone.module.load_state_dict(self._weights)
        elif config.selfsupervision and self.lessons.unlabelled:
            options = SelfSupervisionConfig(config.selfsupervision, seed=config.seed)
            what = f"{self.signal}, self-supervised"
            total = len(self.lessons.unlabelled) * options.epochs
            tick = ticks(self.session.progress, f"tuning {what}", total)
            selfsupervise(backbone, self.lessons.unlabelled, config=options, tick=tick, tell=partial(self._tell, what))
            self._weights = {name: value.clone() for name, value in backbone.module.state_dict().items()}
        return hears_units(backbone, self.lessons.texts) if self.spans else backbone

    def _tell(self, what: str, figures: Epoch) -> None:
        """Pass the figures of an epoch on to whoever wants them."""
        if self.session.tracker is not None:
            self.session.tracker.tell(what, figures)
        if self.session.on_epoch is not None:
            self.session.on_epoch(what, figures)

    def folds_enough(self, folds: NDArray[np.intp]) -> int:
        """How many folds to leave out, one run each: enough for evidence, and no more than there is time for."""
        evident, seen, count = 0, 0, int(folds.max(initial=-1)) + 1
        for fold in range(count):
            if max(evident / self.rows_of_evidence, seen / self.most_rows_seen) * self.lessons.dearness >= 1:
                return fold
            rows = np.flatnonzero(folds == fold)
            evident += len(rows)
            seen += self.config.epochs * (int((~self.left_out(rows)).sum()) + len(self.lessons.unlabelled))
        return count

    def evidence(self, folds: NDArray[np.intp]) -> Evidence:
        """What runs that left rows out say of these.

        Args:
            folds: The run that leaves each row out, -1 where none does.
        """
        n = self.lessons.rows
        labels = {task.name: np.zeros((n, len(task.labels)), np.float32) for task in self.labels}
        nearest = {task.name: np.zeros(n, np.float32) for task in self.labels}
        units: dict[str, list[Ragged]] = {task.name: [] for task in self.spans}
        unit_rows: list[NDArray[np.intp]] = [np.zeros(0, np.intp)]
        evident, epochs = np.zeros(n, dtype=bool), None
        for fold in range(int(folds.max(initial=-1)) + 1):
            rows = np.flatnonzero(folds == fold)
            asked = rows[self._spoken[rows]]
            taught = ~self.left_out(rows)
            if not len(asked) or not taught.any():
                break
            if epochs is None and len(asked) < FEWEST_TO_STOP_BY:
                epochs = self.config.epochs
            held_out = self._rows(asked) if epochs is None else None
            run = self.run(f"without part {fold + 1}", taught, epochs=epochs, told=held_out)
            epochs = epochs or run.epochs
            longest = self.config.max_tokens
            for task in self.spans:
                units[task.name].append(run.tag_odds(task.name, self._texts(asked), max_tokens=longest))
            unit_rows.append(asked)
            vectors = run.encode(self._texts(np.flatnonzero(taught)), max_tokens=longest)
            answers = run.encode(self._texts(asked), max_tokens=longest)
            for task in self.labels:
                scores = self.head(run, vectors[self.known(task)[taught]], task).score(answers)
                labels[task.name][asked], nearest[task.name][asked] = scores.labels, scores.nearest
            evident[rows] = True
        told = {name: Scores(labels[name], nearest[name]) for name in labels}
        joined = {name: Ragged.joined(parts) for name, parts in units.items() if parts}
        return Evidence(told, evident, epochs or self.config.epochs, joined, np.concatenate(unit_rows))

    def span_evidence(self, run: Finetuned, evidence: Evidence, task: Task, rows: NDArray[np.intp]) -> SpanEvidence:
        """The head of a task of spans as a run left it, with the evidence on its rows. See ``fitted``."""
        place = {row: position for position, row in enumerate(rows.tolist())}
        told = [position for position, row in enumerate(evidence.unit_rows.tolist()) if row in place]
        if not told:
            raise DataError(
                f"{task.name!r}: {len(rows)} rows are too few to learn spans from; expected some that can be held out. "
                "Give more labelled rows"
            )
        where = np.array([place[int(evidence.unit_rows[position])] for position in told], dtype=np.intp)
        learnt = run.learnt[task.name]
        return SpanEvidence(learnt.weights, learnt.bias, evidence.units[task.name].take(told), where)

    def fitted(
        self, run: Finetuned, vectors: Array, evidence: Evidence, task: Task, rows: NDArray[np.intp]
    ) -> FittedHead:
        """The head of a task as a run left it, with the evidence on its rows.

        Args:
            run: On all lessons.
            vectors: What the exported backbone says of the lessons that have a text.
            evidence: By runs that left rows out.
            task: The task.
            rows: Those that teach it.
        """
        head = self.head(run, vectors[self.known(task)[self._spoken]], task)
        told = evidence.told[task.name]
        assert told.nearest is not None, "prototypes know how near a row is"
        return FittedHead(head, Scores(told.labels[rows], told.nearest[rows]), evidence.evident[rows])

    def head(self, run: Finetuned, vectors: Array, task: Task) -> PrototypesHead:
        """The labels of a task as a run left them, and the vectors of what it was taught."""
        config = PrototypesConfig(sharpness=self.config.sharpness)
        learnt = run.learnt[task.name]
        head = PrototypesHead(
            several=task.kind == "several", config=config, prototypes=learnt.weights, bias=learnt.bias
        )
        head.fit(vectors, np.zeros((len(vectors), len(learnt.weights))), np.zeros(len(vectors)))
        return head

    def shares(self, run: Finetuned, vectors: Array) -> Array:
        """Probabilities of the labels of unit vectors as a run left them, one task's rows below the other's."""
        heads = [run.learnt[task.name] for task in self.labels]
        widest = max(len(learnt.weights) for learnt in heads)
        parts = []
        for learnt in heads:
            shares = softmax(self.config.sharpness * vectors @ learnt.weights.T + learnt.bias)
            parts.append(np.pad(shares, ((0, 0), (0, widest - shares.shape[1]))))
        return np.vstack(parts)

    def tag_shares(self, run: Finetuned, features: Array) -> Array:
        """Probabilities of the tags of units as a run left them, likewise."""
        heads = [run.learnt[task.name] for task in self.spans]
        widest = max(len(learnt.weights) for learnt in heads)
        parts = [softmax(learnt.odds(features)) for learnt in heads]
        return np.vstack([np.pad(shares, ((0, 0), (0, widest - shares.shape[1]))) for shares in parts])

    def exported(self, backbone: Learner, run: Finetuned | None) -> tuple[Any, Sequence[str]]:
        """A backbone out of torch: that of a run, or as it was loaded; and what the user should know."""
        assert isinstance(backbone, Backbone), "a backbone of texts"
        module = run.module if run else backbone.module
        step = max(1, self._spoken.sum() // PARITY_ROWS)
        probe = self._texts(np.flatnonzero(self._spoken)[::step])
        tokenizer = tokenizer_json(backbone)
        labels_of = partial(self.shares, run) if run and self.labels else None
        tags_of = partial(self.tag_shares, run) if run and self.spans else None
        width, longest = backbone.width, self.config.max_tokens
        left = export(
            encoder_module(module, backbone.pooling, with_features=tags_of is not None),
            tokenizer,
            probe,
            width=width,
            max_tokens=longest,
            labels_of=labels_of,
            tags_of=tags_of,
            sees_case=backbone.sees_case,
        )
        return OnnxEncoder(self.name, left.model, tokenizer, width=width, max_tokens=longest), left.notices

    def passed_on(self, taught: NDArray[np.bool_]) -> Mapping[str, Array]:
        """What the lessons that are taught are, and below them what they pass on to the unlabelled texts.

        Which texts mean the same is told by the backbone as it came, beside
        itself and its ``companions`` after they were tuned to these lessons
        alone: those draw texts of one label together, the first keeps apart
        what few lessons blur.

        By task of labels, of shape (t + m, k), NaN where nothing is known.
        """
        key = taught.tobytes()
        if key not in self._passed_on:
            vectors = np.vstack([self._lesson_vectors[taught], self.unlabelled_vectors])
            near = np.hstack([unit(part - part.mean(axis=0)) for part in (vectors, *self._vectors_of_few(taught))])
            found = {}
            for task in self.labels:
                right = np.full((len(vectors), len(task.labels)), np.nan, dtype=np.float32)
                right[: taught.sum()] = self.lessons.targets[task.name][taught]
                known = ~np.isnan(right[:, 0])
                if task.kind == "choice" and known.any():  # where several labels may hold there is nothing to pass on
                    right = _passed_on(vectors, near, right, known, int(taught[: self.lessons.rows].sum()))
                found[task.name] = right
            self._passed_on[key] = found
        return self._passed_on[key]

    def _vectors_of_few(self, taught: NDArray[np.bool_]) -> Iterator[Array]:
        """Unit vectors of these lessons and of the unlabelled texts, by each backbone tuned to these lessons alone."""
        rows = self._rows(taught)
        dearness = self.lessons.dearness
        config = suited(replace(self.config, epochs=EPOCHS_OF_LABELLED), len(rows.texts), dearness=dearness)
        for reader in (self, *self.companions):
            what = f"{reader.name}: reading unlabelled texts as {len(rows.texts):,} labelled ones teach it"
            tick = ticks(self.session.progress, what, len(rows.texts) * config.epochs)
            run = finetune(reader._fresh(), rows, self.lessons.tasks, config=config, tick=tick)
            yield run.encode([*rows.texts, *self.lessons.unlabelled], max_tokens=config.max_tokens)

    def _with_unlabelled(self, rows: Rows, taught: NDArray[np.bool_]) -> Rows:
        """What is taught, and the unlabelled texts with the labels that the taught ones pass on to them."""
        if not self.lessons.unlabelled:
            return rows
        nothing = [None] * len(self.lessons.unlabelled)
        spans = {task.name: [*rows.targets[task.name], *nothing] for task in self.spans}
        return Rows([*rows.texts, *self.lessons.unlabelled], {**self.passed_on(taught), **spans})

    def _rows(self, which: NDArray[Any]) -> Rows:
        """Some of the lessons."""
        places = np.flatnonzero(which) if which.dtype == bool else which
        targets = self.lessons.targets
        some: dict[str, Any] = {task.name: targets[task.name][places] for task in self.labels}
        some |= {task.name: [targets[task.name][int(place)] for place in places] for task in self.spans}
        return Rows(self._texts(places), some)

    def _texts(self, places: NDArray[np.intp]) -> list[Any]:
        """The texts of some of the lessons."""
        return [self.lessons.texts[int(place)] for place in places]


def targets_of(task: Task, seen: Seen) -> Array:
    """What is right of the rows and of the texts that name labels, NaN where nothing is known."""
    place = {name: column for column, name in enumerate(task.names)}
    records = seen.context.records
    targets = np.full((len(records) + len(seen.named), len(task.labels)), np.nan, dtype=np.float32)
    for row, record in enumerate(records):
        if task.name in record.labels:
            targets[row] = 0
            targets[row, [place[name] for name in record.labels_of(task.name) if name in place]] = 1
    for row, (name, column) in enumerate(seen.named, len(records)):
        if name == task.name:
            targets[row] = 0
            targets[row, column] = 1
    return targets


def _spans(task: Task, seen: Seen) -> list[tuple[Span, ...] | None]:
    """The spans of the rows, None where nothing is known; texts that name labels hold none."""
    return [*(record.labels.get(task.name) for record in seen.context.records), *[None] * len(seen.named)]


def _passed_on(vectors: Array, near: Array, targets: Array, known: NDArray[np.bool_], rows: int) -> Array:
    """What rows get from those whose label is known, along the graph of nearest texts, shape (n, k).

    Args:
        vectors: What has seen no label, shape (n, d): how much is passed on is chosen by it.
        near: What tells which texts mean the same, shape (n, e).
        targets: What is right of the rows that are known, shape (n, k).
        known: Boolean, shape (n,).
        rows: So many of the first are no descriptions of labels, so that they can be chosen by.
    """

    def guess(vectors: Array, known: NDArray[np.bool_]) -> Array:
        head = LogisticHead()
        head.fit(vectors[known], targets[known], targets[known].argmax(axis=1))
        guesses = targets.copy()
        guesses[~known] = softmax(FIRST_GUESS * head.score(vectors[~known]).labels)
        return guesses

    asked = np.flatnonzero(known[:rows] & targets[:rows].any(axis=1))
    share = share_that_suits(neighbours(vectors), partial(guess, vectors), known, asked)
    return propagate(neighbours(near), guess(near, known), known, share=share)


def begun_with(name: str, lessons: Lessons, config: FinetuneConfig) -> dict[str, str]:
    """What a run depends on, as it is compared when one is resumed."""
    rows = hashlib.sha256(json.dumps(lessons.texts, default=_fingerprint).encode())
    for task in lessons.tasks:
        rows.update(json.dumps([task.name, task.kind, task.names]).encode())
        right = lessons.targets[task.name]
        rows.update(right.tobytes() if isinstance(right, np.ndarray) else repr(right).encode())
    rows.update(json.dumps(lessons.unlabelled).encode())
    return {"rows": rows.hexdigest(), "options": json.dumps(asdict(config)), "encoder": name}


def _fingerprint(media: Media) -> str:
    """What a picture is told by."""
    return hashlib.sha256(PICTURES.content(media)).hexdigest()
