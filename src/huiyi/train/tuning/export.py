"""Leave torch: a trained encoder becomes an ONNX file, which must answer as the encoder does.

A file that is smaller and faster but answers otherwise is another model, so
none is given out before it was compared with the encoder on real texts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from huiyi.errors import DataError, ExportError, MissingExtraError
from huiyi.perceive.encoders.onnx import (
    CASE,
    FEATURES,
    INPUTS,
    OUTPUT,
    PROBE,
    OnnxEncoder,
    Probe,
    Read,
    read_tokenizer,
    token_batches,
)
from huiyi.perceive.encoders.units import units_of
from huiyi.train.tuning.eightbits import by_token, in_blocks

if TYPE_CHECKING:
    import torch

    from huiyi.values import Array

Precision = Literal["int8", "fp32"]

OPSET = 17  # the first whose LayerNormalization is one operation
TRACED_TOKENS = 8
PROBED = 20  # texts, of which the longest becomes the probe
TIE = 0.01  # between two labels this near in probability chance decides, whatever the precision


@dataclass(frozen=True)
class Parity:
    """How far a file's answers are from those of the encoder it was made of.

    Attributes:
        cosine_distance: 1 − cosine of the two vectors of a text, the largest.
        probability_difference: The largest between two probabilities of one
            label; None where no labels were asked for.
        agreement: Share of the texts whose most probable label is the same, or
            was the most probable but for TIE; None likewise.
        rows: How many texts were compared.
        tag_agreement: Share of the units of all texts whose most probable tag
            is the same, or was but for TIE; None where no tags were asked for.
    """

    cosine_distance: float
    probability_difference: float | None
    agreement: float | None
    rows: int
    tag_agreement: float | None = None


@dataclass(frozen=True)
class ParityTolerance:
    """How far a file's answers may be from those of the encoder.

    The defaults are for 8 bits.

    Attributes:
        cosine_distance: For each text. A hundredth is an angle of 8 degrees,
            small beside those between texts of different intents. With a
            scale for each token 8 bits come to 0.005, with one for each block
            to 0.001, with one for all that a layer is given to 0.02 and more.
        probability_difference: For each probability. The largest of many is
            reached where two labels are about equally probable; 8 bits come
            to 0.06, and in blocks to 0.03.
        agreement: At least. 1 in 200 is less than what another seed changes.
    """

    cosine_distance: float = 0.01
    probability_difference: float = 0.1
    agreement: float = 0.995

    def exceeded_by(self, parity: Parity) -> str:
        """What of ``parity`` is past the tolerance, as half a sentence, or nothing."""
        difference = parity.probability_difference
        past = [
            f"the largest {name} is {value:.2g}, expected at most {most:.2g}"
            for name, value, most in (
                ("cosine distance", parity.cosine_distance, self.cosine_distance),
                ("difference of a probability", difference, self.probability_difference),
            )
            if value is not None and not value <= most  # which is also true of NaN
        ]
        past += [
            f"{share:.1%} of the {name} agree, expected at least {self.agreement:.1%}"
            for name, share in (("labels", parity.agreement), ("tags", parity.tag_agreement))
            if share is not None and not share >= self.agreement
        ]
        return "; ".join(past)


EXACT = ParityTolerance(cosine_distance=1e-4, probability_difference=1e-4, agreement=1.0)
"""For 32 bits."""


@dataclass(frozen=True)
class Exported:
    """An encoder that left torch.

    Attributes:
        model: The ONNX file, for ``OnnxEncoder``.
        precision: Of its weights.
        parity: How near it is to the encoder it was made of.
        notices: What was done otherwise than asked, one sentence each.
    """

    model: bytes
    precision: Precision
    parity: Parity
    notices: tuple[str, ...] = ()


def export(
    encoder: torch.nn.Module,
    tokenizer_json: str,
    texts: Sequence[str],
    *,
    width: int,
    max_tokens: int,
    quantised: bool = True,
    labels_of: Callable[[Array], Array] | None = None,
    tags_of: Callable[[Array], Array] | None = None,
    sees_case: bool = False,
    tolerance: ParityTolerance | None = None,
) -> Exported:
    """Write an encoder as an ONNX file, and hold it to the encoder's own answers.

    The file is compared as it will be served. One of 8 bits with a scale for
    each token that is past the tolerance gives way to one with a scale for each
    block, and that to one of 32 bits, with a notice. The file carries what it
    says of one text here, so that another processor can be held to it.

    Args:
        encoder: From ``input_ids`` and ``attention_mask``, both int64 of shape
            (batch, length), to vectors of length 1, shape (batch, width), in
            single precision. With ``tags_of`` it also gives features of the
            tokens, shape (batch, length, width). Adapters should be merged: the
            file keeps them as they are. It is left as it was.
        tokenizer_json: The text of its ``tokenizer.json``.
        texts: Real ones, on which it is compared. Some hundred are enough.
        width: Columns of the vectors.
        max_tokens: Of a longer text only the beginning is read.
        quantised: Whether to try 8 bits.
        labels_of: Maps vectors (n, width) to probabilities (n, labels), to
            compare these too.
        tags_of: Maps the features of m units, shape (m, width), to
            probabilities (m, tags), to compare these too.
        sees_case: Whether the encoder's third input says how words are written.
        tolerance: For 8 bits; None takes the defaults. For 32 bits it is EXACT.

    Raises:
        ExportError: torch cannot write the encoder, or what it wrote gives
            other vectors.
        DataError: The tokenizer cannot be read, or there are no texts.
        MissingExtraError: ``onnx``, ``onnxruntime`` or ``tokenizers`` is missing.
        ValueError: The encoder's vectors have another width.

    Example:
        >>> import torch
        >>> from tokenizers import Tokenizer, models
        >>> class Marks(torch.nn.Module):
        ...     def forward(self, input_ids, attention_mask):
        ...         marks = torch.nn.functional.one_hot(input_ids * attention_mask, 3).float()
        ...         return torch.nn.functional.normalize(marks.sum(dim=1), dim=1)
        >>> words = Tokenizer(models.WordLevel({"no": 0, "card": 1, "lost": 2}, unk_token="no"))
        >>> left = export(Marks(), words.to_str(), ["card", "lost"], width=3, max_tokens=8, quantised=False)
        >>> left.precision, left.parity.rows, left.parity.cosine_distance < 1e-6
        ('fp32', 2, True)
    """
    if not texts:
        raise DataError("export: there is no text to compare the file on; expected some hundred. Give training texts")
    with _at_rest(encoder):
        outputs = (OUTPUT, FEATURES) if tags_of else (OUTPUT,)
        plain = _written(encoder, min(TRACED_TOKENS, max_tokens), (*INPUTS, CASE) if sees_case else INPUTS, outputs)
        tokenizer = read_tokenizer(tokenizer_json, max_tokens=max_tokens)
        expected = _expected(encoder, tokenizer, texts, width=width, sees_case=sees_case)
    attempts: list[tuple[Precision, Callable[[], bytes], ParityTolerance]] = [("fp32", lambda: plain, EXACT)]
    if quantised:
        limits = tolerance or ParityTolerance()
        attempts = [("int8", lambda: by_token(plain), limits), ("int8", lambda: in_blocks(plain), limits), *attempts]
    past = ""
    for precision, make, limits in attempts:
        model = make()
        served = OnnxEncoder("exported", model, tokenizer_json, width=width, max_tokens=max_tokens)
        notice = (
            "The backbone is not kept in 8 bits, as its file would answer otherwise than the backbone does: "
            f"{past}. It is kept in 32 bits, which is larger and slower."
        )
        notices = (notice,) if past and precision == "fp32" else ()
        try:
            read = served.read(texts)
        except DataError as error:  # it cannot be opened or run
            past = str(error)
        else:
            parity = _parity(expected, read, labels_of, tags_of)
            past = limits.exceeded_by(parity)
            if not past:
                return Exported(_with_probe(model, tokenizer, texts, sees_case), precision, parity, notices)
    raise ExportError(
        f"export: the ONNX file of {type(encoder).__name__} answers otherwise than it does in torch: {past}. "
        "A forward pass whose steps depend on the texts or their lengths is written as it ran once. "
        "Write it with tensor operations alone, or tune another backbone"
    )


def _with_probe(model: bytes, tokenizer: Any, texts: Sequence[str], sees_case: bool) -> bytes:
    """The file, with what it says here of the longest of some texts, as far as one window goes."""
    import onnx

    batches = [batch for text in texts[:PROBED] for batch in token_batches(tokenizer, [text])]
    if not batches:  # no text has any tokens
        return model
    longest = max(batches, key=lambda batch: batch.ids.shape[1])
    probe = Probe.taken(model, longest.ids[:1], longest.cases()[:1] if sees_case else None)
    parsed = onnx.load_from_string(model)
    onnx.helper.set_model_props(parsed, {PROBE: probe.to_json()})
    content: bytes = parsed.SerializeToString()
    return content


@contextmanager
def _at_rest(encoder: torch.nn.Module) -> Iterator[None]:
    """Nothing is dropped out; afterwards each part is as it was."""
    before = [(module, module.training) for module in encoder.modules()]
    encoder.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def _written(encoder: torch.nn.Module, length: int, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """The encoder as an ONNX file of 32 bits, traced on two texts of ``length`` and half as many tokens."""
    import torch

    try:
        import onnx  # noqa: F401  so that what is missing is said before the work
    except ImportError as error:
        raise MissingExtraError("Exported backbones", extra="tune") from error
    ids = torch.ones((2, length), dtype=torch.int64, device=_device(encoder))
    mask = torch.ones_like(ids)
    mask[1, (length + 1) // 2 :] = 0
    axes = {name: {0: "batch", 1: "length"} for name in (*inputs, FEATURES)} | {OUTPUT: {0: "batch"}}
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        # It warns that it is the older exporter. The newer one takes eight times as long and cannot write T5.
        # It warns also of what it may have traced wrongly; whether it has is seen when the file is compared.
        warnings.simplefilter("ignore")
        file = Path(folder) / "encoder.onnx"
        try:
            torch.onnx.export(
                encoder,
                (ids, mask, torch.zeros_like(ids))[: len(inputs)],
                file,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes={name: axes[name] for name in (*inputs, *outputs)},
                opset_version=OPSET,
                dynamo=False,
            )
        except (RuntimeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ExportError(
                f"export: torch cannot write {type(encoder).__name__} as ONNX ({reason}). Expected a module of tensor "
                "operations that ONNX knows. Tune another backbone, or by another method"
            ) from error
        return file.read_bytes()


@dataclass(frozen=True, eq=False)
class _Expected:
    """What the encoder says in torch: vectors (n, width), and features of the units of the texts ``whole``."""

    vectors: Array
    features: Array
    whole: Sequence[int]


def _expected(
    encoder: torch.nn.Module, tokenizer: Any, texts: Sequence[str], *, width: int, sees_case: bool
) -> _Expected:
    """What the encoder says of each text alone, and of the units of those that are one window.

    The file is asked for many at once, so it is refused too if its texts depend on each other.
    """
    import torch

    vectors = np.zeros((len(texts), width), dtype=np.float32)
    features, whole = [np.zeros((0, width), np.float32)], []
    device = _device(encoder)
    with torch.no_grad():
        for row, text in enumerate(texts):
            for batch in token_batches(tokenizer, [text]):  # none, if it has no tokens
                given = (batch.ids, batch.mask, batch.cases())[: 2 + sees_case]
                found = encoder(*(torch.from_numpy(values).to(device) for values in given))
                both = found if isinstance(found, tuple) else (found,)
                vector, *told = (part.float().cpu().numpy() for part in both)
                if vector.shape != (1, width):
                    raise ValueError(
                        f"export: the encoder gives vectors of shape {vector.shape}, expected {(1, width)}. "
                        "Set width to the number of its columns"
                    )
                vectors[row] = vector
                (window,) = batch.windows
                if told and not window.encoding.overflowing:
                    features.append(told[0][0, units_of(window.text, window.encoding).places])
                    whole.append(row)
    return _Expected(vectors, np.concatenate(features), whole)


def _device(encoder: torch.nn.Module) -> torch.device:
    """Where the encoder's weights are."""
    import torch

    return next((weight.device for weight in encoder.parameters()), torch.device("cpu"))


def _parity(
    expected: _Expected,
    read: Read,
    labels_of: Callable[[Array], Array] | None,
    tags_of: Callable[[Array], Array] | None,
) -> Parity:
    """How far what was read is from what was expected."""
    left, right = expected.vectors.astype(np.float64), read.vectors.astype(np.float64)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosines = np.einsum("ij,ij->i", left, right) / np.where(lengths == 0, 1, lengths)
    same = (left == right).all(axis=1)  # also those without tokens, which have no direction
    parity = Parity(float(np.where(same, 0, 1 - cosines).max()), None, None, len(left))
    if labels_of is not None:
        labels, served = labels_of(expected.vectors), labels_of(read.vectors)
        difference = float(np.abs(labels - served).max())
        parity = replace(parity, probability_difference=difference, agreement=_agreement(labels, served))
    if tags_of is not None and len(expected.features):
        assert read.units is not None, "it was written with features"
        units = read.units.take(expected.whole).values
        parity = replace(parity, tag_agreement=_agreement(tags_of(expected.features), tags_of(units)))
    return parity


def _agreement(labels: Array, served: Array) -> float:
    """Share of the rows whose most probable label is the same, or was but for TIE; both (n, labels)."""
    chosen = np.take_along_axis(labels, served.argmax(axis=1)[:, None], axis=1)[:, 0]
    return float((labels.max(axis=1) - chosen <= TIE).mean())
