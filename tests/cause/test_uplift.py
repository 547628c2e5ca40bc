from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from huiyi.cause.log import Categories, Log
from huiyi.cause.uplift import PARTS, uplift
from huiyi.errors import ColumnError, DataError, OptionError

PAIR = {"action": "mail", "against": "call"}


def world(seed=0, rows=4_000, *, chances=None):
    """The action does ``effect``, which differs from row to row; it is drawn at random, alike for all or by chances."""
    rng = np.random.default_rng(seed)
    effect = rng.normal(size=rows)
    got = rng.random(rows) < (0.5 if chances is None else chances(effect))
    log = Log(
        "log.csv",
        "reply",
        Categories(("call", "mail"), got.astype(np.intp)),
        {"bought": effect * got + rng.normal(size=rows) + (0 if chances is None else 2 * effect)},
    )
    return log, effect


def plainly(predicted, got, outcome):
    """Qini coefficient and AUUC, row by row as the formulas are written; predictions differ."""
    order = sorted(range(len(got)), key=lambda row: -predicted[row])
    n, treated = len(order), int(got.sum())
    gains, lifts = [0.0], [0.0]
    for last in range(1, n + 1):
        first = order[:last]
        ones = [outcome[row] for row in first if got[row]]
        others = [outcome[row] for row in first if not got[row]]
        if ones and others:
            gains.append((sum(ones) - sum(others) * len(ones) / len(others)) / treated)
            lifts.append(last / n * (sum(ones) / len(ones) - sum(others) / len(others)))
        else:
            gains.append(0.0)
            lifts.append(0.0)
    areas = [sum((a + b) / 2 for a, b in pairwise(line)) / n for line in (gains, lifts)]
    return areas[0] - gains[-1] / 2, areas[1]


def test_the_areas_are_those_of_the_formulas():
    log, effect = world(rows=150)
    found = uplift(log, "bought", effect, **PAIR, repeats=2)
    qini, auuc = plainly(effect, log.actions.are("mail"), log.outcomes["bought"])
    assert found.qini.value == pytest.approx(qini) and found.auuc.value == pytest.approx(auuc)


def test_the_right_order_gains_and_the_wrong_one_loses():
    log, effect = world()
    right = uplift(log, "bought", effect, **PAIR)
    wrong = uplift(log, "bought", -effect, **PAIR)
    assert right.qini.low > 0.1 and "gains more 'bought'" in right.said
    assert wrong.qini.high < -0.1 and "smallest" in wrong.said
    # Effects are normal, so giving it to the share φ gains the normal density at φ's quantile: its area is 1 / (2 √π).
    assert right.qini.value == pytest.approx(1 / (2 * np.sqrt(np.pi)), abs=0.03)


def test_one_prediction_for_all_is_a_random_order():
    log, _ = world()
    found = uplift(log, "bought", np.zeros(4_000), **PAIR)
    assert found.qini.value == pytest.approx(0, abs=1e-12) and found.qini.error == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.gains, np.array(found.shares) * found.gains[-1], atol=1e-12)


def test_noise_is_in_doubt_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for seed in range(60):
        log, _ = world(seed, 500)
        found = uplift(log, "bought", rng.normal(size=500), **PAIR, repeats=60, seed=seed)
        held += found.qini.low <= 0 <= found.qini.high
    assert 50 <= held <= 60


def test_rows_count_by_how_seldom_their_action_is():
    log, effect = world(rows=20_000, chances=lambda effect: np.where(effect > 0, 0.8, 0.2))
    taken = np.where(log.actions.are("mail") == (effect > 0), 0.8, 0.2)
    found = uplift(log, "bought", effect, **PAIR, propensities=taken, repeats=10)
    assert found.qini.value == pytest.approx(1 / (2 * np.sqrt(np.pi)), abs=0.03)
    written = uplift(replace(log, propensities=taken), "bought", effect, **PAIR, repeats=10)
    assert written == found
    assert abs(uplift(log, "bought", effect, **PAIR, repeats=10).qini.value - found.qini.value) > 0.03


def test_parts_tell_the_effect_of_their_rows():
    log, effect = world(rows=20_000)
    found = uplift(log, "bought", effect, **PAIR, repeats=2)
    assert len(found.parts) == PARTS and {part.rows for part in found.parts} == {2_000}
    assert [part.predicted for part in found.parts] == sorted((part.predicted for part in found.parts), reverse=True)
    far = [abs(part.estimate.value - part.predicted) / part.estimate.error for part in found.parts]
    assert max(far) < 3.5 and found.parts[0].estimate.error == pytest.approx(2 / np.sqrt(2_000), rel=0.2)


def test_units_that_come_again_widen_the_interval():
    log, effect = world(rows=300)
    again = np.tile(np.arange(300), 10)
    repeated = log.rows(again)
    units = Categories.of([str(row) for row in again])
    wide = uplift(replace(repeated, units=units), "bought", effect[again], **PAIR).qini
    narrow = uplift(repeated, "bought", effect[again], **PAIR).qini
    assert wide.error > 2 * narrow.error


def test_a_part_without_one_of_the_actions_tells_nothing():
    log, effect = world(rows=40)
    log = replace(log, actions=Categories(("call", "mail"), (effect > 0).astype(np.intp)))
    found = uplift(log, "bought", effect, **PAIR, repeats=2)
    assert found.parts[0].estimate is None


def test_the_picture_is_svg_that_shows_names_as_they_are():
    log, effect = world(rows=200)
    named = replace(log, outcomes={"<bought> & paid": log.outcomes["bought"]})
    picture = uplift(named, "<bought> & paid", effect, **PAIR, repeats=2).svg()
    drawn = ElementTree.fromstring(picture)
    lines = [one for one in drawn if one.tag.endswith("polyline")]
    assert len(lines) == 2 and len(lines[1].get("points").split()) == 101
    assert any("<bought> & paid" in (one.text or "") for one in drawn)


@pytest.mark.parametrize(
    ("change", "options", "error", "said"),
    [
        (lambda log: log, {"action": "mial"}, OptionError, "Did you mean 'mail'"),
        (lambda log: replace(log, actions=np.ones(40)), {}, DataError, "actions with names"),
        (lambda log: log.rows(log.actions.are("mail")), {}, ColumnError, "predicted effects"),
        (
            lambda log: replace(log, outcomes={"bought": np.where(log.actions.are("mail"), 1.0, np.nan)}),
            {},
            DataError,
            "all got one action",
        ),
    ],
)
def test_what_cannot_be_measured_is_named(change, options, error, said):
    log, effect = world(rows=40)
    with pytest.raises(error, match=said):
        uplift(change(log), "bought", effect, **{**PAIR, **options})
