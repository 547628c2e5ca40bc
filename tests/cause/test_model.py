import numpy as np
import pytest

from huiyi.cause import Categories, Log
from huiyi.cause.model import CausalModel, assumed, fitted_to, mismatch
from huiyi.errors import DataError


def log(**context: list[float]) -> Log:
    columns = {name: np.array(column) for name, column in context.items()}
    return Log("log.csv", "reply", Categories.of(["call", "mail"]), {"solved": np.array([1.0, 0.0])}, columns)


def test_a_circle_is_named_in_its_order() -> None:
    with pytest.raises(DataError, match="b -> c -> d -> b is a circle"):
        CausalModel.of("a -> b -> c -> d -> b", "c -> e")


def test_an_edge_to_itself_is_refused() -> None:
    with pytest.raises(DataError, match="'a' has an edge to itself"):
        CausalModel.of("a -> a")


@pytest.mark.parametrize("edge", ["a", "a ->", "-> b", "a -- b", "a - > b", "a => b", ""])
def test_what_is_no_edge_is_refused(edge: str) -> None:
    with pytest.raises(DataError, match="is no edge"):
        CausalModel.of(edge)


def test_edges_may_point_left_and_be_many_in_a_row() -> None:
    assert CausalModel.of("b <- a <-> c -> d").arrows == (("a", "b"), ("c", "d"))


def test_names_may_hold_dots_dashes_spaces_and_chinese() -> None:
    assert CausalModel.of("first-reply -> 解决 了", "v1.2 -> 解决 了").measured == ("first-reply", "解决 了", "v1.2")


def test_an_unknown_node_gets_a_hint() -> None:
    with pytest.raises(DataError, match=r"no node 'difficlty'. Did you mean 'difficulty'\?"):
        CausalModel({"difficulty": "context", "reply": "action"}, (("difficlty", "reply"),))


def test_an_unknown_role_gets_a_hint() -> None:
    with pytest.raises(DataError, match=r"role 'instrumnt'. Did you mean 'instrument'\?"):
        CausalModel.of("a -> b", roles={"a": "instrumnt"})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ({"x": "action", "m": "context"}, "'m' is called context, and follows from 'x'"),
        ({"x": "action", "z": "mediator"}, "'z' is called mediator, and does not follow from 'x'"),
        ({"x": "action", "y": "action"}, "'x' and 'y' are each the action"),
    ],
)
def test_roles_fit_the_arrows(roles: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        CausalModel.of("z -> x -> m -> y", roles=roles)  # type: ignore[arg-type]


def test_the_model_cannot_be_changed_from_outside() -> None:
    roles = {"a": "action", "b": "outcome"}
    model = CausalModel(roles, (("a", "b"),))  # type: ignore[arg-type]
    roles["a"] = "hidden"
    assert model.roles["a"] == "action"


def test_without_a_model_all_context_leads_to_both() -> None:
    model = assumed(log(age=[1, 2], waiting=[3, 4]), "solved")
    assert model.graph.parents["solved"] == {"age", "waiting", "reply"}
    assert model.graph.parents["reply"] == {"age", "waiting"}
    assert model.assumptions == (
        "Whatever led to both 'reply' and 'solved' is among these columns: 'age' and 'waiting'.",
        "All of them were known before 'reply', and 'reply' came before 'solved'.",
    )


def test_without_context_the_model_says_that_the_action_was_drawn() -> None:
    assert assumed(log(), "solved").assumptions == (
        "Nothing led to both 'reply' and 'solved'; 'reply' was as if drawn by lot.",
    )


def test_many_columns_are_counted_not_listed() -> None:
    model = assumed(log(**{f"c{number}": [1.0, 2.0] for number in range(50)}), "solved")
    assert model.assumptions[0].endswith("'c7' and 42 more.")


def test_a_model_is_compared_with_a_log_in_one_line() -> None:
    model = CausalModel.of("ages -> reply -> solved", "mood -> reply", "u -> solved", roles={"u": "hidden"})
    assert mismatch(model, log(age=[1, 2], size=[3, 4])) == (
        "log.csv lacks 'ages' of the causal model (did you mean 'age'?) and 'mood' of the causal model, so they count "
        "as hidden; the causal model does not name 'age' and 'size', so they are not looked at."
    )
    assert mismatch(CausalModel.of("age -> reply -> solved"), log(age=[1, 2])) == ""


def test_what_the_log_lacks_is_hidden_but_for_action_and_outcome() -> None:
    model = CausalModel.of("mood -> reply -> solved", roles={"reply": "action", "solved": "outcome"})
    assert fitted_to(model, log()).hidden == ("mood",)
    with pytest.raises(DataError, match=r"no column 'solvd', the outcome .* Did you mean 'solved'\?"):
        fitted_to(CausalModel.of("reply -> solvd", roles={"solvd": "outcome"}), log())
