"""Tuning the picture encoder: what is learnt by it, what stays, and what a trained model says afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import huiyi
from huiyi.errors import OptionError
from huiyi.train.tuning import pictures
from huiyi.train.tuning.pictures import Squares, picture_backbone
from huiyi.values import Media, Record

torch = pytest.importorskip("torch", reason="it is tuned by torch")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Stripes that lie or stand, of any colour and width; every ninth row has words alone, which tell nothing."""
    folder, rng, found = tmp_path_factory.mktemp("stripes"), np.random.default_rng(0), []
    for number in range(48):
        stands = number % 2 == 1
        image = Image.new("RGB", (90, 70), tuple(int(value) for value in rng.integers(120, 256, 3)))
        draw, step = ImageDraw.Draw(image), int(rng.integers(8, 16))
        for start in range(int(rng.integers(step)), 90, step):
            box = (start, 0, start + 3, 70) if stands else (0, start, 90, start + 3)
            draw.rectangle(box, fill=tuple(int(value) for value in rng.integers(0, 80, 3)))
        image.save(folder / f"{number}.png")
        media = () if number % 9 == 8 else (Media(path=folder / f"{number}.png"),)
        text = "just words" if not media else None
        found.append(Record(id=str(number), text=text, images=media, labels={"intent": ("lies", "stands")[stands]}))
    return found


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small squares and few epochs."""
    monkeypatch.setattr(pictures, "SIDE", 64)
    monkeypatch.setattr(pictures, "PICTURES_SEEN", 80)
    monkeypatch.setattr(pictures, "FEWEST_EPOCHS", 2)


def test_pictures_are_varied_while_they_teach_and_never_afterwards(records: list[Record]) -> None:
    squares = Squares([record.images[0] for record in records[:4]])
    rows = np.arange(4)
    plain = squares.batch(rows)["pictures"]
    assert (plain.shape, plain.dtype) == ((4, pictures.SIDE, pictures.SIDE, 3), torch.uint8)
    assert torch.equal(plain, squares.batch(rows)["pictures"])
    torch.manual_seed(1)
    first = squares.batch(rows, varied=True)["pictures"]
    second = squares.batch(rows, varied=True)["pictures"]
    torch.manual_seed(1)
    again = squares.batch(rows, varied=True)["pictures"]
    assert torch.equal(first, again) and not torch.equal(first, second)
    assert first.shape == plain.shape and float(first.min()) >= 0 and float(first.max()) <= 255
    assert abs(float(first.mean()) - float(plain.float().mean())) < 40
    order = np.concatenate(list(squares.shuffled(3, np.random.default_rng(0))))
    assert sorted(order) == [0, 1, 2, 3]


def test_the_lower_layers_and_the_normalisations_rest() -> None:
    backbone = picture_backbone()
    module: Any = backbone.method("full").attach(backbone.module, steps=1, rng=np.random.default_rng(0))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.train()
    noise = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    vectors = module(noise)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2), atol=1e-5)
    vectors[:, 0].sum().backward()
    moved = {name for name, value in module.named_parameters() if value.grad is not None}
    lowest = min(int(name.split(".")[2]) for name in moved)
    assert lowest == pictures.LOWER_LAYERS
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items() if "running" in name)
    above = [backbone.layers_above(name) for name, _ in module.named_parameters()]
    assert above == sorted(above, reverse=True) and above[-1] < above[0]


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_tuned_model_of_pictures(records: list[Record], tmp_path: Path) -> None:
    """It learns what the frozen encoder hardly tells, serves from its folder, and says the same there."""
    told: list[str] = []
    config = huiyi.TrainConfig(effort="tuned")
    model = huiyi.train(
        [record for record in records if record.images], config=config, on_epoch=lambda what, _: told.append(what)
    )
    assert "image@intent" in model.perception.names
    assert any(what.startswith("image@intent, without part 1") for what in told)
    assert "image@intent, all" in told
    asked = [Record(images=record.images) for record in records if record.images][:8]
    before = model.align(model.perceive(asked)).probabilities
    model.save(tmp_path / "model")
    after = huiyi.load(tmp_path / "model")
    np.testing.assert_allclose(after.align(after.perceive(asked)).probabilities, before, atol=1e-6)
    assert after.perception["image@intent"].tuned


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_rows_without_a_picture_are_told_by_the_rest(records: list[Record]) -> None:
    fields = [
        Record(id=r.id, images=r.images, fields={"turn": r.labels["intent"][0]}, labels=r.labels) for r in records
    ]
    model = huiyi.train(fields, config=huiyi.TrainConfig(effort="tuned"))
    assert "image@intent" in model.perception.names
    told = model.decide(Record(fields={"turn": "l"}))
    assert told.label == "lies"


def test_nothing_to_tune(records: list[Record]) -> None:
    rows = [Record(fields={"turn": str(i % 2)}, labels={"intent": "ab"[i % 2]}) for i in range(8)]
    with pytest.raises(OptionError, match="no row has a text or a picture, which are what is fine-tuned to"):
        huiyi.train(rows, config=huiyi.TrainConfig(effort="tuned"))
