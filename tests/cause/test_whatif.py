import json
from dataclasses import replace

import numpy as np
import pytest

from huiyi.cause.log import Categories, Log
from huiyi.cause.mechanisms import fitted, noise_behind
from huiyi.cause.whatif import StructuralModel
from huiyi.errors import ColumnError, DataError

ROWS = 3_000
PARENTS = {"score": ["reply", "waiting", "delay"], "delay": ["reply", "waiting"], "reply": ["waiting"]}


def world(seed=0, rows=ROWS):
    """A log with the noise of each row, and what does the score: the reply, and the delay that it brings."""
    rng = np.random.default_rng(seed)
    waiting, of_delay, of_score = rng.normal(size=(3, rows))
    of_delay, of_score = 0.5 * of_delay, 0.3 * of_score
    mailed = (waiting + rng.normal(size=rows) > 0).astype(np.intp)
    delay = delay_of(mailed, waiting, of_delay)
    score = score_of(mailed, waiting, delay, of_score)
    log = Log(
        "log.csv",
        "reply",
        Categories(("call", "mail"), mailed),
        {"score": score},
        {"waiting": waiting, "delay": delay},
    )
    return log, of_delay, of_score


def delay_of(mailed, waiting, noise):
    return 1 + 2 * mailed + 0.5 * waiting + noise


def score_of(mailed, waiting, delay, noise):
    return mailed * (1 - waiting) - delay + waiting + noise


def record(log, row):
    return {
        "reply": log.actions.names[log.actions.codes[row]],
        "score": float(log.outcomes["score"][row]),
        "waiting": float(log.context["waiting"][row]),
        "delay": float(log.context["delay"][row]),
    }


LOG, OF_DELAY, OF_SCORE = world()
MODEL = StructuralModel.fit(LOG, PARENTS)


def otherwise(log, row, of_delay, of_score):
    """The other reply, and what the score would have been."""
    other, waiting = 1 - log.actions.codes[row], log.context["waiting"][row]
    truth = score_of(other, waiting, delay_of(other, waiting, of_delay[row]), of_score[row])
    return log.actions.names[other], truth


def test_one_record_comes_out_as_it_would_have():
    far = []
    for row in range(60):
        other, truth = otherwise(LOG, row, OF_DELAY, OF_SCORE)
        far.append(MODEL.what_if(record(LOG, row), {"reply": other}, "score").estimate.value - truth)
    assert np.max(np.abs(far)) < 0.15  # its own noise has a deviation of 0.3, and that of the delay 0.5


def test_intervals_hold_the_truth_as_often_as_they_say():
    held = 0
    for seed in range(100):
        log, *noises = world(seed, rows=300)
        other, truth = otherwise(log, 0, *noises)
        found = StructuralModel.fit(log, PARENTS).what_if(record(log, 0), {"reply": other}, "score").estimate
        held += found.low <= truth <= found.high
    assert 89 <= held <= 100


def test_products_are_found_where_they_are():
    assert MODEL.mechanisms["score"].is_bent and not MODEL.mechanisms["delay"].is_bent


def test_what_is_done_anyway_changes_nothing():
    row = record(LOG, 0)
    found = MODEL.what_if(row, {"reply": row["reply"]}, "score")
    assert found.estimate.value == pytest.approx(row["score"]) and found.estimate.error < 1e-9
    assert found.seen == row["score"] and "it was" in found.said


def test_changing_what_lies_between_leaves_what_was_before():
    row = record(LOG, 3)
    found = MODEL.what_if(row, {"delay": row["delay"] + 1}, "score")
    assert found.estimate.value == pytest.approx(row["score"] - 1, abs=0.1)
    unmoved = MODEL.what_if(row, {"score": 0.0}, "delay")
    assert unmoved.estimate.value == pytest.approx(row["delay"]) and "Nothing that is changed leads" in unmoved.said


def test_both_can_be_changed_at_once():
    row = record(LOG, 5)
    other = 1 - LOG.actions.codes[5]
    truth = score_of(other, row["waiting"], 0.0, OF_SCORE[5])
    found = MODEL.what_if(row, {"reply": LOG.actions.names[other], "delay": 0.0}, "score")
    assert found.estimate.value == pytest.approx(truth, abs=0.15)


def test_without_the_outcome_it_is_a_prediction_and_wider():
    row = record(LOG, 7)
    other = "mail" if row["reply"] == "call" else "call"
    known = MODEL.what_if(row, {"reply": other}, "score")
    unknown = MODEL.what_if({**row, "score": None}, {"reply": other}, "score")
    assert known.is_known and not unknown.is_known and "prediction" in unknown.said
    assert unknown.estimate.error > 3 * known.estimate.error


def test_yes_never_becomes_no_by_what_makes_it_likelier():
    rng = np.random.default_rng(1)
    mailed, waiting = rng.integers(0, 2, ROWS), rng.normal(size=ROWS)
    luck = rng.logistic(size=ROWS)
    solved, truth = (1.5 * mailed + waiting + luck > 1), (1.5 + waiting + luck > 1)
    log = Log("log.csv", "reply", Categories(("call", "mail"), mailed), {"solved": solved * 1.0}, {"waiting": waiting})
    model = StructuralModel.fit(log, {"solved": ["reply", "waiting"]})
    yes = model.what_if({"reply": "call", "waiting": 0.0, "solved": 1.0}, {"reply": "mail"}, "solved")
    assert yes.estimate.value == 1
    no = model.what_if({"reply": "call", "waiting": 0.0, "solved": 0.0}, {"reply": "mail"}, "solved")
    alike = (mailed == 0) & (np.abs(waiting) < 0.2) & ~solved
    assert no.estimate.low <= truth[alike].mean() + 0.05 and no.estimate.high >= truth[alike].mean() - 0.05
    assert 0.2 < no.estimate.value < 0.8 and "never" in no.assumed[0]


def test_names_follow_gumbel_noise():
    rng = np.random.default_rng(2)
    mailed = rng.integers(0, 2, 20_000)
    scores = np.column_stack([np.zeros(20_000), mailed - 0.5, 0.3 - mailed])
    noise = rng.gumbel(size=scores.shape)
    ended = (scores + noise).argmax(axis=1)
    otherwise = (np.array([0, 0.5, -0.7]) + noise).argmax(axis=1)
    log = Log(
        "log.csv",
        "reply",
        Categories(("call", "mail"), mailed),
        {"score": np.zeros(20_000)},
        {"ended": Categories(("late", "lost", "done"), ended)},
    )
    model = StructuralModel.fit(log, {"ended": ["reply"]})
    found = model.what_if({"reply": "call", "ended": "done"}, {"reply": "mail"}, "ended")
    alike = (mailed == 0) & (ended == 2)
    truth = np.bincount(otherwise[alike], minlength=3) / alike.sum()
    assert [one.value for one in found.shares.values()] == pytest.approx(truth, abs=0.03)
    assert found.estimate is None and found.seen == "done"
    assert sum(one.value for one in found.shares.values()) == pytest.approx(1)


def test_noise_behind_a_name_is_what_it_would_be_by_trying():
    rng = np.random.default_rng(3)
    scores = np.tile([0.3, -0.5, 1.0], (200_000, 1))
    tried = rng.gumbel(size=scores.shape)
    kept = tried[(scores + tried).argmax(axis=1) == 1]
    behind = noise_behind(scores[: len(kept)], 1, rng)
    np.testing.assert_allclose(behind.mean(axis=0), kept.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(np.cov(behind.T), np.cov(kept.T), atol=0.1)


def test_how_sure_the_weights_are():
    rng = np.random.default_rng(4)
    waiting = rng.normal(size=400)
    number = fitted("y", (), waiting + rng.normal(size=400), {"waiting": waiting}).draw(4_000, rng)[:, 0, 1]
    assert number.std() == pytest.approx(1 / np.sqrt(400), rel=0.15)
    chance = 1 / (1 + np.exp(-waiting))
    yes = fitted("y", ("0", "1"), (rng.random(400) < chance) * 1.0, {"waiting": waiting}).draw(4_000, rng)[:, 0, 1]
    told = np.mean((waiting / waiting.std()) ** 2 * chance * (1 - chance)) * 400
    assert yes.std() == pytest.approx(1 / np.sqrt(told), rel=0.15)
    assert yes.mean() == pytest.approx(1, abs=4 * yes.std())


def test_saved_and_read_it_says_the_same():
    read = StructuralModel.from_json(json.loads(json.dumps(MODEL.to_json())))
    asked = (record(LOG, 9), {"reply": "mail"}, "score")
    assert read.what_if(*asked) == MODEL.what_if(*asked)


def test_vectors_and_missing_cells():
    log = LOG.with_column("said", np.column_stack([LOG.context["waiting"], np.ones(ROWS)]))
    gone = np.where(np.arange(ROWS) < 100, np.nan, log.outcomes["score"])
    model = StructuralModel.fit(replace(log, outcomes={"score": gone}), {"score": ["reply", "said"]})
    row = {"reply": "call", "said": [0.5, 1.0], "score": 1.0}
    found = model.what_if(row, {"reply": "mail"}, "score").estimate
    assert found.value == pytest.approx(1 - 1, abs=0.15)  # vectors have no products: the effect on average


@pytest.mark.parametrize(
    ("row", "changed", "target", "error", "said"),
    [
        ({}, {"repyl": "mail"}, "score", ColumnError, "Did you mean 'reply'"),
        ({}, {"reply": "mial"}, "score", ColumnError, "Did you mean 'mail'"),
        ({"waiting": None}, {"reply": "mail"}, "score", DataError, "lacks 'waiting'"),
        ({"delay": float("nan")}, {"reply": "mail"}, "score", DataError, "lacks 'delay'"),
        ({"score": None, "reply": None}, {"reply": "mail"}, "score", DataError, "lacks 'reply'"),
        ({"waiting": "long"}, {"reply": "mail"}, "score", ColumnError, "holds numbers"),
        ({}, {"reply": ""}, "score", DataError, "blank"),
        ({"delay": None}, {"score": 1.0}, "delay", DataError, "does not follow"),
    ],
)
def test_what_cannot_be_asked_is_named(row, changed, target, error, said):
    with pytest.raises(error, match=said):
        MODEL.what_if({**record(LOG, 0), **row}, changed, target)


def test_what_was_never_seen_is_said():
    assert "extrapolated" in MODEL.what_if(record(LOG, 0), {"delay": 99.0}, "score").said


@pytest.mark.parametrize(
    ("parents", "error", "said"),
    [
        (
            {"score": ["delay"], "delay": ["reply"], "reply": ["score"]},
            DataError,
            "cycle: score → reply → delay → score",
        ),
        ({"score": ["repyl"]}, ColumnError, "Did you mean 'reply'"),
    ],
)
def test_graphs_that_cannot_be_are_refused(parents, error, said):
    with pytest.raises(error, match=said):
        StructuralModel.fit(LOG, parents)


def test_a_prediction_needs_only_what_the_target_comes_from():
    model = StructuralModel.fit(LOG, {"score": ["reply", "waiting"]})
    found = model.what_if({"waiting": 0.0}, {"reply": "mail"}, "score")
    assert found.estimate.value == pytest.approx(1 - 3, abs=0.15) and found.estimate.error == pytest.approx(
        0.58, abs=0.05
    )


def test_what_never_varies_is_refused():
    log = LOG.with_column("channel", Categories.of(["web"] * ROWS))
    with pytest.raises(DataError, match="'channel' is always the same"):
        StructuralModel.fit(log, {"channel": ["waiting"]})


def test_few_rows_are_refused():
    with pytest.raises(DataError, match="5 rows"):
        StructuralModel.fit(LOG.rows(np.arange(5)), PARENTS)
