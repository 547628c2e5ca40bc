from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from huiyi.cause.borrowed import METHODS
from huiyi.cause.by_row import EffectsOfRows, effects_of_rows
from huiyi.cause.comparing import Comparing
from huiyi.cause.contrasts import Influence, contrast, estimates, slope
from huiyi.cause.effect import effect
from huiyi.cause.log import Categories, Log
from huiyi.cause.nuisance import Nuisances
from huiyi.cause.overlap import least_propensity, overlap, tells_apart
from huiyi.cause.segments import segments
from huiyi.errors import ColumnError, DataError, OptionError

REPLIES = ("call", "mail", "visit")


def desk(n: int = 600, *, seed: int = 0, actions: int = 2) -> Log:
    """Hard cases get more than a mail and end much worse; a call adds 1, a visit 2, each for late orders 1 more."""
    rng = np.random.default_rng(seed)
    hard, late = rng.normal(size=n), rng.integers(2, size=n)
    names = ("call", "mail", "visit")[:actions]
    lean = np.stack([hard, np.zeros(n), 0.5 * hard], axis=1)[:, :actions]
    codes = (lean + rng.gumbel(size=(n, actions))).argmax(axis=1).astype(np.intp)
    added = np.array([1.0, 0.0, 2.0])[codes] + (codes != 1) * late
    solved = added - 3 * hard + rng.normal(size=n)
    context = {"hard": hard, "intent": Categories(("pet", "late"), late.astype(np.intp))}
    return Log("log.csv", "reply", Categories(names, codes), {"solved": solved}, context, intent_name="intent")


def test_the_effect_has_another_sign_than_the_plain_difference() -> None:
    (one,) = effect(desk(), outcome="solved", against="mail").overall
    assert one.naive < 0
    assert one.estimate is not None
    assert 0 < one.estimate.low < 1.5 < one.estimate.high
    assert (one.action, one.against, one.refused, one.adjusted) == ("call", "mail", "", ("hard", "intent"))


def test_without_adjustment_the_estimate_is_the_plain_difference() -> None:
    (one,) = effect(desk(), outcome="solved", against="mail", adjust=()).overall
    assert one.estimate is not None
    assert one.estimate.value == pytest.approx(one.naive, abs=0.02)


def test_several_actions_each_beside_the_one_named() -> None:
    found = effect(desk(1_200, actions=3), outcome="solved", against="mail")
    values = {one.action: one.estimate.value for one in found.overall if one.estimate}
    assert values == {"call": pytest.approx(1.5, abs=0.35), "visit": pytest.approx(2.5, abs=0.35)}


def test_effects_by_segment_differ_and_their_intervals_are_wider_than_one_alone() -> None:
    log = desk(1_000)
    found = effect(log, outcome="solved", against="mail", by=("intent",))
    pet, late = found.by_segment
    assert pet.estimate is not None
    assert late.estimate is not None
    assert pet.segment == {"intent": "pet"}
    assert pet.estimate.high < 2 < late.estimate.high
    assert pet.estimate.low < 1 < pet.estimate.high
    half = (pet.estimate.high - pet.estimate.low) / 2
    assert half > 2.1 * pet.estimate.error  # 1.96 for one
    assert any("2 effects in segments" in notice for notice in found.notices)


def test_a_segment_that_is_too_small_is_refused_with_the_count() -> None:
    log = desk(300)
    intents = np.zeros(300, dtype=np.intp)
    intents[:12] = 1
    log = log.with_column("intent", Categories(("pet", "late"), intents))
    found = effect(log, outcome="solved", against="mail", by=("intent",))
    pet, late = found.by_segment
    assert pet.estimate is not None
    assert late.estimate is None
    assert "log more of them, or join segments" in late.refused


def test_those_who_got_it_are_another_group_than_all() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(size=1_500)
    calls = (rng.random(1_500) < 1 / (1 + np.exp(-hard))).astype(np.intp)
    solved = calls * (1 + hard) + rng.normal(size=1_500)
    log = Log("", "reply", Categories(("mail", "call"), calls), {"solved": solved}, {"hard": hard})
    truth = 1 + hard[calls == 1].mean()
    (one,) = effect(log, outcome="solved", against="mail", estimand="ATT").overall
    assert one.estimate is not None
    assert one.estimate.low < truth < one.estimate.high
    assert one.estimate.low > 1.1  # the effect over all is 1


def test_a_dose() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(size=600)
    minutes = hard + rng.normal(size=600)
    solved = 0.5 * minutes - 2 * hard + rng.normal(size=600)
    log = Log("", "minutes", minutes, {"solved": solved}, {"hard": hard})
    found = effect(log, outcome="solved", by=("hard",))
    (one,) = found.overall
    assert one.naive < 0
    assert one.estimate is not None
    assert one.estimate.low < 0.5 < one.estimate.high
    assert (one.action, one.against) == ("minutes", "")
    assert len(found.by_segment) == 4
    with pytest.raises(OptionError, match="is a dose"):
        effect(log, outcome="solved", estimand="ATT")


def test_a_dose_that_is_told_by_what_is_held_equal_is_refused() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(size=200)
    log = Log("", "minutes", 3 * hard, {"solved": rng.normal(size=200)}, {"hard": hard})
    (one,) = effect(log, outcome="solved").overall
    assert one.estimate is None
    assert "tells 'minutes' almost exactly" in one.refused


def test_rows_of_one_unit_do_not_count_as_many() -> None:
    log = desk(200)
    often = log.rows(np.repeat(np.arange(200), 4))
    whose = replace(often, units=Categories(tuple(map(str, range(200))), np.repeat(np.arange(200), 4)))
    errors = []
    for one in (log, often, whose):
        (told,) = effect(one, outcome="solved", against="mail", adjust=()).overall
        assert told.estimate is not None
        errors.append(told.estimate.error)
    assert errors[2] == pytest.approx(errors[0], rel=0.03)
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.03)


def test_an_action_that_was_hardly_taken_is_refused_and_the_others_are_told() -> None:
    log = desk(300)
    assert isinstance(log.actions, Categories)
    codes = log.actions.codes.copy()
    codes[0] = 2
    found = effect(Log("", "reply", Categories(REPLIES, codes), log.outcomes, log.context), outcome="solved",
                   against="mail")  # fmt: skip
    call, visit = found.overall
    assert call.estimate is not None
    assert visit.estimate is None
    assert visit.refused.startswith("'visit' was done 1 time.")


def test_a_column_that_tells_the_actions_apart_is_named() -> None:
    log = desk(200)
    assert isinstance(log.actions, Categories)
    log = log.with_column("team", Categories(("a", "b"), log.actions.codes))
    (one,) = effect(log, outcome="solved", against="mail").overall
    assert one.estimate is None
    assert one.refused.startswith("'team' tells apart who got 'call' and who got 'mail'")
    (one,) = effect(log, outcome="solved", against="mail", adjust=("hard",)).overall
    assert one.estimate is not None


def test_rows_without_overlap_are_left_out_and_counted() -> None:
    rng = np.random.default_rng(0)
    new = rng.integers(2, size=900)
    calls = np.where(new, 0, rng.integers(2, size=900)).astype(np.intp)
    hard = rng.normal(size=900)
    context = {"new": Categories(("no", "yes"), new.astype(np.intp)), "hard": hard}
    log = Log("", "reply", Categories(("mail", "call"), calls), {"solved": calls + hard}, context)
    (one,) = effect(log, outcome="solved", against="mail").overall
    assert one.rows == pytest.approx((new == 0).sum(), abs=9)
    assert f"{900 - one.rows} of 900 rows were left out" in one.notices[0]


@pytest.mark.parametrize(("estimand", "truth"), [("ATE", 1.0), ("ATT", 1.0)])
def test_what_models_make_of_rows_without_overlap_is_told_apart(estimand: str, truth: float) -> None:
    rng = np.random.default_rng(0)
    sure, hard = rng.integers(2, size=900), rng.normal(size=900)
    calls = np.where(sure, estimand == "ATT", rng.integers(2, size=900)).astype(np.intp)
    context = {"sure": Categories(("no", "yes"), sure.astype(np.intp)), "hard": hard}
    log = Log("", "reply", Categories(("mail", "call"), calls), {"solved": calls + hard}, context)
    (one,) = effect(log, outcome="solved", against="mail", estimand=estimand).overall
    assert one.extrapolated == pytest.approx(truth, abs=0.2)
    assert "nothing in the log shows that they hold there" in one.notices[-1]
    plain = log.rows(sure == 0)
    (other,) = effect(plain, outcome="solved", against="mail", adjust=("hard",), estimand=estimand).overall
    assert other.extrapolated is None


def test_no_overlap_at_all_is_refused() -> None:
    log = desk(400)
    chosen = np.where(np.random.default_rng(0).random(400) < 0.96, 0.9999, 0.5)
    shares = np.stack([chosen, 1 - chosen], axis=1)
    seen = overlap(log, shares, action="call", against="mail", adjust=())
    assert seen.refused.startswith("There is no overlap: in 9")
    assert seen.got.sum() + seen.got_other.sum() == 400


def test_bad_input_is_answered_in_one_line() -> None:
    log = desk(200)
    with pytest.raises(DataError, match="3 of 3 rows"):
        effect(log.rows(np.arange(3)), outcome="solved")
    with pytest.raises(DataError, match="always 'call'"):
        effect(log.rows(log.actions.are("call")), outcome="solved")  # type: ignore[union-attr]
    with pytest.raises(DataError, match="always 2"):
        effect(Log("", "reply", log.actions, {"solved": np.full(200, 2.0)}), outcome="solved")
    with pytest.raises(ColumnError, match="Did you mean 'solved'"):
        effect(log, outcome="slved")
    with pytest.raises(OptionError, match="Did you mean 'mail'"):
        effect(log, outcome="solved", against="mial")
    with pytest.raises(OptionError, match="compared with itself"):
        effect(log, outcome="solved", action="mail", against="mail")
    with pytest.raises(OptionError, match="Did you mean 'forest'"):
        effect(log, outcome="solved", method="forrest")
    with pytest.raises(OptionError, match="no estimand 'LATE'"):
        effect(log, outcome="solved", estimand="LATE")
    with pytest.raises(OptionError, match="level is 95"):
        effect(log, outcome="solved", level=95)


def test_a_column_that_is_blank_everywhere_and_missing_outcomes_are_left_out() -> None:
    log = desk(200).with_column("empty", np.full(200, np.nan))
    log.outcomes["solved"][:20] = np.nan  # type: ignore[index]
    found = effect(log, outcome="solved", against="mail")
    assert found.overall[0].rows == pytest.approx(180, abs=5)
    assert found.overall[0].adjusted == ("hard", "intent")
    assert any("'empty' is blank" in notice for notice in found.notices)
    assert any("missing in 20" in notice for notice in found.notices)


def test_warnings_of_learners_become_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    run = Comparing.run

    def warned(self: Comparing, *args: object) -> object:
        warnings.warn("the fit did not converge", stacklevel=1)
        return run(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Comparing, "run", warned)
    found = effect(desk(100), outcome="solved", against="mail", adjust=())
    assert "While estimating: the fit did not converge" in found.notices


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_methods_of_econml_find_the_effect_too(method: str) -> None:
    pytest.importorskip("econml")
    found = effect(desk(800), outcome="solved", against="mail", method=method, by=("intent",))
    (one,) = found.overall
    assert one.estimate is not None
    assert one.method == method
    assert one.estimate.value == pytest.approx(1.5, abs=0.5)
    assert np.isfinite(one.estimate.low) == (method in ("forest", "dr-learner"))
    assert any("econml" in notice for notice in one.notices) == (method != "dr-learner")
    assert all(part.estimate is not None for part in found.by_segment)


def test_effects_of_rows_follow_what_they_depend_on() -> None:
    rng = np.random.default_rng(0)
    hard, other = rng.normal(size=(2, 500))
    calls = (rng.random(500) < 1 / (1 + np.exp(-hard))).astype(np.intp)
    solved = calls * hard + other + 0.5 * rng.normal(size=500)
    log = Log("", "reply", Categories(("mail", "call"), calls), {"solved": solved}, {"hard": hard, "other": other})
    learnt = EffectsOfRows("solved", "call", "mail")
    learnt.fit(log.rows(np.arange(400)))
    held_out = learnt.of(log.rows(np.arange(400, 500)))
    assert np.sqrt(np.mean((held_out - hard[400:]) ** 2)) < 0.3
    assert sum(learnt.weights) == pytest.approx(1)
    assert "learner" in learnt.said
    with pytest.raises(OptionError, match="Did you mean 'call'"):
        effects_of_rows(log, outcome="solved", action="cal", against="mail")


def _half(n: int, codes: list[int]) -> Nuisances:
    outcomes = np.arange(n, dtype=float)
    return Nuisances(
        ("mail", "call"), np.array(codes), outcomes, np.full((n, 2), 0.5), np.zeros((n, 2)), np.zeros(n, np.intp), ()
    )


def test_contrasts_by_hand() -> None:
    found = _half(4, [0, 1, 0, 1])  # outcomes 0, 1, 2, 3
    for estimand in ("ATE", "ATT"):
        told = contrast(found, 1, 0, np.arange(4), estimand)
        assert told.value == pytest.approx(2 - 1)
        assert told.moves.sum() == pytest.approx(0)


def test_slope_by_hand() -> None:
    told = slope(np.array([0.0, 2.0, 4.0]), np.array([0.0, 1.0, 2.0]), np.arange(3))
    assert told.value == 2
    np.testing.assert_allclose(told.moves, 0, atol=1e-12)


def test_one_interval_is_that_of_students_t_and_units_are_added_up() -> None:
    moves = np.array([1.0, -1.0, 1.0, -1.0]) / 4
    (one,) = estimates([Influence(0.0, np.arange(4), moves, 4)], level=0.95, units=None, rng=np.random.default_rng(0))
    assert one.error == pytest.approx(np.std([1, -1, 1, -1], ddof=1) / 2)
    assert one.high == pytest.approx(3.182446 * one.error)
    (paired,) = estimates([Influence(0.0, np.arange(4), moves, 4)], level=0.95, units=np.array([0, 0, 1, 1]),
                          rng=np.random.default_rng(0))  # fmt: skip
    assert paired.error == pytest.approx(0)


def test_intervals_of_the_same_effect_twice_are_not_widened() -> None:
    moves = np.random.default_rng(0).normal(size=400) / 400
    one = Influence(0.0, np.arange(400), moves, 400)
    other = Influence(0.0, np.arange(400, 800), moves, 400)
    rng = np.random.default_rng(0)
    twice = estimates([one, one], level=0.95, units=None, rng=rng)[0]
    apart = estimates([one, other], level=0.95, units=None, rng=rng)[0]
    assert twice.high / twice.error == pytest.approx(1.966, abs=0.05)
    assert apart.high / apart.error == pytest.approx(2.245, abs=0.05)  # of two independent ones


def test_least_propensity_falls_with_rows() -> None:
    assert least_propensity(10) == 0.1
    assert least_propensity(1_000_000) < least_propensity(1_000) < 0.1


def test_what_tells_apart() -> None:
    rng = np.random.default_rng(0)
    got = rng.integers(2, size=400) == 1
    assert tells_apart(rng.normal(size=400), got) < 0.2
    assert tells_apart(-got.astype(float), got) == 1
    assert tells_apart(Categories.of([str(row) for row in range(400)]), got) == 0  # names that say nothing


def test_segments_of_numbers_are_quarters() -> None:
    waiting = np.arange(100.0)
    waiting[0] = np.nan
    log = Log(
        "", "reply", Categories(REPLIES, np.zeros(100, np.intp)), {}, {"waiting": waiting, "text": np.ones((100, 2))}
    )
    found = segments(log, ["waiting"])
    assert [int(one.are.sum()) for one in found] == [25, 25, 24, 25]
    assert found[0].value == "1 to 25.5"
    with pytest.raises(DataError, match="texts or vectors"):
        segments(log, ["text"])


def test_segments_are_of_columns_with_few_names_known_before() -> None:
    log = Log("log.csv", "reply", Categories.of(["a", "b"] * 150), {"solved": np.ones(300)},
        {"customer": Categories.of([f"c{n}" for n in range(300)])})  # fmt: skip
    with pytest.raises(DataError, match="'customer' has 300 different names"):
        segments(log, ["customer"])
    for name in ("reply", "solved"):
        with pytest.raises(ColumnError, match="is an action or an outcome"):
            segments(log, [name])
