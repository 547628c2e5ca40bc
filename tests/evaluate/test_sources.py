"""What each source adds, and pictures in the report."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import huiyi
from huiyi.evaluate import evaluate, sources_table, write_report
from huiyi.evaluate.thumbnails import thumbnail
from huiyi.values import Media, Record

PLANS = ("gold", "iron")


def rows(count: int, *, seed: int, label: str = "intent") -> list[Record]:
    """The plan alone tells the label; the text tells nothing; every third row has no plan."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        plan = PLANS[number % 2]
        text = " ".join(rng.choice(["please", "help", "thanks", "today", "hello", "what"], 4))
        fields = {} if number % 3 == 0 else {"plan": plan}
        found.append(Record(id=str(number), text=text, fields=fields, labels={label: f"is_{plan}"}))
    return found


@pytest.fixture(scope="module")
def model() -> huiyi.Model:
    return huiyi.train(rows(120, seed=0))


def test_a_source_that_tells_all_and_one_that_tells_nothing(model: huiyi.Model, tmp_path: Path) -> None:
    test = [*rows(60, seed=1), Record(text="a tiger", labels={"intent": "oos"})]
    evaluation = evaluate(model, test)
    text, fields = evaluation.sources["text"], evaluation.sources["fields"]
    assert (text.rows, fields.rows) == (60, 40)
    accuracy = evaluation.figures["accuracy"]
    assert fields.without == text.alone and text.without == fields.alone
    assert fields.alone >= 40 / 60
    assert accuracy - fields.without > 0.15
    assert min(text.milliseconds, fields.milliseconds) > 0
    write_report(evaluation, tmp_path / "r.html", language="zh")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "各来源的作用" in page and "表单" in page and f"{fields.alone:.1%}" in page
    assert sources_table(evaluation).row_count == 2


def test_one_source_needs_no_table(tmp_path: Path) -> None:
    model = huiyi.train([("where is my card", "arrival"), ("my card was stolen", "theft")])
    evaluation = evaluate(model, [("has it arrived", "arrival")])
    assert evaluation.sources == {}
    write_report(evaluation, tmp_path / "r.html")
    assert "What each source adds" not in (tmp_path / "r.html").read_text("utf-8")


def test_pictures_stand_in_the_report(model: huiyi.Model, tmp_path: Path) -> None:
    Image.new("RGB", (900, 300), "teal").save(tmp_path / "big.png")
    (tmp_path / "broken.png").write_bytes(b"junk")
    address = thumbnail(Record(images=(Media(path=tmp_path / "big.png"),)))
    assert address is not None
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as image:
        assert (image.format, image.size) == ("JPEG", (96, 32))
    assert thumbnail(Record(images=(Media(path=tmp_path / "broken.png"),))) is None
    assert thumbnail(Record(images=(Media(path=tmp_path / "gone.png"),))) is None
    wrong = [
        Record(
            text="hello", fields={"plan": "gold"}, images=(Media(path=tmp_path / name),), labels={"intent": "is_iron"}
        )
        for name in ("big.png", "broken.png")
    ]
    write_report(evaluate(model, wrong), tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert len(re.findall(r'<img src="data:image/jpeg;base64,[A-Za-z0-9+/=]+" alt="">', page)) >= 1
    assert "img-src data:" in page
