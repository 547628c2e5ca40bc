"""The causal model: what may cause what, what was not measured, and what is taken for granted in saying so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from huiyi.cause.graph import Graph, Pair
from huiyi.cause.log import Log
from huiyi.errors import DataError, did_you_mean

Role: TypeAlias = Literal["action", "outcome", "intent", "context", "instrument", "mediator", "measured", "hidden"]
ROLES: tuple[Role, ...] = get_args(Role)

MOST_LISTED = 8
"""Columns that a sentence names before it says how many more there are."""

_EDGE = re.compile(r"\s*(<->|->|<-|--)\s*")


@dataclass(frozen=True)
class CausalModel:
    """A graph of causes with what people say about it.

    Attributes:
        roles: Each node's name to what it is: the ``action``; an ``outcome``; ``intent`` and ``context``, known before
            the action; an ``instrument`` that moves the action; a ``mediator`` through which the action works;
            ``hidden``, which no log holds; or else ``measured``.
        arrows: (cause, effect) pairs.
        arcs: Pairs that share an unmeasured cause to which nobody gave a name.
        assumptions: What is taken for granted, in sentences for people to read and to edit.
        source: What to call it in messages.

    Raises:
        DataError: Something causes itself by a circle, is not among the nodes, or has a role that it cannot have.

    Example:
        >>> model = CausalModel.of("difficulty -> reply", "difficulty -> solved", "reply -> solved",
        ...                        roles={"reply": "action", "solved": "outcome"})
        >>> model.graph.parents["solved"] == {"difficulty", "reply"}, model.roles["difficulty"]
        (True, 'measured')
        >>> CausalModel.of("a -> b", "b -> c", "c -> a")
        Traceback (most recent call last):
        huiyi.errors.DataError: the causal model: a -> b -> c -> a is a circle, and nothing causes itself. ...
    """

    roles: Mapping[str, Role]
    arrows: tuple[Pair, ...]
    arcs: tuple[Pair, ...] = ()
    assumptions: tuple[str, ...] = ()
    source: str = field(default="the causal model", compare=False)

    def __post_init__(self) -> None:
        """Refuse what is not a causal model."""
        object.__setattr__(self, "roles", MappingProxyType(dict(self.roles)))
        object.__setattr__(self, "arrows", tuple(dict.fromkeys(self.arrows)))
        object.__setattr__(self, "arcs", tuple(dict.fromkeys((min(arc), max(arc)) for arc in self.arcs)))
        _check_names(self)
        if circle := self.graph.circle():
            raise DataError(
                f"{self.source}: {' -> '.join((*circle, circle[0]))} is a circle, and nothing causes itself. Expected "
                "arrows that never lead back: take one of them out"
            )
        _check_roles(self)

    @classmethod
    def of(
        cls,
        *edges: str,
        roles: Mapping[str, Role] = MappingProxyType({}),
        assumptions: Sequence[str] = (),
        source: str = "the causal model",
    ) -> CausalModel:
        """A model of edges such as ``a -> b -> c`` and ``a <-> b``; their nodes are ``measured`` unless told otherwise.

        Raises:
            DataError: As the class, and where an edge cannot be read.
        """
        arrows: list[Pair] = []
        arcs: list[Pair] = []
        for edge in edges:
            more_arrows, more_arcs = parsed_edge(edge, source)
            arrows += more_arrows
            arcs += more_arcs
        names = dict.fromkeys([*roles, *(name for pair in (*arrows, *arcs) for name in pair)])
        given: dict[str, Role] = {name: roles.get(name, "measured") for name in names}
        return cls(given, tuple(arrows), tuple(arcs), tuple(assumptions), source)

    @cached_property
    def graph(self) -> Graph:
        """All nodes, hidden ones too."""
        return Graph.of(self.roles, self.arrows, self.arcs)

    @property
    def measured(self) -> tuple[str, ...]:
        """The nodes that a log may hold."""
        return tuple(name for name, role in self.roles.items() if role != "hidden")

    @property
    def hidden(self) -> tuple[str, ...]:
        """The nodes that no log holds."""
        return self.of_role("hidden")

    def of_role(self, role: Role) -> tuple[str, ...]:
        """The nodes of a role."""
        return tuple(name for name, given in self.roles.items() if given == role)

    def only(self, role: Role) -> str:
        """The one node of a role.

        Raises:
            DataError: There is none, or there are several.
        """
        found = self.of_role(role)
        if len(found) != 1:
            raise DataError(
                f"{self.source}: {'no node is' if not found else _listed(found) + ' are each'} the {role}. Expected "
                f"one: name it, or give one node the role {role!r}"
            )
        return found[0]

    def node(self, name: str) -> str:
        """The name, if there is such a node.

        Raises:
            DataError: There is none.
        """
        if name not in self.roles:
            raise DataError(
                f"{self.source}: there is no node {name!r}.{did_you_mean(name, self.roles)} Expected one of: "
                f"{_listed(self.roles)}"
            )
        return name

    def hiding(self, names: Iterable[str]) -> CausalModel:
        """The same model where some nodes are not measured."""
        gone = {self.node(name) for name in names}
        return replace(self, roles={name: "hidden" if name in gone else role for name, role in self.roles.items()})


def assumed(log: Log, outcome: str) -> CausalModel:
    """The model where nobody gave one: all that was known before the action may have led to it and to the outcome.

    Args:
        log: A log; of its columns the context and the action are used.
        outcome: The outcome.

    Example:
        >>> import numpy as np
        >>> from huiyi.cause import Categories
        >>> log = Log("log.csv", "reply", Categories.of(["call", "mail"]), {"solved": np.array([1.0, 0.0])},
        ...           {"age": np.array([3.0, 4.0])})
        >>> assumed(log, "solved").assumptions[0]
        "Whatever led to both 'reply' and 'solved' is among these columns: 'age'."
    """
    log.column(outcome)
    context = tuple(log.context)
    roles: dict[str, Role] = {name: "intent" if name == log.intent_name else "context" for name in context}
    roles |= {log.action_name: "action", outcome: "outcome"}
    arrows = [(name, effect) for name in context for effect in (log.action_name, outcome)]
    held = (
        f"Whatever led to both {log.action_name!r} and {outcome!r} is among these columns: {_listed(context)}."
        if context
        else f"Nothing led to both {log.action_name!r} and {outcome!r}; {log.action_name!r} was as if drawn by lot."
    )
    before = f"All of them were known before {log.action_name!r}, and {log.action_name!r} came before {outcome!r}."
    taken = () if log.propensities is not None else (held,)  # nothing need be assumed of how actions were chosen
    return CausalModel(
        roles,
        (*arrows, (log.action_name, outcome)),
        (),
        (*taken, before) if context else taken,
        f"the model assumed for {log.source}",
    )


def mismatch(model: CausalModel, log: Log) -> str:
    """Which columns the log lacks, and which the model does, in one line; "" where they fit.

    Example:
        >>> import numpy as np
        >>> from huiyi.cause import Categories
        >>> one = np.array([1.0])
        >>> log = Log("log.csv", "reply", Categories.of(["call"]), {"solved": one}, {"age": one})
        >>> mismatch(CausalModel.of("ages -> reply -> solved", "ages -> solved"), log)
        "log.csv lacks 'ages' of the causal model (did you mean 'age'?), so it counts as hidden; the causal model does \
not name 'age', so it is not looked at."
    """
    lacking = [name for name in model.measured if name not in log.names]
    over = [name for name in log.names if name not in model.roles]
    parts: list[str] = []
    if lacking:
        near = {name: did_you_mean(name, over).strip().lower() for name in lacking}
        listed = _joined(
            [f"{name!r} of {model.source}" + (f" ({near[name]})" if near[name] else "") for name in lacking]
        )
        parts.append(f"{log.source} lacks {listed}, so {'it counts' if len(lacking) == 1 else 'they count'} as hidden")
    if over:
        counts = "it is" if len(over) == 1 else "they are"
        parts.append(f"{model.source} does not name {_listed(over)}, so {counts} not looked at")
    return "; ".join(parts) + "." if parts else ""


def fitted_to(model: CausalModel, log: Log) -> CausalModel:
    """The model where what the log lacks is hidden.

    Raises:
        DataError: The log lacks the action or the outcomes of the model.
    """
    lacking = [name for name in model.measured if name not in log.names]
    for name in lacking:
        if model.roles[name] in ("action", "outcome"):
            raise DataError(
                f"{log.source}: there is no column {name!r}, the {model.roles[name]} of {model.source}."
                f"{did_you_mean(name, log.names)} Expected one of: {_listed(log.names)}"
            )
    return model.hiding(lacking)


def parsed_edge(text: str, source: str) -> tuple[list[Pair], list[Pair]]:
    """Arrows and arcs of ``a -> b``, ``b <- a``, ``a <-> b``, or several in a row.

    Raises:
        DataError: It is something else.

    Example:
        >>> parsed_edge("a -> b <-> c", "model.yaml")
        ([('a', 'b')], [('b', 'c')])
    """
    parts = _EDGE.split(text.strip())
    names, signs = parts[::2], parts[1::2]
    if len(names) < 2 or not all(names) or "--" in signs or any("<" in name or ">" in name for name in names):
        raise DataError(
            f"{source}: {text!r} is no edge. Expected 'cause -> effect', or 'one <-> other' for a hidden cause"
        )
    arrows: list[Pair] = []
    arcs: list[Pair] = []
    for left, sign, right in zip(names[:-1], signs, names[1:], strict=True):
        if sign == "<->":
            arcs.append((left, right))
        else:
            arrows.append((left, right) if sign == "->" else (right, left))
    return arrows, arcs


def _check_names(model: CausalModel) -> None:
    """Hold that edges lead from nodes to others, that are there."""
    for name, role in model.roles.items():
        if role not in ROLES:
            raise DataError(
                f"{model.source}: {name!r} has the role {role!r}.{did_you_mean(str(role), ROLES)} Expected one of: "
                f"{', '.join(ROLES)}"
            )
    for pair in (*model.arrows, *model.arcs):
        for name in pair:
            model.node(name)
        if pair[0] == pair[1]:
            raise DataError(f"{model.source}: {pair[0]!r} has an edge to itself. Expected two nodes: take it out")


def _check_roles(model: CausalModel) -> None:
    """Hold that what is called known before the action does not follow from it, and the like."""
    actions = model.of_role("action")
    if len(actions) > 1:
        raise DataError(
            f"{model.source}: {_listed(actions)} are each the action. Expected one: call the others 'measured'"
        )
    if not actions:
        return
    after = model.graph.descendants(actions)
    for name, role in model.roles.items():
        if role in ("context", "intent", "instrument") and name in after:
            raise DataError(
                f"{model.source}: {name!r} is called {role}, and follows from {actions[0]!r}. Expected what was there "
                "before the action: turn the arrows, or call it 'mediator' or 'measured'"
            )
        if role == "mediator" and name not in after:
            raise DataError(
                f"{model.source}: {name!r} is called mediator, and does not follow from {actions[0]!r}. Expected an "
                f"arrow '{actions[0]} -> {name}': add it, or call it 'measured'"
            )


def _listed(names: Iterable[str]) -> str:
    """Names in quotes, and how many more there are."""
    names = list(names)
    more = len(names) - MOST_LISTED
    quoted = [repr(name) for name in names]
    return _joined(quoted) if more <= 1 else f"{', '.join(quoted[:MOST_LISTED])} and {more} more"


def _joined(parts: Sequence[str]) -> str:
    """Parts with commas, and ``and`` before the last."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
