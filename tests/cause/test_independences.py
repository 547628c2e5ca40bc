import time

import numpy as np
import pytest

from huiyi.cause import Categories, Log
from huiyi.cause.independences import Independence, agreements, implied
from huiyi.cause.log import Column
from huiyi.cause.model import CausalModel, assumed


def log_of(columns: dict[str, Column], action: str = "x", outcome: str = "y") -> Log:
    context = {name: column for name, column in columns.items() if name not in (action, outcome)}
    ended = columns[outcome]
    assert not isinstance(ended, Categories)
    return Log("log.csv", action, columns[action], {outcome: ended}, context)


def names(codes: np.ndarray) -> Categories:  # type: ignore[type-arg]
    return Categories(tuple(f"n{code}" for code in range(int(codes.max()) + 1)), codes.astype(np.intp))


def test_each_missing_edge_says_something() -> None:
    said = implied(CausalModel.of("a -> b -> c -> d", "a -> d"))
    assert set(said) == {Independence("a", "c", ("b",)), Independence("b", "d", ("a", "c"))}


def test_hidden_causes_take_an_independence_away() -> None:
    assert implied(CausalModel.of("x -> m -> y", "x <-> y")) == ()
    verma = CausalModel.of("a -> b -> c -> d", "u -> b", "u -> d", roles={"u": "hidden"})
    assert implied(verma) == (Independence("a", "c", ("b",)),)  # a and d, though without an edge, have none


def test_what_was_there_before_may_hang_together() -> None:
    free = CausalModel.of("a -> x -> y", "b -> x", roles={"a": "context", "b": "context"})
    bound = CausalModel.of("a -> x -> y", "b -> x")
    assert Independence("a", "b") not in implied(free)
    assert Independence("a", "b") in implied(bound)


def test_the_assumed_model_says_nothing_that_could_be_tested() -> None:
    rng = np.random.default_rng(0)
    columns: dict[str, Column] = {name: rng.normal(size=100) for name in ("a", "b", "x", "y")}
    assert agreements(assumed(log_of(columns), "y"), log_of(columns)) == ()


def simulated(rng: np.random.Generator, n: int, kind: str, direct: float) -> Log:
    """a -> m -> y and a -> x -> y, with an arrow from a to y that the model does not know; m is bent or by names."""
    a = rng.normal(size=n)
    if kind == "names":
        codes = rng.integers(3, size=n)
        m_codes = np.where(rng.random(n) < 0.6, codes, rng.integers(4, size=n))
        x_codes = np.where(rng.random(n) < 0.7, codes == 1, rng.random(n) < 0.5).astype(int)
        y = (m_codes == 2) * (1 + x_codes) + direct * (codes == 0) + rng.normal(size=n) * (1 + m_codes)
        return log_of({"a": names(codes), "m": names(m_codes), "x": names(x_codes), "y": y})
    m = np.abs(a) + 0.5 * rng.normal(size=n) if kind == "bent" else a + rng.normal(size=n)
    x = np.tanh(a) + rng.normal(size=n)
    y = m**2 * (kind == "bent") + m + x + direct * a**2 * (kind == "bent") + direct * a + rng.normal(size=n)
    return log_of({"a": a, "m": m, "x": x, "y": y})


@pytest.mark.parametrize("kind", ["numbers", "bent", "names"])
def test_a_right_model_is_seldom_called_wrong_and_a_wrong_one_often(kind: str) -> None:
    model = CausalModel.of("a -> m -> y", "a -> x -> y")
    rng = np.random.default_rng(5)
    alarms = sum(not all(row.holds for row in agreements(model, simulated(rng, 1_000, kind, 0.0))) for _ in range(60))
    assert alarms <= 8  # 5 % of 60 are 3; more than 8 would come by chance in 1 of 200 runs
    found = 0
    for _ in range(10):
        rows = {
            row.independence: row
            for row in agreements(model, simulated(rng, 1_000, kind, 1.5 if kind == "names" else 0.6))
        }
        found += not rows[Independence("a", "y", ("m", "x"))].holds
    assert found == 10


def test_a_column_of_a_thousand_names_is_held_equal() -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(1_000, size=20_000)
    effect = rng.normal(size=1_000)
    x, y = effect[codes] + rng.normal(size=20_000), effect[codes] + rng.normal(size=20_000)
    (row,) = agreements(CausalModel.of("g -> x", "g -> y"), log_of({"g": names(codes), "x": x, "y": y}))
    assert (row.holds, row.rows) == (True, 20_000)
    (row,) = agreements(CausalModel.of("g -> x", "g -> y"), log_of({"g": names(codes), "x": x, "y": y + 0.05 * x}))
    assert not row.holds
    assert row.strength == pytest.approx(0.05, abs=0.02)


def test_many_rows_are_cheap_and_blank_cells_are_left_out() -> None:
    rng = np.random.default_rng(4)
    columns: dict[str, Column] = {name: rng.normal(size=100_000) for name in "abcdefgh"}
    columns |= {"x": names(rng.integers(2, size=100_000)), "y": rng.normal(size=100_000), "k": np.full(100_000, 2.0)}
    columns["a"][:50_000] = np.nan  # type: ignore[index]
    model = CausalModel.of(*(f"{one} -> x" for one in "abc"), "x -> y", "d -> e -> f -> g -> h", "k -> y")
    started = time.process_time()
    rows = agreements(model, log_of(columns))
    assert time.process_time() - started < 6
    assert len(rows) == 46  # each of 55 pairs that has no edge
    assert all(row.holds for row in rows)
    assert {row.rows for row in rows} == {50_000, 100_000}


def test_a_wrong_independence_is_said_in_words() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=300)
    (row,) = agreements(CausalModel.of("a -> x", "y -> x"), log_of({"a": a, "x": a, "y": a}))
    assert str(row).startswith("The model says that 'a' and 'y' tell nothing of each other, and in the log they do")
