"""Several intents at once: NLU++, each official fold in turn to train on, the other nineteen to test."""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from harness import DATA, load, report

import huiyi


def folds(domain: str) -> list[list[tuple[str, tuple[str, ...]]]]:
    load(f"nlupp/{domain}", "intents")  # says so where the data are missing
    rows: list[list[tuple[str, tuple[str, ...]]]] = [[] for _ in range(20)]
    with gzip.open(DATA / f"nlupp/{domain}.jsonl.gz", "rt", encoding="utf-8", newline="\n") as lines:
        for row in map(json.loads, lines):
            rows[row["fold"]].append((row["text"], tuple(row["intents"])))
    return rows


def peer(train: list[Any], test: list[Any]) -> float:
    """Micro F1 of one-vs-rest logistic regression on TF-IDF of words and characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import MultiLabelBinarizer

    binarizer = MultiLabelBinarizer().fit([labels for _, labels in train + test])
    words, characters = TfidfVectorizer(ngram_range=(1, 2)), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5))
    head = OneVsRestClassifier(LogisticRegression(C=10, class_weight="balanced", max_iter=1000))
    known = binarizer.transform([labels for _, labels in train])
    usable = np.flatnonzero((known.any(axis=0)) & ~known.all(axis=0))
    model = make_pipeline(make_union(words, characters), head).fit([text for text, _ in train], known[:, usable])
    said = np.zeros((len(test), known.shape[1]), dtype=int)
    said[:, usable] = model.predict([text for text, _ in test])
    return float(f1_score(binarizer.transform([labels for _, labels in test]), said, average="micro"))


def ours(train: list[Any], test: list[Any]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, rows in (("train", train), ("test", test)):
            files.append(Path(folder) / f"{name}.jsonl")
            lines = (json.dumps({"text": text, "intents": labels}) for text, labels in rows)
            files[-1].write_text("\n".join(lines), encoding="utf-8")
        model = huiyi.train(files[0])
        return float(huiyi.evaluate(model, files[1]).figures["micro_f1"])


def main() -> None:
    results = []
    for domain in ("banking", "hotels"):
        parts = folds(domain)
        scores = []
        for i, train in enumerate(parts):
            test = [row for j, fold in enumerate(parts) if j != i for row in fold]
            scores.append((ours(train, test), peer(train, test)))
            print(f"{domain} fold {i}: {scores[-1]}", file=sys.stderr, flush=True)
        mine, theirs = np.mean(scores, axis=0)
        results.append(
            {"data": f"nlupp {domain}", "folds": len(parts), "micro_f1": float(mine), "tfidf": float(theirs)}
        )
    report("several", results)


if __name__ == "__main__":
    main()
