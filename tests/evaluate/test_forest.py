import re

from huiyi.evaluate.forest import Twig, forest
from huiyi.values import Estimate

CALL = Twig("call", Estimate(0.08, 0.06, 0.10, 0.01), naive=-0.04)


def places(svg: str, tag: str, attribute: str) -> list[float]:
    return [float(place) for place in re.findall(rf'<{tag} [^>]*?{attribute}="([-\d.]+)"', svg)]


def test_the_naive_answer_lies_on_its_side_of_the_line_of_no_effect():
    svg = forest([CALL], "replies")
    (none, _), (naive, found) = places(svg, "line", "x1"), places(svg, "circle", "cx")
    assert naive < none < found


def test_shares_are_told_in_points_of_a_hundred():
    assert "+10%" in forest([CALL], "replies", are_shares=True) and "+0.1<" in forest([CALL], "replies")


def test_what_cannot_be_told_is_named_and_not_drawn():
    svg = forest([CALL, Twig("gift <b>", None)], "replies")
    assert "gift &lt;b&gt;" in svg and svg.count("<circle") == 2


def test_an_interval_without_an_end_stays_on_the_paper():
    svg = forest([Twig("call", Estimate(1.0, -float("inf"), float("inf"), float("inf"))), CALL], "replies")
    assert "inf" not in re.sub(r"<title>.*?</title>", "", svg)
    assert all(0 <= x <= 420 for x in places(svg, "line", "x1") + places(svg, "line", "x2"))


def test_ticks_are_round_whatever_the_size():
    for size in (1e-4, 1.0, 3000.0):
        svg = forest([Twig("call", Estimate(size, 0.5 * size, 2 * size, size))], "replies")
        ticks = [float(text.replace(",", "")) for text in re.findall(r">([+-][\d.,e-]+)</text>", svg)]
        assert 2 <= len(ticks) <= 8 and 0 in ticks
