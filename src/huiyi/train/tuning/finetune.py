"""Fine-tune a backbone to a task: the loop.

Several tasks may be learnt at once, from one forward pass. The scores of labels
are cosines with one prototype a label, sharpened. Prototypes begin as the mean
vector of the label's rows, so the first step is already sensible. Layers near
the words change less than those near the end.

Source:
    Devlin et al., "BERT", NAACL 2019 (the recipe); Howard and Ruder,
    "Universal Language Model Fine-tuning", ACL 2018, section 3.2 (a rate for
    each layer, one rise and a long fall); Snell et al., "Prototypical
    Networks", NeurIPS 2017 (prototypes as first weights). The losses stand in
    ``losses.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align import FEW_ROWS
from huiyi.errors import OptionError, did_you_mean
from huiyi.train.tuning.batches import Tokens
from huiyi.train.tuning.loop import Learner, Loop, encode, encode_units
from huiyi.train.tuning.methods import METHODS, ParameterTable, parameter_table
from huiyi.train.tuning.objectives import Learnt
from huiyi.values import Ragged, Task

if TYPE_CHECKING:
    from torch import nn

    from huiyi.train.tuning.checkpoints import Checkpoints
    from huiyi.values import Array

MOST_READ_TWICE = 8_000
"""Of more rows, reading each twice taught nothing more."""

CONSISTENCY, SPAN_CONSISTENCY = 4.0, 1.0
"""What it counts beside labels, and beside spans, that two readings agree.

Half and thrice as much did about as well for labels, four times as much for spans.
"""

FROZEN = 1 / 3
"""Share of the layers that few rows leave as they came: they teach as much so, in about five sixths of the time."""

Epoch = Mapping[str, float]
"""Figures of one epoch: its number, the losses and shares told right, seconds."""


@dataclass(frozen=True)
class FinetuneConfig:
    """Options of fine-tuning.

    Attributes:
        method: Which parameters train; see ``huiyi.train.tuning.methods``.
        rate: Highest learning rate of the last layer; the method's own when None.
        layer_decay: The rate of each layer below is this share of the one above.
        frozen: Share of the layers, from the words up, that stay as they came.
        prototype_rate: Learning rate of the prototypes.
        tag_rate: Learning rate of the weights of tags, which begin with nothing.
        batch_rows: Rows a step.
        accumulate: Batches whose gradients one step sums, for when ``batch_rows`` do not fit into memory.
        epochs: Times that all rows are seen.
        warm_up: Share of the steps in which the rate rises.
        weight_decay: Of matrices.
        largest_gradient: Longer gradients are cut to this length.
        smoothing: Label smoothing.
        contrast: Weight of the contrastive loss beside the other.
        temperature: Of the contrastive loss.
        together: Rows of one label that follow each other, so that batches hold what contrast draws together.
        consistency: Weight of how far two readings of the same rows are apart, each with its own dropout; 0 reads once.
        sharpness: What cosines are multiplied with to become log-odds.
        balance: 0 counts all rows alike, 1 all labels.
        max_tokens: Of a longer text only the beginning is learnt from.
        patience: Epochs without a better held-out loss after which it stops; 0 never stops early.
        selfsupervision: What is learnt from unlabelled texts before, some of ``huiyi.train.tuning.pretexts.PRETEXTS``.
        seed: Of everything that is drawn.
    """

    method: str = "full"
    rate: float | None = None
    layer_decay: float = 0.9
    frozen: float = 0.0
    prototype_rate: float = 1e-3
    tag_rate: float = 3e-3
    batch_rows: int = 32
    accumulate: int = 1
    epochs: int = 4
    warm_up: float = 0.1
    weight_decay: float = 0.01
    largest_gradient: float = 1.0
    smoothing: float = 0.1
    contrast: float = 0.0
    temperature: float = 0.1
    together: int = 1
    consistency: float = 0.0
    sharpness: float = 20.0
    balance: float = 0.0
    max_tokens: int = 128
    patience: int = 2
    selfsupervision: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Rows:
    """Texts, or pictures, and what is right of them.

    Attributes:
        texts: The n texts, or what the backbone takes in their place.
        targets: By task. Of ``choice`` and ``several`` shape (n, k), 1 where
            right. A row with NaN says nothing to that task. A row without any
            label is out of scope, and a class of its own while learning,
            unless several labels may hold. Of ``spans`` the spans of each text,
            or None where nothing is known.
    """

    texts: Sequence[Any]
    targets: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Finetuned:
    """A backbone after fine-tuning.

    Attributes:
        backbone: What was tuned: it knows how items are read.
        module: The tuned module, merged: what is exported.
        learnt: By task what tells its labels by the vectors.
        epochs: How many it was trained for, fewer than asked for when it stopped early.
        history: The figures of each.
        parameters: How much of it trained.
    """

    backbone: Learner
    module: nn.Module
    learnt: Mapping[str, Learnt]
    epochs: int
    history: Sequence[Epoch]
    parameters: ParameterTable

    def encode(self, texts: Sequence[Any], *, max_tokens: int) -> Array:
        """Unit vectors of texts, or of what stands in their place, shape (n, d)."""
        return encode(self.module, self.backbone, self.backbone.items(texts, max_tokens=max_tokens))

    def tag_odds(self, task: str, texts: Sequence[str], *, max_tokens: int) -> Ragged:
        """What a task of spans says of the units of texts: log-odds of its tags. Of longer ones only the beginning."""
        tokens = self.backbone.items(texts, max_tokens=max_tokens, with_units=True)
        assert isinstance(tokens, Tokens), "only texts have units"
        units = encode_units(self.module, self.backbone, tokens)
        return replace(units, values=self.learnt[task].odds(units.values))


def suited(config: FinetuneConfig, rows: int, *, dearness: float = 1.0, has_spans: bool = False) -> FinetuneConfig:
    """Options with what keeps few rows from being learnt by heart.

    Each is read twice, with its own dropout, and must be told alike; of very few, rows of one label are also drawn
    together, and the lower layers stay as they came. Many rows teach as much without it, in half the time. Few rows
    that are long have no time to be read twice, but their lower layers stay too.

    Args:
        config: The options for many rows.
        rows: How many there are, see ``Lessons.count``.
        dearness: How many short texts take as long as one of them.
        has_spans: Whether spans are learnt, which takes many epochs of few rows anyway.
    """
    size = dearness * rows
    if has_spans:
        return replace(config, consistency=SPAN_CONSISTENCY) if size <= MOST_READ_TWICE else config
    if rows <= FEW_ROWS and config.method == "full":
        config = replace(config, frozen=FROZEN)
    if size <= FEW_ROWS:
        return replace(config, consistency=CONSISTENCY, contrast=1.0, together=2)
    if size <= MOST_READ_TWICE:
        return replace(config, consistency=CONSISTENCY, rate=METHODS[config.method]().learning_rate / 2)
    return config


def finetune(
    backbone: Learner,
    rows: Rows,
    tasks: Sequence[Task],
    *,
    held_out: Rows | None = None,
    config: FinetuneConfig | None = None,
    checkpoints: Checkpoints | None = None,
    tick: Callable[[int], None] | None = None,
    tell: Callable[[Epoch], None] | None = None,
) -> Finetuned:
    """Fine-tune a backbone, which is changed by it.

    Args:
        backbone: Freshly loaded.
        rows: What to learn from.
        tasks: What to tell of them.
        held_out: Rows that tell when to stop.
        config: Options.
        checkpoints: Where to keep each epoch, to go on after an interruption.
        tick: Told the number of rows after each step.
        tell: Told the figures of each epoch.

    Raises:
        DataError: The loss is no number any more; the last good epoch is kept in ``checkpoints``.
        OptionError: The method is not known, or memory ran out.
    """
    import torch

    config = config or FinetuneConfig()
    if config.method not in METHODS:
        raise OptionError(
            f"--tune {config.method}: not known; expected one of: {', '.join(METHODS)}."
            f"{did_you_mean(config.method, METHODS)}"
        )
    torch.manual_seed(config.seed)
    loop = Loop(backbone, rows, tasks, config=config)
    history: list[Epoch] = []
    good = loop.weights()
    if checkpoints is not None and (kept := checkpoints.latest()) is not None:
        state, good, history = kept
        loop.set_state(state)
    while len(history) < config.epochs and not _has_peaked(history, config.patience):
        try:
            figures = loop.epoch(len(history), tick)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise _too_little_memory(config) from error
        except RuntimeError as error:
            if "allocate memory" not in str(error):
                raise
            raise _too_little_memory(config) from error
        history.append({**figures, **(loop.measure(held_out) if held_out else {})})
        if best_epoch(history) == len(history):
            good = loop.weights()
        if tell is not None:
            tell(history[-1])
        if checkpoints is not None:
            checkpoints.keep(loop.state(), good, history)
    loop.set_weights(good)
    learnt, parameters = loop.learnt(), parameter_table(loop.module)
    return Finetuned(backbone, loop.merged(), learnt, best_epoch(history), tuple(history), parameters)


def best_epoch(history: Sequence[Epoch]) -> int:
    """The epoch of the lowest held-out loss, counted from 1; the last where none is known."""
    losses = [epoch.get("held_out_loss", -number) for number, epoch in enumerate(history)]
    return int(np.argmin(losses)) + 1 if losses else 0


def _has_peaked(history: Sequence[Epoch], patience: int) -> bool:
    """Whether the held-out loss has not fallen for some epochs."""
    return patience > 0 and len(history) - best_epoch(history) >= patience


def _too_little_memory(config: FinetuneConfig) -> OptionError:
    """What to say when memory runs out."""
    rows = config.batch_rows
    return OptionError(
        f"memory ran out in a batch of {rows} texts of up to {config.max_tokens} tokens; expected room for one. "
        f"Use a smaller --encoder, --tune lora, or batches of {max(1, rows // 2)}"
    )
