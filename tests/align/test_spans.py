"""Spans from the features of units: found, calibrated, saved."""

from dataclasses import replace

import numpy as np
import pytest

from huiyi.align import SpanEvidence, SpansAligner
from huiyi.align.lattice import tags_of
from huiyi.values import Context, Intents, Label, Ragged, Record, Span, Task, places

TASK = Task("slots", "spans", (Label("city"), Label("day")))
TAGS = 5


def drawn(rows: int, noise: float, seed: int = 0) -> tuple[Context, np.ndarray]:
    """Records of words of three letters, some of them spans; features are their tags, with noise, and the tags."""
    rng = np.random.default_rng(seed)
    records, offsets, tags = [], [], []
    for _ in range(rows):
        words, spans, place = int(rng.integers(0, 9)), [], 0
        while place < words:
            length = int(rng.integers(1, 3))
            if rng.random() < 0.4 and place + length <= words:
                spans.append(Span(str(rng.choice(TASK.names)), 4 * place, 4 * (place + length) - 1))
            place += length
        bounds = np.array([[4 * i, 4 * i + 3] for i in range(words)], dtype=int).reshape(-1, 2)
        records.append(Record(text="abc " * words, labels={"slots": tuple(spans)}))
        offsets.append(bounds)
        tags.append(tags_of(bounds, spans, TASK.names))
    right = np.concatenate(tags)
    features = np.eye(TAGS)[right] + rng.normal(size=(len(right), TAGS)) * noise
    units = Ragged(features, np.concatenate([[0], np.cumsum(list(map(len, tags)))]), np.concatenate(offsets))
    return Context(records, {}, np.zeros((rows, 0)), {"text@slots": units}), right


def fitted(noise: float, sharpness: float) -> SpansAligner:
    """Fitted on evidence whose log-odds are sharper than they should be, or not."""
    context, _ = drawn(1500, noise)
    weights, bias = np.eye(TAGS) * sharpness, np.zeros(TAGS)
    units = context.tokens["text@slots"]
    evidence = SpanEvidence(weights, bias, replace(units, values=units.values @ weights.T), np.arange(1500))
    aligner = SpansAligner()
    held_out = aligner.fit(TASK, context, "text@slots", evidence)
    assert held_out.rows.tolist() == list(range(1500))
    return aligner


def test_it_finds_what_is_plain() -> None:
    aligner = fitted(noise=0.1, sharpness=10.0)
    context, _ = drawn(60, noise=0.1, seed=1)
    told = aligner.align(context)
    assert told.spans is not None and told.probabilities.shape == (60, 1)
    assert [places(spans) for spans in told.spans] == [places(record.labels["slots"]) for record in context.records]
    assert told.probabilities.min() > 0.9
    assert told.in_scope.tolist() == [float(bool(record.text)) for record in context.records]
    assert aligner.signals == ("text@slots",)


@pytest.mark.parametrize("sharpness", [2.0, 30.0])
def test_it_is_as_sure_as_it_is_right(sharpness: float) -> None:
    """Whatever the scale of what the units say. The tolerance is four standard errors."""
    aligner = fitted(noise=0.45, sharpness=sharpness)
    context, _ = drawn(3000, noise=0.45, seed=1)
    told = aligner.align(context)
    assert told.spans is not None
    pairs = list(zip(told.spans, (places(record.labels["slots"]) for record in context.records), strict=True))
    rows = np.array([places(found) == right for found, right in pairs])
    spans = np.array([(span.probability, bool(places([span]) & right)) for found, right in pairs for span in found])
    assert 0.2 < rows.mean() < 0.9
    for sure, hits in ((told.probabilities[:, 0], rows), (spans[:, 0], spans[:, 1])):
        for half in (sure <= np.median(sure), sure > np.median(sure)):
            assert abs(sure[half].mean() - hits[half].mean()) < 4 * 0.5 / half.sum() ** 0.5 + 0.02


def test_how_tags_follow_each_other_helps() -> None:
    """Of two cities one after the other there are none in these rows, however alike a unit's features are."""
    context, _ = drawn(1500, noise=0.6)
    test, _ = drawn(1500, noise=0.6, seed=1)
    units = context.tokens["text@slots"]
    weights = np.eye(TAGS) * 3
    evidence = SpanEvidence(weights, np.zeros(TAGS), replace(units, values=units.values @ weights.T), np.arange(1500))
    aligner = SpansAligner()
    aligner.fit(TASK, context, "text@slots", evidence)

    def right(told: Intents) -> float:
        pairs = zip(told.spans or (), test.records, strict=True)
        return float(np.mean([places(found) == places(record.labels["slots"]) for found, record in pairs]))

    alone = SpansAligner()
    arrays, config = aligner.to_arrays()
    alone.from_arrays(arrays, {**config, "custom": 0.0})
    assert right(aligner.align(test)) > right(alone.align(test)) + 0.02


def test_saved_it_tells_the_same() -> None:
    aligner, again = fitted(noise=0.4, sharpness=5.0), SpansAligner()
    again.from_arrays(*aligner.to_arrays())
    context, _ = drawn(50, noise=0.4, seed=2)
    before, after = aligner.align(context), again.align(context)
    assert before.spans == after.spans and again.task == TASK
    np.testing.assert_array_equal(before.probabilities, after.probabilities)


def test_rows_do_not_depend_on_each_other() -> None:
    aligner = fitted(noise=0.4, sharpness=5.0)
    context, _ = drawn(50, noise=0.4, seed=2)
    order = np.random.default_rng(0).permutation(50)
    told, shuffled = aligner.align(context), aligner.align(context.rows(order))
    assert told.spans is not None and shuffled.spans is not None
    assert [places(told.spans[row]) for row in order] == [places(spans) for spans in shuffled.spans]
    np.testing.assert_allclose(told.probabilities[order], shuffled.probabilities, atol=1e-9)
