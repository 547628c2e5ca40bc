"""Leaving torch: what the file says, and the gate that refuses a file which says something else."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")

from huiyi.errors import DataError, ExportError, HuiyiError, InputError, MissingExtraError  # noqa: E402 - as above
from huiyi.perceive.encoders import onnx as onnx_encoder  # noqa: E402
from huiyi.perceive.encoders.onnx import INPUTS, OUTPUT, OnnxEncoder, read_tokenizer  # noqa: E402
from huiyi.train.tuning import eightbits  # noqa: E402
from huiyi.train.tuning.eightbits import LARGE_TABLE, by_token, in_blocks  # noqa: E402
from huiyi.train.tuning.export import EXACT, TIE, Parity, ParityTolerance, export  # noqa: E402

WIDTH, MAX_TOKENS = 32, 16
VOCABULARY = LARGE_TABLE // WIDTH + 75  # so that the table of words counts as large
PHRASE = "where is my card it was stolen lost and not here yet how do i get a new one please 我 的 卡 丢 了 在 哪 里"
TEXTS = (
    "where is my card",
    "卡丢了",
    "",
    "my card 没到 yet",
    "how do i get a new one please",
    "i",
    "a new card please",
    "it was stolen",
    "我的卡在哪里",
    "card " * 50,
    "not here yet",
    "lost and stolen",
)

_SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 2 * MAX_TOKENS,
    "initializer_range": 0.2,
}
BACKBONES: dict[str, Callable[[Any], Any]] = {
    "bert": lambda t: t.BertModel(t.BertConfig(**_SIZES), add_pooling_layer=False),
    "roberta": lambda t: t.RobertaModel(t.RobertaConfig(**_SIZES), add_pooling_layer=False),
    "gpt2": lambda t: t.GPT2Model(
        t.GPT2Config(
            vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=2, n_head=4, n_positions=32, bos_token_id=1, eos_token_id=2
        )
    ),
    "t5": lambda t: t.T5EncoderModel(
        t.T5Config(vocab_size=VOCABULARY, d_model=WIDTH, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    ),
}


class Pooled(torch.nn.Module):  # type: ignore[misc]
    """A backbone with the vector of its first or its last token, or with their mean."""

    def __init__(self, backbone: Any, pooling: str) -> None:
        super().__init__()
        self.backbone, self.pooling = backbone, pooling

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        features = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if self.pooling == "first":
            chosen = features[:, 0]
        elif self.pooling == "last":
            last = (attention_mask.sum(dim=1) - 1).clamp(min=0)
            chosen = features.gather(1, last[:, None, None].expand(-1, 1, WIDTH))[:, 0]
        else:
            chosen = (features * attention_mask[:, :, None]).sum(dim=1)
        return torch.nn.functional.normalize(chosen, dim=-1)


POOLING = {"bert": "mean", "roberta": "first", "gpt2": "last", "t5": "mean"}


def made(name: str) -> Pooled:
    torch.manual_seed(0)
    return Pooled(BACKBONES[name](transformers), POOLING[name])


@pytest.fixture(scope="module")
def tokenizer() -> str:
    """Cuts at spaces and around each Chinese character, with a mark before and after, as likely pieces."""
    names = ["<pad>", "<unk>", "<s>", "</s>", *dict.fromkeys([*PHRASE.split(), *"abcdefghijklmnopqrstuvwxyz"])]
    pieces = [(name, -float(number)) for number, name in enumerate(names)]
    made = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, unk_id=1, byte_fallback=False))
    made.normalizer = tokenizers.normalizers.BertNormalizer()
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    return str(made.to_str())


@pytest.fixture(scope="module")
def bert() -> Pooled:
    return made("bert")


def exported(encoder: Any, tokenizer: str, texts: Sequence[str] = TEXTS, **options: Any) -> Any:
    return export(encoder, tokenizer, texts, **{"width": WIDTH, "max_tokens": MAX_TOKENS} | options)


def served(model: bytes, tokenizer: str, texts: Sequence[str] = TEXTS, *, width: int = WIDTH) -> np.ndarray:
    return OnnxEncoder("tiny", model, tokenizer, width=width, max_tokens=MAX_TOKENS).encode(texts)[""]


def one_by_one(encoder: Any, tokenizer: str) -> np.ndarray:
    """What torch says of each text alone, with nothing filled up."""
    cutter = read_tokenizer(tokenizer, max_tokens=MAX_TOKENS)
    rows = []
    with torch.inference_mode():
        for text in TEXTS:
            ids = torch.tensor([cutter.encode(text.strip()).ids])
            rows.append(encoder.eval()(ids, torch.ones_like(ids)).numpy()[0])
    return np.array(rows)


def labels_of(vectors: np.ndarray) -> np.ndarray:
    """Probabilities of five labels, each with a random direction."""
    scores = 3 * vectors @ np.random.default_rng(0).normal(size=(vectors.shape[1], 5))
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_the_file_says_what_torch_says(name: str, tokenizer: str) -> None:
    """In both precisions, and each text for itself."""
    encoder = made(name)
    expected = one_by_one(encoder, tokenizer)
    assert (np.abs(expected @ expected.T)[~np.eye(len(TEXTS), dtype=bool)] < 0.9999).all()
    sizes = {}
    for quantised, precision, most in ((True, "int8", 0.005), (False, "fp32", 1e-6)):
        left = exported(encoder, tokenizer, quantised=quantised, labels_of=labels_of)
        together = served(left.model, tokenizer)
        alone = np.vstack([served(left.model, tokenizer, [text]) for text in TEXTS])
        np.testing.assert_allclose(alone, together, atol=1e-6)
        distance = 1 - (together * expected).sum(axis=1)
        difference = np.abs(labels_of(together) - labels_of(expected)).max()
        assert distance.max() < most
        assert (left.precision, left.notices, left.parity.rows) == (precision, (), len(TEXTS))
        assert left.parity.cosine_distance == pytest.approx(distance.max(), abs=1e-6)
        assert left.parity.probability_difference == pytest.approx(difference, abs=1e-5)
        assert left.parity.agreement == 1
        sizes[precision] = len(left.model)
        operations = {node.op_type for node in onnx.load_from_string(left.model).graph.node}
        assert ("MatMulInteger" in operations) is quantised
        if name == "gpt2":
            assert ("Gemm" in operations) is not quantised
    assert sizes["int8"] < 0.45 * sizes["fp32"]


def test_the_encoder_is_left_as_it_was(bert: Pooled, tokenizer: str) -> None:
    bert.train()
    bert.backbone.encoder.layer[0].eval()
    flags = [module.training for module in bert.modules()]
    weights = {name: weight.clone() for name, weight in bert.state_dict().items()}
    first, second = (exported(bert, tokenizer, TEXTS[:3]) for _ in range(2))
    assert first.model == second.model
    assert [module.training for module in bert.modules()] == flags
    assert all(torch.equal(weight, weights[name]) for name, weight in bert.state_dict().items())
    assert all(weight.requires_grad for weight in bert.parameters())


def test_nothing_is_left_behind(
    bert: Pooled, tokenizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    exported(bert, tokenizer)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_8_bits_past_the_tolerance_give_way_to_32(bert: Pooled, tokenizer: str) -> None:
    left = exported(bert, tokenizer, tolerance=ParityTolerance(cosine_distance=1e-9))
    assert left.precision == "fp32"
    assert left.parity.cosine_distance < 1e-6
    (notice,) = left.notices
    assert "not kept in 8 bits" in notice
    assert "largest cosine distance is" in notice
    assert "expected at most 1e-09" in notice


def test_labels_that_change_count_too(bert: Pooled, tokenizer: str) -> None:
    """A head so sharp that 8 bits change its labels and 32 bits do not; but ties are nobody's fault."""
    direction = np.random.default_rng(1).normal(size=WIDTH)
    middle = np.median(one_by_one(bert, tokenizer) @ direction)

    def sharp(vectors: np.ndarray) -> np.ndarray:
        steps = np.floor((vectors @ direction - middle) * 2_000) % 2
        return np.stack([steps, 1 - steps], axis=1) * apart

    apart = TIE / 2
    assert exported(bert, tokenizer, labels_of=sharp).parity.agreement == 1
    apart = TIE * 2
    left = exported(bert, tokenizer, labels_of=sharp)
    assert left.precision == "fp32"
    assert left.parity.agreement == 1
    assert "of the labels agree, expected at least 99.5%" in left.notices[0]


def test_a_file_that_never_agrees_is_refused(bert: Pooled, tokenizer: str) -> None:
    asked: list[int] = []

    def moody(vectors: np.ndarray) -> np.ndarray:
        asked.append(len(vectors))
        return np.full((len(vectors), 2), len(asked) % 2)

    with pytest.raises(
        ExportError, match=r"answers otherwise .* largest difference of a probability is 1, expected"
    ) as caught:
        exported(bert, tokenizer, labels_of=moody)
    assert isinstance(caught.value, HuiyiError)
    assert not isinstance(caught.value, InputError)  # the user did nothing wrong


def test_what_is_not_exact_enough_by_token_is_kept_in_blocks(
    bert: Pooled, tokenizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eightbits, "BLOCK", 16)
    usual = exported(bert, tokenizer)
    assert "MatMulInteger" in {node.op_type for node in onnx.load_from_string(usual.model).graph.node}
    left = exported(bert, tokenizer, tolerance=ParityTolerance(cosine_distance=0.9 * usual.parity.cosine_distance))
    assert "MatMulNBits" in {node.op_type for node in onnx.load_from_string(left.model).graph.node}
    assert (left.precision, left.notices) == ("int8", ())
    assert left.parity.cosine_distance < usual.parity.cosine_distance


@pytest.mark.parametrize("quantised", [True, False])
def test_a_file_is_held_to_what_it_said_where_it_was_made(
    bert: Pooled, tokenizer: str, monkeypatch: pytest.MonkeyPatch, quantised: bool
) -> None:
    left = exported(bert, tokenizer, quantised=quantised)
    opened: list[bool] = []
    usual = onnx_encoder.open_session

    def open_session(*args: Any, is_careful: bool = False, **options: Any) -> Any:
        opened.append(is_careful)
        return usual(*args, is_careful=is_careful, **options)

    monkeypatch.setattr(onnx_encoder, "open_session", open_session)
    served(left.model, tokenizer)
    assert opened == [False]
    parsed = onnx.load_from_string(left.model)
    probe = json.loads(parsed.metadata_props[0].value)
    probe["vector"][0] += 0.01  # as if sums overflowed on this processor, or had on the other
    onnx.helper.set_model_props(parsed, {"probe": json.dumps(probe)})
    with pytest.raises(DataError, match="on this processor the ONNX file says otherwise"):
        served(parsed.SerializeToString(), tokenizer)
    assert opened == [False, False, True]


class Branching(torch.nn.Module):  # type: ignore[misc]
    """Counts token ids, and looks at how many there are before it does."""

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        counts = torch.nn.functional.one_hot(input_ids * attention_mask, 60).float().sum(dim=1)
        counts[:, 0] = 0
        if input_ids.shape[1] > 4:
            counts = counts.flip(dims=(1,))
        return torch.nn.functional.normalize(counts, dim=-1)


class Fixed(torch.nn.Module):  # type: ignore[misc]
    """Counts token ids of as many texts as there were when it was traced."""

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        counts = torch.nn.functional.one_hot(input_ids, 60).float()
        rows = [counts[row].sum(dim=0) for row in range(len(input_ids))]
        return torch.nn.functional.normalize(torch.stack(rows), dim=-1)


class Unwritable(torch.nn.Module):  # type: ignore[misc]
    """Does what ONNX has no operation for."""

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        return torch.linalg.svd((input_ids * attention_mask).float()[:, :, None]).U[:, :, 0]


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (Branching(), "answers otherwise than it does in torch: the largest cosine distance is"),
        (Fixed(), "answers otherwise than it does in torch: .*cannot take|answers otherwise"),
        (Unwritable(), "torch cannot write Unwritable as ONNX"),
    ],
)
def test_what_cannot_be_traced_is_refused(encoder: Any, message: str, tokenizer: str) -> None:
    with pytest.raises(ExportError, match=message):
        exported(encoder, tokenizer, width=60)


def test_wrong_use(bert: Pooled, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no text to compare"):
        exported(bert, tokenizer, ())
    with pytest.raises(ValueError, match=r"vectors of shape \(1, 32\), expected \(1, 7\)"):
        exported(bert, tokenizer, width=7)
    with pytest.raises(DataError, match="tokenizer cannot be read"):
        exported(bert, "no tokenizer")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"huiyi\[tune\]"):
        exported(bert, tokenizer)


def test_tolerance_names_all_that_is_past_it() -> None:
    tolerance = ParityTolerance(cosine_distance=0.1, probability_difference=0.2, agreement=0.9)
    assert tolerance.exceeded_by(Parity(0.1, 0.2, 0.9, 10)) == ""
    assert tolerance.exceeded_by(Parity(0.1, None, None, 10)) == ""
    assert tolerance.exceeded_by(Parity(0.5, 0.6, 0.8, 10)) == (
        "the largest cosine distance is 0.5, expected at most 0.1; "
        "the largest difference of a probability is 0.6, expected at most 0.2; "
        "80.0% of the labels agree, expected at least 90.0%"
    )
    assert "nan" in tolerance.exceeded_by(Parity(float("nan"), None, None, 10))
    assert EXACT.exceeded_by(Parity(2e-4, None, None, 10))


def graph(nodes: Sequence[Any], weights: dict[str, np.ndarray], columns: int) -> bytes:
    """A file from ``input_ids`` and ``attention_mask`` to ``vectors``."""
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(name, onnx.TensorProto.INT64, ["batch", "length"]) for name in INPUTS]
    output = helper.make_tensor_value_info(OUTPUT, floats, ["batch", "length", columns])
    tensors = [onnx.numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()]
    made = helper.make_graph(list(nodes), "test", inputs, [output], tensors)
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString())


def run(model: bytes, ids: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run([OUTPUT], {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0])


def test_blocks_keep_each_weight_to_half_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table, and a layer that shares its weights with another; inputs that are no multiple of a block."""
    monkeypatch.setattr(eightbits, "LARGE_TABLE", 100)
    monkeypatch.setattr(eightbits, "BLOCK", 32)
    rng = np.random.default_rng(0)
    table, layer = rng.normal(size=(50, 40)) * rng.lognormal(size=(50, 1)), rng.normal(size=(40, 40))
    table[7] = 0
    node = onnx.helper.make_node
    nodes = [
        node("Gather", ["table", "input_ids"], ["words"]),
        node("MatMul", ["words", "layer"], ["once"]),
        node("MatMul", ["once", "layer"], [OUTPUT]),
    ]
    plain = graph(nodes, {"table": table, "layer": layer}, 40)
    small = in_blocks(plain)
    tensors = {tensor.name: tensor for tensor in onnx.load_from_string(small).graph.initializer}
    assert sorted(tensors) == ["layer.block_scales", "layer.blocks", "table.row_scales", "table.rows"]
    rows, scales = (onnx.numpy_helper.to_array(tensors[f"table.{part}"]) for part in ("rows", "row_scales"))
    assert rows.dtype == np.int8
    assert (np.abs(rows * scales - table) <= scales * 0.5001).all()
    steps, scales = (onnx.numpy_helper.to_array(tensors[f"layer.{part}"]) for part in ("blocks", "block_scales"))
    assert steps.shape == (40, 2, 32)
    again = ((steps.astype(float) - 128) * scales.reshape(40, 2, 1)).reshape(40, -1)
    assert (np.abs(again[:, :40] - layer.T) <= scales.max() * 0.5001).all()
    assert (again[:, 40:] == 0).all()
    ids = np.arange(50)[None]
    expected = table @ layer @ layer
    found = run(small, ids)[0]
    np.testing.assert_allclose(run(plain, ids)[0], expected, rtol=1e-4, atol=1e-4)
    lengths = np.linalg.norm(expected, axis=1)
    assert (np.linalg.norm(found - expected, axis=1) <= 0.02 * lengths).all()


def test_by_token_each_column_and_each_token_has_a_scale() -> None:
    """Three layers, of which two are given the same; one token is all zero, and one a thousand times the others."""
    rng = np.random.default_rng(0)
    table, first, second = rng.normal(size=(50, 40)), rng.normal(size=(40, 30)), rng.normal(size=(30, 20))
    table[7], table[9], second[:, 3] = 0, 1_000 * table[9], 0
    node = onnx.helper.make_node
    nodes = [
        node("Gather", ["table", "input_ids"], ["words"]),
        node("MatMul", ["words", "first"], ["left"]),
        node("MatMul", ["words", "other"], ["right"]),
        node("Add", ["left", "right"], ["both"]),
        node("MatMul", ["both", "second"], [OUTPUT]),
    ]
    plain = graph(nodes, {"table": table, "first": first, "other": first[:, ::-1], "second": second}, 20)
    small = by_token(plain)
    parsed = onnx.load_from_string(small)
    assert [node.op_type for node in parsed.graph.node].count("QuantizeLinear") == 2  # once for what two are given
    columns = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in parsed.graph.initializer}
    assert columns["first.columns"].dtype == np.int8
    again = columns["first.columns"] * columns["first.column_scales"] * 127
    assert (np.abs(again - first) <= columns["first.column_scales"] * 127 * 0.5001).all()
    ids = np.arange(50)[None]
    expected = table @ (first + first[:, ::-1]) @ second
    found = run(small, ids)[0]
    np.testing.assert_allclose(run(plain, ids)[0], expected, rtol=1e-4, atol=1e-3)
    assert (np.linalg.norm(found - expected, axis=1) <= 0.03 * np.linalg.norm(expected, axis=1)).all()
    np.testing.assert_array_equal(run(small, ids[:, 5:6])[0], found[5:6])  # no token depends on its neighbours


@pytest.mark.parametrize(
    ("options", "shrunk"), [({}, True), ({"transB": 1}, False), ({"alpha": 2.0}, False), ({"beta": 0.5}, False)]
)
@pytest.mark.parametrize(("rewrite", "layer"), [(by_token, "MatMulInteger"), (in_blocks, "MatMulNBits")])
def test_layers_with_a_bias(
    options: dict[str, Any], shrunk: bool, rewrite: Callable[[bytes], bytes], layer: str
) -> None:
    rng = np.random.default_rng(0)
    node = onnx.helper.make_node
    nodes = [
        node("Cast", ["input_ids"], ["numbers"], to=onnx.TensorProto.FLOAT),
        node("Gemm", ["numbers", "layer", "bias"], ["flat"], **options),
        node("Unsqueeze", ["flat", "axis"], [OUTPUT]),
    ]
    model = onnx.load_from_string(graph(nodes, {"layer": rng.normal(size=(40, 40)), "bias": rng.normal(size=40)}, 40))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "axis"))
    plain = model.SerializeToString()
    small = rewrite(plain)
    assert (layer in {node.op_type for node in onnx.load_from_string(small).graph.node}) is shrunk
    ids = rng.integers(-5, 5, size=(6, 40))
    expected = run(plain, ids)
    assert np.abs(run(small, ids) - expected).max() <= 0.02 * np.abs(expected).max()
