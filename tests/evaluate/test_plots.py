from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyi.evaluate.plots import Axis, Bars, Dots, Line, Mark, Whiskers, chart, ticks


@given(st.floats(0, 0.99), st.floats(0.01, 1))
def test_ticks_are_a_few_round_numbers_within_the_axis(low: float, width: float) -> None:
    found = ticks(low, low + width)
    assert 2 <= len(found) <= 6
    assert low - 1e-9 <= found[0]
    assert found[-1] <= low + width + 1e-9


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [(0, 1, ["0%", "20%", "100%"]), (0.97, 1, ["97%", "98%", "100%"]), (0, 0.01, ["0.0%", "0.2%", "1.0%"])],
)
def test_numbers_have_as_many_decimals_as_they_need(low: float, high: float, texts: list[str]) -> None:
    svg = chart("title", Axis("x", low, high), Axis("y", 0, 1), [])
    assert all(f">{text}</text>" in svg for text in texts)


def test_every_mark_lands_inside_the_drawing_and_the_svg_is_well_formed() -> None:
    axis = Axis("a <b> & c", 0, 1)
    marks: list[Mark] = [
        Line([(0, 0), (1, 1)], is_dashed=True),
        Dots([(0.5, 0.25)]),
        Whiskers([(0.5, 0.1, 0.4)]),
        Bars([("red", [0.5, 0]), ("blue", [0.2, 1.0])]),
    ]
    root = ElementTree.fromstring(chart("1 < 2", axis, axis, marks))
    assert root.findtext("title") == "1 < 2"
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    line = root.find("polyline")
    assert line is not None
    (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in line.attrib["points"].split())
    assert 0 < x1 < x2 < width
    assert 0 < y2 < y1 < height
    bars = [{name: float(bar.attrib[name]) for name in ("x", "y", "width", "height")} for bar in root.findall("rect")]
    assert len(bars) == 3  # the bar of height 0 is not drawn
    assert all(bar["y"] + bar["height"] == pytest.approx(y1) and x1 <= bar["x"] for bar in bars)
    assert max(bar["x"] + bar["width"] for bar in bars) <= x2
