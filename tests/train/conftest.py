"""A backbone small enough to be tuned in a test."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

MakeBackbone = Callable[[Iterable[str]], str]


@pytest.fixture(scope="session")
def make_backbone(tmp_path_factory: pytest.TempPathFactory) -> MakeBackbone:
    """Writes a BERT of two layers with random weights that knows the given words, in the hub's format."""

    def make(words: Iterable[str]) -> str:
        import torch
        import transformers
        from tokenizers import Tokenizer, models, pre_tokenizers, processors

        folder: Path = tmp_path_factory.mktemp("backbones") / "tiny"
        places = {word: place for place, word in enumerate(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words]))}
        tool = Tokenizer(models.WordLevel(places, unk_token="[UNK]"))
        tool.pre_tokenizer = pre_tokenizers.Whitespace()
        tool.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        transformers.PreTrainedTokenizerFast(tokenizer_object=tool, **names).save_pretrained(folder)
        torch.manual_seed(0)
        size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
        config = transformers.BertConfig(vocab_size=len(places), max_position_embeddings=512, **size)
        transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
        return str(folder)

    return make
