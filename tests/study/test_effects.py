from dataclasses import replace

import numpy as np
import pytest

from huiyi.cause.model import CausalModel
from huiyi.errors import ColumnError, DataError, OptionError
from huiyi.evaluate import study_in_words, study_json
from huiyi.study import Roles, StudyConfig, effect, read_log

QUICK = StudyConfig(attempts=False)


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(5)
    hard = rng.normal(size=900)
    call = rng.random(900) < 1 / (1 + np.exp(-hard))
    score = call - 2 * hard + rng.normal(size=900)
    return {"reply": np.where(call, "call", "mail"), "hard": hard, "score": score}


@pytest.fixture(scope="module")
def study(cells):
    return effect(cells, "reply", "score", against="mail", config=replace(QUICK, attempts=True))


def test_the_effect_is_told_where_the_plain_difference_has_the_wrong_sign(study):
    (told,) = study.effects.overall
    assert told.naive < 0 and told.estimate.low < 1 < told.estimate.high
    assert any("wrong sign" in line for line in study_in_words(study))


def test_a_sound_design_passes_the_attempts_and_all_of_it_is_in_the_json(study):
    assert all(made.passed for made in study.refutations["call"])
    told = study_json(study)
    assert told["adjusted"] == ["hard"] and told["overall"][0]["estimate"]["value"] > 0
    assert told["refutations"]["call"] and told["sensitivity"]["call"]["to_overturn"] > 0


def test_who_gains_most_is_told_where_that_is_asked(cells, study):
    assert not study.rankings
    rng = np.random.default_rng(3)
    young = rng.random(900) < 0.5
    score = cells["score"] + 3 * young * (cells["reply"] == "call")
    ranked = effect({**cells, "young": young, "score": score}, "reply", "score", against="mail",
        config=replace(QUICK, ranked=True))  # fmt: skip
    qini = ranked.rankings["call"].qini
    assert qini.low > 0 and study_json(ranked)["qini"]["call"]["value"] == qini.value


def test_it_is_said_in_chinese_too(study):
    assert any("保持相同：hard" in line for line in study_in_words(study, "zh"))


def test_a_hidden_cause_is_refused_with_what_to_measure(cells):
    model = CausalModel.of(
        "mood -> reply", "mood -> score", "reply -> score",
        roles={"reply": "action", "score": "outcome", "mood": "hidden"},
    )  # fmt: skip
    study = effect(cells, "reply", "score", causal_model=model, config=QUICK)
    (told,) = study.effects.overall
    assert told.estimate is None and "Measure 'mood'" in told.refused
    assert any("not name 'hard'" in notice for notice in study.notices)


def test_where_propensities_are_known_no_hidden_cause_matters():
    rng = np.random.default_rng(4)
    mood = rng.normal(size=4000)
    chance = 0.1 + 0.8 / (1 + np.exp(-2 * mood))
    call = rng.random(4000) < chance
    cells = {"reply": np.where(call, "call", "mail"), "score": call - 2 * mood + rng.normal(size=4000)}
    cells["propensity"] = np.where(call, chance, 1 - chance)
    model = CausalModel.of(
        "mood -> reply", "mood -> score", "reply -> score",
        roles={"reply": "action", "score": "outcome", "mood": "hidden"},
    )  # fmt: skip
    log = read_log(cells, Roles("reply", ("score",), propensity="propensity"))
    for causal_model in (model, None):
        study = effect(log, causal_model=causal_model, against="mail", config=QUICK)
        (told,) = study.effects.overall
        assert told.naive < 0 and told.estimate.low < 1 < told.estimate.high
        words = "\n".join(study_in_words(study))
        assert "was drawn by the probabilities" in words and "Whatever led to both" not in words
        assert not study.sensitivities


def test_a_column_of_propensities_that_nobody_named_is_told(cells):
    log = read_log({**cells, "propensity": np.full(900, 0.5)}, Roles("reply", ("score",)))
    assert any("--propensity propensity" in notice for notice in log.notices)


def test_an_instrument_is_used_where_the_graph_says_so():
    rng = np.random.default_rng(1)
    lot, mood = rng.integers(0, 2, 3000), rng.normal(size=3000)
    call = (lot + mood + rng.normal(size=3000) > 0.5).astype(int)
    cells = {"lot": lot, "reply": np.where(call, "call", "mail"), "score": call + 2 * mood + rng.normal(size=3000)}
    model = CausalModel.of(
        "lot -> reply -> score", "reply <-> score", roles={"reply": "action", "score": "outcome", "lot": "instrument"}
    )
    study = effect(cells, "reply", "score", causal_model=model, config=QUICK)
    (told,) = study.effects.overall
    assert study.identification.strategy == "instrument"
    assert abs(told.estimate.low) < 3 and abs(abs(told.estimate.value) - 1) < 0.5


def test_a_graph_that_the_log_speaks_against_is_said_to_be(cells):
    model = CausalModel.of(
        "hard -> score", "reply -> score", roles={"reply": "action", "score": "outcome", "hard": "context"}
    )
    study = effect(cells, "reply", "score", causal_model=model, config=QUICK)
    assert any("An arrow or a hidden cause is missing" in notice for notice in study.notices)


def test_a_column_that_the_action_cannot_change_is_tried_and_not_held_equal(cells):
    rng = np.random.default_rng(7)
    config = replace(QUICK, attempts=True, negative_control="shoes")
    study = effect({**cells, "shoes": rng.normal(size=900)}, "reply", "score", against="mail", config=config)
    assert study.identification.adjustment == ("hard",)
    tried = {made.name: made.passed for made in study.refutations["call"]}
    assert tried["negative control"] is True


def test_what_follows_from_the_action_is_no_part_of_the_attempts(cells):
    """An outcome that is made up must not follow what the action leads to, or a sound design alarms."""
    rng = np.random.default_rng(8)
    call = cells["reply"] == "call"
    talk = 2.0 * call + rng.normal(size=900)
    rows = {**cells, "talk": talk, "score": talk - 2 * cells["hard"] + 0.3 * rng.normal(size=900)}
    model = CausalModel.of(
        "hard -> reply -> talk -> score", "hard -> score", roles={"reply": "action", "score": "outcome"}
    )
    study = effect(rows, "reply", "score", against="mail", causal_model=model, config=replace(QUICK, attempts=True))
    assert study.identification.adjustment == ("hard",)
    assert all(made.passed for made in study.refutations["call"])


def test_what_is_odd_is_said_where_a_mediator_or_an_instrument_tells_it_too():
    rng = np.random.default_rng(1)
    lot, mood = rng.integers(0, 2, 2000), rng.normal(size=2000)
    call = (lot + mood + rng.normal(size=2000) > 0.5).astype(int)
    score = np.where(rng.random(2000) < 0.1, np.nan, call + 2 * mood)
    model = CausalModel.of("lot -> reply -> score", "reply <-> score", roles={"reply": "action", "score": "outcome"})
    cells = {"lot": lot, "reply": np.where(call, "call", "mail"), "score": score}
    study = effect(cells, "reply", "score", causal_model=model, config=QUICK)
    assert any("is missing in" in notice for notice in study.notices)


def test_what_is_not_there_is_named(cells):
    with pytest.raises(ColumnError, match="Did you mean 'reply'"):
        effect(cells, "repli", "score")
    with pytest.raises(OptionError, match="no action"):
        effect(cells)
    with pytest.raises(ColumnError, match="'wait'"):
        effect(cells, "reply", "score", by=["wait"])


def test_texts_are_perceived_unless_the_intent_says_what_they_mean():
    rows = [{"text": f"where is train {n}", "reply": "ab"[n % 2], "solved": n % 3 == 0} for n in range(6)]
    roles = Roles("reply", ("solved",))
    log = read_log(rows, roles)
    assert log.context["text"].shape == (6, 512)
    log = read_log([{**row, "intent": "late"} for row in rows], roles)
    assert "text" not in log.context and any("--text text" in notice for notice in log.notices)


def test_rows_are_chosen_and_an_empty_file_is_refused(tmp_path):
    rows = [{"reply": "a", "solved": 1, "lang": "en"}, {"reply": "b", "solved": 0, "lang": "zh"}]
    assert len(read_log(rows, Roles("reply", ("solved",)), where={"lang": "zh"})) == 1
    with pytest.raises(DataError, match="no row whose column"):
        read_log(rows, Roles("reply", ("solved",)), where={"lang": "fr"})
    (tmp_path / "log.csv").write_text("reply,solved\n")
    with pytest.raises(DataError):
        read_log(tmp_path / "log.csv", Roles("reply", ("solved",)))
