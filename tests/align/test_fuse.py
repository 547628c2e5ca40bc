"""One blend for each set of sources."""

import numpy as np
import pytest

from huiyi.align import Aligner, FittedHead, Head, LogisticHead, PrototypesHead, Scores, fit_blend
from huiyi.align.fuse import Fusion, fit_fusion
from huiyi.values import Context, Label, Record, Task, source_of

TASK = Task("intent", "choice", tuple(map(Label, "abc")))
SIGNALS = ("text", "fields", "image")


def drawn(n: int, noise: tuple[float, ...], seed: int = 0) -> tuple[Context, np.ndarray]:
    """Records of which each signal tells the label, some less plainly."""
    rng = np.random.default_rng(seed)
    right = rng.integers(3, size=n)
    signals = {
        name: (np.eye(3)[right] + spread * rng.normal(size=(n, 3))).astype(np.float32)
        for name, spread in zip(SIGNALS, noise, strict=False)
    }
    records = [Record(id=str(row), labels={"intent": "abc"[label]}) for row, label in enumerate(right)]
    return Context(records, signals, np.ones((n, len(signals)), dtype=bool)), right


def without(context: Context, *names: str) -> Context:
    """The same records, lacking some signals, whose numbers then mean nothing."""
    present = context.present.copy()
    signals = dict(context.signals)
    for column, name in enumerate(context.signals):
        if name in names:
            present[:, column] = False
            signals[name] = np.full_like(signals[name], np.nan)
    return Context(context.records, signals, present)


def only(context: Context, *names: str) -> Context:
    """A context that never had the other signals."""
    columns = [list(context.signals).index(name) for name in names]
    return Context(context.records, {name: context.signals[name] for name in names}, context.present[:, columns])


def test_a_record_that_lacks_a_source_is_told_as_if_there_had_never_been_any() -> None:
    train, _ = drawn(600, (0.8, 0.6))
    test, right = drawn(2_000, (0.8, 0.6), seed=1)
    both, alone = Aligner(), Aligner()
    both.fit(TASK, train)
    alone.fit(TASK, only(train, "text"))
    lacking = both.align(without(test, "fields")).probabilities
    np.testing.assert_allclose(lacking, alone.align(only(test, "text")).probabilities, atol=1e-4)
    confidence = lacking.max(axis=1)
    accuracy = (lacking.argmax(axis=1) == right).mean()
    assert abs(confidence.mean() - accuracy) < 4 * np.sqrt((confidence * (1 - confidence)).mean() / len(right))


def test_it_is_less_sure_without_a_source_that_mattered() -> None:
    train, _ = drawn(600, (0.8, 0.4))
    test, _ = drawn(500, (0.8, 0.4), seed=1)
    aligner = Aligner()
    aligner.fit(TASK, train)
    whole, lacking = (aligner.align(some).probabilities.max(axis=1).mean() for some in (test, without(test, "fields")))
    assert lacking < whole - 0.05


def test_two_sources_are_better_than_the_best_of_them() -> None:
    train, _ = drawn(600, (0.7, 0.7))
    test, right = drawn(3_000, (0.7, 0.7), seed=1)
    aligner = Aligner()
    aligner.fit(TASK, train)
    told = {
        name: (aligner.align(some).probabilities.argmax(axis=1) == right).mean()
        for name, some in (("both", test), ("text", without(test, "fields")), ("fields", without(test, "text")))
    }
    assert told["both"] > max(told["text"], told["fields"]) + 0.03


def test_a_useless_source_costs_nothing() -> None:
    train, _ = drawn(600, (0.6, 50.0))
    test, right = drawn(3_000, (0.6, 50.0), seed=1)
    with_noise, alone = Aligner(), Aligner()
    with_noise.fit(TASK, train)
    alone.fit(TASK, only(train, "text"))
    told = (with_noise.align(test).probabilities.argmax(axis=1) == right).mean()
    assert told > (alone.align(only(test, "text")).probabilities.argmax(axis=1) == right).mean() - 0.01


def test_nothing_heard_is_as_strange_as_can_be() -> None:
    train, _ = drawn(300, (0.5, 0.5))
    aligner = Aligner()
    aligner.fit(TASK, train)
    assert (aligner.align(without(train, "text", "fields")).in_scope == 0).all()
    assert (aligner.align(without(train, "fields")).in_scope > 0).all()


def test_one_source_is_one_blend() -> None:
    context, right = drawn(400, (0.6,))
    scores = {"text/logistic": context.signals["text"], "words/svm": -context.signals["text"]}
    targets = np.eye(3)[right]
    fusion = fit_fusion(scores, targets, context)
    assert (fusion.usual, fusion.partial) == (fit_blend(scores, targets), {})


def test_rows_that_lack_a_source_do_not_weaken_those_that_have_it() -> None:
    context, right = drawn(900, (0.6, 0.6))
    half = np.arange(900) % 2 == 0
    present = context.present.copy()
    present[half, 1] = False
    scores = {
        f"{name}/logistic": np.where(present[:, [i]], s, 0) for i, (name, s) in enumerate(context.signals.items())
    }
    targets = np.eye(3)[right]
    mixed = fit_fusion(scores, targets, Context(context.records, context.signals, present))
    whole = fit_blend({name: told[~half] for name, told in scores.items()}, targets[~half])
    assert mixed.usual == whole
    assert set(mixed.partial) == {frozenset({"text"}), frozenset({"fields"})}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_saving_and_loading(count: int) -> None:
    context, right = drawn(300, (0.6, 0.7, 0.8)[:count])
    scores = {f"{name}/logistic": signal for name, signal in context.signals.items()}
    fusion = fit_fusion(scores, np.eye(3)[right], context)
    assert len(fusion.partial) == 2**count - 2
    assert Fusion.from_config(fusion.to_config()) == fusion


def test_sources() -> None:
    names = ("text", "words", "phrases", "text@intent", "history text", "fields", "fields phrases", "image")
    assert [source_of(name) for name in names] == [*["text"] * 4, "history", *["fields"] * 2, "image"]


@pytest.mark.parametrize(
    ("head", "stays"), [(PrototypesHead(prototypes=np.eye(3), bias=np.zeros(3)), True), (LogisticHead(), False)]
)
def test_a_head_learnt_with_its_signal_stays_though_it_adds_nothing(head: Head, stays: bool) -> None:
    clear, right = drawn(1_500, (0.4,))
    noise = np.random.default_rng(9).normal(size=(len(right), 3)).astype(np.float32)
    signals = {**clear.signals, "text@intent": noise}
    train = Context(clear.records, signals, np.ones((len(right), 2), dtype=bool))
    targets = np.eye(3, dtype=np.float32)[right]
    head.fit(noise, targets, right)
    elsewhere = FittedHead(head, Scores(noise, np.zeros(len(right))), np.ones(len(right), dtype=bool))
    aligner, name = Aligner(), f"text@intent/{'prototypes' if stays else 'logistic'}"
    aligner.fit(TASK, train, fitted={name: elsewhere})
    assert (name in aligner.weights) == stays
