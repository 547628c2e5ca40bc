"""What a graph says of labels as examples of them: kept where it helps, left aside where it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from huiyi import TrainConfig
from huiyi.perceive import Upkeep
from huiyi.reason import Domain, Fact, Knowledge, Reasoner
from huiyi.train.config import Session
from huiyi.train.fast import Assignment, Fitted, fit_fast
from huiyi.train.knowing import fit_knowing, unused
from huiyi.values import Label, Record, Task

TASK = Task("illness", "choice", (Label("cold"), Label("flu")))
OTHER = Task("mood", "choice", (Label("angry"), Label("calm")))
SAYS = {"cold": ("sneezing", "sniffles", "hoarse"), "flu": ("shivers", "fever", "aches")}
RECORDS = tuple(
    Record(text=f"{said} number {n}", labels={"illness": label, "mood": ("angry", "calm")[n % 2]})
    for label, some in SAYS.items()
    for n, said in enumerate(some * 3)
)


def reasoner(pairs: list[tuple[str, str]], *tasks: Task) -> Reasoner:
    knowledge = Knowledge()
    knowledge.add([Fact("has_symptom", pair) for pair in pairs])
    return Reasoner(Domain(knowledge), tasks or (TASK,), [])


RIGHT = [(label, said) for label, some in SAYS.items() for said in some]
WRONG = [(other, said) for label, other in (("cold", "flu"), ("flu", "cold")) for said in SAYS[label]]
CONFIG = TrainConfig(signals=("words",))


class Strategy:
    """Learns as the fast one does, and remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[Assignment] = []

    def __call__(self, given: Assignment) -> Fitted:
        self.given.append(given)
        return fit_fast(given)


def assignment(*tasks: Task, **more: Any) -> Assignment:
    return Assignment(tasks or (TASK,), RECORDS, CONFIG, Session(), **more)


@pytest.mark.parametrize(("pairs", "kept"), [(RIGHT, True), (WRONG, False)])
def test_hints_are_kept_where_they_help(pairs: list[tuple[str, str]], kept: bool) -> None:
    strategy = Strategy()
    fit_knowing(strategy, assignment(), reasoner(pairs))
    (given,) = strategy.given
    assert bool(given.hints) == kept
    if kept:
        assert set(given.hints["illness", "flu"]) == {"flu", *SAYS["flu"]}


@pytest.mark.parametrize("pairs", [RIGHT, WRONG])
def test_the_fast_strategy_learns_no_more_often_than_needed(
    pairs: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = Strategy()
    monkeypatch.setattr("huiyi.train.knowing.fit_fast", strategy)
    fit_knowing(strategy, assignment(), reasoner(pairs))
    assert [bool(given.hints) for given in strategy.given] == [False, True]


def test_without_hints_nothing_is_tried() -> None:
    strategy = Strategy()
    fit_knowing(strategy, assignment(OTHER), reasoner(RIGHT, TASK))
    assert [dict(given.hints) for given in strategy.given] == [{}]


def test_hints_of_one_task_leave_the_other_alone() -> None:
    wrong = [*RIGHT, ("angry", "hoarse"), ("calm", "shivers")]
    strategy = Strategy()
    fit_knowing(strategy, assignment(TASK, OTHER), reasoner(wrong, TASK, OTHER))
    (given,) = strategy.given
    assert ("illness", "flu") in given.hints


def test_bad_pictures_are_excused_while_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Upkeep] = []
    monkeypatch.setattr(
        "huiyi.train.knowing.fit_fast", lambda given: (seen.append(given.session.upkeep), fit_fast(given))[1]
    )
    upkeep = Upkeep(None, print)
    fit_knowing(Strategy(), replace(assignment(), session=Session(upkeep=upkeep)), reasoner(RIGHT))
    assert seen == [upkeep, upkeep]


def test_labels_without_examples() -> None:
    described = Task("illness", "choice", (Label("cold", {"en": "a cold"}), Label("flu", {"en": "the flu"})))
    given = Assignment((described,), (), CONFIG, Session())
    fitted = fit_knowing(Strategy(), given, reasoner(RIGHT, described))
    assert set(fitted.aligners) == {"illness"}


def test_what_is_said_of_it() -> None:
    assert unused(None, [TASK]) == []
    assert unused(reasoner([]), [TASK]) == []
    assert unused(reasoner(RIGHT), [TASK]) == []
    (nobody,) = unused(reasoner([("Lyon", "rain")]), [TASK])
    assert "no two labels of 'illness' have facts of has_antecedent or has_symptom" in nobody
    wary = reasoner(RIGHT)
    belief = wary.beliefs["illness"]
    wary.beliefs["illness"] = replace(belief, evidence=replace(belief.evidence, trust=0.0))
    assert "left aside" in unused(wary, [TASK])[0]
    more = replace(TASK, labels=(*TASK.labels, Label("gout")))
    assert unused(reasoner(RIGHT, more), [more])[0].endswith("these labels of 'illness': 'gout'")
    assert unused(reasoner(RIGHT), [Task("tags", "several", ())]) == []
