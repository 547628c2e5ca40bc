"""A tiny backbone in the hub's format, made by hand."""

from pathlib import Path

import pytest

WORDS = [
    *("where", "is", "my", "card", "the", "arrived", "yet", "stolen", "was", "lost", "has", "it", "please", "cancel"),
    *("order", "a", "parcel", "late", "not", "here", "want", "to", "refund", "money", "back", "track", "status", "pin"),
]


def texts(label: str, count: int) -> list[tuple[str, str]]:
    """Rows of one label, which its own words tell."""
    own = {"card": "card stolen lost pin", "order": "parcel order late track", "money": "refund money back cancel"}[
        label
    ]
    words = own.split()
    shared = ["where", "is", "my", "the", "please", "it"]
    return [
        (f"{shared[i % 6]} {words[i % 4]} {shared[(i // 6) % 6]} {words[(i // 4) % 4]} {WORDS[i % len(WORDS)]}", label)
        for i in range(count)
    ]


@pytest.fixture(scope="session")
def rows() -> list[tuple[str, str]]:
    """24 rows of each of three labels."""
    return [row for label in ("card", "order", "money") for row in texts(label, 24)]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights."""
    pytest.importorskip("torch", reason="fine-tuning needs the extra tune")
    transformers = pytest.importorskip("transformers", reason="fine-tuning needs the extra tune")
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("backbones") / "tiny"
    vocabulary = {word: place for place, word in enumerate(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]))}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, **names).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64,
    )  # fmt: skip
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder
