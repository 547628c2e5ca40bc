"""Let a backbone learn from texts without labels, before it is tuned to a task.

Source:
    Gururangan et al., "Don't Stop Pretraining", ACL 2020 (on the texts of the
    task, before the task). The objectives stand in ``pretexts.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError, OptionError, did_you_mean
from huiyi.train.tuning.backbones import Backbone, pooled
from huiyi.train.tuning.device import in_half
from huiyi.train.tuning.methods import METHODS
from huiyi.train.tuning.methods.base import drawn_from, trained_parameters
from huiyi.train.tuning.objectives import Reading
from huiyi.train.tuning.pretexts import PRETEXTS, Batches
from huiyi.values import is_blank

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SelfSupervisionConfig:
    """Options of learning without labels.

    Attributes:
        objectives: What is learnt, some of ``PRETEXTS``; every batch is learnt from by each in turn.
        rate: Highest learning rate of the backbone.
        head_rate: Learning rate of what an objective adds to it.
        batch_rows: Texts a step. Memory grows with the square of it, and with nothing else.
        epochs: Times that all texts are seen.
        warm_up: Share of the steps in which the rate rises.
        largest_gradient: Longer gradients are cut to this length.
        max_tokens: Of a longer text only the beginning is read.
        seed: Of everything that is drawn.
    """

    objectives: tuple[str, ...] = tuple(PRETEXTS)
    rate: float = 3e-5
    head_rate: float = 1e-3
    batch_rows: int = 64
    epochs: int = 1
    warm_up: float = 0.1
    largest_gradient: float = 1.0
    max_tokens: int = 64
    seed: int = 0


def selfsupervise(
    backbone: Backbone,
    texts: Sequence[str],
    *,
    config: SelfSupervisionConfig | None = None,
    tick: Callable[[int], None] | None = None,
    tell: Callable[[Mapping[str, float]], None] | None = None,
) -> Sequence[Mapping[str, float]]:
    """Teach a backbone, which is changed by it, from texts alone.

    All of it trains but its word embeddings. What objectives add is left behind.

    Args:
        backbone: Freshly loaded.
        texts: The n texts; blank ones teach nothing.
        config: Options.
        tick: Told the number of texts after each step.
        tell: Told the figures of each epoch.

    Returns:
        The figures of each epoch: its number, the loss of each objective, seconds.

    Raises:
        OptionError: An objective is not known, or the backbone cannot be taught by it.
        DataError: The loss is no number any more.
    """
    import torch

    config = config or SelfSupervisionConfig()
    for name in config.objectives:
        if name not in PRETEXTS:
            raise OptionError(
                f"self-supervision {name!r}: not known; expected some of: {', '.join(PRETEXTS)}."
                f"{did_you_mean(name, PRETEXTS)}"
            )
    batches = Batches(backbone, [text for text in texts if not is_blank(text)], max_tokens=config.max_tokens)
    count = len(batches.tokens.ids)
    if not config.objectives or not count:
        return ()
    steps = config.epochs * math.ceil(count / config.batch_rows)
    module = METHODS["full"]().attach(backbone.module, steps=steps, rng=np.random.default_rng(config.seed))
    with drawn_from(np.random.default_rng(config.seed)):
        pretexts = {name: PRETEXTS[name](backbone) for name in config.objectives}
    own = [parameter for pretext in pretexts.values() for parameter in pretext.parameters]
    trained = list(trained_parameters(module).values())
    groups: list[dict[str, Any]] = [{"params": trained}, {"params": own, "lr": config.head_rate}]
    optimiser = torch.optim.AdamW(groups if own else groups[:1], lr=config.rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / (config.warm_up * steps)) * (1 - step / (steps + 1))
    )

    def read(ids: Tensor, mask: Tensor) -> Reading:
        with in_half():
            features = module(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        return Reading(pooled(features, mask, backbone.pooling), features)

    history = []
    for number in range(config.epochs):
        started = perf_counter()
        torch.manual_seed(config.seed * 1_000_003 + number)
        rng = np.random.default_rng([config.seed, number])
        sums = dict.fromkeys(pretexts, 0.0)
        module.train()
        for rows in batches.tokens.shuffled(config.batch_rows, rng):
            batch = batches.batch(rows)
            for name, pretext in pretexts.items():
                loss = pretext.loss(read, batch, rng)
                if not torch.isfinite(loss):
                    raise DataError(
                        f"self-supervision ({name}) stopped in epoch {number + 1}: the loss is {loss.item()}, expected "
                        "a number. Choose another --encoder"
                    )
                loss.backward()  # type: ignore[no-untyped-call]
                sums[name] += loss.item() * len(rows)
            torch.nn.utils.clip_grad_norm_([*trained, *own], config.largest_gradient)
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
            if tick is not None:
                tick(len(rows))
        losses = {name: total / count for name, total in sums.items()}
        history.append({"epoch": float(number + 1), **losses, "seconds": round(perf_counter() - started, 2)})
        if tell is not None:
            tell(history[-1])
    module.eval()
    return tuple(history)
