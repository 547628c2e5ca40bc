"""What links texts to a graph: how well a name fits, and what only looks like a part of something else."""

import pytest

from huiyi.reason.link import Linker


@pytest.mark.parametrize(("name", "text"), [("saver_ticket", "my saver ticket"), ("two-day pass", "a Two-Day Pass")])
def test_a_name_that_is_said_as_it_is_spelt_fits_wholly(name: str, text: str) -> None:
    (links,) = Linker.of([name]).link([text])
    assert [link.score for link in links] == [1.0]


@pytest.mark.parametrize(
    ("text", "found"), [("明天的灵活票要退", ["明天"]), ("感冒灵还有吗", []), ("感冒药还有吗", [])]
)
def test_what_makes_another_thing_of_a_name(text: str, found: list[str]) -> None:
    (links,) = Linker.of(["明天", "感冒"]).link([text])
    assert [link.entity for link in links] == found
