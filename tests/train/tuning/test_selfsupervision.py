"""Learning from texts without labels, on tiny backbones."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from huiyi.errors import DataError, OptionError
from huiyi.train.config import Session
from huiyi.train.tuning.backbones import Backbone, load_backbone
from huiyi.train.tuning.finetune import FinetuneConfig
from huiyi.train.tuning.pretexts import PRETEXTS, Batches, Masked, Order
from huiyi.train.tuning.selfsupervision import SelfSupervisionConfig, selfsupervise
from huiyi.train.tuning.tuner import Lessons, Tuner
from huiyi.values import Label, Task

torch = pytest.importorskip("torch", reason="fine-tuning needs the extra tune")
transformers = pytest.importorskip("transformers", reason="fine-tuning needs the extra tune")

QUICK = SelfSupervisionConfig(rate=3e-3, head_rate=3e-3, batch_rows=10, epochs=6)
SMALL = {"vocab_size": 64, "num_layers": 2, "num_heads": 2, "d_model": 32, "d_kv": 8, "d_ff": 64}


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """50 texts that begin in some words and end in others, and a blank one."""
    rng = np.random.default_rng(0)
    first, last = ["where", "is", "my", "the", "please", "has"], ["card", "lost", "stolen", "pin", "money", "back"]
    return [*(" ".join([*rng.permutation(first)[:3], *rng.permutation(last)[:3]]) for _ in range(50)), " "]


@pytest.fixture(scope="module", params=["encoder", "decoder", "encoder-decoder"])
def folder(request: pytest.FixtureRequest, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One of each architecture, with the tokenizer of ``tiny``."""
    if request.param == "encoder":
        return str(tiny)
    torch.manual_seed(0)
    if request.param == "decoder":
        gpt = transformers.GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=2, n_positions=64)
        model = transformers.GPT2Model(gpt)
    else:
        model = transformers.T5Model(transformers.T5Config(**SMALL))
    place = tmp_path_factory.mktemp("others") / request.param
    shutil.copytree(tiny, place)
    model.save_pretrained(place)
    return str(place)


def weights(backbone: Backbone) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy().copy() for name, value in backbone.module.named_parameters()}


@pytest.mark.parametrize("objective", PRETEXTS)
def test_each_objective_is_learnt(folder: str, texts: list[str], objective: str) -> None:
    backbone, told, ticks = load_backbone(folder), [], []
    before, words = weights(backbone), backbone.module.get_input_embeddings().weight.detach().clone()
    epochs, rate = (30, 1e-2) if objective == "order" else (6, 3e-3)
    config = replace(QUICK, objectives=(objective,), epochs=epochs, rate=rate)
    history = selfsupervise(backbone, texts, config=config, tick=ticks.append, tell=told.append)
    assert [*history] == told and set(told[0]) == {"epoch", objective, "seconds"}
    assert told[-1][objective] < 0.95 * told[0][objective]
    assert sum(ticks) == epochs * 50
    assert torch.equal(words, backbone.module.get_input_embeddings().weight)
    after = weights(backbone)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    frozen = {name for name, value in before.items() if np.array_equal(value, words.numpy())}
    assert len(changed) > len(before) / 2 and not changed & frozen


def test_the_seed_gives_the_weights_and_what_others_draw_does_not(tiny: Path, texts: list[str]) -> None:
    found = []
    for seed, others in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(others)
        backbone = load_backbone(str(tiny))
        selfsupervise(backbone, texts, config=replace(QUICK, epochs=1, seed=seed))
        found.append(weights(backbone))
    first, second, other = found
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not all(np.array_equal(first[name], other[name]) for name in first)


def test_what_is_hidden(tiny: Path) -> None:
    """Own tokens alone are hidden, at least one a text and about the share in all; another token stands there."""
    backbone = load_backbone(str(tiny))
    long = " ".join(["where is my card"] * 10)
    batch = Batches(backbone, [long] * 40 + ["card"], max_tokens=64).batch(np.arange(41))
    assert batch.own.sum(dim=1).tolist() == [40] * 40 + [1]
    for mask_id in (None, 1):
        backbone.tokenizer.mask_token = None if mask_id is None else "[UNK]"
        shown, hidden = Masked(backbone)._hidden(batch, np.random.default_rng(0))
        assert not (hidden & ~batch.own).any() and hidden.any(dim=1).all()
        assert abs(float(hidden[:40].float().sum(dim=1).mean() / 40) - 0.15) < 0.02
        assert torch.equal(shown[~hidden], batch.ids[~hidden])
        masked = float((shown[hidden] == 1).float().mean())
        assert abs(masked - (0.0 if mask_id is None else 0.8)) < 0.08


def test_the_order_of_two_parts(tiny: Path) -> None:
    backbone = load_backbone(str(tiny))
    batch = Batches(backbone, ["where is my card", "parcel late", "pin"], max_tokens=64).batch(np.arange(3))
    read: list[tuple[object, object]] = []

    def seen(ids: torch.Tensor, mask: torch.Tensor) -> object:
        read.append((ids, mask))
        return SimpleNamespace(vectors=torch.zeros(len(ids), backbone.width))

    for seed in range(8):
        Order(backbone).loss(seen, batch, np.random.default_rng(seed))  # type: ignore[arg-type]
    for ids, mask in read:
        assert torch.equal(mask, batch.mask[:2])  # a text of one token has no two parts
        for row in range(2):
            own = batch.ids[row][batch.own[row]]
            turns = [own.roll(turn) for turn in range(len(own))]
            assert any(torch.equal(ids[row][batch.own[row]], turn) for turn in turns)
            assert torch.equal(ids[row][~batch.own[row]], batch.ids[row][~batch.own[row]])
    assert len({tuple(ids[0].tolist()) for ids, _ in read}) > 2


def test_nothing_to_learn_from(tiny: Path) -> None:
    backbone = load_backbone(str(tiny))
    before = weights(backbone)
    assert selfsupervise(backbone, ["", " "]) == ()
    assert selfsupervise(backbone, ["where is my card"], config=SelfSupervisionConfig(objectives=())) == ()
    assert all(np.array_equal(before[name], value) for name, value in weights(backbone).items())
    assert len(selfsupervise(backbone, ["card"], config=replace(QUICK, epochs=1))) == 1


def test_what_cannot_be_used(tiny: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = load_backbone(str(tiny))
    with pytest.raises(OptionError, match="Did you mean 'masked'"):
        selfsupervise(backbone, texts, config=SelfSupervisionConfig(objectives=("maskd",)))
    with pytest.raises(DataError, match=r"\(contrastive\) stopped in epoch 1: the loss is nan"):
        monkeypatch.setattr("huiyi.train.tuning.pretexts.TEMPERATURE", float("nan"))
        selfsupervise(backbone, texts, config=SelfSupervisionConfig(objectives=("contrastive",)))
    for module in (still := load_backbone(str(tiny))).module.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.0
    with pytest.raises(OptionError, match="needs a backbone with dropout"):
        selfsupervise(still, texts, config=SelfSupervisionConfig(objectives=("contrastive",)))


def test_a_tuner_begins_with_it_once(tiny: Path, texts: list[str]) -> None:
    task = Task("intent", "choice", (Label("card"), Label("money")))
    there, targets = np.ones(4, dtype=bool), {"intent": np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]}
    rows = Lessons([task], texts[:4], there, targets, 4, texts[4:50])
    told: list[str] = []
    session = Session(on_epoch=lambda what, figures: told.append(what))
    taught = np.ones(4, dtype=bool)
    runs = {}
    for objectives in ((), ("masked",)):
        config = FinetuneConfig(epochs=1, selfsupervision=objectives)
        tuner = Tuner(str(tiny), "text@intent", rows, config, session)
        tuner.read(StandIn())  # type: ignore[arg-type]
        first, again = (dict(tuner.run(what, taught).module.named_parameters()) for what in ("first", "again"))
        assert all(torch.equal(value, again[name]) for name, value in first.items())
        runs[objectives] = {name: value.numpy() for name, value in first.items()}
    plain, begun = runs[()], runs[("masked",)]
    assert not all(np.array_equal(plain[name], begun[name]) for name in plain)
    assert told.count("text@intent, self-supervised") == 1


class StandIn:
    """An encoder that tells texts by their letters."""

    def encode(self, texts: list[str], *, tick: object = None) -> dict[str, np.ndarray]:
        return {"": np.array([[text.count(letter) for letter in "abcdefghi"] for text in texts], dtype=np.float32)}
