"""Other picture encoders, tiny and drawn at random, in the hub's own format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import huiyi
from huiyi.errors import OptionError
from huiyi.perceive.encoders.vision import vision_encoder
from huiyi.values import Media, Record

torch = pytest.importorskip("torch", reason="other encoders are exported from torch")
transformers = pytest.importorskip("transformers", reason="other encoders come by transformers")

SIDE = 32
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
PATCHED = {**SMALL, "image_size": SIDE, "patch_size": 8}


def saved(folder: Path, module: Any, scaling: dict[str, Any] | None = None) -> Path:
    module.save_pretrained(folder)
    if scaling is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(scaling), "utf-8")
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    clip = transformers.CLIPConfig(
        text_config={**SMALL, "vocab_size": 50, "max_position_embeddings": 16}, vision_config=PATCHED, projection_dim=12
    )
    convnext = transformers.ConvNextConfig(
        hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, out_features=["stage2"], image_size=SIDE
    )
    scaling = {"size": {"height": SIDE, "width": SIDE}, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}
    return {
        "vit": saved(place / "vit", transformers.ViTModel(transformers.ViTConfig(**PATCHED)), scaling),
        "clip": saved(place / "clip", transformers.CLIPModel(clip), {"crop_size": {"height": SIDE, "width": SIDE}}),
        "convnext": saved(place / "convnext", transformers.ConvNextModel(convnext)),
        "bert": saved(place / "bert", transformers.BertModel(transformers.BertConfig(**SMALL, vocab_size=50))),
    }


@pytest.mark.parametrize(("name", "width"), [("vit", 16), ("clip", 12), ("convnext", 16)])
def test_it_says_what_the_model_says_of_scaled_pixels(folders: dict[str, Path], name: str, width: int) -> None:
    encoder = vision_encoder(str(folders[name]))
    assert (encoder.side, encoder.width) == (SIDE, width)
    pictures = np.random.default_rng(0).integers(256, size=(3, SIDE, SIDE, 3), dtype=np.uint8)
    found = encoder.encode(pictures)
    module = transformers.AutoModel.from_pretrained(folders[name]).eval()
    middle, spread = ([0.4, 0.5, 0.6], [0.2, 0.3, 0.4]) if name == "vit" else ([0.5] * 3, [0.5] * 3)
    scaled = (pictures / 255 - np.array(middle)) / np.array(spread)
    seen = torch.from_numpy(scaled.transpose(0, 3, 1, 2).astype(np.float32))
    with torch.inference_mode():
        if name == "clip":
            expected = module.visual_projection(module.vision_model(pixel_values=seen).pooler_output)
        else:
            expected = module(pixel_values=seen).pooler_output.flatten(1)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


def test_what_looks_at_no_pictures_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--image-encoder .*: a bert model looks at no pictures\. Expected a folder"):
        vision_encoder(str(folders["bert"]))
    with pytest.raises(OptionError, match=r"--image-encoder .*: it cannot be read \(.*\)\. Expected a folder"):
        vision_encoder(str(tmp_path))


def test_a_model_trained_by_it(folders: dict[str, Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    records = []
    for number in range(16):
        shade = 60 if number % 2 else 190
        Image.fromarray(rng.integers(shade - 30, shade + 30, size=(40, 40, 3), dtype=np.uint8)).save(
            tmp_path / f"{number}.png"
        )
        media = (Media(path=tmp_path / f"{number}.png"),)
        records.append(Record(images=media, labels={"intent": ("light", "dark")[number % 2]}))
    config = huiyi.TrainConfig(image_encoder=str(folders["vit"]))
    model = huiyi.train(records, config=config)
    model.save(tmp_path / "model")
    loaded = huiyi.load(tmp_path / "model")
    assert [loaded.decide(Record(images=record.images)).label for record in records[:2]] == ["light", "dark"]
    with pytest.raises(OptionError, match="--image-encoder: nothing new is learnt from pictures"):
        huiyi.train([("a b", "x"), ("c d", "y")], config=config)
