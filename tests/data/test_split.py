"""Splitting: every record in one part, every label in about its share."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyi.data import split
from huiyi.values import Record, Span

SHARES = st.sampled_from([(1.0,), (0.8, 0.2), (0.5, 0.5), (0.6, 0.2, 0.2), (0.1, 0.9), (1 / 3, 1 / 3, 1 / 3)])


def labelled(names: str) -> list[Record]:
    """One record for each letter, ``-`` for one without a label."""
    return [Record(labels={} if name == "-" else {"intent": name}) for name in names]


@given(names=st.text("aaaabbcdefgh-", max_size=200), shares=SHARES, seed=st.integers(0, 99))
def test_every_record_is_in_one_part_and_labels_are_spread(names: str, shares: tuple[float, ...], seed: int) -> None:
    parts = split(labelled(names), "intent", shares, np.random.default_rng(seed))
    assert sorted(index for part in parts for index in part) == list(range(len(names)))
    assert all(list(part) == sorted(part) for part in parts)
    for name, count in Counter(names).items():
        for part, share in zip(parts, shares, strict=True):
            got = sum(names[index] == name for index in part)
            assert abs(got - share * count) <= len(shares)


def test_parts_have_the_size_asked_for() -> None:
    records = labelled("a" * 700 + "b" * 211 + "c" * 89)
    parts = split(records, "intent", (0.6, 0.2, 0.2), np.random.default_rng(0))
    assert [len(part) for part in parts] == [600, 200, 200]


def test_a_rare_label_stays_in_the_largest_part() -> None:
    records = labelled("a" * 50 + "bcdefg")
    for seed in range(10):
        small, large = split(records, "intent", (0.3, 0.7), np.random.default_rng(seed))
        assert {records[index].labels["intent"] for index in large} == set("abcdefg")
        assert {records[index].labels["intent"] for index in small} == {"a"}


def test_many_rare_labels_do_not_skew_the_others() -> None:
    records = labelled("".join(chr(200 + i) for i in range(100)) + "a" * 10)
    _, test = split(records, "intent", (0.8, 0.2), np.random.default_rng(0))
    assert [records[index].labels["intent"] for index in test] == ["a", "a"]


def test_of_several_labels_the_rarest_counts() -> None:
    records = [Record(labels={"intents": ("common", "rare") if i % 10 == 0 else ("common",)}) for i in range(100)]
    train, test = split(records, "intents", (0.8, 0.2), np.random.default_rng(0))
    assert sum("rare" in records[index].labels["intents"] for index in train) == 8
    assert len(test) == 20


def test_spans_count_by_their_labels() -> None:
    records = [Record(labels={"spans": (Span("city", 0, 1),) if i % 4 == 0 else ()}) for i in range(40)]
    _, test = split(records, "spans", (0.5, 0.5), np.random.default_rng(0))
    assert sum(bool(records[index].labels["spans"]) for index in test) == 5


def test_the_seed_decides() -> None:
    records = labelled("abcab" * 20)
    first, again, other = (split(records, "intent", (0.5, 0.5), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_without_a_task() -> None:
    parts = split(labelled("-" * 10), None, (0.5, 0.5), np.random.default_rng(0))
    assert [len(part) for part in parts] == [5, 5]


@pytest.mark.parametrize("shares", [(), (0.5, 0.4), (1.0, 0.0), (1.5, -0.5)])
def test_shares_must_add_up(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="Expected numbers above 0 that add up to 1"):
        split(labelled("ab"), "intent", shares, np.random.default_rng(0))
