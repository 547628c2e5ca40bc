"""One run of fine-tuning, epoch by epoch: its weights, its optimiser and its order of rows.

The order and everything else that is drawn in an epoch follow from the seed
and the epoch's number. So a run that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from huiyi.errors import DataError
from huiyi.train.tuning.batches import Items, Tokens, grouped
from huiyi.train.tuning.losses import divergence
from huiyi.train.tuning.objectives import Asked, Learnt, Objective, Reading, measured, objective_of, told_right
from huiyi.values import Ragged, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from huiyi.train.tuning.finetune import FinetuneConfig, Rows
    from huiyi.train.tuning.methods import Method
    from huiyi.values import Array

ROWS_READ_AT_ONCE = 64


class Learner(Protocol):
    """What is tuned: a backbone of texts, or of pictures."""

    @property
    def module(self) -> nn.Module:
        """What is tuned of it."""
        ...

    @property
    def width(self) -> int:
        """Numbers a vector has."""
        ...

    @property
    def fresh(self) -> tuple[str, ...]:
        """How the names of parameters end that begin with nothing, as what objectives add does."""
        ...

    def method(self, name: str) -> Method:
        """What says which of its parameters train."""
        ...

    def items(self, texts: Sequence[Any], *, max_tokens: int, with_units: bool = False) -> Items:
        """What is learnt from, as it reads it."""
        ...

    def read(self, module: nn.Module, given: Mapping[str, Tensor]) -> Reading:
        """What a module, tuned or not, says of some of it."""
        ...

    def layers_above(self, parameter: str) -> int:
        """How many layers stand above the one that a parameter belongs to."""
        ...


class Loop:
    """A backbone with the objectives of some tasks on top, while it is tuned.

    Args:
        backbone: Freshly loaded; it is changed.
        rows: What to learn from.
        tasks: What to tell of them.
        config: Options.
    """

    def __init__(self, backbone: Learner, rows: Rows, tasks: Sequence[Task], *, config: FinetuneConfig) -> None:
        import torch

        self.backbone, self.config = backbone, config
        self._with_units = any(task.kind == "spans" for task in tasks)
        self._items = self._items_of(rows)
        self._batches = math.ceil(len(rows.texts) / config.batch_rows)
        self.steps = config.epochs * math.ceil(self._batches / config.accumulate)
        vectors = np.zeros((0, backbone.width), dtype=np.float32)
        if any(task.kind != "spans" for task in tasks):
            vectors = encode(backbone.module, backbone, self._items)
        self.method = backbone.method(config.method)
        self.module = self.method.attach(
            backbone.module, steps=max(1, self.steps), rng=np.random.default_rng(config.seed)
        )
        _freeze(self.module, backbone, config.frozen)
        self.objectives: Mapping[str, Objective] = {
            task.name: objective_of(task, rows.targets[task.name], vectors, config) for task in tasks
        }
        self._prepared = self._prepared_of(rows, self._items)
        self._kinds = _kinds(rows, tasks) if config.together > 1 else None
        self._optimiser = torch.optim.AdamW(self._groups(), fused=True)
        self._rates = [group["lr"] for group in self._optimiser.param_groups]

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
        total, seen = 0.0, 0
        right, questions = dict.fromkeys(self.objectives, 0), dict.fromkeys(self.objectives, 0)
        self.module.train()
        for place, rows in enumerate(self._order(rng), 1):
            loss, asked = self._loss(rows)
            if not torch.isfinite(loss):
                raise DataError(
                    f"tuning stopped in epoch {number + 1}, step {step + 1}: the loss is {loss.item()}, expected a "
                    "number. Lower the learning rate, or choose another --encoder or --tune"
                )
            if loss.requires_grad:  # unless no task knows any of these rows
                (loss / config.accumulate).backward()  # type: ignore[no-untyped-call]
            total += loss.item() * len(rows)
            seen += len(rows)
            for name, one in asked.items():
                right[name] += told_right(one.scores, one.targets)
                questions[name] += len(one.scores)
            if place % config.accumulate == 0 or place == self._batches:
                self._step(step)
                step += 1
            if tick is not None:
                tick(len(rows))
        seconds = round(perf_counter() - started, 2)
        shares = {name: right[name] / max(1, questions[name]) for name in right}
        return {"epoch": float(number + 1), "loss": total / seen, "seconds": seconds, **self._named("accuracy", shares)}

    def measure(self, rows: Rows) -> dict[str, float]:
        """Loss, and the share told right, of rows that it does not learn from."""
        import torch

        items = self._items_of(rows)
        prepared = self._prepared_of(rows, items)
        asked: dict[str, list[Asked]] = {name: [] for name in self.objectives}
        self.module.eval()
        with torch.inference_mode():
            for some in items.by_length(ROWS_READ_AT_ONCE):
                reading = self.backbone.read(self.module, items.batch(some))
                for name, objective in self.objectives.items():
                    asked[name].append(objective.asked(reading, prepared[name][some]))
            found = {name: measured(asked[name], several=one.several) for name, one in self.objectives.items()}
        shares = {name: share for name, (_, share) in found.items()}
        loss = sum(loss for loss, _ in found.values())
        return {"held_out_loss": loss, **self._named("held_out_accuracy", shares)}

    def weights(self) -> dict[str, Tensor]:
        """Copies of all that trains."""
        return {
            **self.method.difference(self.module),
            **{name: value.detach().clone() for name, value in self._own().items()},
        }

    def set_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take back what ``weights`` gave."""
        import torch

        rest = dict(weights)
        with torch.no_grad():
            for name, value in self._own().items():
                value.copy_(rest.pop(name))
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

    def learnt(self) -> dict[str, Learnt]:
        """What each objective leaves behind."""
        return {name: objective.learnt() for name, objective in self.objectives.items()}

    def _own(self) -> dict[str, nn.Parameter]:
        """The parameters of all objectives, by task and name."""
        return {
            f"{task}/{name}": value
            for task, objective in self.objectives.items()
            for name, value in objective.parameters.items()
        }

    def _items_of(self, rows: Rows) -> Items:
        """Some rows as the backbone reads them."""
        return self.backbone.items(rows.texts, max_tokens=self.config.max_tokens, with_units=self._with_units)

    def _prepared_of(self, rows: Rows, items: Items) -> dict[str, Tensor]:
        """What is right of some rows, by task."""
        return {name: one.prepared(rows.targets[name], items) for name, one in self.objectives.items()}

    def _named(self, figure: str, values: Mapping[str, float]) -> dict[str, float]:
        """A figure of each task of one label a text or word, with the task's name where there are several tasks."""
        alone = len(self.objectives) == 1
        return {
            figure if alone else f"{figure} {name}": value
            for name, value in values.items()
            if not self.objectives[name].several
        }

    def _order(self, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
        """All rows once, batch by batch."""
        groups = None if self._kinds is None else grouped(self._kinds, rng, together=self.config.together)
        return self._items.shuffled(self.config.batch_rows, rng, groups)

    def _loss(self, rows: Any) -> tuple[Tensor, dict[str, Asked]]:
        """The loss of some rows, each task by the share of them that it knows, and what was asked."""
        given, weight = self._items.batch(rows, varied=True), self.config.consistency
        readings = [self.backbone.read(self.module, given) for _ in range(2 if weight else 1)]
        loss, asked = self.method.penalty(self.module), {}
        for name, objective in self.objectives.items():
            told = [objective.asked(reading, self._prepared[name][rows]) for reading in readings]
            asked[name] = one = told[0]
            if not one.rows:
                continue
            right = sum((objective.loss(each) for each in told), loss.new_zeros(())) / len(told)
            if weight:
                right = right + weight * divergence(told[0].scores, told[1].scores, several=objective.several)
            loss = loss + right * (one.rows / len(rows))
        return loss, asked

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
        groups = [
            {
                "params": [parameter],
                "lr": config.prototype_rate
                if name.endswith(self.backbone.fresh)
                else rate * config.layer_decay ** self.backbone.layers_above(name),
                "weight_decay": config.weight_decay if parameter.ndim > 1 else 0.0,
            }
            for name, parameter in self.module.named_parameters()
            if parameter.requires_grad
        ]
        for one in self.objectives.values():
            groups.append({"params": list(one.parameters.values()), "lr": one.rate, "weight_decay": 0.0})
        return groups


def _freeze(module: nn.Module, backbone: Learner, share: float) -> None:
    """Let nothing train in this share of the layers, from the words up."""
    above = {name: backbone.layers_above(name) for name, _ in module.named_parameters()}
    layers = max(above.values())
    frozen = int(share * layers)
    for name, parameter in module.named_parameters():
        if frozen and above[name] >= layers - frozen:
            parameter.requires_grad_(False)


def _kinds(rows: Rows, tasks: Sequence[Task]) -> NDArray[np.intp] | None:
    """The label of each row by the first task that has any for whole rows, -1 where it is not known."""
    name = next((task.name for task in tasks if task.kind != "spans"), None)
    if name is None:
        return None
    targets = rows.targets[name]
    return np.where(np.isnan(targets[:, 0]), -1, np.nan_to_num(targets).argmax(axis=1))


def encode(module: nn.Module, backbone: Learner, items: Items) -> Array:
    """Unit vectors by a module, shape (n, d), in single precision."""
    vectors = np.zeros((len(items), backbone.width), dtype=np.float32)
    for rows, reading in _readings(module, backbone, items):
        vectors[rows] = reading.vectors.cpu().numpy()
    return vectors


def encode_units(module: nn.Module, backbone: Learner, tokens: Tokens) -> Ragged:
    """Features of the first piece of each unit of texts by a module, in single precision."""
    splits = np.concatenate([[0], np.cumsum([len(units.places) for units in tokens.units])]).astype(np.intp)
    values = np.zeros((splits[-1], backbone.width), dtype=np.float32)
    for rows, reading in _readings(module, backbone, tokens):
        for row, features in zip(rows, reading.features.cpu(), strict=True):
            values[splits[row] : splits[row + 1]] = features[tokens.units[row].places].numpy()
    offsets = [units.offsets for units in tokens.units]
    return Ragged(values, splits, np.concatenate([np.zeros((0, 2), np.intp), *offsets]))


def _readings(module: nn.Module, backbone: Learner, items: Items) -> Iterator[tuple[NDArray[np.intp], Reading]]:
    """What a module says of some rows after others."""
    import torch

    module.eval()
    with torch.inference_mode():
        for rows in items.by_length(ROWS_READ_AT_ONCE):
            yield rows, backbone.read(module, items.batch(rows))
