from __future__ import annotations

import numpy as np
import pytest

from huiyi.cause.contrasts import contrast
from huiyi.cause.covariates import Covariates, _means
from huiyi.cause.log import Categories, Log
from huiyi.cause.nuisance import doubly_robust, expected, nuisances
from huiyi.errors import ColumnError, DataError

REPLIES = ("mail", "call")


def confounded(n: int, *, seed: int = 0, effect: float = 1.0) -> Log:
    """Hard cases are called more often and end worse; a call makes each better by ``effect``."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(size=n)
    calls = (rng.random(n) < 1 / (1 + np.exp(-hard))).astype(np.intp)
    solved = effect * calls - 2 * hard + rng.normal(size=n)
    return Log("log.csv", "reply", Categories(REPLIES, calls), {"solved": solved}, {"hard": hard})


def test_propensities_sum_to_one_and_follow_what_drives_the_action() -> None:
    log = confounded(600)
    found = nuisances(log, "solved")
    hard = log.context["hard"]
    assert isinstance(hard, np.ndarray)
    truth = 1 / (1 + np.exp(-hard))
    np.testing.assert_allclose(found.propensities.sum(axis=1), 1)
    assert np.abs(found.propensities[:, 1] - truth).mean() < 0.05


def test_scores_find_the_effect_that_the_plain_difference_misses() -> None:
    log = confounded(600)
    found = nuisances(log, "solved")
    naive = found.outcomes[found.codes == 1].mean() - found.outcomes[found.codes == 0].mean()
    effects = found.scores[:, 1] - found.scores[:, 0]
    assert naive < 0
    assert abs(effects.mean() - 1.0) < 3 * effects.std() / np.sqrt(600)


def test_a_row_has_no_part_in_what_is_predicted_of_it() -> None:
    log = confounded(200)
    found = nuisances(log, "solved")
    changed = log.outcomes["solved"].copy()
    changed[7] += 1_000
    other = nuisances(Log("", "reply", log.actions, {"solved": changed}, log.context), "solved")
    mine = found.folds == found.folds[7]
    np.testing.assert_array_equal(found.predictions[mine], other.predictions[mine])
    assert np.abs(found.predictions[~mine] - other.predictions[~mine]).max() > 1


def test_rows_of_a_unit_stay_in_one_fold() -> None:
    log = confounded(120)
    units = Categories.of([str(row // 3) for row in range(120)])
    found = nuisances(Log("", "reply", log.actions, log.outcomes, log.context, units=units), "solved")
    assert len(np.unique(found.folds)) > 1
    assert (found.folds.reshape(40, 3) == found.folds[::3, None]).all()


def test_known_propensities_stand_where_an_action_was_taken() -> None:
    log = confounded(120)
    taken = np.random.default_rng(1).uniform(0.2, 0.8, size=120)
    found = nuisances(Log("", "reply", log.actions, log.outcomes, log.context, propensities=taken), "solved")
    np.testing.assert_allclose(found.propensities[np.arange(120), found.codes], taken)
    np.testing.assert_allclose(found.propensities.sum(axis=1), 1)


def test_same_seed_same_figures() -> None:
    log = confounded(120)
    np.testing.assert_array_equal(nuisances(log, "solved", seed=3).scores, nuisances(log, "solved", seed=3).scores)


def test_what_cannot_be_adjusted_for_is_named() -> None:
    log = confounded(60)
    with pytest.raises(ColumnError, match="Did you mean 'hard'"):
        nuisances(log, "solved", adjust=["hrd"])
    with pytest.raises(DataError, match="'reply' is the action"):
        nuisances(log, "solved", adjust=["reply"])


def test_scores_by_hand() -> None:
    scores = doubly_robust(np.array([3.0]), np.array([1]), np.array([[0.25, 0.5, 0.25]]), np.array([[1.0, 2.0, 4.0]]))
    assert scores.tolist() == [[1.0, 4.0, 4.0]]


def test_the_mean_of_a_dose() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(size=300)
    log = Log("", "minutes", np.abs(hard), {"solved": hard}, {"hard": hard})
    assert np.abs(expected(log, np.abs(hard)) - np.abs(hard)).mean() < 0.1


def test_a_name_that_no_row_learnt_from_has_is_told_by_the_mean_of_all() -> None:
    column = Categories(("a", "b", "c"), np.array([0, 1], dtype=np.intp))  # each once, so nothing varies within a name
    np.testing.assert_array_equal(_means(column, np.array([[1.0], [0.0]])), [[0.5], [1.0], [0.0], [0.5]])


def test_many_names_become_shrunken_means_of_other_rows() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(200, size=4_000)
    level = rng.normal(size=200)
    log = Log("", "a", Categories(REPLIES, codes % 2), {}, {"shop": Categories(tuple(map(str, range(200))), codes)})
    covariates = Covariates(["shop"], rng)
    targets = (level[codes] + rng.normal(size=4_000))[:, None]
    design = covariates.fit(log, targets)
    assert design.rows.shape == (4_000, 1)
    assert np.corrcoef(design.rows[:, 0], level[codes])[0, 1] > 0.9
    noise = targets[:, 0] - level[codes]
    assert abs(np.corrcoef(design.rows[:, 0], noise)[0, 1]) < 0.05  # no row is told its own target
    unseen = covariates.of(log.rows(np.array([0])).with_column("shop", Categories(("0",), np.array([-1]))))
    assert abs(unseen.rows[0, 0]) < 0.2


def test_missing_numbers_have_a_column_that_says_so() -> None:
    hard = np.array([1.0, np.nan, 3.0, 2.0])
    log = Log("", "a", Categories(REPLIES, np.array([0, 1, 0, 1])), {}, {"hard": hard, "same": np.ones(4)})
    design = Covariates(["hard", "same"], np.random.default_rng(0)).fit(log, np.zeros((4, 1)))
    assert design.sources == ("hard", "hard")
    assert design.rows[1, 0] == 0
    assert design.rows[1, 1] > 0 > design.rows[0, 1]


def test_texts_that_drive_action_and_outcome_by_what_they_are_about_are_held_equal() -> None:
    errors, before = [], []
    for seed in range(2):
        rng = np.random.default_rng([seed, 11])
        subject = rng.integers(40, size=1_200)
        texts = rng.normal(size=(40, 30))[subject] + 0.6 * rng.normal(size=(1_200, 30))
        lean = rng.normal(size=40)[subject]
        calls = (rng.random(1_200) < 1 / (1 + np.exp(-lean))).astype(np.intp)
        solved = calls - lean + 0.5 * rng.normal(size=1_200)
        log = Log("log.csv", "reply", Categories(REPLIES, calls), {"solved": solved}, {"text": texts})
        found = nuisances(log, "solved", seed=seed)
        assert found.propensities.min() > 0.03
        errors.append(contrast(found, 1, 0, np.arange(1_200), "ATE").value - 1)
        before.append(float(solved[calls == 1].mean() - solved[calls == 0].mean()) - 1)
    assert np.mean(before) < -0.5
    assert abs(np.mean(errors)) < 0.07


def test_one_column_of_few_names_is_told_by_lines_alone() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(5, size=3_000)
    done = (rng.random(3_000) < np.array([0.1, 0.9, 0.5, 0.3, 0.7])[codes]).astype(np.intp)
    log = Log(
        "", "a", Categories(REPLIES, done), {"solved": codes % 2 + done}, {"shop": Categories(tuple("abcde"), codes)}
    )
    found = nuisances(log, "solved")
    said = " ".join(found.said)
    assert "lines" in said and not any(name in said for name in ("trees", "likeness", "bends"))
    for code in range(5):
        shares = found.propensities[codes == code, 1]
        assert abs(shares.mean() - done[codes == code].mean()) < 0.02
