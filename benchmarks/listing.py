"""The reference listing beside ``tuned``: a plain loop over a classifier of transformers, as tutorials print it.

It pads every text to 128 tokens, or each batch to its longest text. What is
learnt is the same: padding is masked. So the padded listing is timed on one
epoch, its accuracy is left to the other one, and the table says so. Time is
that of training alone, to the listing's favour: ``tuned`` also measures itself.

Name some cases to run these alone; their rows then replace the ones of before.
Run it in an environment with the extra ``tune``, all cases with the same number of threads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from harness import Pair, clocked, load, one_pass, run_cases, told

import huiyi
from huiyi.train.tuning.backbones import minilm_folder

MAX_TOKENS, BATCH_ROWS, EPOCHS, RATE = 128, 16, 5, 2e-5

TEST_TENTHS, DEV_TENTHS = 2, 1
"""Of the distinct texts of a file that is not split."""


@dataclass(frozen=True)
class Data:
    """Rows to learn from, to look at while doing so, and to test on."""

    train: list[Pair]
    dev: list[Pair]
    test: list[Pair]


def banking77() -> Data:
    """As it was published, which is without a dev part."""
    return Data(load("banking77/train"), [], load("banking77/test"))


def medical_abstracts() -> Data:
    """Its one file in three parts; equal texts, which may have different labels, fall into the same part."""
    parts: tuple[list[Pair], ...] = ([], [], [])
    for text, label in load("medical_abstracts/test"):
        tenth = int(hashlib.sha256(text.encode()).hexdigest(), 16) % 10
        parts[(tenth < TEST_TENTHS + DEV_TENTHS) + (tenth < TEST_TENTHS)].append((text, label))
    return Data(*parts)


DATA: dict[str, Callable[[], Data]] = {"banking77": banking77, "medical_abstracts": medical_abstracts}


class Listing:
    """A tokenizer, a classifier and a loop."""

    def __init__(self, names: Sequence[str], *, padding: str) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        torch.manual_seed(0)
        self.names, self.padding = list(names), padding
        self.tokenizer = AutoTokenizer.from_pretrained(minilm_folder())
        self.model = AutoModelForSequenceClassification.from_pretrained(minilm_folder(), num_labels=len(names))

    def fit(self, rows: Sequence[Pair], *, epochs: int) -> None:
        """Some of the EPOCHS epochs."""
        from torch.utils.data import DataLoader
        from transformers import get_linear_schedule_with_warmup

        loader = DataLoader(list(rows), batch_size=BATCH_ROWS, shuffle=True, collate_fn=self._batch)
        optimiser = torch.optim.AdamW(self.model.parameters(), lr=RATE)
        schedule = get_linear_schedule_with_warmup(optimiser, 0, EPOCHS * len(loader))
        self.model.train()
        for epoch in range(epochs):
            total = 0.0
            for batch in loader:
                loss = self.model(**batch).loss
                loss.backward()
                optimiser.step()
                schedule.step()
                optimiser.zero_grad()
                total += loss.item()
            told("listing", {"epoch": epoch + 1, "loss": total / len(loader)})

    def accuracy(self, rows: Sequence[Pair]) -> float:
        """The share of rows told right."""
        self.model.eval()
        right = 0
        with torch.inference_mode():
            for start in range(0, len(rows), BATCH_ROWS):
                batch = self._batch(rows[start : start + BATCH_ROWS])
                right += int((self.model(**batch).logits.argmax(dim=1) == batch["labels"]).sum())
        return right / len(rows)

    def _batch(self, rows: Sequence[Pair]) -> dict[str, Any]:
        texts, labels = zip(*rows, strict=True)
        tokens = self.tokenizer(
            list(texts), padding=self.padding, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        return {**tokens, "labels": torch.tensor([self.names.index(label) for label in labels])}


def listed(data: Data, *, padding: str, epochs: int) -> dict[str, Any]:
    """The listing's part of a row; of fewer epochs than it should have the time alone is told, as that of all."""
    listing = Listing(sorted({label for _, label in data.train}), padding=padding)
    with clocked() as spent:
        listing.fit(data.train, epochs=epochs)
    figures: dict[str, Any] = {unit: round(value * EPOCHS / epochs) for unit, value in spent.items()}
    if epochs < EPOCHS:
        return {**figures, "timed": f"{EPOCHS} x one epoch", "accuracy": "as dynamic"}
    dev = {"dev_accuracy": listing.accuracy(data.dev)} if data.dev else {}
    return {**figures, "timed": f"{EPOCHS} epochs", "accuracy": listing.accuracy(data.test), **dev}


def tuned(data: Data) -> dict[str, Any]:
    """The part of ``tuned``, with its defaults."""
    with clocked() as spent:
        model = huiyi.train(data.train, config=huiyi.TrainConfig(effort="tuned"), on_epoch=told)
    dev = {"dev_accuracy": float(huiyi.evaluate(model, data.dev).figures["accuracy"])} if data.dev else {}
    accuracy = float(huiyi.evaluate(model, data.test).figures["accuracy"])
    return {**spent, "timed": "the whole training", "accuracy": accuracy, **dev}


WAYS: dict[str, Callable[[Data], dict[str, Any]]] = {
    "padded": partial(listed, padding="max_length", epochs=1),
    "dynamic": partial(listed, padding="longest", epochs=EPOCHS),
    "tuned": tuned,
}


def measured(data_name: str, way: str) -> dict[str, Any]:
    """One row of the table."""
    data = DATA[data_name]()
    figures = WAYS[way](data)
    passes = figures["processor_seconds"] / one_pass([text for text, _ in data.train])
    return {
        "rows": len(data.train),
        "test_rows": len(data.test),
        "threads": torch.get_num_threads(),
        **figures,
        "passes": round(passes, 1),
    }


if __name__ == "__main__":
    cases = {f"{data} {way}": partial(measured, data, way) for data in DATA for way in WAYS}
    run_cases("listing", cases, __doc__, key="case")
