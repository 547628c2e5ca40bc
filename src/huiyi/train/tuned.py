"""The tuned strategy: a backbone fine-tuned to the task, beside what the fast strategy perceives.

The backbone adds two signals and changes none: as it came, and tuned. Both
leave torch before any head hears them, so heads and promise are fitted on the
very numbers that will be served. What the tuned one is worth beside the others
is told by rows that another, tuned without them, had not seen. Of few rows a
second backbone is tuned too: what each draws from them differs most then. The
encoder of pictures, where there are any, is tuned in the same way.

Source:
    Wolpert, "Stacked generalization", Neural Networks 5(2), 1992 (weights by
    held-out evidence).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align import FEW_ROWS, FOLDS, HeldOut, SpansAligner, folds_of
from huiyi.errors import OptionError
from huiyi.perceive import MARK, SENTENCE, BackbonePerceiver, Perception, TunablePerceiver, said
from huiyi.perceive.encoders import UniversalSentenceEncoder
from huiyi.perceive.encoders.onnx import OnnxEncoder
from huiyi.train.config import Session, TrainConfig, ticks
from huiyi.train.fast import Assignment, Fitted, Seen, fit_aligners, see
from huiyi.train.lessons import rows_of
from huiyi.train.tuning.backbones import E5, MINILM, Backbone, load_backbone
from huiyi.train.tuning.cotraining import cotrained
from huiyi.train.tuning.distil import Student
from huiyi.train.tuning.finetune import FinetuneConfig, suited
from huiyi.train.tuning.pictures import PictureTuner, picture_tuner
from huiyi.train.tuning.runs import begin
from huiyi.train.tuning.sentence import SentenceTuner
from huiyi.train.tuning.tuner import Evidence, Lessons, Tuner, begun_with, targets_of
from huiyi.values import Context, Ragged, Record, Task, is_blank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.align import FittedHead
    from huiyi.values import Signal

OWN = UniversalSentenceEncoder.name
"""The core's own encoder."""

CHINESE_SHARE = 0.02
"""From this share of Chinese texts on, the backbone must have learnt Chinese."""

ROWS_SEEN = 40_000
"""Rows that one run of fine-tuning sees, all epochs together."""

FEWEST_EPOCHS, MOST_EPOCHS = 3, 5

SPAN_ROWS_SEEN, MOST_SPAN_EPOCHS = 70_000, 20
"""The same where there are spans: tags are many, and begin with nothing."""

ROWS_MEASURED = 1_000
"""So many texts tell how long they are."""

SHORT_TOKENS, LONG_TOKENS, FEWEST_EPOCHS_OF_LONG = 16, 64, 2
"""Texts that have more than the second number of tokens on average take as long as several of the first."""

SPAN_TOKENS = 256
"""As much of a text is read at once where there are spans."""

_CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


def fit_tuned(given: Assignment) -> Fitted:
    """Perceive, tune backbones to all tasks at once, leave torch, and align.

    Raises:
        OptionError: Labels cannot be passed on to unlabelled texts, because rows may have several.
    """
    begun = prepare(given)
    tuners = [*begun.tuners, *begun.beside(given.config)]
    if given.config.distil:
        return fit_student(begun, tuners, given.session)
    folds = begun.left_out_by(tuners)
    return fit_members(begun, [(tuner, tuner.evidence(folds)) for tuner in tuners], given.session)


def fit_student(begun: Begun, teachers: Sequence[Tuner], session: Session) -> Fitted:
    """Tune as usual, then a small student to what was tuned, which is heard beside what no label taught.

    Args:
        begun: All that was there before.
        teachers: What tunes.
        session: Whom to tell.
    """
    for tuner in teachers:
        tuner.teaches = True
    folds = begun.left_out_by(teachers)
    taught = fit_members(begun, [(tuner, tuner.evidence(folds)) for tuner in teachers], session)
    student = Student.of(teachers)
    found = fit_members(begun.without_backbones(student), [(student, student.evidence(folds))], session)
    notices = [
        f"{task.name}: of held-out rows the student tells {_told_right(found.held_out[task.name], begun.seen):.1%} "
        f"right, its teachers {_told_right(taught.held_out[task.name], begun.seen):.1%}"
        for task in student.labels
    ]
    return replace(found, notices=[*found.notices, *notices])


def _told_right(told: HeldOut, seen: Seen) -> float:
    """Share right of the held-out rows that have a label: the most probable, or where there may be several, all."""
    targets = targets_of(told.intents.task, seen)[told.rows]
    labelled, probable = targets.any(axis=1), told.intents.probabilities
    if told.intents.task.kind == "several":
        right = ((probable > 0.5) == (targets > 0.5)).all(axis=1)
    else:
        right = targets[np.arange(len(targets)), probable.argmax(axis=1)] > 0.5
    return float(right[labelled].mean()) if labelled.any() else float("nan")


@dataclass(frozen=True, eq=False)
class Begun:
    """All that is there before a backbone is tuned.

    Attributes:
        tuners: Tune with the usual settings: a backbone of texts, where there are texts, and the encoder of pictures.
        seen: What is perceived, the backbone as it came among it.
        plain: The same without the backbone.
        unlabelled: What is perceived of the unlabelled texts, if there are more of them than rows.
        folds: The fold that leaves each row out.
        notices: What the user should know.
    """

    tuners: Sequence[Tuner]
    seen: Seen
    plain: Seen
    unlabelled: Context | None
    folds: NDArray[np.intp]
    notices: list[str]

    @property
    def tuner(self) -> Tuner:
        """The first of them: of texts where there are any."""
        return self.tuners[0]

    def beside(self, config: TrainConfig) -> list[Tuner]:
        """What tunes further backbones of texts, unless the user has named one that is not packaged.

        The core's own, which errs elsewhere and costs little; and where rows are few, another transformer, unless one
        is named.
        """
        if config.encoder not in ("", MINILM, E5) or isinstance(self.tuner, PictureTuner):
            return []
        few = self.tuner.lessons.size <= FEW_ROWS
        is_wanted = self.tuner.labels and config.tune == TrainConfig.tune and not config.distil
        own = [SentenceTuner.beside(self.tuner)] if is_wanted else []
        return [*(_companions(self.tuner, config) if few else ()), *own]

    def left_out_by(self, tuners: Sequence[Tuner]) -> NDArray[np.intp]:
        """The run that leaves each row out, -1 where none does: the same for all of them.

        Heads are blended by rows that all were asked about, so what one leaves out alone is in vain.
        """
        count = min(tuner.folds_enough(self.folds) for tuner in tuners)
        return np.where(self.folds < count, self.folds, -1)

    def without_backbones(self, student: Student) -> Begun:
        """The same, for a student in their place."""
        unlabelled = self.unlabelled
        if unlabelled is not None:
            kept = {name: place for place, name in enumerate(unlabelled.signals) if name in self.plain.context.signals}
            signals = {name: unlabelled.signals[name] for name in kept}
            unlabelled = Context(unlabelled.records, signals, unlabelled.present[:, list(kept.values())])
        return replace(self, tuners=[student], seen=self.plain, unlabelled=unlabelled)

    def with_cotrained(
        self, heads: Mapping[str, Mapping[str, FittedHead]], evidence: Evidence
    ) -> Mapping[str, Mapping[str, FittedHead]]:
        """Heads of a tuned backbone, and those of frozen signals that learn from unlabelled texts, by task."""
        if self.unlabelled is None:
            return heads
        found = {name: dict(fitted) for name, fitted in heads.items()}
        for task in self.tuner.labels:
            if task.kind == "choice":
                rows = rows_of(task, self.seen.context.records)
                found[task.name] |= cotrained(self.tuner, self.seen, self.unlabelled, evidence, self.folds, task, rows)
        return found


def prepare(given: Assignment) -> Begun:
    """Perceive, the backbone as it came too, and make ready to tune it.

    Raises:
        OptionError: Labels cannot be passed on to unlabelled texts, because rows may have several; or no row has a
            text or a picture.
    """
    tasks, config, session = given.tasks, given.config, given.session
    if given.unlabelled and not any(task.kind == "choice" for task in tasks):
        raise OptionError("--unlabelled: labels are passed on only where a row has one. Leave --unlabelled out")
    has_texts = not given.records or not all(is_blank(record.text) for record in given.records)
    name = config.encoder or _backbone_for(given.records)
    backbone = load_backbone(name) if has_texts and name != OWN else None
    seen, slug = see(given), _slug("-".join(task.name for task in tasks))
    painter = None if config.image_encoder else picture_tuner(tasks, seen, slug, session, seed=config.seed)
    if painter is None and not has_texts:
        raise OptionError(
            f"--effort {config.effort}: no row has a text or a picture, which are what is fine-tuned to; expected "
            "some. Leave --effort out"
        )
    if config.distil and (painter is not None or backbone is None or any(task.kind == "spans" for task in tasks)):
        raise OptionError(
            f"--distil: a student learns labels of texts from a transformer, expected no spans, no pictures and no "
            f"--encoder {OWN}, which it is made of. Leave --distil out"
        )
    if painter is not None:
        painter.signal = free(painter.signal, given.perception.names if given.perception else ())
    painters = [painter] if painter else []
    if not has_texts:
        _begin(painters, config, session)
        return Begun(painters, seen, seen, None, _folds(tasks, seen.context), [])
    if backbone is None:
        return _prepare_own(given, seen, slug, painters)
    return _prepare_texts(given, backbone, seen, slug, painters)


def _prepare_own(given: Assignment, seen: Seen, slug: str, others: Sequence[Tuner]) -> Begun:
    """Make ready to tune the core's own encoder alone, and what else is tuned after it."""
    config, taken = given.config, given.perception.names if given.perception else ()
    if config.pretexts or any(task.kind == "spans" for task in given.tasks):
        raise OptionError(
            f"--encoder {OWN}: it learns labels alone, expected no spans and no --pretext. Name another --encoder"
        )
    lessons, notices = Lessons.of(given.tasks, seen, given.unlabelled)
    tuner = SentenceTuner(lessons, free(SENTENCE + slug, taken), config.seed, given.session)
    _begin([tuner, *others], config, given.session)
    tuner.read(UniversalSentenceEncoder({}))
    unlabelled = _read(seen.perception, lessons, given.session) if lessons.mostly_unlabelled else None
    return Begun([tuner, *others], seen, seen, unlabelled, _folds(given.tasks, seen.context), notices)


def _prepare_texts(given: Assignment, backbone: Backbone, seen: Seen, slug: str, others: Sequence[Tuner]) -> Begun:
    """Make ready to tune a backbone of texts, and what else is tuned after it."""
    tasks, config, session = given.tasks, given.config, given.session
    lessons, notices = Lessons.of(tasks, seen, given.unlabelled)
    plain = replace(seen, perception=seen.perception.frozen())
    spans = [task for task in tasks if task.kind == "spans"]
    lessons = lessons if spans else replace(lessons, dearness=_dearness(backbone, lessons))
    notices += _cut(spans, backbone, given.records)
    tuning = FinetuneConfig(
        method=config.tune,
        epochs=_epochs(lessons, has_spans=bool(spans)),
        selfsupervision=config.pretexts,
        seed=config.seed,
    )
    tuning = suited(tuning, lessons.count, dearness=lessons.dearness, has_spans=bool(spans))
    tuning = replace(tuning, max_tokens=SPAN_TOKENS) if spans else tuning
    taken = given.perception.names if given.perception else ()
    frozen = MARK + _slug(backbone.name)
    tuner = Tuner(backbone.name, free(MARK + slug, (*taken, frozen)), lessons, tuning, session)
    _begin([tuner, *others], config, session)
    if lessons.unlabelled:
        tuner.companions = _companions(tuner, config)
    unlabelled = _read(seen.perception, lessons, session) if lessons.mostly_unlabelled else None
    known = _known(given.perception, frozen, backbone.name)
    if known is None:
        known, more = tuner.exported(backbone, None)
        notices += more
        seen = _heard(seen, BackbonePerceiver(frozen, known), session)
    tuner.read(known)
    if unlabelled is not None and frozen not in unlabelled.signals:
        present = np.column_stack([unlabelled.present, np.ones(len(unlabelled.records), dtype=bool)])
        signals = {**unlabelled.signals, frozen: tuner.unlabelled_vectors}
        unlabelled = Context(unlabelled.records, signals, present)
    return Begun([tuner, *others], seen, plain, unlabelled, _folds(tasks, seen.context), notices)


def _companions(tuner: Tuner, config: TrainConfig) -> list[Tuner]:
    """What tunes a second backbone to the same lessons, where the user has named none and there is another."""
    if tuner.name != MINILM or config.encoder or tuner.spans:
        return []
    other = tuner.trying(tuner.config, tuner.session, tuner.checkpoints / E5 if tuner.checkpoints else None)
    other.name = E5
    return [other]


def _begin(tuners: Sequence[Tuner], config: TrainConfig, session: Session) -> None:
    """Give tuners their places for checkpoints, in a run that is begun, or gone on with."""
    if session.folder is None:
        return
    begun = {"effort": config.effort}
    for place, tuner in enumerate(tuners):
        mark = "" if place == 0 else f" of {tuner.name}"
        begun |= {what + mark: told for what, told in begun_with(tuner.name, tuner.lessons, tuner.config).items()}
    folder = begin(session.folder, begun, resume=session.resume)
    for place, tuner in enumerate(tuners):
        tuner.checkpoints = folder if place == 0 else folder / tuner.name


@dataclass(frozen=True, eq=False)
class Tuned:
    """A backbone tuned to all rows, out of torch, and heard.

    Attributes:
        seen: What is perceived, the tuned backbone among it.
        heads: By task of labels the head that fine-tuning learnt.
        spans: By task of spans its aligner.
        told: By task of spans what held-out parts say of the training rows.
        report: What to keep in the model's summary.
        notices: What the user should know.
    """

    seen: Seen
    heads: Mapping[str, Mapping[str, FittedHead]]
    spans: Mapping[str, SpansAligner]
    told: Mapping[str, HeldOut]
    report: Mapping[str, Any]
    notices: Sequence[str]


def fit_members(begun: Begun, members: Sequence[tuple[Tuner, Evidence]], session: Session) -> Fitted:
    """Tune backbones to all rows, let them leave torch, and fit heads, blend and scope on what is heard then.

    Args:
        begun: All that was there before.
        members: What tunes each, and what it says of rows that it left out. The first one teaches frozen signals.
        session: Whom to tell.
    """
    seen = begun.seen
    tuned: list[Tuned] = []
    for tuner, evidence in members:
        tuner.signal = free(tuner.signal, seen.perception.names)
        tuned.append(finish(tuner, seen, evidence))
        seen = tuned[-1].seen
    heads = {
        task.name: {name: head for done in tuned for name, head in done.heads[task.name].items()}
        for task in begun.tuner.labels
    }
    found = fit_aligners(begun.tuner.labels, seen, session, fitted=begun.with_cotrained(heads, members[0][1]))
    first, *others = tuned
    return replace(
        found,
        aligners={**found.aligners, **first.spans},
        held_out={**found.held_out, **first.told},
        report={"backbone": members[0][0].name, "tuning": first.report, "also_tuned": [one.report for one in others]},
        notices=[*begun.notices, *(notice for done in tuned for notice in done.notices)],
    )


def finish(tuner: Tuner, seen: Seen, evidence: Evidence) -> Tuned:
    """Tune a backbone to all rows, let it leave torch, and hear it."""
    signal = tuner.signal
    final = tuner.run("all", ~tuner.left_out(None), epochs=evidence.epochs)
    inside, notices = tuner.exported(final.backbone, final)
    seen = _heard(seen, tuner.perceiver(inside), tuner.session)
    vectors, records = tuner.spoken(seen, signal), seen.context.records
    heads = {
        task.name: {f"{signal}/prototypes": tuner.fitted(final, vectors, evidence, task, rows_of(task, records))}
        for task in tuner.labels
    }
    spans: dict[str, SpansAligner] = {}
    told: dict[str, HeldOut] = {}
    for task in tuner.spans:
        rows = rows_of(task, records)
        spans[task.name] = SpansAligner()
        found = spans[task.name].fit(
            task, seen.context.rows(rows), signal, tuner.span_evidence(final, evidence, task, rows)
        )
        told[task.name] = HeldOut(rows[found.rows], found.intents)
    report = {"backbone": tuner.name, **asdict(tuner.config), "epochs": evidence.epochs, **asdict(final.parameters)}
    return Tuned(seen, heads, spans, told, report, notices)


def _heard(seen: Seen, perceiver: TunablePerceiver, session: Session) -> Seen:
    """What was seen, and one signal more."""
    signal, contexts = perceiver.name, []
    for context in (seen.context, seen.names):
        tick = ticks(session.progress, f"reading {signal}", len(context.records)) if context is seen.context else None
        tokens: Mapping[str, Ragged] = {}
        signals: Mapping[str, Signal]
        if isinstance(perceiver, BackbonePerceiver) and perceiver.tuned and perceiver.hears_units:
            signals, there, tokens = perceiver.perceive_units(context.records, tick=tick)
        else:
            signals, there = perceiver.perceive(context.records, tick=tick)
        present = np.column_stack([context.present, there])
        contexts.append(replace(context, signals={**context.signals, **signals}, present=present, tokens=tokens))
    seen.perception.add(signal, perceiver)
    return Seen(seen.perception, contexts[0], contexts[1], seen.named)


def _read(perception: Perception, lessons: Lessons, session: Session) -> Context:
    """The unlabelled texts as the frozen signals hear them."""
    records = [Record(text=text) for text in lessons.unlabelled]
    tick = ticks(session.progress, "reading unlabelled texts", len(records) * len(perception.names))
    return perception.perceive(records, tick=tick)


def _backbone_for(records: Sequence[Record]) -> str:
    """The packaged backbone that has learnt the languages of the texts."""
    chinese = sum(_CHINESE.search(record.text or "") is not None for record in records)
    return E5 if chinese > CHINESE_SHARE * len(records) else MINILM


def _dearness(backbone: Backbone, lessons: Lessons) -> float:
    """How many short texts take as long as one of the lessons."""
    texts = [text for text, there in zip(lessons.texts, lessons.there, strict=True) if there]
    some = texts[:: -(-len(texts) // ROWS_MEASURED) or 1]
    longest = FinetuneConfig.max_tokens
    tokens = float(backbone.items(some, max_tokens=longest).lengths.mean()) if some else 0.0
    return tokens / SHORT_TOKENS if tokens > LONG_TOKENS else 1.0


def _epochs(lessons: Lessons, *, has_spans: bool) -> int:
    """How often all rows are seen; the part of an epoch that is left over is read of short ones alone."""
    seen, most = (SPAN_ROWS_SEEN, MOST_SPAN_EPOCHS) if has_spans else (ROWS_SEEN, MOST_EPOCHS)
    epochs, are_long = seen / max(1, lessons.size), not has_spans and lessons.dearness > 1
    fewest = FEWEST_EPOCHS_OF_LONG if are_long else FEWEST_EPOCHS
    return int(np.clip(epochs if are_long else round(epochs), fewest, most))


def _folds(tasks: Sequence[Task], context: Context) -> NDArray[np.intp]:
    """The fold of each row: each has its share of the labels of the first task that has any for whole rows."""
    labels = next((task for task in tasks if task.kind != "spans"), None)
    return np.arange(len(context.records)) % FOLDS if labels is None else folds_of(labels, context)


def _cut(spans: Sequence[Task], backbone: Backbone, records: Sequence[Record]) -> list[str]:
    """How many texts are too long to be learnt from as a whole; all are read to their end."""
    texts = [said(record) for record in records if any(task.name in record.labels for task in spans)]
    tokens = backbone.items(texts, max_tokens=SPAN_TOKENS + 1)
    count = int((tokens.lengths > SPAN_TOKENS).sum())
    if not count:
        return []
    return [f"of {count:,} long texts only the first {SPAN_TOKENS} tokens teach spans; cut them to teach the rest"]


def _known(perception: Perception | None, signal: str, backbone: str) -> OnnxEncoder | None:
    """The backbone as it came, where a model that learns a task more hears it already.

    Raises:
        OptionError: Another of the same name is there.
    """
    if perception is None or signal not in perception.names:
        return None
    perceiver = perception[signal]
    assert isinstance(perceiver, BackbonePerceiver), "what is marked so is a backbone"
    if perceiver.encoder.name != backbone:
        raise OptionError(
            f"--encoder {backbone}: the model that learns a task more has another of this name, "
            f"{perceiver.encoder.name}; expected that one. Rename the folder, or name that one"
        )
    return perceiver.encoder


def free(name: str, taken: Collection[str]) -> str:
    """A name that no signal has yet: this one, or else with a number behind it.

    Example:
        >>> free("text@intent", ["text@intent", "text@intent-2"])
        'text@intent-3'
    """
    numbered = (f"{name}-{number}" for number in count(2))
    return next(one for one in chain([name], numbered) if one not in taken)


def _slug(name: str) -> str:
    """A name as a signal can carry it."""
    return re.sub(r"[^\w.-]+", "-", name.rstrip("/").rpartition("/")[2] or name) or "task"
