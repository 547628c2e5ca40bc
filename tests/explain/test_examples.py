"""Training rows behind a decision: the right rows, and parts that sum to what the head says."""

import numpy as np
import pytest

import huiyi
from huiyi import Model, Record, TrainConfig
from huiyi.align import KernelHead
from huiyi.explain import influential_examples, nearest_examples

ROWS = [Record(text=str(number), labels={"intent": "ab"[number % 2]}) for number in range(8)]


def test_the_nearest_and_the_most_influential_come_first() -> None:
    similar = np.array([0.1, 0.9, 0.3, 0.2, 0.8, 0.0, 0.7, 1.2])
    influence = np.array([0.1, 0.0, -0.9, 0.2, 0.0, 0.8, 0.0, -0.3])
    near = nearest_examples(ROWS, "intent", similar, influence)
    assert [row.text for row in near] == ["7", "1", "4", "6", "2"]
    assert (near[0].similarity, near[0].labels, near[0].influence) == (1.0, ("b",), -0.3)
    assert [row.text for row in influential_examples(ROWS, "intent", similar, influence)] == ["2", "5", "7", "3", "0"]
    assert influential_examples(ROWS, "intent", similar, None) == ()


def test_what_rows_add_sums_to_the_estimate() -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(40, 6)).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[np.arange(40) % 3]
    head = KernelHead()
    head.fit(signal, targets, np.arange(40) % 3)
    row = rng.normal(size=(1, 6)).astype(np.float32)
    pull = head.remember(row).pull
    assert pull is not None
    estimate = targets.mean(axis=0) + pull @ (targets - targets.mean(axis=0))
    told = np.log(np.maximum(estimate, 0) + head.config.doubt) - np.log(targets.mean() + head.config.doubt)
    np.testing.assert_allclose(told, head.score(row).labels[0], atol=1e-4)


def test_another_label_moves_the_estimate_by_what_was_said() -> None:
    rng = np.random.default_rng(1)
    signal = rng.normal(size=(30, 5)).astype(np.float32)
    right, row = np.arange(30) % 2, rng.normal(size=(1, 5)).astype(np.float32)
    heads = []
    for labels in (
        right,
        np.where(np.arange(30) == 7, 1 - right, right),
        np.where(np.arange(30) == 6, 1 - right, right),
    ):
        heads.append(KernelHead())
        heads[-1].fit(signal, np.eye(2, dtype=np.float32)[labels], right)  # the spread is that of the same classes
    pull = heads[0].remember(row).pull
    assert pull is not None

    def estimate(head: KernelHead) -> float:  # without the share of the label, which moves too
        told = np.exp(head.score(row).labels[0, 1] + np.log(0.5 + head.config.doubt)) - head.config.doubt
        return float(told)

    share = float(1 - pull.sum()) / 30  # what the mean of the labels moves by one of them
    assert estimate(heads[0]) - estimate(heads[1]) == pytest.approx(float(pull[7]) + share, abs=1e-3)
    assert estimate(heads[2]) - estimate(heads[0]) == pytest.approx(float(pull[6]) + share, abs=1e-3)


def test_rows_of_a_model_are_its_examples(model: Model) -> None:
    for example in model.examples[::17]:
        found = model.explain(example)
        assert found.nearest[0].text == example.text
        assert found.nearest[0].similarity == pytest.approx(1, abs=1e-3)
        assert found.nearest[0].labels == (example.labels["intent"],)
        assert found.influential and not found.is_disputed


def test_rows_that_no_head_keeps_are_perceived(words_only: TrainConfig) -> None:
    rows = [(f"{word} number {i}", word) for i in range(9) for word in ("late", "ticket")]
    found = huiyi.train(rows, config=words_only).explain("late number 3")
    assert (found.nearest[0].text, found.nearest[0].similarity) == ("late number 3", pytest.approx(1, abs=1e-3))
    assert found.influential == ()


def test_rows_that_disagree(words_only: TrainConfig) -> None:
    rows = [
        ("where is it", "arrival"),
        ("where is it now", "theft"),
        ("where is it then", "theft"),
        ("hello", "arrival"),
    ]
    found = huiyi.train(rows, config=words_only).explain("where is it", about="arrival")
    assert found.nearest[0].labels == ("arrival",)
    assert not found.is_disputed  # two of four
    assert huiyi.train(rows[:3], config=words_only).explain("where is it", about="arrival").is_disputed


def test_without_examples(model: Model) -> None:
    found = model.without_examples().explain("how much is it")
    assert found.nearest == found.influential == ()
    assert found.words
