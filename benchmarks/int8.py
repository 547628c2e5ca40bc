"""Out of torch: a backbone tuned to BANKING77, in torch and as ONNX files of 32 and of 8 bits.

Told are the share of test rows with the same label, and the milliseconds of a
pass of one text through the backbone, tokens given. Run it in an environment
with the extra ``tune``. Tuning takes minutes; ``--run FOLDER`` keeps it for the next time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import torch
from harness import Pair, load, publish, result_file, told
from numpy.typing import NDArray

from huiyi.perceive.encoders.onnx import INPUTS, OnnxEncoder, read_tokenizer, token_batches
from huiyi.train.tuning.backbones import MINILM, encoder_module, load_backbone, tokenizer_json
from huiyi.train.tuning.checkpoints import Checkpoints
from huiyi.train.tuning.export import export
from huiyi.train.tuning.finetune import FinetuneConfig, Finetuned, Rows, finetune
from huiyi.values import Label, Task

TIMED, WARM = 300, 20
"""Texts whose passes are timed, and those before that are not."""

PROBE = 300
"""Training rows on which an export is held to torch, as in training."""

CONFIG = FinetuneConfig()

TASK = "intent"

Ids = NDArray[np.int64]

Pass = Callable[[Ids, Ids], Any]
"""One text's ids and mask, both (1, length), through a backbone."""


def tuned(train: Sequence[Pair], run: Path) -> Finetuned:
    """The backbone tuned to all training rows, or as it was left in the folder of an earlier run."""
    names = sorted({label for _, label in train})
    targets = np.eye(len(names), dtype=np.float32)[[names.index(label) for _, label in train]]
    return finetune(
        load_backbone(MINILM),
        Rows([text for text, _ in train], {TASK: targets}),
        [Task(TASK, "choice", tuple(map(Label, names)))],
        config=CONFIG,
        checkpoints=Checkpoints(run),
        tell=lambda figures: told("tuning", figures),
    )


def in_torch(encoder: torch.nn.Module) -> Pass:
    """A pass in torch, eager, 32 bits."""

    def forward(ids: Ids, mask: Ids) -> Any:
        with torch.inference_mode():
            return encoder(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()

    return forward


def in_onnx(encoder: OnnxEncoder) -> Pass:
    """A pass as a saved model does it, after its tokenizer."""
    _, session = encoder._open()  # encode() also cuts into tokens, which torch is not timed for
    return lambda ids, mask: session.run(None, dict(zip(INPUTS, (ids, mask), strict=True)))[0]


def milliseconds(passes: dict[str, Pass], texts: Sequence[tuple[Ids, Ids]]) -> dict[str, float]:
    """The median time of each pass; they take turns, text by text, so that a slow moment is shared."""
    times: dict[str, list[float]] = {name: [] for name in passes}
    for ids, mask in texts:
        for name, forward in passes.items():
            started = perf_counter()
            forward(ids, mask)
            times[name].append(1000 * (perf_counter() - started))
    return {name: median(times[name][WARM:]) for name in passes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="where the tuned backbone is kept, or was")
    parser.add_argument("--out", type=Path, default=result_file("int8"))
    asked = parser.parse_args()
    train, test = load("banking77/train"), [text for text, _ in load("banking77/test")]
    with TemporaryDirectory() as folder:
        run = tuned(train, asked.run or Path(folder))
    tokenizer, width = tokenizer_json(run.backbone), run.backbone.width
    encoder = encoder_module(run.module, run.backbone.pooling).eval()
    cut = read_tokenizer(tokenizer, max_tokens=CONFIG.max_tokens)
    texts = [(batch.ids, batch.mask) for text in test for batch in token_batches(cut, [text])]
    passes = {"torch": in_torch(encoder)}
    precisions = {}
    for name, quantised in (("onnx", False), ("onnx int8", True)):
        probe = [text for text, _ in train[:: len(train) // PROBE]]
        left = export(encoder, tokenizer, probe, width=width, max_tokens=CONFIG.max_tokens, quantised=quantised)
        passes[name] = in_onnx(OnnxEncoder(MINILM, left.model, tokenizer, width=width, max_tokens=CONFIG.max_tokens))
        precisions[name] = left.precision, len(left.model)
    learnt = run.learnt[TASK]
    told_by = {
        name: [int((forward(*text)[0] @ learnt.weights.T * CONFIG.sharpness + learnt.bias).argmax()) for text in texts]
        for name, forward in passes.items()
    }
    rows = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        spent = milliseconds(passes, texts[: TIMED + WARM])
        for name in passes:
            precision, size = precisions.get(name, ("fp32", None))
            rows.append(
                {
                    "backbone": name,
                    "precision": precision,
                    "bytes": size,
                    "rows": len(texts),
                    "agreement": float(np.mean(np.equal(told_by[name], told_by["torch"]))),
                    "threads": threads,
                    "ms_p50": spent[name],
                    "times_faster": spent["torch"] / spent[name],
                }
            )
    publish("int8", rows, asked.out)


if __name__ == "__main__":
    main()
