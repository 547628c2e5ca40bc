"""Which rows to relabel: the fewest, tried by fitting again, or said to be an estimate."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import huiyi
from huiyi import Model, Record, TrainConfig
from huiyi.align import Aligner
from huiyi.explain import fewest_rows
from huiyi.explain.relabelling import MOST_ROWS

TEXT = "how much is a bed to Whitecliff on the night train"


def linear(columns: Any, counts: Any, start: Any) -> Any:
    """A model that is linear in the labels of its rows."""

    def estimated(sets: Any, to: int) -> Any:
        told = np.tile(start, (len(sets), 1))
        for number, rows in enumerate(sets):
            for row in rows:
                told[number, to] += counts[row]
                if columns[row] >= 0:
                    told[number, columns[row]] -= counts[row]
        return told

    return estimated


def test_no_smaller_set_of_rows_would_do() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        columns, counts = rng.integers(0, 3, 8), rng.uniform(-0.1, 0.3, 8)
        start = np.array([0.6, 0.3, 0.1])
        estimated = linear(columns, counts, start)
        found = fewest_rows(columns, counts, start, estimated, rival=1)
        subsets = [[row for row in range(8) if bits >> row & 1 and columns[row] != 1] for bits in range(256)]
        flipping = [len(some) for some in subsets if some and estimated([some], 1)[0].argmax() == 1]
        usable = int(((counts > 0) & (columns != 1)).sum())
        if found is None:
            assert not flipping or min(flipping) > usable
        else:
            rows, to, probability = found
            assert len(rows) <= min(flipping) + 1  # rows are taken one after another, each by what it does alone
            told = estimated([rows], 1)[0]
            assert to == told.argmax() == 1 and probability == pytest.approx(told[1])


def test_the_likeliest_rivals_are_tried_and_the_cheaper_one_told() -> None:
    columns, counts = np.array([0, 0, 2, 0]), np.array([0.05, 0.05, 0.3, 0.02])
    found = fewest_rows(columns, counts, np.array([0.5, 0.3, 0.2]), linear(columns, counts, np.array([0.5, 0.3, 0.2])))
    assert found is not None and found[:2] == ((2,), 1)


def test_what_is_fitted_again_has_the_last_word() -> None:
    columns, counts = np.zeros(12, dtype=int), np.full(12, 0.1)
    start = np.array([0.9, 0.1])
    estimated = linear(columns, counts, start)
    for needed in (1, 3, 5, 9, 12):
        tried: list[int] = []

        def refitted(rows: Any, to: int, needed: int = needed, tried: list[int] = tried) -> Any:
            tried.append(len(rows))
            return np.array([0.2, 0.8]) if len(rows) >= needed else start

        found = fewest_rows(columns, counts, start, estimated, refitted)
        assert found is not None and (len(found[0]), found[2]) == (needed, 0.8)
        assert len(tried) <= 6
    assert fewest_rows(columns, counts, start, estimated, lambda rows, to: start) is None


def test_a_decision_that_rests_on_many_rows() -> None:
    columns, counts = np.zeros(2 * MOST_ROWS, dtype=int), np.full(2 * MOST_ROWS, 0.4 / (MOST_ROWS + 1))
    start = np.array([0.9, 0.1])
    assert fewest_rows(columns, counts, start, linear(columns, counts, start)) is None
    assert fewest_rows(columns, -counts, start, linear(columns, counts, start)) is None


def test_heads_that_are_fitted_again_on_the_same_rows_are_the_same(model: Model) -> None:
    aligner = model.skills[model.task.name].aligner
    assert isinstance(aligner, Aligner)
    context = model.perceive([Record(text=TEXT)])
    memory = aligner.remember(context)
    assert memory is not None
    lessons = model._explainer._lessons_of(model.task, len(memory.similar) - len(model.examples))
    assert lessons is not None
    again = aligner.relearnt(*lessons)
    np.testing.assert_allclose(again.probabilities(context), aligner.probabilities(context), atol=1e-3)


def test_rows_that_are_named_change_the_label_once_the_model_is_trained_on_them(
    model: Model, desk_table: Any, desk_task: Any
) -> None:
    found = model.explain(TEXT)
    named = found.relabelling
    assert named is not None and named.is_verified and named.label != found.label
    texts = {row.text for row in named.rows}
    assert all(named.label not in row.labels for row in named.rows)
    records = [
        replace(record, labels={"intent": named.label}) if record.text in texts else record
        for record in desk_table.records
    ]
    other = huiyi.train(replace(desk_table, records=tuple(records)), task=desk_task)
    assert (model.decide(TEXT).label, other.decide(TEXT).label) == (found.label, named.label)


def test_an_estimate_is_said_to_be_one(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huiyi.explaining.REFIT_ROWS", 10)
    found = model.explain(TEXT).relabelling
    assert found is None or not found.is_verified


def test_another_label_that_is_asked_about_is_the_one_to_change_to(model: Model) -> None:
    other = next(name for name in model.task.names if name != model.decide(TEXT).label)
    found = model.explain(TEXT, about=other).relabelling
    assert found is None or found.label == other


def test_models_that_cannot_tell(model: Model, words_only: TrainConfig) -> None:
    assert model.without_examples().explain(TEXT).relabelling is None
    assert model.explain(TEXT, counterfactual=False).relabelling is None
    assert model.explain("").relabelling is None
    rows = [(f"{word} number {i}", word) for i in range(9) for word in ("late", "ticket")]
    assert huiyi.train(rows, config=words_only).explain("late number 3").relabelling is None
