"""Leave torch: a trained encoder becomes an ONNX file, which must answer as the encoder does.

A file that is smaller and faster but answers otherwise is another model, so
none is given out before it was compared with the encoder on real texts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from huiyi.errors import DataError, ExportError, MissingExtraError
from huiyi.perceive.encoders.onnx import INPUTS, OUTPUT, OnnxEncoder, read_tokenizer, token_batches
from huiyi.train.tuning.blocks import in_blocks

if TYPE_CHECKING:
    import torch

    from huiyi.values import Array

Precision = Literal["int8", "fp32"]

OPSET = 17  # the first whose LayerNormalization is one operation
TRACED_TOKENS = 8
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
    """

    cosine_distance: float
    probability_difference: float | None
    agreement: float | None
    rows: int


@dataclass(frozen=True)
class ParityTolerance:
    """How far a file's answers may be from those of the encoder.

    The defaults are for 8 bits.

    Attributes:
        cosine_distance: For each text. A hundredth is an angle of 8 degrees,
            small beside those between texts of different intents. Blocks of 8
            bits stay near 0.001; one scale a matrix comes to 0.02 and more.
        probability_difference: For each probability. The largest of many is
            reached where two labels are about equally probable; blocks of 8
            bits stay near 0.03.
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
        if parity.agreement is not None and not parity.agreement >= self.agreement:
            past.append(f"{parity.agreement:.1%} of the labels agree, expected at least {self.agreement:.1%}")
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
    tolerance: ParityTolerance | None = None,
) -> Exported:
    """Write an encoder as an ONNX file, and hold it to the encoder's own answers.

    The file is compared as it will be served. One of 8 bits that is past the
    tolerance gives way to one of 32 bits, with a notice.

    Args:
        encoder: From ``input_ids`` and ``attention_mask``, both int64 of shape
            (batch, length), to vectors of length 1, shape (batch, width), in
            single precision. Adapters should be merged: the file keeps them as
            they are. It is left as it was.
        tokenizer_json: The text of its ``tokenizer.json``.
        texts: Real ones, on which it is compared. Some hundred are enough.
        width: Columns of the vectors.
        max_tokens: Of a longer text only the beginning is read.
        quantised: Whether to try 8 bits.
        labels_of: Maps vectors (n, width) to probabilities (n, labels), to
            compare these too.
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
        plain = _written(encoder, min(TRACED_TOKENS, max_tokens))
        expected = _expected(encoder, read_tokenizer(tokenizer_json, max_tokens=max_tokens), texts, width=width)
    labels = labels_of(expected) if labels_of else None
    attempts: list[tuple[Precision, Callable[[], bytes], ParityTolerance]] = [("fp32", lambda: plain, EXACT)]
    if quantised:
        attempts.insert(0, ("int8", lambda: in_blocks(plain), tolerance or ParityTolerance()))
    notices: list[str] = []
    for precision, make, limits in attempts:
        model = make()
        served = OnnxEncoder("exported", model, tokenizer_json, width=width, max_tokens=max_tokens)
        try:
            vectors = served.encode(texts)[""]
        except DataError as error:  # it cannot be opened or run
            past = str(error)
        else:
            parity = _parity(expected, vectors, labels, labels_of(vectors) if labels_of else None)
            past = limits.exceeded_by(parity)
            if not past:
                return Exported(model, precision, parity, tuple(notices))
        notices.append(
            f"The backbone is not kept in 8 bits, as its file would answer otherwise than the backbone does: {past}. "
            "It is kept in 32 bits, which is larger and slower."
        )
    raise ExportError(
        f"export: the ONNX file of {type(encoder).__name__} answers otherwise than it does in torch: {past}. "
        "A forward pass whose steps depend on the texts or their lengths is written as it ran once. "
        "Write it with tensor operations alone, or tune another backbone"
    )


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


def _written(encoder: torch.nn.Module, length: int) -> bytes:
    """The encoder as an ONNX file of 32 bits, traced on two texts of ``length`` and half as many tokens."""
    import torch

    try:
        import onnx  # noqa: F401  so that what is missing is said before the work
    except ImportError as error:
        raise MissingExtraError("Exported backbones", extra="tune") from error
    ids = torch.ones((2, length), dtype=torch.int64, device=_device(encoder))
    mask = torch.ones_like(ids)
    mask[1, (length + 1) // 2 :] = 0
    axes = {name: {0: "batch", 1: "length"} for name in INPUTS} | {OUTPUT: {0: "batch"}}
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        # It warns that it is the older exporter. The newer one takes eight times as long and cannot write T5.
        # It warns also of what it may have traced wrongly; whether it has is seen when the file is compared.
        warnings.simplefilter("ignore")
        file = Path(folder) / "encoder.onnx"
        try:
            torch.onnx.export(
                encoder,
                (ids, mask),
                file,
                input_names=list(INPUTS),
                output_names=[OUTPUT],
                dynamic_axes=axes,
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


def _expected(encoder: torch.nn.Module, tokenizer: Any, texts: Sequence[str], *, width: int) -> Array:
    """What the encoder says of each text alone, shape (n, width).

    The file is asked for many at once, so it is refused too if its texts depend on each other.
    """
    import torch

    vectors = np.zeros((len(texts), width), dtype=np.float32)
    device = _device(encoder)
    with torch.no_grad():
        for row, text in enumerate(texts):
            for batch in token_batches(tokenizer, [text]):  # none, if it has no tokens
                ids, mask = (torch.from_numpy(values).to(device) for values in (batch.ids, batch.mask))
                found = encoder(ids, mask).float().cpu().numpy()
                if found.shape != (1, width):
                    raise ValueError(
                        f"export: the encoder gives vectors of shape {found.shape}, expected {(1, width)}. "
                        "Set width to the number of its columns"
                    )
                vectors[row] = found
    return vectors


def _device(encoder: torch.nn.Module) -> torch.device:
    """Where the encoder's weights are."""
    import torch

    return next((weight.device for weight in encoder.parameters()), torch.device("cpu"))


def _parity(expected: Array, served: Array, labels: Array | None, served_labels: Array | None) -> Parity:
    """Compare two sets of vectors, both (n, width), and of probabilities, both (n, labels)."""
    left, right = expected.astype(np.float64), served.astype(np.float64)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosines = np.einsum("ij,ij->i", left, right) / np.where(lengths == 0, 1, lengths)
    same = (left == right).all(axis=1)  # also those without tokens, which have no direction
    distance = float(np.where(same, 0, 1 - cosines).max())
    if labels is None or served_labels is None:
        return Parity(distance, None, None, len(left))
    chosen = np.take_along_axis(labels, served_labels.argmax(axis=1)[:, None], axis=1)[:, 0]
    agreement = float((labels.max(axis=1) - chosen <= TIE).mean())
    return Parity(distance, float(np.abs(labels - served_labels).max()), agreement, len(left))
