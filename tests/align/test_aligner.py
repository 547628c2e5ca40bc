"""The aligner on signals made by hand."""

from typing import Any

import numpy as np
import pytest

from huiyi.align import Aligner
from huiyi.values import Context, Label, Record, Task

TASK = Task("intent", "choice", tuple(map(Label, "abc")))


def context(labels: list[Any], seed: int = 0, **absent: list[int]) -> Context:
    """Signals ``left`` and ``right`` that tell the labels; ``absent`` names rows that lack one."""
    rng = np.random.default_rng(seed)
    told = np.array([[name in (label if isinstance(label, tuple) else (label,)) for name in "abc"] for label in labels])
    signals = {
        name: (3 * np.hstack([told, ~told]) + 0.5 * rng.normal(size=(len(labels), 6))).astype(np.float32)
        for name in ("left", "right")
    }
    present = np.ones((len(labels), 2), dtype=bool)
    for column, name in enumerate(signals):
        present[absent.get(name, []), column] = False
        signals[name][absent.get(name, [])] = np.nan  # the numbers of an absent row mean nothing
    records = [Record(id=str(i), labels={"intent": label}) for i, label in enumerate(labels)]
    return Context(records, signals, present)


def fitted(labels: list[Any], task: Task = TASK, **absent: list[int]) -> tuple[Aligner, Any]:
    aligner = Aligner()
    return aligner, aligner.fit(task, context(labels, **absent))


def test_choice() -> None:
    labels = list("abc") * 20
    aligner, held_out = fitted(labels)
    told = aligner.align(context(labels, seed=1))
    for intents in (held_out, told):
        np.testing.assert_allclose(intents.probabilities.sum(axis=1), 1, atol=1e-5)
        assert ["abc"[i] for i in intents.probabilities.argmax(axis=1)] == labels
        assert ((intents.in_scope > 0) & (intents.in_scope <= 1)).all()


def test_several() -> None:
    labels = [("a",), ("b", "c"), (), ("a", "c")] * 15
    aligner, _ = fitted(labels, Task("intent", "several", TASK.labels))
    told = aligner.align(context(labels, seed=1)).probabilities
    assert [tuple(np.array(list("abc"))[row]) for row in told > 0.5] == labels


def test_rows_that_lack_a_signal() -> None:
    labels = list("abc") * 20
    aligner, held_out = fitted(labels, left=[0, 5, 7], right=[1, 5])
    told = aligner.align(context(labels, seed=1, left=[0, 5, 7], right=[1, 5]))
    for intents in (held_out, told):
        assert np.isfinite(intents.probabilities).all()
        assert ["abc"[i] for i in np.delete(intents.probabilities, 5, axis=0).argmax(axis=1)] == np.delete(
            labels, 5
        ).tolist()
        np.testing.assert_allclose(intents.probabilities[5], 1 / 3, atol=1e-6)  # no signal, no opinion
        assert intents.in_scope[5] == intents.in_scope.min()


def test_rows_out_of_scope_are_strange() -> None:
    labels = [*"abc"] * 20 + ["oos"] * 10
    aligner, held_out = fitted(labels)
    told = aligner.align(context(labels, seed=1))
    for intents in (held_out, told):
        assert np.median(intents.in_scope[60:]) < 0.05 < np.median(intents.in_scope[:60])


def test_names_are_examples_too() -> None:
    labels = ["a", "b"] * 10  # no row of c
    names, probe = context(["c", "c", "a"], seed=2), context(["c"] * 5, seed=3)
    aligner, blind = Aligner(), Aligner()
    aligner.fit(TASK, context(labels), names, [2, 2, 0])
    blind.fit(TASK, context(labels))
    assert (aligner.align(probe).probabilities.argmax(axis=1) == 2).all()
    assert (blind.align(probe).probabilities[:, 2] < aligner.align(probe).probabilities[:, 2]).all()


@pytest.mark.parametrize("labels", [list("abc") * 10, [*"abc", "oos"] * 10])
def test_saving_and_loading(labels: list[str]) -> None:
    aligner, _ = fitted(labels)
    again = Aligner()
    again.from_arrays(*aligner.to_arrays())
    left, right = (made.align(context(labels, seed=1)) for made in (aligner, again))
    np.testing.assert_array_equal(left.probabilities, right.probabilities)
    np.testing.assert_array_equal(left.in_scope, right.in_scope)
    assert (again.task, again.signals) == (aligner.task, aligner.signals)


def test_one_label_of_several() -> None:
    task = Task("intent", "several", (Label("a"),))
    aligner, _ = fitted([("a",), ()] * 10, task)
    told = aligner.align(context([("a",), ()] * 5, seed=1)).probabilities[:, 0]
    assert (told > 0.5).tolist() == [True, False] * 5
