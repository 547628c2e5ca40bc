"""Fine-tune the core's own encoder: the Universal Sentence Encoder in torch, tuned to labels.

It is some convolutions over the tokens, so it learns and answers several times
as fast as a transformer, in sixteen languages, and errs elsewhere. What it
makes of a token alone stays as it is: only what it makes of company learns.
Tuned, it leaves torch as arrays for the core's own code.

Source:
    Yang et al., "Multilingual Universal Sentence Encoder for Semantic
    Retrieval", ACL 2020 system demonstrations (the convolutional model).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from huiyi.perceive import SENTENCE, SentencePerceiver
from huiyi.perceive.encoders.use import BRANCH, BRANCHES, EMBEDDING, UniversalSentenceEncoder, weights, windows_of
from huiyi.train.tuning.batches import Tokens
from huiyi.train.tuning.device import device, in_half
from huiyi.train.tuning.finetune import FinetuneConfig, Finetuned, suited
from huiyi.train.tuning.methods.base import Defaults
from huiyi.train.tuning.objectives import Reading
from huiyi.train.tuning.tuner import Lessons, Tuner

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from huiyi.train.config import Session
    from huiyi.train.tuning.loop import Learner
    from huiyi.train.tuning.methods import Method
    from huiyi.values import Array

RATE = 6e-4
DROPPED = 0.1
"""Share of what is known of a token, alone and in company, that is left out while learning."""

ROWS_SEEN, FEWEST_EPOCHS, MOST_EPOCHS = 50_000, 3, 6
"""Rows that one run sees, all epochs together."""

_FIXED = ("table", "scale", "low", "epsilon")


@dataclass(frozen=True, eq=False)
class SentenceBackbone:
    """The encoder while it is tuned. See ``Learner``.

    Attributes:
        module: From token ids and their mask to unit vectors and features of tokens.
        width: Numbers a vector has.
        fresh: No parameter begins with nothing.
    """

    module: nn.Module
    width: int = EMBEDDING
    fresh: tuple[str, ...] = ()

    def method(self, name: str) -> Method:
        """All of it trains but the tokens' own vectors, whatever is chosen for transformers."""
        return _All()

    def items(self, texts: Sequence[str], *, max_tokens: int, with_units: bool = False) -> Tokens:
        """Texts as it reads them, the first window of each."""
        return Tokens([windows_of(text)[0] for text in texts], padding=0)

    def read(self, module: nn.Module, given: Mapping[str, Tensor]) -> Reading:
        """What a module, tuned or not, says of some texts."""
        with in_half():
            vectors, features = module(**given)
        return Reading(vectors.float(), features.float())

    def layers_above(self, parameter: str) -> int:
        """All layers learn alike."""
        return 0


def sentence_backbone() -> SentenceBackbone:
    """The encoder as its package has it, ready to be tuned.

    Raises:
        InputError: Its package is missing, or its weights are not the ones known.
    """
    import torch
    from torch import nn
    from torch.nn.functional import dropout, layer_norm, normalize, pad, relu

    class Tunable(nn.Module):
        """The forward pass of ``UniversalSentenceEncoder``, of texts (b, t) filled up at the end."""

        table: Tensor
        scale: Tensor
        low: Tensor

        def __init__(self) -> None:
            super().__init__()
            known = weights()
            self.epsilon = known["epsilon"]
            for name in ("table", "scale", "low"):
                self.register_buffer(name, torch.from_numpy(np.asarray(known[name])), persistent=False)
            self.learnt = nn.ParameterDict(
                {name: torch.from_numpy(value.copy()) for name, value in known.items() if name not in _FIXED}
            )

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
            w, there = self.learnt, attention_mask[..., None].float()
            alone = self._dropped(self._alone(input_ids))
            projected = self._normalised(alone @ w["project"] + w["project_bias"], "branch_gain", "branch_bias")
            parts = [alone]
            for (size, left), own in zip(BRANCHES, torch.split(projected, BRANCH, dim=-1), strict=True):
                told = own
                for layer in ("first", "second"):
                    around = _around(told * there, size, left)
                    told = relu(around @ w[f"{layer}{size}"] + w[f"{layer}{size}_bias"]) + told
                parts.append(told)
            features = self._dropped(self._normalised(torch.cat(parts, dim=-1), "gain", "bias"))
            counts = there.sum(dim=1)
            pooled = ((features * there).sum(dim=1) @ w["pool"] + counts * w["pool_bias"]) / counts.sqrt()
            inner = relu(pooled @ w["p1"] + self._dropped(relu(pooled @ w["d0"])) @ w["d1"])
            sentence = torch.tanh(inner @ w["p3"] + self._dropped(relu(inner @ w["d2"])) @ w["d3"])
            return normalize(sentence.float(), dim=-1), features

        def _alone(self, ids: Tensor) -> Tensor:
            chunk = ids % len(self.scale)
            found: Tensor = self.table[ids].float() * self.scale[chunk, None] + self.low[chunk, None]
            return found

        def _normalised(self, rows: Tensor, gain: str, bias: str) -> Tensor:
            gains = self.learnt[gain]
            return layer_norm(rows.float(), gains.shape, gains, self.learnt[bias], self.epsilon)

        def _dropped(self, values: Tensor) -> Tensor:
            return dropout(values, DROPPED, training=self.training)

    def _around(rows: Tensor, size: int, left: int) -> Tensor:
        """What stands around each token, from ``left`` before it on, in one row; outside of the text is nothing."""
        padded = pad(rows, (0, 0, left, size - 1 - left))
        return torch.cat([padded[:, place : place + rows.shape[1]] for place in range(size)], dim=-1)

    return SentenceBackbone(Tunable().to(device()))


class _All(Defaults):
    """All parameters train."""

    learning_rate = RATE

    def attach(self, backbone: Any, *, steps: int, rng: np.random.Generator) -> nn.Module:
        """Let all learn. See ``Method.attach``."""
        module: nn.Module = backbone.requires_grad_(True)
        return module


class SentenceTuner(Tuner):
    """Tunes the encoder.

    Args:
        lessons: What it learns.
        signal: Of what it becomes, to be told by.
        seed: Of everything that is drawn.
        session: Whom to tell.
    """

    most_rows_seen = 200_000  # a row takes a fifth of the time that it takes a transformer

    def __init__(self, lessons: Lessons, signal: str, seed: int, session: Session) -> None:
        epochs = int(np.clip(round(ROWS_SEEN / max(1, lessons.size)), FEWEST_EPOCHS, MOST_EPOCHS))
        config = FinetuneConfig(epochs=epochs, layer_decay=1.0, seed=seed)
        config = suited(config, lessons.count, dearness=lessons.dearness)
        config = replace(config, rate=RATE, frozen=0.0)  # all its layers learn alike
        super().__init__(UniversalSentenceEncoder.name, signal, lessons, config, session)
        self._beside: Tuner | None = None

    @classmethod
    def beside(cls, other: Tuner) -> Self:
        """Tunes it to the tasks of labels that another backbone of texts is tuned to."""
        targets = {task.name: other.lessons.targets[task.name] for task in other.labels}
        lessons = replace(other.lessons, tasks=other.labels, targets=targets)
        signal = SENTENCE + other.signal.partition("@")[2]
        found = cls(lessons, signal, other.config.seed, other.session)
        found.checkpoints = other.checkpoints / found.name if other.checkpoints else None
        found._beside = other
        return found

    @property
    def usual_rate(self) -> float:
        """See ``Tuner.usual_rate``."""
        return RATE

    def perceiver(self, encoder: Any) -> SentencePerceiver:
        """What hears the encoder once it is out of torch."""
        return SentencePerceiver(self.signal, encoder)

    def exported(self, backbone: Learner, run: Finetuned | None) -> tuple[Any, Sequence[str]]:
        """The encoder out of torch: that of a run, or as its package has it."""
        learnt: Any = (run.module if run else backbone.module).learnt
        return UniversalSentenceEncoder({name: value.detach().cpu().numpy() for name, value in learnt.items()}), ()

    def passed_on(self, taught: NDArray[np.bool_]) -> Mapping[str, Array]:
        """What is passed on to unlabelled texts, by the other one if it is tuned beside it. See ``Tuner.passed_on``."""
        return self._beside.passed_on(taught) if self._beside else super().passed_on(taught)

    def _fresh(self) -> SentenceBackbone:
        """The encoder as its package has it."""
        return sentence_backbone()
