"""The options of training, and how it tells how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from huiyi.errors import OptionError, did_you_mean
from huiyi.perceive import PERCEIVERS, Upkeep
from huiyi.train.tuning.methods import METHODS
from huiyi.train.tuning.pretexts import PRETEXTS
from huiyi.train.tuning.tracking import TRACKERS, Tracker

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


EpochListener = Callable[[str, Mapping[str, float]], None]
"""Told what is being tuned, and the figures of an epoch of it."""

EFFORTS = ("fast", "tuned", "thorough")
"""How much work training is worth, the least first."""


@dataclass(frozen=True)
class Session:
    """What surrounds one training.

    Attributes:
        progress: Told how far it has come.
        on_epoch: Told the figures of each epoch of fine-tuning.
        folder: Where it keeps what survives an interruption.
        resume: Whether to go on with what is there.
        tracker: Keeps the figures of each epoch.
        upkeep: Where what is perceived in media is kept, and what happens to those that cannot be read.
    """

    progress: Progress | None = None
    on_epoch: EpochListener | None = None
    folder: Path | None = None
    resume: bool = False
    tracker: Tracker | None = None
    upkeep: Upkeep = field(default_factory=Upkeep)


@dataclass(frozen=True)
class TrainConfig:
    """Options of training.

    Attributes:
        max_error: Largest share of wrong acts that is allowed.
        oos_rate: Share of records out of scope where the model will work.
        signals: What to perceive; all there are when empty.
        effort: One of ``EFFORTS``.
        encoder: The backbone that is tuned: a packaged one by name, a folder,
            or an id on the hub; chosen by the language of the texts when empty.
        image_encoder: What looks at pictures, by a folder or an id on the hub, instead of the packaged encoder.
            It is not tuned.
        tune: Which of its parameters train, one of ``METHODS``.
        pretexts: What a backbone learns from unlabelled texts alone before it
            is tuned, some of ``PRETEXTS``; they seldom help one that learnt from much text.
        distil: Whether what is tuned teaches a small student, which is kept in its place: it answers several times as
            fast, and with the core alone.
        minutes: How long the effort ``thorough`` may take.
        track: Who keeps the figures of epochs, one of ``TRACKERS``, where there is a folder for them.
        examples: Whether the model keeps the training texts.
        seed: Told in every decision. The fast strategy draws no random numbers; fine-tuning draws all from it.
    """

    max_error: float = 0.05
    oos_rate: float = 0.1
    signals: tuple[str, ...] = ()
    examples: bool = True
    seed: int = 0
    effort: str = "fast"
    encoder: str = ""
    image_encoder: str = ""
    tune: str = "full"
    pretexts: tuple[str, ...] = ()
    distil: bool = False
    minutes: float = 60.0
    track: str = "tensorboard"

    def of(self, own: Mapping[str, float]) -> TrainConfig:
        """The options with those that a task has for itself."""
        return replace(self, **own)  # type: ignore[arg-type]

    def check(self) -> None:
        """Report what cannot be used, all at once.

        Raises:
            OptionError: With every mistake.
        """
        mistakes = []
        if not 0 < self.max_error < 1:
            mistakes.append(f"--max-error is {self.max_error}, expected more than 0 and less than 1, such as 0.05")
        if not 0 <= self.oos_rate < 1:
            mistakes.append(f"--oos-rate is {self.oos_rate}, expected 0 or more and less than 1, such as 0.1")
        if self.effort not in EFFORTS:
            near = did_you_mean(self.effort, EFFORTS)
            mistakes.append(f"--effort {self.effort!r} is not known, expected one of {', '.join(EFFORTS)}.{near}")
        if self.tune not in METHODS:
            near = did_you_mean(self.tune, METHODS)
            mistakes.append(f"--tune {self.tune!r} is not known, expected one of {', '.join(METHODS)}.{near}")
        if self.track not in TRACKERS:
            near = did_you_mean(self.track, TRACKERS)
            mistakes.append(f"--track {self.track!r} is not known, expected one of {', '.join(TRACKERS)}.{near}")
        if not 0 < self.minutes < float("inf"):
            mistakes.append(f"--minutes is {self.minutes:g}, expected more than 0, such as {TrainConfig.minutes:g}")
        if self.effort != EFFORTS[-1] and self.minutes != TrainConfig.minutes:
            mistakes.append("--minutes limits a search, expected with --effort thorough; add that")
        if self.distil and self.effort == EFFORTS[-1]:
            mistakes.append("--distil: a search has no student, expected with --effort tuned; name that")
        given = {
            "--encoder": self.encoder,
            "--tune": self.tune != TrainConfig.tune,
            "--pretext": self.pretexts,
            "--distil": self.distil,
            "--track": self.track != TrainConfig.track,
        }
        if self.effort == EFFORTS[0] and any(given.values()):
            named = ", ".join(option for option, is_given in given.items() if is_given)
            mistakes.append(f"{named}: only fine-tuning knows that, expected with --effort tuned; add that")
        for what, names, known in (("signal", self.signals, PERCEIVERS), ("--pretext", self.pretexts, PRETEXTS)):
            mistakes += [
                f"{what} {name!r} is not known, expected some of {', '.join(known)}.{did_you_mean(name, known)}"
                for name in names
                if name not in known
            ]
        if mistakes:
            raise OptionError("; ".join(mistakes))


def ticks(progress: Progress | None, what: str, total: int) -> Callable[[int], None] | None:
    """Turn steps into progress of ``what``, where anybody wants to know."""
    if progress is None:
        return None
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        progress(what, done, total)

    return tick
