"""Finding a backbone, and what is said of one that is none."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from huiyi.errors import OptionError
from huiyi.train.tuning.backbones import encoder_module, load_backbone, pooled, tokenizer_json

torch = pytest.importorskip("torch", reason="fine-tuning needs the extra tune")
transformers = pytest.importorskip("transformers", reason="fine-tuning needs the extra tune")


def other(tiny: Path, folder: Path, model: object) -> str:
    """A folder with the tokenizer of ``tiny`` and another model."""
    shutil.copytree(tiny, folder)
    model.save_pretrained(folder)  # type: ignore[attr-defined]
    return str(folder)


def test_an_encoder_gives_the_mean(tiny: Path) -> None:
    backbone = load_backbone(str(tiny))
    assert (backbone.pooling, backbone.width) == ("mean", 32)
    ids, mask = torch.tensor([[2, 5, 3, 0]]), torch.tensor([[1, 1, 1, 0]])
    with torch.inference_mode():
        features = backbone.module(input_ids=ids, attention_mask=mask).last_hidden_state
        told = encoder_module(backbone.module, "mean")(ids, mask)
    mean = features[0, :3].mean(dim=0)
    np.testing.assert_allclose(told[0], mean / mean.norm(), atol=1e-6)


def test_a_decoder_gives_its_last_token(tiny: Path, tmp_path: Path) -> None:
    size = {"vocab_size": 64, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64}
    folder = other(tiny, tmp_path / "gpt", transformers.GPT2Model(transformers.GPT2Config(**size)))
    assert load_backbone(folder).pooling == "last"
    features, mask = torch.randn(2, 3, 4), torch.tensor([[1, 1, 0], [1, 1, 1]])
    told = pooled(features, mask, "last")
    np.testing.assert_allclose(told[0], features[0, 1] / features[0, 1].norm(), atol=1e-6)
    np.testing.assert_allclose(told[1], features[1, 2] / features[1, 2].norm(), atol=1e-6)


def test_of_an_encoder_decoder_the_encoder(tiny: Path, tmp_path: Path) -> None:
    size = {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 2}
    folder = other(tiny, tmp_path / "t5", transformers.T5Model(transformers.T5Config(**size)))
    backbone = load_backbone(folder)
    assert (type(backbone.module).__name__, backbone.pooling, backbone.width) == ("T5Stack", "mean", 32)


def test_a_tokenizer_without_padding_takes_the_token_of_the_end(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(tiny, folder)
    options = json.loads((folder / "tokenizer_config.json").read_text())
    del options["pad_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(options))
    (folder / "special_tokens_map.json").unlink(missing_ok=True)
    with pytest.raises(OptionError, match="neither a padding token nor one of the end"):
        load_backbone(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps({**options, "eos_token": "[SEP]"}))
    assert load_backbone(str(folder)).tokenizer.pad_token == "[SEP]"


def test_a_tokenizer_of_another_model(tiny: Path, tmp_path: Path) -> None:
    config = transformers.BertConfig(
        vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    folder = other(tiny, tmp_path / "small", transformers.BertModel(config))
    with pytest.raises(OptionError, match=r"tokenizer knows \d+ tokens, but the model 8"):
        load_backbone(folder)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no-such-model", "there is no such folder"),
        ("all-minilm-L6-v2", "Did you mean 'all-MiniLM-L6-v2'"),
        ("./nowhere", "there is no such folder"),
        ("universal-sentence-encoder", "Did you mean 'universal-sentence-encoder-multilingual-3'"),
    ],
)
def test_names_of_nothing(name: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        load_backbone(name)


def test_folders_that_are_no_model(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"no config\.json"):
        load_backbone(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(OptionError, match="no transformer model can be read there"):
        load_backbone(str(tmp_path))
    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    (broken / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(OptionError, match="no transformer model can be read there"):
        load_backbone(str(broken))


def test_the_tokenizer_for_serving_neither_cuts_nor_pads(tiny: Path) -> None:
    backbone = load_backbone(str(tiny))
    backbone.tokenizer(["where is my card", "lost"], padding=True, truncation=True, max_length=3)
    plain = json.loads(tokenizer_json(backbone))
    assert plain["truncation"] is None and plain["padding"] is None
