import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest

from huiyi.cause.drawing import WIDTH, draw, laid_out
from huiyi.cause.model import CausalModel

from .graphs import random_model

DESK = CausalModel.of(
    *(f"column_{number} -> {end}" for number in range(30) for end in ("reply", "solved")),
    "intent -> reply -> answered_within_an_hour -> solved",
    "intent -> solved",
    "mood -> reply",
    "mood -> solved",
    "desk_of_the_person_who_answers -> reply",
    "solved <-> answered_within_an_hour",
    roles={"reply": "action", "solved": "outcome", "mood": "hidden", "intent": "intent"},
)
MODELS = [DESK, *(random_model(np.random.default_rng(seed), nodes=8, hidden=3) for seed in range(6))]


@pytest.mark.parametrize("model", MODELS)
def test_boxes_stay_in_the_picture_and_off_each_other(model: CausalModel) -> None:
    boxes = laid_out(model)
    assert sorted(name for box in boxes for name in box.names) == sorted(model.roles)
    for box in boxes:
        assert box.left >= 0
        assert box.left + box.width <= WIDTH
    for one, other in combinations(boxes, 2):
        apart = one.left + one.width <= other.left or other.left + other.width <= one.left
        assert apart or one.bottom <= other.top or other.bottom <= one.top


@pytest.mark.parametrize("model", MODELS)
def test_causes_stand_above_what_they_lead_to(model: CausalModel) -> None:
    by_name = {name: box for box in laid_out(model) for name in box.names}
    for cause, effect in model.arrows:
        assert by_name[cause].bottom < by_name[effect].top


@pytest.mark.parametrize("model", MODELS)
def test_the_picture_is_whole_and_stays_within_its_edges(model: CausalModel) -> None:
    picture = draw(model)
    root = ElementTree.fromstring(picture)
    height = float(root.attrib["height"])
    paths = [path.attrib["d"] for path in root.iter("{http://www.w3.org/2000/svg}path") if "stroke" in path.attrib]
    boxes = laid_out(model)
    of = {name: place for place, box in enumerate(boxes) for name in box.names}
    pairs = {(of[a], of[b]) for a, b in model.arrows} | {(of[a], of[b], "arc") for a, b in model.arcs}
    assert len(paths) == len(pairs)
    for path in paths:
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", path)]
        assert all(0 <= x <= WIDTH for x in numbers[::2])
        assert all(0 <= y <= height for y in numbers[1::2])
    assert "href" not in picture.replace('xmlns="http', "")


def test_what_is_hidden_is_dashed_and_nothing_else_is() -> None:
    plain = CausalModel.of("z -> x -> y", "z -> y")
    assert "dasharray" not in draw(plain)
    assert draw(CausalModel(plain.roles, plain.arrows, (("x", "y"),))).count("dasharray") == 1
    assert draw(plain.hiding(["z"])).count("dasharray") == 3  # the box and its two arrows


def test_many_alike_are_one_box() -> None:
    (box,) = [box for box in laid_out(DESK) if len(box.names) > 1]
    assert len(box.names) == 30
    assert box.lines[-1] == "30 × measured"


def test_no_name_gets_out_of_its_text() -> None:
    picture = draw(CausalModel({"<b>&\x00\"'": "context"}, ()))
    assert "<b>" not in picture
    ElementTree.fromstring(picture)
