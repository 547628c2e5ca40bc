import csv
import time

import numpy as np
import pytest

from huiyi.data.desk import FOLDER
from huiyi.data.interactions import PATIENCE, REPLIES, simulate
from huiyi.errors import OptionError

LOG = simulate(60_000, seed=7)
REPLY, SOLVED, DIFFICULTY = (LOG.columns[name] for name in ("reply", "solved", "difficulty"))


def share_solved(reply, rows):
    return SOLVED[rows & (reply == REPLY)].mean()


def test_the_same_seed_gives_the_same_log():
    one, same, other = simulate(500, seed=1), simulate(500, seed=1), simulate(500, seed=2)
    assert all((one.columns[name] == same.columns[name]).all() for name in one.columns)
    assert (one.solved == same.solved).all()
    assert (one.columns["text"] != other.columns["text"]).any()


def test_a_plain_comparison_has_the_wrong_sign_in_all_and_the_right_one_among_like_cases():
    everywhere = np.ones(len(LOG), dtype=bool)
    assert share_solved("call_back", everywhere) - share_solved("template", everywhere) < -0.03
    assert (LOG.solved[:, 1] - LOG.solved[:, 0]).mean() > 0.04
    for level in (2, 3, 4, 5):
        assert share_solved("call_back", level == DIFFICULTY) > share_solved("template", level == DIFFICULTY)


def test_what_happened_follows_the_truth():
    taken = np.arange(len(LOG)), np.array([REPLIES.index(reply) for reply in REPLY])
    assert (LOG.propensities[taken] == LOG.columns["propensity"]).all()
    for truth, seen in ((LOG.solved, SOLVED), (LOG.satisfaction, LOG.columns["satisfaction"])):
        rest = seen - truth[taken]
        for reply in REPLIES:
            some = rest[reply == REPLY]
            assert abs(some.mean()) < 4 * some.std() / np.sqrt(len(some))
    for place, reply in enumerate(REPLIES):
        chosen = (reply == REPLY) - LOG.propensities[:, place]
        assert abs(chosen.mean()) < 4 * chosen.std() / np.sqrt(len(LOG))


def test_probabilities_are_probabilities_whoever_the_customer_is():
    assert LOG.solved.min() >= PATIENCE
    assert LOG.solved.max() <= 1 - PATIENCE
    assert LOG.propensities.min() > 0.02  # every reply may come
    assert np.allclose(LOG.propensities.sum(axis=1), 1)


def test_no_one_reply_is_best_and_the_desk_is_far_from_it():
    best = LOG.value(np.eye(3)[LOG.best])
    assert best - LOG.value(LOG.propensities) > 0.05
    for place in range(3):
        assert (LOG.best == place).mean() > 0.15
        assert best - LOG.solved[:, place].mean() > 0.04


def test_rows_of_a_customer_are_alike():
    taken = LOG.solved[np.arange(len(LOG)), [REPLIES.index(reply) for reply in REPLY]]
    rest = SOLVED - taken
    _, who = np.unique(LOG.columns["customer"], return_inverse=True)
    sums, squares, counts = np.bincount(who, rest), np.bincount(who, rest**2), np.bincount(who)
    pairs = (counts * (counts - 1)).sum()
    together = ((sums**2 - squares).sum()) / pairs  # mean product of two rows of one customer: the variance of u
    assert together == pytest.approx(PATIENCE**2 / 3, abs=4 * 0.25 / np.sqrt(pairs))
    assert together > 0


def test_texts_are_the_desks_own_and_fit_the_intent():
    with (FOLDER / "train.csv").open(encoding="utf-8", newline="") as lines:
        known = {(row["text"], row["intent"], row["language"]) for row in csv.DictReader(lines)}
    seen = zip(*(LOG.columns[name].tolist() for name in ("text", "intent", "language")), strict=True)
    assert set(seen) <= known
    assert (LOG.columns["time"][:-1] <= LOG.columns["time"][1:]).all()


def test_a_hundred_thousand_rows_take_about_a_second():
    started = time.process_time()
    assert len(simulate(100_000, seed=3)) == 100_000
    assert time.process_time() - started < 3


def test_no_rows_are_refused():
    with pytest.raises(OptionError, match="rows=10_000"):
        simulate(0, seed=1)
