"""What holds for every method on every kind of backbone, and what is special to some."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

from huiyi.errors import MissingExtraError, ModelFolderError, OptionError  # noqa: E402 - without torch, none of it is tested
from huiyi.train.tuning.methods import (  # noqa: E402
    METHODS,
    AdaLora,
    AdaLoraConfig,
    Adapters,
    AdaptersConfig,
    Full,
    FullConfig,
    Lora,
    LoraConfig,
    Method,
    Prefix,
    PrefixConfig,
    parameter_table,
)
from huiyi.train.tuning.methods.prefix import _attend  # noqa: E402

_SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 32,
}
_MARKS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_T5 = {"vocab_size": 50, "d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_heads": 4}
_GPT2 = {"vocab_size": 50, "n_embd": 16, "n_layer": 2, "n_head": 4, "bos_token_id": 1, "eos_token_id": 2}

BACKBONES: dict[str, Callable[[Any], Any]] = {
    "bert": lambda t: t.BertModel(t.BertConfig(**_SIZES)),
    "roberta": lambda t: t.RobertaModel(t.RobertaConfig(**_SIZES)),
    "modernbert": lambda t: t.ModernBertModel(
        t.ModernBertConfig(
            **_SIZES, **_MARKS, cls_token_id=1, sep_token_id=2, global_attn_every_n_layers=2, local_attention=4
        )
    ),
    "gpt2": lambda t: t.GPT2Model(t.GPT2Config(**_GPT2)),
    "qwen2": lambda t: t.Qwen2Model(t.Qwen2Config(**_SIZES, num_key_value_heads=2)),
    "gemma": lambda t: t.GemmaModel(t.GemmaConfig(**_SIZES, num_key_value_heads=1, head_dim=8)),
    "t5": lambda t: t.T5EncoderModel(t.T5Config(**_T5)),
}
CAUSAL = ("gpt2", "qwen2", "gemma")

STATED: dict[str, Callable[[str], bool]] = {
    "head": lambda name: False,
    "full": lambda name: not name.startswith("pooler."),
    "lora": lambda name: ".lora_" in name and "pooler" not in name,
    "adalora": lambda name: ".lora_" in name and "pooler" not in name,
    "prefix": lambda name: ".prefix." in name,
    "adapters": lambda name: ".adapter." in name,
}
"""By method, whether the parameter of a name is one that it says will train."""

_IDS = torch.tensor([[3, 4, 5, 6, 7], [8, 9, 10, 0, 0]])
_SEEN = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


@pytest.fixture(scope="module")
def backbones() -> dict[str, Any]:
    """One tiny backbone of each kind, drawn from a fixed seed. They are copied, never changed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {name: make(transformers).eval() for name, make in BACKBONES.items()}


@pytest.fixture(params=BACKBONES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backbone(backbones: dict[str, Any], kind: str) -> Any:
    return copy.deepcopy(backbones[kind])


@pytest.fixture
def bert(backbones: dict[str, Any]) -> Any:
    return copy.deepcopy(backbones["bert"])


def attached(method: Method, backbone: Any, *, steps: int = 4, seed: int = 0) -> Any:
    return method.attach(backbone, steps=steps, rng=np.random.default_rng(seed))


def read(module: Any, ids: Any = _IDS, seen: Any = _SEEN) -> Any:
    """The last hidden states of what is seen, in evaluation mode. Shape (tokens, width)."""
    module.eval()
    with torch.no_grad():
        return module(input_ids=ids, attention_mask=seen).last_hidden_state[seen > 0]


def train(method: Method, module: Any, *, steps: int = 4, learning_rate: float = 0.01, seed: int = 0) -> Any:
    """Train as a strategy does, towards arbitrary outputs."""
    torch.manual_seed(seed)  # dropout draws from it
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(trained or [torch.nn.Parameter(torch.zeros(()))], lr=learning_rate)
    module.train()
    for step in range(steps):
        states = module(input_ids=_IDS, attention_mask=_SEEN).last_hidden_state
        loss = ((states - torch.linspace(-1, 1, states.shape[-1])) ** 2)[_SEEN > 0].mean() + method.penalty(module)
        if trained:
            loss.backward()
            optimiser.step()
        method.after_step(module, step)
        optimiser.zero_grad()
    return module


def distance(left: Any, right: Any) -> float:
    return float((left - right).detach().abs().max())


@pytest.mark.parametrize("name", METHODS)
def test_only_what_is_stated_gets_a_gradient(name: str, backbone: Any) -> None:
    method = Full(config=FullConfig(words_train=True)) if name == "full" else METHODS[name]()
    module = attached(method, backbone)
    stated = {parameter for parameter, _ in module.named_parameters() if STATED[name](parameter)}
    assert {parameter for parameter, value in module.named_parameters() if value.requires_grad} == stated
    loss = module(input_ids=_IDS, attention_mask=_SEEN).last_hidden_state.square().mean() + method.penalty(module)
    assert loss.requires_grad == bool(stated)
    if stated:
        loss.backward()
    assert {parameter for parameter, value in module.named_parameters() if value.grad is not None} == stated


@pytest.mark.parametrize("name", METHODS)
def test_starts_as_the_backbone_and_learns_beside_it(name: str, backbone: Any) -> None:
    method = METHODS[name]()
    before = read(backbone)
    weights = [(parameter, parameter.detach().clone()) for parameter in backbone.parameters()]
    module = attached(method, backbone)
    at_start = read(module)
    if name == "prefix":  # it takes a share of the attention from the start
        assert distance(at_start, before) < 0.2 * float(before.abs().max())
    else:
        assert distance(at_start, before) < 1e-6
    train(method, module, steps=1)
    after = read(module)
    assert torch.isfinite(after).all()
    assert (distance(after, at_start) > 1e-7) == (name != "head")
    if name != "full":
        assert all(torch.equal(parameter, value) for parameter, value in weights)


@pytest.mark.parametrize("name", METHODS)
def test_merged_gives_the_same_and_leaves_the_module_as_it_was(name: str, backbone: Any) -> None:
    method = METHODS[name]()
    module = train(method, attached(method, backbone))
    state = {key: value.clone() for key, value in module.state_dict().items()}
    merged = method.merged(module)
    assert not merged.training
    assert not any(parameter.requires_grad for parameter in merged.parameters())
    assert not any("lora" in parameter for parameter, _ in merged.named_parameters())
    assert distance(read(merged), read(module)) < 1e-5
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
    assert sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad) == (
        parameter_table(module).trained
    )


@pytest.mark.parametrize("name", METHODS)
def test_the_difference_brings_it_back(name: str, backbone: Any) -> None:
    method, fresh = METHODS[name](), copy.deepcopy(backbone)
    module = train(method, attached(method, backbone))
    difference = method.difference(module)
    table = parameter_table(module)
    assert sum(tensor.numel() for tensor in difference.values()) == table.trained
    assert sum(tensor.nbytes for tensor in difference.values()) == table.saved_bytes
    assert table.total == sum(parameter.numel() for parameter in module.parameters())
    again = attached(method, fresh, seed=1)
    method.load_difference(again, difference)
    assert distance(read(again), read(module)) < 1e-6


@pytest.mark.parametrize("name", METHODS)
def test_same_seed_same_result(name: str, bert: Any) -> None:
    method, torch_state = METHODS[name](), torch.get_rng_state()
    first, second = (attached(method, copy.deepcopy(bert)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert torch.equal(read(train(method, first)), read(train(method, second)))
    other = method.difference(attached(method, copy.deepcopy(bert), seed=1))
    drawn = method.difference(attached(method, bert))
    assert any(not torch.equal(value, other[key]) for key, value in drawn.items()) == (name not in {"head", "full"})


@pytest.mark.parametrize("name", METHODS)
def test_padding_makes_no_difference(name: str, backbone: Any, kind: str) -> None:
    method = METHODS[name]()
    module = train(method, attached(method, backbone))
    alone = read(module, _IDS[1:, :3], _SEEN[1:, :3])
    assert distance(read(module)[5:], alone) < 1e-5
    if kind in CAUSAL:  # what comes later is not seen, prefix or not
        assert distance(read(module, _IDS[:1, :2], _SEEN[:1, :2]), read(module)[:2]) < 1e-5


@pytest.mark.parametrize("name", METHODS)
def test_can_be_exported(name: str, bert: Any) -> None:
    method = METHODS[name]()
    merged = method.merged(train(method, attached(method, bert)))
    any_size = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    inputs = {"input_ids": _IDS, "attention_mask": _SEEN}
    exported = torch.export.export(merged, (), inputs, dynamic_shapes=dict.fromkeys(inputs, any_size), strict=False)
    ids = torch.arange(3, 24).reshape(3, 7)
    seen = torch.ones_like(ids)
    seen[1, 4:] = 0
    assert distance(read_exported(exported, ids, seen), read(merged, ids, seen)) < 1e-5


def read_exported(exported: Any, ids: Any, seen: Any) -> Any:
    with torch.no_grad():
        return exported.module()(input_ids=ids, attention_mask=seen).last_hidden_state[seen > 0]


def test_methods_are_told_without_torch() -> None:
    code = (
        "import sys; from huiyi.train.tuning.methods import METHODS; print(*METHODS); "
        "print([name for name in ('torch', 'transformers', 'peft') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split("\n")[:2] == ["head full lora adalora prefix adapters", "[]"]


def test_each_method_has_a_learning_rate_of_its_own() -> None:
    assert {name: METHODS[name]().learning_rate for name in METHODS} == {
        name: METHODS[name](config=None).config.learning_rate for name in METHODS
    }
    assert all(METHODS[name]().learning_rate > Full().learning_rate for name in METHODS if name != "full")


@pytest.mark.parametrize("words_train", [True, False])
def test_full_can_leave_the_words_alone(words_train: bool, backbone: Any) -> None:
    words = backbone.get_input_embeddings().weight
    method = Full(config=FullConfig(words_train=words_train))
    before = words.detach().clone()
    module = train(method, attached(method, backbone))
    assert torch.equal(words, before) == (not words_train)
    assert any(tensor.shape == words.shape for tensor in method.difference(module).values()) == words_train


def test_lora_takes_the_layers_it_is_told(bert: Any) -> None:
    method = Lora(config=LoraConfig(rank=2, modules=("query", "attention.output.dense")))
    named = method.difference(attached(method, bert))
    assert {name.partition(".lora_")[0].removeprefix("model.encoder.layer.") for name in named} == {
        f"{layer}.attention.{part}" for layer in (0, 1) for part in ("self.query", "output.dense")
    }
    assert {min(tensor.shape) for tensor in named.values()} == {2}


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_adalora_keeps_its_budget(steps: int, bert: Any) -> None:
    method = AdaLora(config=AdaLoraConfig(start_rank=4, rank=2))
    module = train(method, attached(method, bert, steps=steps), steps=steps)
    ranks = [int((tensor != 0).sum()) for name, tensor in method.difference(module).items() if ".lora_E." in name]
    assert len(ranks) == 12  # six linear layers in each of two
    # After a single step there was no time to deal out anything.
    assert sum(ranks) == (12 * 4 if steps == 1 else 12 * 2)


def test_adalora_asks_for_orthonormal_vectors(bert: Any) -> None:
    method = AdaLora(config=AdaLoraConfig(start_rank=3, rank=2, orthogonality=1.0))
    module = attached(method, bert)
    plain = [
        np.sqrt(((product - np.eye(3)) ** 2).sum())
        for name, tensor in method.difference(module).items()
        for vectors in [tensor.numpy() if ".lora_A." in name else tensor.numpy().T]
        for product in [vectors @ vectors.T]
        if ".lora_E." not in name
    ]
    assert float(method.penalty(module).detach()) == pytest.approx(np.mean(plain), rel=1e-5)
    for name, parameter in module.named_parameters():
        if ".lora_A." in name or ".lora_B." in name:
            torch.nn.init.orthogonal_(parameter)
    assert float(method.penalty(module).detach()) < 1e-5


def test_a_prefix_that_is_not_read_changes_nothing(backbone: Any) -> None:
    before = read(backbone)
    module = attached(Prefix(config=PrefixConfig(offset=-1e6)), backbone)
    assert distance(read(module), before) < 1e-5


def test_attention_over_a_prefix_is_what_the_formula_says() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 3, length, 4) for length in (5, 5, 5))
    prefix = {"key": torch.randn(1, 3, 2, 4), "value": torch.randn(1, 3, 2, 4), "offset": torch.randn(1, 1, 1, 2)}
    mask = torch.full((5, 5), -1e9).triu(1).expand(2, 1, 5, 5)
    bias = torch.randn(1, 3, 5, 5)
    attention: Any = torch.nn.Module()
    attention.prefix = prefix
    output, _ = _attend(attention, query, key, value, mask, scaling=0.3, position_bias=bias)
    before = 0.3 * query @ prefix["key"].transpose(2, 3) + prefix["offset"]
    scores = torch.cat([before, 0.3 * query @ key.transpose(2, 3) + bias + mask], dim=3).exp()
    values = torch.cat([prefix["value"].expand(2, -1, -1, -1), value], dim=2)
    expected = (scores / scores.sum(dim=3, keepdim=True)) @ values
    assert distance(output, expected.transpose(1, 2)) < 1e-5


def test_an_adapter_is_what_the_formula_says(bert: Any) -> None:
    module = train(Adapters(), attached(Adapters(config=AdaptersConfig(width=3)), bert))
    projection = module.encoder.layer[1].output.dense
    down, up = (projection.adapter[part] for part in (0, 2))
    hidden = torch.randn(4, 32)
    plain = hidden @ projection.weight.T + projection.bias
    bottleneck = torch.nn.functional.gelu(plain @ down.weight.T + down.bias)
    assert distance(projection(hidden), plain + bottleneck @ up.weight.T + up.bias) < 1e-5


@pytest.mark.parametrize(
    ("method", "says"),
    [
        (Lora(config=LoraConfig(rank=0, dropout=1.0)), "rank is 0.*dropout is 1.0"),
        (Lora(config=LoraConfig(modules=("querry",))), "BertModel has no linear layer 'querry'.*query"),
        (AdaLora(config=AdaLoraConfig(rank=12)), "rank is 12 and start_rank 12"),
        (AdaLora(config=AdaLoraConfig(warm_share=0.7, dropout=-1.0)), "dropout is -1.0.*warm_share is 0.7"),
        (AdaLora(config=AdaLoraConfig(interval_steps=0, orthogonality=-1.0)), "interval_steps is 0.*orthogonality"),
        (Prefix(config=PrefixConfig(tokens=0)), "tokens is 0"),
        (Adapters(config=AdaptersConfig(width=0)), "width is 0"),
    ],
)
def test_options_that_cannot_be_used(method: Method, says: str, bert: Any) -> None:
    with pytest.raises(OptionError, match=says):
        attached(method, bert)


def test_architectures_that_are_not_known() -> None:
    """FNet mixes with a Fourier transform: it has nothing to put a prefix before, and layers of another form."""
    sizes = {key: value for key, value in _SIZES.items() if key != "num_attention_heads"}
    fnet = transformers.FNetModel(transformers.FNetConfig(**sizes, use_tpu_fourier_optimizations=False))
    for name in ("prefix", "adapters"):
        with pytest.raises(OptionError, match=rf"{name}: FNetModel .*lora"):
            attached(METHODS[name](), fnet)


def test_a_difference_of_something_else_is_refused(bert: Any) -> None:
    small, large = Lora(config=LoraConfig(rank=2)), Lora(config=LoraConfig(rank=3))
    module = attached(small, copy.deepcopy(bert))
    with pytest.raises(ModelFolderError, match=r"of shape \(3, 16\) there, but of shape \(2, 16\)"):
        small.load_difference(module, large.difference(attached(large, bert)))
    with pytest.raises(ModelFolderError, match="is missing there"):
        small.load_difference(module, {})


@pytest.mark.parametrize("name", ["lora", "adalora"])
def test_without_peft(name: str, bert: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match=r"huiyi\[tune\]"):
        attached(METHODS[name](), bert)
