"""Heads of frozen signals that learn from unlabelled texts."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_array

from huiyi.align import FittedHead, LogisticHead, PrototypesHead, Scores, SvmHead
from huiyi.perceive import Perception
from huiyi.train.config import Session, TrainConfig
from huiyi.train.fast import Seen
from huiyi.train.tuned import Begun, _companions
from huiyi.train.tuning import tuner
from huiyi.train.tuning.backbones import E5, MINILM
from huiyi.train.tuning.cotraining import cotrained
from huiyi.train.tuning.finetune import FinetuneConfig, Finetuned
from huiyi.train.tuning.sentence import SentenceTuner
from huiyi.train.tuning.tuner import Evidence, Lessons, Tuner
from huiyi.values import Context, Label, Record, Task

TASK = Task("intent", "choice", tuple(Label(name) for name in "abc"))
ROWS, OTHERS, ASKED = 12, 400, 300
FOLDS = np.arange(ROWS) // 3 % 2


def view(classes: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """Three clouds in 40 dimensions, which another seed places elsewhere."""
    centres = np.random.default_rng(seed).normal(size=(3, 40))
    strays = np.random.default_rng(seed + 1).normal(size=(len(classes), 40))
    return (centres[classes] + noise * strays).astype(np.float32)


class Untaught(Tuner):
    """Few labels teach its backbone nothing."""

    def _vectors_of_few(self, taught: np.ndarray) -> Iterator[np.ndarray]:
        yield np.vstack([self._lesson_vectors[taught], self.unlabelled_vectors])


def test_a_second_backbone_reads_unlabelled_texts_where_none_is_named() -> None:
    lessons = Lessons([TASK], ["a"], np.ones(1, dtype=bool), {"intent": np.eye(3, dtype=np.float32)[:1]}, 1, ["b"])
    first = Tuner(MINILM, "text@intent", lessons, FinetuneConfig(), Session())
    (other,) = _companions(first, TrainConfig())
    assert (first.name, other.name) == (MINILM, E5) and other.lessons is lessons
    assert not _companions(first, TrainConfig(encoder=MINILM))
    assert not _companions(other, TrainConfig())


class AskedError(Exception):
    """What a run was asked for."""


@pytest.mark.parametrize(("rows", "stops_early"), [(598, False), (600, True)])
def test_few_held_out_rows_do_not_tell_when_to_stop(rows: int, stops_early: bool) -> None:
    class Noting(Tuner):
        def run(self, what: str, taught: np.ndarray, **asked: object) -> Finetuned:
            raise AskedError(asked["epochs"], asked["told"] is not None)

    targets = {"intent": np.eye(3, dtype=np.float32)[np.arange(rows) % 3]}
    lessons = Lessons([TASK], ["a"] * rows, np.ones(rows, dtype=bool), targets, rows, [])
    noting = Noting(MINILM, "text@intent", lessons, FinetuneConfig(epochs=4), Session())
    with pytest.raises(AskedError) as found:
        noting.evidence(np.arange(rows) % 2)
    assert found.value.args == ((None, True) if stops_early else (4, False))


def test_a_run_whose_length_is_known_ends_its_rate_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def noting(*given: object, config: FinetuneConfig, **asked: object) -> Finetuned:
        raise AskedError(config.epochs)

    monkeypatch.setattr("huiyi.train.tuning.tuner.finetune", noting)
    monkeypatch.setattr(Tuner, "_fresh", lambda tuner: None)
    targets = {"intent": np.eye(3, dtype=np.float32)}
    lessons = Lessons([TASK], ["a", "b", "c"], np.ones(3, dtype=bool), targets, 3, [])
    tuner = Tuner(MINILM, "text@intent", lessons, FinetuneConfig(epochs=9), Session())
    for epochs, run_for in ((4, 4), (None, 9)):
        with pytest.raises(AskedError) as found:
            tuner.run("all", np.ones(3, dtype=bool), epochs=epochs)
        assert found.value.args == (run_for,)


@pytest.mark.parametrize(("dearness", "runs"), [(1.0, 2), (8.0, 1)])
def test_some_folds_are_evidence_enough_and_fewer_of_long_rows(dearness: float, runs: int) -> None:
    told = SimpleNamespace(epochs=1, history=[{}], encode=lambda texts, max_tokens: np.zeros((len(texts), 2)))
    zeros = SimpleNamespace(score=lambda vectors: Scores(np.zeros((len(vectors), 3)), np.zeros(len(vectors))))
    ran: list[str] = []

    class Noting(Tuner):
        def run(self, what: str, taught: np.ndarray, **asked: object) -> Finetuned:
            ran.append(what)
            return told  # type: ignore[return-value]

        def head(self, *given: object) -> PrototypesHead:
            return zeros  # type: ignore[return-value]

    targets = {"intent": np.eye(3, dtype=np.float32)[np.arange(600) % 3]}
    lessons = Lessons([TASK], ["a"] * 600, np.ones(600, dtype=bool), targets, 600, [], dearness)
    noting, folds = Noting(MINILM, "text@intent", lessons, FinetuneConfig(), Session()), np.arange(600) % 3
    evidence = noting.evidence(begun([noting], folds).left_out_by([noting]))
    assert len(ran) == runs and evidence.evident.sum() == 200 * runs


def test_all_leave_out_the_same_rows_and_no_more_than_the_slowest_has_time_for() -> None:
    targets = {"intent": np.eye(3, dtype=np.float32)[np.arange(385) % 3]}
    others = [f"other {i}" for i in range(9_600)]
    lessons = Lessons([TASK], ["a"] * 385, np.ones(385, dtype=bool), targets, 385, others)
    first = Tuner(MINILM, "text@intent", lessons, FinetuneConfig(epochs=4), Session())
    own, longer = SentenceTuner.beside(first), first.trying(FinetuneConfig(epochs=5), Session(), None)
    folds = np.arange(385) % 5
    assert [tuner.folds_enough(folds) for tuner in (first, own, longer)] == [2, 5, 1]
    assert np.unique(begun([first], folds).left_out_by([first, own])).tolist() == [-1, 0, 1]
    assert np.unique(begun([first], folds).left_out_by([first, own, longer])).tolist() == [-1, 0]
    assert folds.max() == 4 and not begun([first], folds[:0]).left_out_by([first]).size


def begun(tuners: list[Tuner], folds: np.ndarray) -> Begun:
    """What is there of it where only rows are left out."""
    seen = SimpleNamespace()
    return Begun(tuners, seen, seen, None, folds, [])  # type: ignore[arg-type]


class Desk:
    """12 labelled rows, 400 unlabelled, and 300 to ask about, seen by a clear view and a blurred one."""

    def __init__(self) -> None:
        classes = np.concatenate([np.arange(ROWS) % 3, np.random.default_rng(0).integers(3, size=OTHERS + ASKED)])
        self.truth = classes
        self.clear, self.blurred = view(classes, 0.7, 1), view(classes, 2.4, 5)

    def heads(self, labels: np.ndarray, absent: int | None = None) -> FittedHead:
        """What the blurred view learns when the clear one passes the labels on."""
        records = [Record(text=f"row {row}", labels={"intent": "abc"[label]}) for row, label in enumerate(labels)]
        targets = {"intent": np.eye(3, dtype=np.float32)[labels]}
        others = [f"other {i}" for i in range(OTHERS)]
        lessons = Lessons([TASK], [r.text for r in records], np.ones(ROWS, dtype=bool), targets, ROWS, others)
        tuner = Untaught("", "text@intent", lessons, FinetuneConfig(), Session())
        tuner.read(Clear(self))  # type: ignore[arg-type]
        present = np.ones((ROWS, 1), dtype=bool)
        if absent is not None:
            present[absent] = False
        present = np.column_stack([present, present])
        own = {"blurred": self.blurred[:ROWS], "rare": np.ones((ROWS, 1), np.float32)}
        none = {name: signal[:0] for name, signal in own.items()}
        seen = Seen(Perception([]), Context(records, own, present), Context([], none, present[:0]), [])
        signals = {"blurred": self.blurred[ROWS : ROWS + OTHERS], "rare": np.ones((OTHERS, 1), np.float32)}
        there = np.column_stack([np.ones(OTHERS, dtype=bool), np.arange(OTHERS) < 9])
        others = Context([Record(text=text) for text in lessons.unlabelled], signals, there)
        found = cotrained(tuner, seen, others, Evidence({}, FOLDS == 0, 1), FOLDS, TASK, np.arange(ROWS))
        assert [name.partition("/")[0] for name in found] == ["blurred"]  # most lack the other
        return next(iter(found.values()))


class Clear:
    """An encoder: the clear view."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def encode(self, texts: list[str], *, tick: object = None) -> dict[str, np.ndarray]:
        start = 0 if texts[0].startswith("row") else ROWS
        return {"": self.desk.clear[start : start + len(texts)]}


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


def test_sparse_signals_learn_too(desk: Desk) -> None:
    dense, desk.blurred = desk.blurred, csr_array(np.where(np.abs(desk.blurred) > 1, desk.blurred, 0))
    try:
        found = desk.heads(desk.truth[:ROWS])
        told = found.head.score(desk.blurred[-ASKED:]).labels.argmax(axis=1)
        assert isinstance(found.head, SvmHead) and found.held_out.nearest is None
        assert (told == desk.truth[-ASKED:]).mean() > 0.7
    finally:
        desk.blurred = dense


def test_a_student_knows_more_than_the_labels_alone_teach(desk: Desk) -> None:
    labels, asked, right = desk.truth[:ROWS], desk.blurred[-ASKED:], desk.truth[-ASKED:]
    alone = LogisticHead()
    alone.fit(desk.blurred[:ROWS], np.eye(3, dtype=np.float32)[labels], labels)
    shares = [(head.score(asked).labels.argmax(axis=1) == right).mean() for head in (desk.heads(labels).head, alone)]
    assert shares[0] > shares[1] + 0.1


def test_evidence_is_of_rows_whose_labels_were_not_learnt(desk: Desk) -> None:
    labels = desk.truth[:ROWS].copy()
    before = desk.heads(labels)
    assert before.evident.tolist() == (FOLDS == 0).tolist()
    assert (before.held_out.labels[FOLDS == 0].argmax(axis=1) == labels[FOLDS == 0]).mean() > 0.8
    labels[FOLDS == 0] = (labels[FOLDS == 0] + 1) % 3
    np.testing.assert_array_equal(desk.heads(labels).held_out.labels[FOLDS == 0], before.held_out.labels[FOLDS == 0])
    labels[FOLDS == 1] = (labels[FOLDS == 1] + 1) % 3
    assert not np.array_equal(desk.heads(labels).held_out.labels, before.held_out.labels)


def test_only_labelled_rows_are_near(desk: Desk) -> None:
    """What is unlabelled may be out of scope, so it makes nothing familiar."""
    nearest = desk.heads(desk.truth[:ROWS]).head.score(desk.blurred).nearest
    assert nearest is not None
    np.testing.assert_allclose(nearest[:ROWS], 1, atol=1e-5)
    assert nearest[ROWS : ROWS + OTHERS].max() < 0.99


def test_a_row_without_the_signal_is_told_nothing(desk: Desk) -> None:
    told = desk.heads(desk.truth[:ROWS], absent=0).held_out.labels
    assert not told[0].any() and told[1].any()


def test_labels_are_passed_on_along_what_few_of_them_teach() -> None:
    """The backbone as it came tells nothing; tuned to the few, it tells the texts of a label from the others."""
    rng = np.random.default_rng(0)
    right = np.arange(240) % 3
    untaught = rng.normal(size=(240, 16)).astype(np.float32)
    taught = np.eye(3, dtype=np.float32)[right] + 0.3 * rng.normal(size=(240, 3)).astype(np.float32)
    known = np.arange(240) < 15
    targets = np.where(known[:, None], np.eye(3, dtype=np.float32)[right], np.nan).astype(np.float32)

    def share_right(near: np.ndarray) -> float:
        told = tuner._passed_on(untaught, near, targets, known, 15)[~known]
        return float((told.argmax(axis=1) == right[~known]).mean())

    assert share_right(untaught) < 0.5
    assert share_right(np.hstack([untaught / 8, taught])) > 0.85
