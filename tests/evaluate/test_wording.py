from __future__ import annotations

from dataclasses import fields
from string import Formatter

import pytest

from huiyi.evaluate import FIGURES
from huiyi.evaluate.wording import CHINESE, ENGLISH, Wording, shown


@pytest.mark.parametrize("words", [ENGLISH, CHINESE], ids=lambda words: words.code)
def test_every_figure_has_a_name_and_a_meaning(words: Wording) -> None:
    assert tuple(words.figures) == FIGURES
    assert all(name and meaning for name, meaning in words.figures.values())


def test_both_languages_leave_room_for_the_same_numbers() -> None:
    def rooms(words: Wording, name: str) -> set[str | None]:
        text = getattr(words, name)
        return {room for _, room, _, _ in Formatter().parse(text) if room} if isinstance(text, str) else set()

    assert all(rooms(ENGLISH, field.name) == rooms(CHINESE, field.name) for field in fields(Wording))


def test_every_figure_can_be_shown() -> None:
    assert all(shown(name, 1) for name in FIGURES)
