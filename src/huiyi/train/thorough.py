"""The thorough strategy: what ``tuned`` does, with a search for settings, and the best of them together.

The usual settings are the first trial, so what is chosen is, by the rows that
no trial had seen, never worse. Trials differ in their seed too: what several
say together is surer than what the best of them says.

Source:
    Caruana et al., "Ensemble selection from libraries of models", ICML 2004
    (adding, one after the other, what helps those chosen most).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align import Scores
from huiyi.align.blend import loss_at_best
from huiyi.errors import OptionError
from huiyi.train.config import Session
from huiyi.train.fast import Assignment, Fitted
from huiyi.train.tuned import fit_members, prepare
from huiyi.train.tuning.finetune import FinetuneConfig
from huiyi.train.tuning.runs import write_whole
from huiyi.train.tuning.search import Between, CutShortError, Settings, Space, Tell, Trial, importance, search
from huiyi.train.tuning.tuner import Evidence, Tuner

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_MEMBERS = 3
"""Each tuned backbone makes an answer slower; more than this hardly make it better."""

MOST_TRIALS = 100
"""After so many, more hardly find anything."""

WORTH_A_MEMBER = 0.005
"""A further backbone must make the held-out loss smaller by this share."""

SHARE_FOR_FINALS = 0.5
"""Of what is left after the first trial, at most this share is kept for tuning to all rows."""

SPACE: Space = {
    "rate": Between(0.4, 2.5, by_ratio=True),
    "layer_decay": Between(0.75, 1.0),
    "epochs": Between(3, 8),
    "smoothing": Between(0.0, 0.2),
    "contrast": Between(0.0, 1.0),
    "prototype_rate": Between(3e-4, 1e-2, by_ratio=True),
    "sharpness": Between(12.0, 30.0),
}
"""What is searched. ``rate`` counts in the usual rate; the others are those of ``FinetuneConfig``."""


def fit_thorough(given: Assignment) -> Fitted:
    """Perceive, search, tune with the best settings, leave torch, and align.

    Raises:
        OptionError: There are spans, for which nothing is searched; or labels cannot be passed on.
    """
    minutes = given.config.minutes
    if any(task.kind == "spans" for task in given.tasks):
        raise OptionError("--effort thorough: expected labels, but there are spans too. Use --effort tuned")
    began = perf_counter()
    begun = prepare(given)
    beside = (*begun.tuners[1:], *begun.beside(given.config))  # nothing is searched for these
    folds = begun.left_out_by([begun.tuner, *beside])
    others = [(tuner, tuner.evidence(folds)) for tuner in beside]
    aside = perf_counter() - began
    candidates = Candidates(begun.tuner, folds)
    trials, members = candidates.found(60 * minutes - aside, aside=aside)
    if len(trials) == 1:
        begun.notices.append(
            f"of {minutes:g} minutes none were left to try other than the usual settings. Give more --minutes"
        )
    chosen = [(candidates.tuner(number, trials[number].settings), candidates.told(number)) for number in members]
    found = fit_members(begun, [*chosen, *others], given.session)
    return replace(found, report={**found.report, "search": candidates.report(trials, members)})


class Candidates:
    """Trials of fine-tuning, and what they say of rows they had not seen.

    Args:
        tuner: Tunes with the usual settings.
        folds: The run that leaves each row out, -1 where none does.
    """

    def __init__(self, tuner: Tuner, folds: NDArray[np.intp]) -> None:
        self._usual, self._folds, self._folder = tuner, folds, tuner.checkpoints
        self._evidence: dict[int, Evidence] = {}

    def found(self, seconds: float, *, aside: float) -> tuple[list[Trial], list[int]]:
        """All trials, and the numbers of those that together are best, the best one first.

        Args:
            seconds: For all that is still to be done.
            aside: About how long it takes to leave torch with one backbone and to hear it, and also to fit all heads.
        """
        chosen = self._place("chosen.json")
        is_over = chosen is not None and chosen.is_file()
        is_told = len(np.unique(self._folds)) > 1  # without rows to leave out nothing tells settings apart
        trials = search(
            self.objective,
            SPACE,
            [as_settings(self._usual.config)],
            seconds=seconds,
            reserve=lambda trials: self._reserve(trials, seconds, aside),
            seed=self._usual.config.seed,
            journal=self._place("trials.json"),
            most=0 if is_over else MOST_TRIALS if is_told else 1,
        )
        if chosen is not None and is_over:
            return trials, json.loads(chosen.read_text("utf-8"))
        members = self._members(trials, seconds - aside - sum(trial.seconds for trial in trials), aside)
        if chosen is not None:
            write_whole(chosen, json.dumps(members).encode())
        return trials, members

    def objective(self, number: int, settings: Settings, tell: Tell) -> float:
        """The held-out loss of a trial."""
        session = self._usual.session

        def on_epoch(what: str, figures: Mapping[str, float]) -> None:
            named = f"trial {number}, {what}"
            if session.tracker is not None:
                session.tracker.tell(named, figures)
            if session.on_epoch is not None:
                session.on_epoch(named, figures)
            tell(int(figures["epoch"]), figures.get("held_out_loss"))

        tuner = self.tuner(number, settings, replace(session, on_epoch=on_epoch, tracker=None))
        try:
            evidence = tuner.evidence(self._folds)
        except CutShortError:
            self._forget(number)
            raise
        self._keep(number, evidence)
        self._forget(number)
        return self._loss([number])

    def tuner(self, number: int, settings: Settings, session: Session | None = None) -> Tuner:
        """What tunes with the settings of a trial."""
        usual = self._usual.config
        rate = settings["rate"] * self._usual.usual_rate
        config = replace(usual, **{**settings, "rate": rate}, seed=usual.seed + number)
        folder = self._folder / f"trial-{number}" if self._folder else None
        return self._usual.trying(config, session or self._usual.session, folder)

    def told(self, number: int) -> Evidence:
        """What a trial says, or said before an interruption."""
        from safetensors.numpy import load_file

        if number not in self._evidence:
            place = self._place(f"{number}.safetensors")
            assert place is not None, "trials are known from before only where they are kept"
            arrays, names = load_file(place), [task.name for task in self._usual.lessons.tasks]
            told = {name: Scores(arrays[f"labels/{name}"], arrays[f"nearest/{name}"]) for name in names}
            self._evidence[number] = Evidence(told, arrays["evident"], int(arrays["epochs"][0]))
        return self._evidence[number]

    def report(self, trials: Sequence[Trial], members: Sequence[int]) -> dict[str, Any]:
        """What the model's summary says of the search."""
        losses = {trial.number: trial.loss for trial in trials if trial.loss is not None}
        return {
            "trials": len(trials),
            "cut_short": len(trials) - len(losses),
            "members": list(members),
            "usual_loss": round(losses[0], 4),
            "best_loss": round(losses[members[0]], 4),
            "together_loss": round(self._loss(members), 4),
            "mattered": importance(trials, SPACE),
        }

    def _loss(self, members: Sequence[int]) -> float:
        """Held-out loss of what some trials say together, that of all tasks added."""
        told = [self.told(number) for number in members]
        evident, lessons = told[0].evident, self._usual.lessons  # all trials leave the same rows out
        loss = 0.0
        for task in lessons.tasks:
            targets = lessons.targets[task.name][: lessons.rows]
            rows = evident & ~np.isnan(targets[:, 0])
            scores = np.mean([evidence.told[task.name].labels[rows] for evidence in told], axis=0)
            loss += loss_at_best(scores, targets[rows], several=task.kind == "several") if rows.any() else 0.0
        return loss

    def _members(self, trials: Sequence[Trial], seconds: float, aside: float) -> list[int]:
        """The best trial, then whichever helps those chosen most, while it does, and there is time to tune it."""
        losses = {trial.number: trial.loss for trial in trials if trial.loss is not None}
        members = [min(losses, key=losses.__getitem__)]
        loss, left = losses[members[0]], seconds - self._final_seconds(trials[members[0]]) - aside
        while len(members) < MOST_MEMBERS:
            fits = [n for n in losses if n not in members and self._final_seconds(trials[n]) + aside <= left]
            together = {number: self._loss([*members, number]) for number in fits}
            best = min(together, key=together.__getitem__, default=None)
            if best is None or together[best] > loss * (1 - WORTH_A_MEMBER):
                break
            members.append(best)
            loss, left = together[best], left - self._final_seconds(trials[best]) - aside
        return members

    def _final_seconds(self, trial: Trial) -> float:
        """How long it will take to tune to all rows what a trial tuned to a part of them, or to several parts."""
        evident, runs = self.told(trial.number).evident, int(self._folds.max(initial=-1)) + 1
        rows_tuned_to = runs - float(evident.mean()) if evident.any() else 1.0  # in shares of all rows
        return 1.1 * trial.seconds / rows_tuned_to

    def _reserve(self, trials: Sequence[Trial], seconds: float, aside: float) -> float:
        """How long it will take to tune the best to all rows, several of them if there is time, and to fit heads."""
        each = self._final_seconds(trials[0]) + aside
        left = SHARE_FOR_FINALS * (seconds - trials[0].seconds) - aside
        return aside + each * float(np.clip(left // each, 1, MOST_MEMBERS))

    def _place(self, name: str) -> Path | None:
        """Where something is kept."""
        return self._folder / "trials" / name if self._folder else None

    def _keep(self, number: int, evidence: Evidence) -> None:
        """Keep what a trial says."""
        from safetensors.numpy import save

        self._evidence[number] = evidence
        if (place := self._place(f"{number}.safetensors")) is not None:
            arrays = {f"labels/{name}": scores.labels for name, scores in evidence.told.items()}
            arrays |= {f"nearest/{name}": np.asarray(scores.nearest) for name, scores in evidence.told.items()}
            epochs = np.array([evidence.epochs])
            write_whole(place, save({**arrays, "evident": evidence.evident, "epochs": epochs}))

    def _forget(self, number: int) -> None:
        """Remove the checkpoints of a trial, which are large."""
        if self._folder is not None:
            shutil.rmtree(self._folder / f"trial-{number}", ignore_errors=True)


def as_settings(config: FinetuneConfig) -> Settings:
    """The usual settings, as a trial."""
    return {name: 1.0 if name == "rate" else getattr(config, name) for name in SPACE}
