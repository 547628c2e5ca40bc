"""Words of one text: long and empty ones, too little time, and what is asked of the model."""

from __future__ import annotations

from collections.abc import Sequence
from time import sleep
from typing import Any

import numpy as np
import pytest

from huiyi.errors import OptionError
from huiyi.explain.parts import deadline
from huiyi.explain.words import MOST_UNITS, explain_words
from huiyi.explanation import Faithfulness


def worth(texts: Sequence[str]) -> Any:
    return np.array([0.1 + 0.6 * ("stolen" in text) - 0.1 * ("not" in text) for text in texts])


def explained(text: str, **options: Any) -> Any:
    return explain_words(text, worth, task="intent", label="theft", **options)


def test_words_have_their_places_and_sum_to_the_probability() -> None:
    text = "My card was not lost, but stolen!"
    found = explained(text)
    assert [text[word.start : word.end] for word in found.words] == [word.text for word in found.words]
    weights = {word.text: word.weight for word in found.words}
    assert weights["stolen"] == pytest.approx(0.6) and weights["not"] == pytest.approx(-0.1)
    assert found.without_words + sum(weights.values()) == pytest.approx(found.probability) == pytest.approx(0.6)
    assert (found.label, found.sufficed, found.faithfulness.sufficiency) == ("theft", True, pytest.approx(-0.1))


@pytest.mark.parametrize("text", ["", "  ", "?!"])
def test_a_text_without_words(text: str) -> None:
    found = explained(text)
    assert (found.words, found.faithfulness) == ((), None)
    assert found.probability == found.without_words


def test_phrases_of_a_long_text() -> None:
    text = " ".join(["word"] * 250 + ["stolen"] + ["more"] * 250)
    found = explained(text)
    assert len(found.words) <= MOST_UNITS
    assert "stolen" in max(found.words, key=lambda word: word.weight).text
    assert found.passes <= 400


def test_too_little_time_gives_the_best_so_far() -> None:
    def slow(texts: Sequence[str]) -> Any:
        sleep(0.02)
        return worth(texts)

    text = "my card was stolen from me in town"
    found = explain_words(text, slow, task="intent", label="theft", until=deadline(0.01))
    assert (found.sufficed, max(found.words, key=lambda word: word.weight).text) == (False, "stolen")
    assert found.without_words + sum(word.weight for word in found.words) == pytest.approx(found.probability)
    for method in ("chains", "shapley", "occlusion"):  # no time at all: nothing is told apart
        found = explain_words(text, slow, task="intent", label="theft", method=method, until=deadline(1e-9))
        assert not found.sufficed
        assert [word.weight for word in found.words] == pytest.approx([0.6 / 8] * 8)


def test_every_method_is_measured() -> None:
    for method in ("chains", "shapley", "occlusion"):
        assert isinstance(explained("my card was stolen", method=method).faithfulness, Faithfulness)


def test_what_cannot_be_asked_for() -> None:
    with pytest.raises(OptionError, match=r"method 'chain' is not known.*Did you mean 'chains'\?"):
        explained("stolen", method="chain")
    for seconds in (0, -1, float("nan")):
        with pytest.raises(OptionError, match="expected more than 0"):
            deadline(seconds)
