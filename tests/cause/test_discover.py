import math

import numpy as np
import pytest

from huiyi.cause import Categories, Log
from huiyi.cause.discover import Knowledge, Suggestion, discover, knowledge_of
from huiyi.cause.log import Column
from huiyi.cause.model import CausalModel
from huiyi.errors import DataError, OptionError


def desk(n: int = 2_000, *, seed: int = 0, kind: str = "names") -> Log:
    """difficulty -> reply, difficulty -> heard, reply -> heard -> solved; weather stands alone."""
    rng = np.random.default_rng(seed)
    if kind == "numbers":
        difficulty = rng.normal(size=n)
        reply: Column = difficulty + rng.normal(size=n)
        heard: Column = reply - difficulty + rng.normal(size=n)
        solved = heard + rng.normal(size=n)
        weather: Column = rng.normal(size=n)
        hard: Column = difficulty
    else:
        difficulty = rng.integers(3, size=n)
        called = (rng.random(n) < 0.2 + 0.3 * difficulty).astype(np.intp)
        listened = (rng.random(n) < 0.2 + 0.5 * called + 0.1 * difficulty).astype(np.intp)
        solved = (rng.random(n) < 0.1 + 0.7 * listened) * 1.0
        hard, reply = Categories(("easy", "fair", "hard"), difficulty), Categories(("mail", "call"), called)
        heard = Categories(("no", "yes"), listened)
        weather = rng.normal(size=n) if kind == "mixed" else Categories(("dry", "wet"), rng.integers(2, size=n))
    return Log("log.csv", "reply", reply, {"solved": solved}, {"difficulty": hard, "weather": weather, "heard": heard})


TIERS = knowledge_of(tiers=[["difficulty", "weather"], ["reply"], ["heard"], ["solved"]])
TRUTH = {"difficulty -> reply", "difficulty -> heard", "reply -> heard", "heard -> solved"}


def said(found: Suggestion) -> set[str]:
    return {str(edge) for edge in found.edges}


@pytest.mark.parametrize("kind", ["names", "numbers", "mixed"])
def test_with_tiers_the_truth_is_found(kind: str) -> None:
    found = discover(desk(kind=kind, n=4_000), knowledge=TIERS, resamples=5)
    assert said(found) == TRUTH
    assert all(edge.confidence >= 0.8 for edge in found.edges)
    assert all(edge.direction == 1 for edge in found.edges)
    assert found.resamples == 5


def test_without_knowledge_what_could_be_turned_has_no_direction() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=500)
    log = Log("log.csv", "x", a, {"y": a + rng.normal(size=500)})
    (edge,) = discover(log, knowledge=Knowledge(), resamples=4).edges
    assert str(edge) == "x -- y"
    assert (edge.confidence, edge.direction) == (1.0, 0.5)
    assert said(discover(log, resamples=0)) == {"x -> y"}  # the action came before its outcome
    assert math.isnan(discover(log, resamples=0).edges[0].confidence)


def test_an_edge_that_hardly_shows_is_not_sure() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(size=400)
    noise = rng.normal(size=400)
    noise -= a * (noise @ a) / (a @ a)
    weak = 0.15 * a / np.linalg.norm(a) + noise / np.linalg.norm(
        noise
    )  # from a correlation of 0.12 on there is an edge
    log = Log("log.csv", "x", a, {"y": weak}, {"z": a + rng.normal(size=400)})
    sure = {frozenset((edge.cause, edge.effect)): edge.confidence for edge in discover(log, resamples=30).edges}
    assert sure[frozenset("xz")] == 1
    assert 0.2 < sure[frozenset("xy")] < 0.95


def test_what_is_forbidden_is_not_there_and_what_is_required_is() -> None:
    more = knowledge_of(forbidden=["reply -> heard"], required=["weather -> solved"])
    found = said(discover(desk(), knowledge=TIERS | more, resamples=0))
    assert "weather -> solved" in found
    assert not {"reply -> heard", "heard -> reply"} & found


def test_a_model_is_knowledge() -> None:
    model = CausalModel.of("weather -> solved", "u -> solved", roles={"u": "hidden"})
    assert Knowledge.of_model(model).required == {("weather", "solved")}


@pytest.mark.parametrize(
    ("knowledge", "message"),
    [
        (knowledge_of(forbidden=["repply -> solved"]), r"no column 'repply'. Did you mean 'reply'\?"),
        (knowledge_of(forbidden=["reply -> solved"], required=["reply -> solved"]), "must be there, and may not"),
        (knowledge_of(required=["solved -> reply"]) | Knowledge(tiers=(("reply",), ("solved",))), "may not"),
        (knowledge_of(required=["reply -> heard", "heard -> weather", "weather -> reply"]), "is a circle"),
    ],
)
def test_knowledge_that_contradicts_itself_is_refused(knowledge: Knowledge, message: str) -> None:
    with pytest.raises(DataError, match=message):
        discover(desk(100), knowledge=knowledge, resamples=0)


def test_a_suggestion_becomes_a_model_that_says_so() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=500), rng.normal(size=500)
    log = Log("log.csv", "c", a + b + rng.normal(size=500), {}, {"a": a, "b": b, "d": a + rng.normal(size=500)})
    model = discover(log, knowledge=Knowledge(), resamples=0).model({"c": "outcome"})
    assert model.graph.parents["c"] == {"a", "b"}
    assert model.of_role("outcome") == ("c",)
    assert model.assumptions[0] == "This graph was suggested by 500 rows (method score); nobody has vouched for it."
    assert model.assumptions[-1] == "The log does not tell the direction of a -> d."


def test_progress_is_told_and_time_is_kept() -> None:
    told: list[tuple[int, int]] = []
    discover(desk(100), resamples=3, on_progress=lambda _, done, of: told.append((done, of)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    found = discover(desk(100), resamples=3, seconds=0)
    assert (found.resamples, found.notices) == (0, ("Time was enough for 0 of 3 resamples.",))


def test_what_cannot_be_looked_at_is_said() -> None:
    log = desk(200, kind="numbers")
    blank = np.where(np.arange(200) < 50, np.nan, 1.0 * np.arange(200))
    log = log.with_column("vector", np.ones((200, 3))).with_column("flat", np.ones(200)).with_column("gaps", blank)
    found = discover(log, resamples=0)
    assert found.rows == 150
    assert found.notices == (
        "'vector' holds vectors and was left out.",
        "'flat' never varies and was left out.",
        "50 rows in which a number is blank were left out.",
    )


def test_too_little_is_refused() -> None:
    with pytest.raises(DataError, match="10 rows know all numbers"):
        discover(desk(10, kind="numbers"))
    with pytest.raises(DataError, match="1 columns vary"):
        discover(Log("log.csv", "x", np.arange(50.0), {"y": np.ones(50)}))
    with pytest.raises(OptionError, match=r"no method 'lingram'. Did you mean 'lingam'\?"):
        discover(desk(50), method="lingram")  # type: ignore[arg-type]


def test_the_methods_of_causal_learn() -> None:
    pytest.importorskip("causallearn")
    log = desk(2_000)
    assert said(discover(log, knowledge=TIERS, method="pc", resamples=0)) == TRUTH
    undirected = {frozenset(edge.split(" -> ")) for edge in TRUTH}
    found = discover(log, knowledge=Knowledge(), method="ges", resamples=0)
    assert {frozenset((edge.cause, edge.effect)) for edge in found.edges} == undirected
    with pytest.raises(OptionError, match="knows of no background knowledge"):
        discover(log, method="ges")
    with pytest.raises(OptionError, match="takes numbers"):
        discover(log, method="lingam")
    rng = np.random.default_rng(0)
    a = rng.exponential(size=2_000)
    b = a + rng.exponential(size=2_000)
    ordered = Log("log.csv", "b", b, {"c": b + rng.exponential(size=2_000)}, {"a": a})
    assert said(discover(ordered, knowledge=Knowledge(), method="lingam", resamples=0)) == {"a -> b", "b -> c"}


def test_a_wide_log_is_quick() -> None:
    rng = np.random.default_rng(0)
    context: dict[str, Column] = {f"c{place}": rng.normal(size=2_000) for place in range(30)}
    log = Log("log.csv", "x", context["c0"] + rng.normal(size=2_000), {"y": rng.normal(size=2_000)}, context)  # type: ignore[operator]
    found = discover(log, resamples=2)
    assert "c0 -> x" in said(found)
    assert len(found.edges) < 12
