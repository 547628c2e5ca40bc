"""Planted label errors: how many of them the check lists first.

A twentieth of the BANKING77 training rows get a wrong label, of three kinds:

- ``uniform``: any other label, each as likely.
- ``confusable``: the label whose mean text is nearest to the mean of the row's own label.
- ``nearest``: of the other labels, the one whose mean text is nearest to the row itself.

Texts are TF-IDF vectors of their words and word pairs, which is not what the
check works with; near is by cosine. ``found`` is the share of planted errors
among the first tenth of the rows that the check lists. The data have errors
of their own, which nobody planted and which take places in the list too.
"""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

import numpy as np
from harness import Pair, load, report

from huiyi.train import check

SHARE_PLANTED = 0.05
SHARE_LISTED = 0.1
SEEDS = (0,)
KINDS = ("uniform", "confusable", "nearest")


def planted(rows: list[Pair], kind: str, rng: np.random.Generator) -> tuple[list[Pair], set[int]]:
    """The rows with errors, and the numbers of those that have one."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    names, own = np.unique([label for _, label in rows], return_inverse=True)
    chosen = rng.choice(len(rows), round(SHARE_PLANTED * len(rows)), replace=False)
    if kind == "uniform":
        wrong = (own[chosen] + rng.integers(1, len(names), len(chosen))) % len(names)
    else:
        texts = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform([text for text, _ in rows])
        means = np.vstack([texts[own == label].mean(axis=0) for label in range(len(names))])
        means = np.asarray(means) / np.linalg.norm(means, axis=1, keepdims=True)
        near = (means @ means.T)[own[chosen]] if kind == "confusable" else texts[chosen] @ means.T
        near[np.arange(len(chosen)), own[chosen]] = -1
        wrong = near.argmax(axis=1)
    changed = dict(zip(chosen.tolist(), names[wrong].tolist(), strict=True))
    return [(text, changed.get(i, label)) for i, (text, label) in enumerate(rows)], {i + 1 for i in changed}


def measured(rows: list[Pair], kind: str, seed: int) -> dict[str, Any]:
    noisy, wrong = planted(rows, kind, np.random.default_rng(seed))
    started = perf_counter()
    errors = check(noisy).label_errors
    seconds = perf_counter() - started
    first = {error.row for error in errors[: round(SHARE_LISTED * len(rows))]}
    counted = {error.row for error in errors if error.is_confident}
    row = {
        "planted": kind,
        "seed": seed,
        "rows": len(rows),
        "errors": len(wrong),
        "found": len(wrong & first) / len(wrong),
        "confident": len(counted),
        "confident_planted": len(counted & wrong) / len(counted),
        "seconds": seconds,
    }
    print(row, file=sys.stderr, flush=True)
    return row


def main() -> None:
    rows = load("banking77/train")
    report("label_errors", [measured(rows, kind, seed) for seed in SEEDS for kind in KINDS])


if __name__ == "__main__":
    main()
