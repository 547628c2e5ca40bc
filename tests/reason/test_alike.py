"""What people say in the same words."""

from __future__ import annotations

import pytest

from huiyi.errors import OptionError
from huiyi.reason import Fact, Statements, alike

SAID = Statements(
    [Fact("SaidFor", pair) for pair in (("no energy", "fatigue"), ("no energy", "weakness"), ("worn out", "fatigue"))]
)


def test_weight_is_the_share_of_words_in_common() -> None:
    found = {given.fact.arguments: given.weight for given in alike(["fatigue", "weakness", "rash"], [SAID])}
    assert found == {("fatigue", "weakness"): 0.4082, ("weakness", "fatigue"): 0.4082}  # 1 of 3 and of 2 words


def test_too_little_in_common_is_left_out() -> None:
    assert alike(["fatigue", "weakness"], [SAID], least=0.5) == []


def test_synonyms_are_words_of_each_other() -> None:
    (one, other) = alike(["fatigue", "tiredness"], [Statements([Fact("Synonym", ("tiredness", "fatigue"))])])
    assert one.weight == other.weight == 1.0
    assert one.fact == Fact("alike", ("fatigue", "tiredness"))


def test_least_is_checked() -> None:
    with pytest.raises(OptionError, match="least=0"):
        alike(["fatigue"], [SAID], least=0)
