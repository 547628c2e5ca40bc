"""One run of fine-tuning, epoch by epoch: its weights, its optimiser and its order of rows.

The order and everything else that is drawn in an epoch follow from the seed
and the epoch's number. So a run that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError
from huiyi.train.tuning.backbones import Backbone, pooled
from huiyi.train.tuning.batches import Tokens
from huiyi.train.tuning.losses import contrastive_loss, label_loss
from huiyi.train.tuning.methods import METHODS

if TYPE_CHECKING:
    from torch import Tensor, nn

    from huiyi.train.tuning.finetune import FinetuneConfig, Rows
    from huiyi.values import Array

ROWS_READ_AT_ONCE = 64
_SCALES = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0)


class Loop:
    """A backbone with prototypes on top, while it is tuned.

    Args:
        backbone: Freshly loaded; it is changed.
        rows: What to learn from.
        several: Whether each label stands for itself.
        config: Options.
    """

    def __init__(self, backbone: Backbone, rows: Rows, *, several: bool, config: FinetuneConfig) -> None:
        import torch

        self.backbone, self.several, self.config = backbone, several, config
        self._tokens = Tokens(backbone.tokenizer, rows.texts, max_tokens=config.max_tokens)
        self._targets = torch.from_numpy(self._with_none(rows.targets))
        self._batches = math.ceil(len(rows.texts) / config.batch_rows)
        self.steps = config.epochs * math.ceil(self._batches / config.accumulate)
        vectors = encode(backbone.module, backbone, self._tokens)
        self.method = METHODS[config.method]()
        self.module = self.method.attach(
            backbone.module, steps=max(1, self.steps), rng=np.random.default_rng(config.seed)
        )
        self.prototypes = torch.nn.Parameter(torch.from_numpy(_means(vectors, self._targets.numpy())))
        self.bias = torch.nn.Parameter(torch.zeros(self._targets.shape[1]))
        self._label_weights = torch.from_numpy(_label_weights(self._targets.numpy(), config.balance))
        self._optimiser = torch.optim.AdamW(self._groups(), fused=True)
        self._rates = [group["lr"] for group in self._optimiser.param_groups]
        self._half = has_bfloat16()

    def epoch(self, number: int, tick: Callable[[int], None] | None) -> dict[str, float]:
        """See all rows once, and return the figures of it.

        Raises:
            DataError: The loss is no number any more.
        """
        import torch

        started, config = perf_counter(), self.config
        torch.manual_seed(config.seed * 1_000_003 + number)
        rng = np.random.default_rng([config.seed, number])
        step = number * math.ceil(self._batches / config.accumulate)
        total, right, seen = 0.0, 0, 0
        self.module.train()
        for place, rows in enumerate(self._tokens.shuffled(config.batch_rows, rng), 1):
            loss, scores = self._loss(rows)
            if not torch.isfinite(loss):
                raise DataError(
                    f"tuning stopped in epoch {number + 1}, step {step + 1}: the loss is {loss.item()}, expected a "
                    "number. Lower the learning rate, or choose another --encoder or --tune"
                )
            (loss / config.accumulate).backward()  # type: ignore[no-untyped-call]
            total += loss.item() * len(rows)
            right += int((scores.argmax(dim=1) == self._targets[rows].argmax(dim=1)).sum())
            seen += len(rows)
            if place % config.accumulate == 0 or place == self._batches:
                self._step(step)
                step += 1
            if tick is not None:
                tick(len(rows))
        seconds = round(perf_counter() - started, 2)
        figures = {"epoch": float(number + 1), "loss": total / seen, "seconds": seconds}
        return figures if self.several else {**figures, "accuracy": right / seen}

    def measure(self, rows: Rows) -> dict[str, float]:
        """Loss, and the share told right, of rows that it does not learn from.

        The loss is that at the best scale: how sure to be is settled later, by
        the blend, and is no reason to stop.
        """
        import torch

        tokens = Tokens(self.backbone.tokenizer, rows.texts, max_tokens=self.config.max_tokens)
        vectors = torch.from_numpy(encode(self.module, self.backbone, tokens))
        targets = torch.from_numpy(self._with_none(rows.targets))
        with torch.inference_mode():
            scores = self._scores(vectors)
            targets = targets[:, : scores.shape[1]]
            even = torch.ones(scores.shape[1])
            losses = [
                float(label_loss(scale * scores, targets, several=self.several, smoothing=0.0, weights=even))
                for scale in _SCALES
            ]
            figures = {"held_out_loss": min(losses)}
            if not self.several:
                right = scores.argmax(dim=1) == targets.argmax(dim=1)
                figures["held_out_accuracy"] = float(right.float().mean())
        return figures

    def weights(self) -> dict[str, Tensor]:
        """Copies of all that trains."""
        return {
            **self.method.difference(self.module),
            "prototypes": self.prototypes.detach().clone(),
            "bias": self.bias.detach().clone(),
        }

    def set_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take back what ``weights`` gave."""
        import torch

        rest = dict(weights)
        with torch.no_grad():
            self.prototypes.copy_(rest.pop("prototypes"))
            self.bias.copy_(rest.pop("bias"))
        self.method.load_difference(self.module, rest)

    def state(self) -> dict[str, Tensor]:
        """All that the next epoch depends on: the weights, and what the optimiser remembers of each."""
        memory = {
            f"optimiser/{place}/{name}": value.detach().clone()
            for place, remembered in self._optimiser.state_dict()["state"].items()
            for name, value in remembered.items()
        }
        return {**{f"weights/{name}": value for name, value in self.weights().items()}, **memory}

    def set_state(self, state: Mapping[str, Tensor]) -> None:
        """Take back what ``state`` gave."""
        weights: dict[str, Tensor] = {}
        memory: dict[int, dict[str, Any]] = {}
        for name, value in state.items():
            kind, _, rest = name.partition("/")
            if kind == "weights":
                weights[rest] = value
            else:
                place, _, part = rest.partition("/")
                memory.setdefault(int(place), {})[part] = value
        self.set_weights(weights)
        self._optimiser.load_state_dict({**self._optimiser.state_dict(), "state": memory})

    def merged(self) -> nn.Module:
        """The tuned module for serving."""
        return self.method.merged(self.module)

    def labels(self, count: int) -> tuple[Array, Array]:
        """A unit vector for each label, shape (count, d), and its bias."""
        from torch.nn.functional import normalize

        with_none = normalize(self.prototypes.detach(), dim=1).numpy()
        return with_none[:count].copy(), self.bias.detach().numpy()[:count].copy()

    def _with_none(self, targets: Array) -> Array:
        """Targets with a last column for rows that have no label, where one label a row is told and there are any."""
        none = targets.sum(axis=1, keepdims=True) < 0.5
        has_none = none.any() or getattr(self, "_has_none", False)
        self._has_none = bool(has_none)
        columns = [targets] if self.several or not has_none else [targets, none]
        return np.hstack(columns).astype(np.float32)

    def _loss(self, rows: Any) -> tuple[Tensor, Tensor]:
        """The loss of some rows, and their scores."""
        import torch

        ids, mask = self._tokens.batch(rows)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._half):
            features = self.module(input_ids=ids, attention_mask=mask).last_hidden_state
        vectors = pooled(features.float(), mask, self.backbone.pooling)
        scores, targets = self._scores(vectors), self._targets[rows]
        loss = label_loss(
            scores, targets, several=self.several, smoothing=self.config.smoothing, weights=self._label_weights
        )
        if self.config.contrast:
            loss = loss + self.config.contrast * contrastive_loss(vectors, targets, temperature=self.config.temperature)
        return loss + self.method.penalty(self.module), scores

    def _scores(self, vectors: Tensor) -> Tensor:
        """Log-odds of unit vectors."""
        from torch.nn.functional import normalize

        return self.config.sharpness * vectors @ normalize(self.prototypes, dim=1).T + self.bias

    def _step(self, step: int) -> None:
        """One step of the optimiser: the rate rises, then falls to nothing."""
        import torch

        rising = (step + 1) / max(1.0, self.config.warm_up * self.steps)
        share = min(1.0, rising) * max(0.0, 1 - step / self.steps)
        for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        parameters = [parameter for group in self._optimiser.param_groups for parameter in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, self.config.largest_gradient)
        self._optimiser.step()
        self.method.after_step(self.module, step)
        self._optimiser.zero_grad()

    def _groups(self) -> list[dict[str, Any]]:
        """What trains, each parameter with its rate: the lower its layer, the lower the rate."""
        config = self.config
        rate = self.method.learning_rate if config.rate is None else config.rate
        layers = int(getattr(self.backbone.module.config, "num_hidden_layers", 0))
        groups = [
            {
                "params": [parameter],
                "lr": rate * config.layer_decay ** (layers - _layer(name, layers)),
                "weight_decay": config.weight_decay if parameter.ndim > 1 else 0.0,
            }
            for name, parameter in self.module.named_parameters()
            if parameter.requires_grad
        ]
        groups.append({"params": [self.prototypes, self.bias], "lr": config.prototype_rate, "weight_decay": 0.0})
        return groups


def encode(module: nn.Module, backbone: Backbone, tokens: Tokens) -> Array:
    """Unit vectors of texts by a module, shape (n, d), in single precision."""
    import torch

    vectors = np.zeros((len(tokens.ids), backbone.width), dtype=np.float32)
    module.eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
        for rows in tokens.by_length(ROWS_READ_AT_ONCE):
            ids, mask = tokens.batch(rows)
            features = module(input_ids=ids, attention_mask=mask).last_hidden_state
            vectors[rows] = pooled(features.float(), mask, backbone.pooling).numpy()
    return vectors


def has_bfloat16() -> bool:
    """Whether the processor multiplies 16-bit floats faster than 32-bit ones."""
    import torch

    capability = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(capability()) if capability is not None else False


def _layer(name: str, layers: int) -> int:
    """Number of the layer that a parameter belongs to, counted from 1; 0 for those before, ``layers`` for those after.

    Example:
        >>> _layer("encoder.layer.4.output.dense.weight", 6), _layer("embeddings.LayerNorm.bias", 6)
        (5, 0)
    """
    for part in name.split("."):
        if part.isdecimal() and int(part) < layers:
            return int(part) + 1
    return 0 if "embed" in name or "wte" in name or "wpe" in name else layers


def _means(vectors: Array, targets: Array) -> Array:
    """The mean vector of each label's rows, of unit length, shape (k, d); of a label without rows that of all."""
    sums = targets.T @ vectors
    sums[targets.sum(axis=0) == 0] = vectors.sum(axis=0)
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return np.asarray(means, dtype=np.float32)


def _label_weights(targets: Array, balance: float) -> Array:
    """What a row of each label counts, shape (k,): the mean over rows stays 1."""
    counts = np.maximum(targets.sum(axis=0), 1)
    weights = (counts.sum() / counts) ** balance
    weights *= counts.sum() / (weights * counts).sum()
    return np.asarray(weights, dtype=np.float32)
