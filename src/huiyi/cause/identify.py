"""Whether the effect of an action can be told from what is measured: how, or why not and what to measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from huiyi.cause.criteria import adjustment_sets, front_door, instruments, mediation, narrow_set
from huiyi.cause.formula import Chance, Formula, product, text, total
from huiyi.cause.general import Tangle, identified
from huiyi.cause.graph import Pair
from huiyi.cause.log import Log
from huiyi.cause.model import CausalModel
from huiyi.errors import DataError

Strategy: TypeAlias = Literal[
    "no effect", "back-door", "front-door", "general", "instrument", "mediation", "propensities", "not identified"
]


@dataclass(frozen=True)
class Identification:
    """How an effect can be told, or why it cannot.

    Attributes:
        action: What is done.
        outcome: What comes of it.
        strategy: ``back-door``, by columns held equal; ``front-door``, by mediators; ``general``, by the formula;
            ``instrument``, by what moves the action; ``mediation``, its direct and its indirect part; ``propensities``,
            since it is known how probable each action was; ``no effect``, since no arrows lead from the action to the
            outcome; or ``not identified``.
        adjustment: The columns to hold equal: those that give the narrowest intervals, or else the fewest.
        adjustments: All sets of columns that were found to do, small ones first; of ``back-door`` alone.
        mediators: Columns through which the effect goes.
        instruments: Columns that move the action.
        formula: The probability of the outcome if the action is done, or else the effect.
        estimand: The same as a formula that can be worked out, where it is one.
        assumptions: What is taken for granted beside what the model says, a sentence each.
        reason: Why it cannot be told; "" where it can.
        measure: Where it cannot: sets of nodes, each of which would be enough if it were measured.
    """

    action: str
    outcome: str
    strategy: Strategy
    adjustment: tuple[str, ...] = ()
    adjustments: tuple[tuple[str, ...], ...] = ()
    mediators: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    formula: str = ""
    estimand: Formula | None = None
    assumptions: tuple[str, ...] = ()
    reason: str = ""
    measure: tuple[tuple[str, ...], ...] = ()

    @property
    def is_identified(self) -> bool:
        """Whether the effect can be told."""
        return self.strategy != "not identified"


def identified_in(model: CausalModel, log: Log, outcome: str) -> Identification:
    """The way to tell an effect from a log: by what the log says of how actions were drawn, or else by the model.

    Where that is known, no hidden cause matters: each row counts by how probable its action was. What the model says
    was before the action only makes intervals narrower.

    Raises:
        DataError: The model does not have the action, or the outcome.
    """
    found = identify(model, log.action_name, outcome)
    if log.propensities is None:
        return found
    after = model.graph.descendants([log.action_name])
    before = tuple(name for name in log.context if name in model.measured and name not in after)
    said = f"{log.action_name!r} was drawn by the probabilities that the log says it was drawn by."
    return Identification(log.action_name, outcome, "propensities", found.adjustment or before, assumptions=(said,))


def identify(model: CausalModel, action: str | None = None, outcome: str | None = None) -> Identification:
    """The way to tell an effect that needs the least to be believed.

    Args:
        model: The causal model.
        action: What is done; the node of that role where it is not said.
        outcome: What comes of it; the same.

    Raises:
        DataError: There are no such nodes, or they are not measured.

    Example:
        >>> bow = CausalModel.of("u -> reply", "u -> solved", "reply -> solved", roles={"u": "hidden"})
        >>> identify(bow, "reply", "solved").measure
        (('u',),)
        >>> identify(CausalModel.of("z -> reply -> solved", "z -> solved"), "reply", "solved").formula
        'P(solved | do(reply)) = Σ_z P(solved | reply, z) P(z)'
    """
    return next(_ways(model, *_asked(model, action, outcome)))


def strategies(model: CausalModel, action: str | None = None, outcome: str | None = None) -> tuple[Identification, ...]:
    """All ways to tell an effect, that first which needs the least to be believed; or why there is none.

    Raises:
        DataError: There are no such nodes, or they are not measured.

    Example:
        >>> smoking = CausalModel.of("price -> smoking -> tar -> cancer", "smoking <-> cancer")
        >>> [way.strategy for way in strategies(smoking, "smoking", "cancer")]
        ['front-door', 'instrument']
    """
    return tuple(_ways(model, *_asked(model, action, outcome)))


def mediated(
    model: CausalModel, mediators: Sequence[str] = (), action: str | None = None, outcome: str | None = None
) -> Identification:
    """How to tell the part of an effect that goes through mediators from the rest.

    Args:
        model: The causal model.
        mediators: Those to look at; the nodes of that role where none is named.
        action: What is done; the node of that role where it is not said.
        outcome: What comes of it; the same.

    Raises:
        DataError: There are no such nodes, or they are not measured.

    Example:
        >>> mediated(CausalModel.of("x -> m -> y", "x -> y"), ["m"], "x", "y").formula
        'direct: Σ_m [E(y | x=1, m) − E(y | x=0, m)] P(m | x=0); indirect: Σ_m E(y | x=0, m) [P(m | x=1) − P(m | x=0)]'
    """
    action, outcome = _asked(model, action, outcome)
    through = tuple(mediators) or model.of_role("mediator")
    if not through:
        raise DataError(f"{model.source}: no node is a mediator. Expected one: name it, or give it that role")
    for name in through:
        _check_measured(model, name)
    known = Identification(action, outcome, "mediation", mediators=through)
    held = mediation(model.graph, action, outcome, through, model.measured)
    if held is None:
        return replace(
            known,
            strategy="not identified",
            reason=(
                f"What goes from {action!r} to {outcome!r} through {_named(through)} cannot be told from the rest: "
                "something not measured, or something that follows from the action, leads to both a mediator and the "
                "outcome, or to the action and one of them. Measure what it is, before the action."
            ),
        )
    m, given = ", ".join(through), "".join(f", {name}" for name in held)
    over, weight = _sum([*through, *held]), f" P({', '.join(held)})" if held else ""
    formula = (
        f"direct: {over} [E({outcome} | {action}=1, {m}{given}) − E({outcome} | {action}=0, {m}{given})] "
        f"P({m} | {action}=0{given}){weight}; indirect: {over} E({outcome} | {action}=0, {m}{given}) "
        f"[P({m} | {action}=1{given}) − P({m} | {action}=0{given})]{weight}"
    )
    return replace(known, adjustment=held, formula=formula)


def _asked(model: CausalModel, action: str | None, outcome: str | None) -> Pair:
    """The action and the outcome that are meant."""
    action = model.only("action") if action is None else _check_measured(model, action)
    outcome = model.only("outcome") if outcome is None else _check_measured(model, outcome)
    if action == outcome:
        raise DataError(
            f"{model.source}: {action!r} is both action and outcome. Expected two nodes: name another outcome"
        )
    return action, outcome


def _check_measured(model: CausalModel, name: str) -> str:
    if model.roles[model.node(name)] == "hidden":
        raise DataError(f"{model.source}: {name!r} is hidden. Expected a node that is measured: change its role")
    return name


def _ways(model: CausalModel, action: str, outcome: str) -> Iterator[Identification]:
    """All ways, or the refusal."""
    known = Identification(action, outcome, "not identified")
    graph, measured = model.graph, model.measured
    order = (action, *(name for name in measured if name != action))

    def told(strategy: Strategy, formula: Formula) -> Identification:
        spelt = f"P({outcome} | do({action})) = {text(formula, order)}"
        return replace(known, strategy=strategy, formula=spelt, estimand=formula)

    if action not in graph.ancestors([outcome]):
        yield told("no effect", Chance(frozenset([outcome])))
        return
    found = False
    if sets := adjustment_sets(graph, action, outcome, measured):
        found = True
        held = narrow_set(graph, action, outcome, measured)
        held = sets[0] if held is None else held
        yield replace(told("back-door", _back_door(action, outcome, held)), adjustment=held, adjustments=sets)
    if door := front_door(graph, action, outcome, measured):
        found = True
        formula = _front_door(action, outcome, door.mediators, door.adjustment)
        yield replace(told("front-door", formula), mediators=door.mediators, adjustment=door.adjustment)
    if not found and not isinstance(tried := identified(graph.projected(model.hidden), action, outcome), Tangle):
        found = True
        yield told("general", tried)
    for one in instruments(graph, action, outcome, measured):
        found = True
        given = f" | {', '.join(one.adjustment)}" if one.adjustment else ""
        yield replace(
            known,
            strategy="instrument",
            instruments=(one.name,),
            adjustment=one.adjustment,
            formula=f"Cov({outcome}, {one.name}{given}) / Cov({action}, {one.name}{given})",
            assumptions=(
                f"{one.name!r} moves {action!r} in one direction only, if at all; what is told is the effect on those "
                "whom it moves, or on all if it is the same for everyone.",
            ),
        )
    if not found:
        measure = _to_measure(model, action, outcome)
        yield replace(known, reason=_reason(model, action, outcome, measure), measure=measure)


def _back_door(action: str, outcome: str, held: Sequence[str]) -> Formula:
    known = Chance(frozenset([outcome]), frozenset([action, *held]))
    return total(held, product([known, Chance(frozenset(held))]))


def _front_door(action: str, outcome: str, mediators: Sequence[str], held: Sequence[str]) -> Formula:
    moved = Chance(frozenset(mediators), frozenset([action, *held]))
    ended = Chance(frozenset([outcome]), frozenset([action, *mediators, *held]))
    inner = total([action], product([ended, Chance(frozenset([action]), frozenset(held))]))
    return total([*mediators, *held], product([moved, Chance(frozenset(held)), inner]))


def _to_measure(model: CausalModel, action: str, outcome: str) -> tuple[tuple[str, ...], ...]:
    """What would be enough: single things where one is, else one set of which nothing can be spared."""

    def enough(revealed: Sequence[str | Pair]) -> bool:
        return not isinstance(_revealed(model, revealed, action, outcome), Tangle)

    unknown: list[str | Pair] = [*model.hidden, *model.arcs]
    single = [(one,) for one in unknown if enough([one])]
    if single:
        return tuple((_spelt(one),) for (one,) in single)
    for one in reversed(list(unknown)):
        fewer = [other for other in unknown if other != one]
        if enough(fewer):
            unknown = fewer
    return (tuple(_spelt(one) for one in unknown),)


def _revealed(model: CausalModel, revealed: Sequence[str | Pair], action: str, outcome: str) -> Formula | Tangle:
    """What could be told if some of the unknown were measured; an arc by the cause that stands behind it."""
    shown = [one for one in revealed if isinstance(one, str)]
    behind = {f"{arc[0]} <-> {arc[1]}": arc for arc in revealed if not isinstance(arc, str)}
    arrows = [(name, end) for name, arc in behind.items() for end in arc]
    more = CausalModel(
        dict.fromkeys((*model.roles, *behind), "measured"),
        (*model.arrows, *arrows),
        tuple(arc for arc in model.arcs if arc not in revealed),
    )
    return identified(more.graph.projected(name for name in model.hidden if name not in shown), action, outcome)


def _spelt(one: str | Pair) -> str:
    return one if isinstance(one, str) else f"what leads to both {one[0]} and {one[1]}"


def _reason(model: CausalModel, action: str, outcome: str, measure: Sequence[Sequence[str]]) -> str:
    """Why not, and what to do, in words."""
    graph = model.graph.projected(model.hidden)
    tied = identified(graph, action, outcome)
    assert isinstance(tied, Tangle)
    ends = _named([name for name in graph.names if name in tied.nodes and (name in tied.core or name == action)])
    what = " or ".join(_named(one) for one in measure)
    return (
        f"The effect of {action!r} on {outcome!r} cannot be told: causes of {ends} that are not measured look just "
        f"like it. Measure {what}; or find an instrument, which moves {action!r} and reaches {outcome!r} in no other "
        f"way (such as drawing {action!r} by lot); or measure a mediator through which all of the effect goes, and "
        "which what is hidden does not reach."
    )


def _named(names: Sequence[str]) -> str:
    quoted = [repr(name) if " " not in name else name for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _sum(names: Sequence[str]) -> str:
    return f"Σ_{names[0]}" if len(names) == 1 else f"Σ_{{{','.join(names)}}}"
