import numpy as np
import pytest

from huiyi.cause.log import Categories
from huiyi.cause.table import Roles, column_of, log_of
from huiyi.errors import ColumnError, DataError

CELLS = {
    "reply": ["call", "mail", "call", ""],
    "solved": ["yes", "no", "1", "0"],
    "waiting": ["3", "", "4.5", "1"],
    "intent": ["late", "pet", "late", "pet"],
    "since": ["2026-03-01", "2026-03-02", "", "2026-03-01"],
    "ticket": ["a", "b", "c", "d"],
    "probability": [0.5, 0.2, 1.0, 0.3],
}
ROLES = Roles("reply", ("solved",))


def test_each_column_is_taken_for_what_it_holds():
    log = log_of(CELLS, Roles("reply", ("solved",), propensity="probability"))
    assert log.outcomes["solved"].tolist() == [1, 0, 1]
    assert isinstance(log.context["intent"], Categories) and log.intents is log.context["intent"]
    np.testing.assert_array_equal(log.context["waiting"], [3, np.nan, 4.5])
    np.testing.assert_array_equal(log.context["since"], [20513, 20514, np.nan])
    assert log.propensities is not None and log.propensities.tolist() == [0.5, 0.2, 1.0]


def test_rows_without_an_action_and_columns_like_ids_are_left_out_and_said():
    log = log_of(CELLS, ROLES)
    assert len(log) == 3 and "ticket" not in log.context
    assert any("without 'reply'" in notice for notice in log.notices)
    assert any("'ticket' is different" in notice for notice in log.notices)


def test_an_id_that_is_asked_for_stays():
    assert "ticket" in log_of(CELLS, Roles("reply", ("solved",), context=("ticket",))).context


def test_few_numbers_are_actions_and_many_a_dose():
    few = log_of({"discount": [0, 5, 0, 5], "solved": [1, 0, 1, 0]}, Roles("discount", ("solved",)))
    many = log_of({"discount": list(range(30)), "solved": [1, 0] * 15}, Roles("discount", ("solved",)))
    assert isinstance(few.actions, Categories) and few.actions.names == ("0", "5")
    assert isinstance(many.actions, np.ndarray)


def test_arrays_are_read_without_a_loop_over_cells():
    rows = 200_000
    cells = {"a": np.tile([0, 1], rows // 2), "y": np.ones(rows), "x": np.linspace(0, 1, rows)}
    log = log_of(cells, Roles("a", ("y",)))
    assert len(log) == rows and log.context["x"] is not None


def test_vectors_follow_the_rows_that_stay():
    vectors = np.arange(8.0).reshape(4, 2)
    log = log_of({**CELLS, "said": ["w", "x", "y", "z"]}, ROLES, vectors={"said": vectors})
    np.testing.assert_array_equal(log.context["said"], vectors[:3])


@pytest.mark.parametrize(
    ("changed", "roles", "said"),
    [
        ({}, Roles("repyl", ("solved",)), "Did you mean 'reply'"),
        ({}, Roles("reply", ("ticket",)), "Expected a number, or yes or no"),
        ({"probability": [0.5, 0.0, 1, 1]}, Roles("reply", ("solved",), propensity="probability"), "row 2"),
        ({"probability": [0.5, 1.2, 1, 1]}, Roles("reply", ("solved",), propensity="probability"), "is 1.2"),
        ({"probability": [0.5, "", 1, 1]}, Roles("reply", ("solved",), propensity="probability"), "row 2"),
        ({"when": ["soon"] * 4}, Roles("reply", ("solved",), time="when"), "ISO 8601"),
    ],
)
def test_columns_that_cannot_be_used_are_named(changed, roles, said):
    with pytest.raises(ColumnError, match=said):
        log_of({**CELLS, **changed}, roles)


def test_an_outcome_before_its_action_is_refused():
    cells = {**CELLS, "closed": ["2026-03-02", "2026-03-01", "2026-03-09", "2026-03-09"]}
    with pytest.raises(DataError, match="row 2: the outcome"):
        log_of(cells, Roles("reply", ("solved",), time="since", outcome_time="closed"))


def test_a_log_without_actions_is_refused():
    with pytest.raises(DataError, match="no row says what was done"):
        log_of({"reply": ["", None], "solved": [1, 0]}, ROLES)


def test_truth_and_names_of_numbers():
    assert column_of([True, False, None]).tolist()[:2] == [1.0, 0.0]
    names = column_of([1.0, "x", None])
    assert isinstance(names, Categories) and names.names == ("1", "x")
