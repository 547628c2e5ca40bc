"""The aligner on signals made by hand."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from huiyi.align import HEADS, Aligner, Blend, PrototypesHead, SvmConfig, SvmHead, techniques_for
from huiyi.align.aligner import FEW_ROWS, FOLDS, FOLDS_OF_FEW, _cross_fitted, _folds, _Lessons, _makes
from huiyi.align.fuse import Fusion
from huiyi.values import Context, Label, Record, Task

TASK = Task("intent", "choice", tuple(map(Label, "abc")))


def context(labels: list[Any], seed: int = 0, **absent: list[int]) -> Context:
    """Signals ``left`` and ``right`` that tell the labels; ``absent`` names rows that lack one."""
    rng = np.random.default_rng(seed)
    told = np.array([[name in (label if isinstance(label, tuple) else (label,)) for name in "abc"] for label in labels])
    told = told.reshape(-1, 3).astype(bool)
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
    return aligner, aligner.fit(task, context(labels, **absent)).intents


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


@pytest.mark.parametrize(("kind", "labels"), [("choice", [*"abc"] * 20), ("several", [("a",), ("b",), ("c",)] * 20)])
def test_a_row_without_any_signal_favours_no_label(kind: str, labels: list[Any]) -> None:
    task = Task("intent", kind, TASK.labels)
    aligner, held_out = fitted(labels, task, left=[0, 1], right=[0])
    told = aligner.align(context(labels, seed=1, left=[4], right=[4]))
    for intents, row in ((held_out, 0), (told, 4)):
        assert np.ptp(intents.probabilities[row]) < 1e-6
        assert np.ptp(np.delete(intents.probabilities, row, axis=0), axis=1).min() > 0.1


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


def only(name: str, labels: list[Any], form: Callable[[np.ndarray], Any]) -> Context:
    """A context with one signal, of this name and form."""
    made = context(labels)
    return Context(made.records, {name: form(made.signals["left"])}, made.present[:, :1])


@pytest.mark.parametrize(
    ("name", "form", "techniques"),
    [
        ("words", csr_array, ["svm"]),
        ("phrases", np.asarray, ["kernel"]),
        ("history phrases", np.asarray, ["kernel"]),
        ("text", np.asarray, ["logistic", "kernel"]),
        ("tone of voice", np.asarray, ["logistic", "kernel"]),
    ],
)
@pytest.mark.parametrize("kind", ["choice", "several"])
def test_each_signal_gets_the_techniques_that_suit_it(name: str, form: Any, techniques: list[str], kind: str) -> None:
    labels = list("abc") * 10 if kind == "choice" else [("a",), ("b", "c"), ()] * 10
    signals, aligner, again = only(name, labels, form), Aligner(), Aligner()
    held_out = aligner.fit(Task("intent", kind, TASK.labels), signals).intents
    arrays, config = aligner.to_arrays()
    assert list(config["heads"]) == [f"{name}/{technique}" for technique in techniques]
    assert aligner.signals == (name,)
    assert all(options["several"] == (kind == "several") for options in config["heads"].values())
    again.from_arrays(arrays, config)
    told = aligner.align(signals)
    np.testing.assert_array_equal(again.align(signals).probabilities, told.probabilities)
    for intents in (held_out, told):
        right = [[name in label for name in "abc"] for label in labels]
        assert ((intents.probabilities > 0.5) == right).all()


def test_only_heads_that_count_for_a_record_tell_what_is_like_it() -> None:
    labels = list("abc") * 10
    signals, aligner = only("text", labels, np.asarray), Aligner()
    aligner.fit(TASK, signals)
    weights = dict.fromkeys(aligner.weights, 1.0)
    row = signals.rows(np.array([0]))
    aligner.fusion = Fusion(Blend(weights))
    assert aligner.remember(row).pull is not None  # told by the kernel
    aligner.fusion = Fusion(Blend(weights | {"text/kernel": 0.0}))
    assert aligner.remember(row).pull is None
    aligner.fusion = Fusion(Blend(dict.fromkeys(weights, 0.0)))
    assert aligner.remember(row) is None


def test_a_head_that_counts_only_where_others_are_not_heard_is_found_too() -> None:
    labels = list("abc") * 10
    head = PrototypesHead(prototypes=np.eye(3, dtype=np.float32), bias=np.zeros(3, np.float32))
    aligner, _ = fitted(labels)
    aligner._heads["text@intent/prototypes"] = head
    assert aligner.learnt_with(["text@intent"]) == ("text@intent", head)
    assert aligner.learnt_with(["image@intent"]) is None


SIGNALS = {"kernel": np.asarray, "logistic": np.asarray, "svm": csr_array}
"""The form of signal of each technique that is fitted here; prototypes are learnt with their signal."""


@pytest.mark.parametrize("technique", SIGNALS)
def test_what_held_out_heads_say_of_a_row_does_not_know_its_label(technique: str) -> None:
    groups = np.arange(18) % 3
    signal = SIGNALS[technique](context([*"abc"] * 6).signals["left"])
    folds, everywhere = _folds(groups), np.ones(18, dtype=bool)

    def told(groups: np.ndarray) -> np.ndarray:
        targets = np.eye(3, dtype=np.float32)[groups]
        return _cross_fitted([HEADS[technique]], signal, _Lessons(targets, groups, folds), everywhere)[1].labels

    plain = told(groups)
    for row in (0, 8, 17):
        other = groups.copy()
        other[row] = (other[row] + 1) % 3
        changed = np.abs(told(other) - plain).max(axis=1) > 0
        assert not changed[folds == folds[row]].any()
        assert changed[folds != folds[row]].all()  # the rows of other folds learn from it


@pytest.mark.parametrize("technique", SIGNALS)
def test_held_out_scores_are_those_of_a_head_that_never_saw_the_fold(technique: str) -> None:
    groups = np.arange(18) % 3
    signal, targets = SIGNALS[technique](context([*"abc"] * 6).signals["left"]), np.eye(3, dtype=np.float32)[groups]
    folds, present = _folds(groups), np.arange(18) != 4
    head, told = _cross_fitted([HEADS[technique]], signal, _Lessons(targets, groups, folds), present)
    for fold in range(folds.max() + 1):
        rest, asked = np.flatnonzero(present & (folds != fold)), np.flatnonzero(present & (folds == fold))
        other = HEADS[technique]()
        other.fit(signal[rest], targets[rest], groups[rest])
        np.testing.assert_allclose(told.labels[asked], other.score(signal[asked]).labels, atol=1e-6)
    assert (told.labels[4] == 0).all()  # it lacks the signal
    whole = HEADS[technique]()
    whole.fit(signal[present], targets[present], groups[present])
    np.testing.assert_allclose(head.score(signal).labels, whole.score(signal).labels, atol=1e-6)


def test_of_several_ways_the_one_that_tells_unseen_rows_best_is_taken() -> None:
    """With every third label wrong, a high price on rows beyond their margin is wrong too."""
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=600)
    signal = csr_array((np.eye(3, 40)[truth] + 0.7 * rng.normal(size=(600, 40))).astype(np.float32))
    given = np.where(np.arange(600) % 3 == 0, rng.integers(3, size=600), truth)
    lessons = _Lessons(np.eye(3, dtype=np.float32)[given], given, _folds(given))
    everywhere = np.ones(600, dtype=bool)
    ways = [lambda price=price: SvmHead(config=SvmConfig(penalty=price)) for price in (100.0, 0.001)]
    for order in (ways, ways[::-1]):
        head, told = _cross_fitted(order, signal, lessons, everywhere)
        assert head.config.penalty == 0.001
        alone = _cross_fitted(ways[1:], signal, lessons, everywhere)[1]
        np.testing.assert_array_equal(told.labels, alone.labels)  # the fold that chose is held out like the others


def test_only_of_many_rows_is_there_a_choice() -> None:
    assert len(_makes("svm", False, FEW_ROWS - 1)) == len(_makes("kernel", False, FEW_ROWS)) == 1
    penalties = [make().config.penalty for make in _makes("svm", True, FEW_ROWS)]
    assert penalties[0] == SvmConfig().penalty
    assert len(set(penalties)) == len(penalties) == 2


def test_straight_lines_alone_are_enough_where_rows_are_many() -> None:
    many = np.zeros((FEW_ROWS, 2), dtype=np.float32)
    assert techniques_for("text", many[:-1]) == ("logistic", "kernel")
    assert techniques_for("text", many) == ("logistic",)


def test_names_are_always_there_to_learn_from() -> None:
    """A label's only row is held out by a head that still knows the label by its name."""
    labels = ["a", "b"] * 10 + ["c"]
    with_name, without = Aligner(), Aligner()
    named = with_name.fit(TASK, context(labels), context(["c"], seed=2), [2]).intents
    blind = without.fit(TASK, context(labels)).intents
    assert named.probabilities[-1].argmax() == 2
    assert blind.probabilities[-1, 2] < named.probabilities[-1, 2]
    assert len(named.probabilities) == len(labels)


@pytest.mark.parametrize(("n", "count"), [(1, 1), (3, 3), (60, FOLDS_OF_FEW), (FEW_ROWS, FOLDS)])
def test_folds_are_of_one_size_and_each_has_its_share_of_every_class(n: int, count: int) -> None:
    groups = np.random.default_rng(0).integers(4, size=n)
    folds = _folds(groups)
    assert set(folds) == set(range(count))
    assert np.ptp(np.bincount(folds)) <= 1
    for group in range(4):
        assert np.ptp(np.bincount(folds[groups == group], minlength=count)) <= 1


def test_a_task_without_records() -> None:
    aligner = Aligner()
    held_out = aligner.fit(TASK, context([]), context(["a", "b", "c"], seed=2), [0, 1, 2]).intents
    assert held_out.probabilities.shape == (0, 3)
    assert aligner.align(context(list("cab"))).probabilities.argmax(axis=1).tolist() == [2, 0, 1]


def sparse_words() -> Context:
    """Rows of 300 texts of three labels, in 1,000 words."""
    labels, rng = [*"abc"] * 100, np.random.default_rng(0)
    own = np.arange(300)[:, None] % 3 == np.arange(1_000) % 3
    words = (rng.random((300, 1_000)) < 0.01 + 0.01 * own).astype(np.float32)
    words /= np.maximum(np.linalg.norm(words, axis=1, keepdims=True), 1e-6)
    return Context(context(labels).records, {"words": csr_array(words)}, np.ones((300, 1), dtype=bool))


def test_machines_fitted_in_threads_do_not_disturb_each_other() -> None:
    signals = sparse_words()
    with ThreadPoolExecutor(6) as pool:
        first, *others = pool.map(lambda _: Aligner().fit(TASK, signals).intents.probabilities, range(6))
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_a_signal_that_a_record_lacks_does_not_make_it_strange() -> None:
    """All training rows have both signals; a record with one of them is as near to them as one with both."""
    labels = [*"abc"] * 40
    aligner, _ = fitted(labels)
    half = context(labels, seed=1, right=list(range(120)))
    _, both = aligner._mixed_and_clues(aligner._scores(context(labels, seed=1)), context(labels, seed=1))
    _, one = aligner._mixed_and_clues(aligner._scores(half), half)
    assert abs(np.median(both[:, 1]) - np.median(one[:, 1])) < 0.05


def test_what_is_near_no_row_is_strange_however_sure_its_label() -> None:
    labels = [*"abc"] * 40
    aligner, _ = fitted(labels)
    usual, far = context(labels, seed=1), context(labels, seed=1)
    rng = np.random.default_rng(5)
    for name in far.signals:
        signals = far.signals[name]
        assert isinstance(signals, np.ndarray)
        signals += 3 * rng.normal(size=signals.shape)
    _, near = aligner._mixed_and_clues(aligner._scores(usual), usual)
    _, beyond = aligner._mixed_and_clues(aligner._scores(far), far)
    assert np.median(beyond[:, 1]) < np.quantile(near[:, 1], 0.05)
    assert np.median(aligner.align(far).in_scope) < 0.2 < np.median(aligner.align(usual).in_scope)


def test_recalibrated_familiarity_is_uniform_on_rows_like_those_given() -> None:
    labels = [*"abc"] * 100
    aligner, _ = fitted(labels)
    aligner.recalibrate_scope(context(labels, seed=1))
    told = np.sort(aligner.align(context(labels, seed=2)).in_scope)
    assert np.abs(told - np.arange(1, 301) / 300).max() < 1.95 * np.sqrt(2 / 300)  # Smirnov, once in a thousand


def test_held_out_nearness_does_not_count_the_row_itself() -> None:
    labels = [*"abc"] * 10
    made, groups = context(labels), np.arange(30) % 3
    signal = made.signals["left"]
    lessons = _Lessons(np.eye(3, dtype=np.float32)[groups], groups, _folds(groups))
    head, told = _cross_fitted([HEADS["logistic"]], signal, lessons, np.ones(30, dtype=bool))
    own = head.score(signal).nearest
    assert told.nearest is not None and own is not None
    np.testing.assert_allclose(own, 1, atol=1e-3)
    assert told.nearest.max() < 0.9999
