"""Units of texts: what is cut where, and what is left when some are taken out."""

from __future__ import annotations

import pytest

from huiyi.explain.units import units_of, without


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("?!… 😀", []),
        ("don't re-send 3.5 kg", ["don't", "re-send", "3.5", "kg"]),
        ("a_b", ["a", "b"]),
        ("カードが来ない", ["カ", "ー", "ド", "が", "来", "な", "い"]),
        ("naïve café", ["naïve", "café"]),
        ("退款refund退", ["退", "款", "refund", "退"]),
    ],
)
def test_where_texts_are_cut(text: str, expected: list[str]) -> None:
    units = units_of(text)
    assert [unit.text for unit in units] == expected
    assert all(text[unit.start : unit.end] == unit.text for unit in units)


def test_a_cut_of_ones_own_keeps_its_places() -> None:
    text = "我要退款，马上"
    units = units_of(text, cut=lambda stretch: [stretch[place : place + 2] for place in range(0, len(stretch), 2)])
    assert [unit.text for unit in units] == ["我要", "退款", "马上"]
    assert all(text[unit.start : unit.end] == unit.text for unit in units)


def test_what_is_left() -> None:
    text = "please refund  my order"
    units = units_of(text)
    assert without(text, units, set()) == "please refund my order"
    assert without(text, units, {0, 3}) == "refund my"
    assert without(text, units, range(4)) == ""
    assert without(text, units, {1}, mask="_") == "please _  my order"
    assert without("我要退款", units_of("我要退款"), {0, 1}) == "退款"
