"""Causal models in DOT and in dagitty's notation, two languages of one shape.

    digraph { mood [role=hidden]; reply [role=action]; age -> {reply solved}; mood -> reply [dir=both] }
    dag { reply [exposure]; solved [outcome]; mood [latent]; age -> reply -> solved; reply <-> solved }

What is about looks, such as colours and places, is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from huiyi.cause.graph import Pair
from huiyi.cause.model import CausalModel, Role
from huiyi.errors import DataError

_TOKEN = re.compile(
    r'(?P<space>[ \t\r]+|//[^\n]*|\#[^\n]*|/\*.*?\*/)|(?P<line>\n)|(?P<quoted>"(?:[^"\\]|\\.)*")'
    r"|(?P<sign><->|->|<-|--|[{}\[\];,=])|(?P<word>[^\s\[\]{};,=\"<>]+?(?=->|<-|--|[\s\[\]{};,=\"<>]|$))",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^\W\d]\w*")
_OF_DAGITTY: Mapping[str, Role] = {
    "exposure": "action",
    "e": "action",
    "outcome": "outcome",
    "o": "outcome",
    "latent": "hidden",
    "u": "hidden",
    "unobserved": "hidden",
    "adjusted": "measured",
    "selected": "measured",
}
_KEYWORDS = frozenset({"graph", "digraph", "subgraph", "node", "edge", "strict", "dag"})


@dataclass(frozen=True)
class _Token:
    text: str
    line: int
    kind: str


def parse_dot(text: str, *, source: str = "the causal model") -> CausalModel:
    """The causal model of a graph in DOT.

    A node's role stands in ``role``, a hidden cause is an edge with ``dir=both`` or a node with ``role=hidden``;
    assumptions are lines of the graph's ``comment``.

    Raises:
        DataError: It is none; the message names the line.

    Example:
        >>> parse_dot("digraph { reply [role=action]; age -> {reply solved}; reply -> solved }").arrows
        (('age', 'reply'), ('age', 'solved'), ('reply', 'solved'))

    Source:
        https://graphviz.org/doc/info/lang.html
    """
    return _Parser(text, source, "digraph").model()


def parse_dagitty(text: str, *, source: str = "the causal model") -> CausalModel:
    r"""The causal model of a text as dagitty writes it; its comments that begin with ``# assume:`` are assumptions.

    Raises:
        DataError: It is none; the message names the line.

    Example:
        >>> model = parse_dagitty("dag { x [exposure] \n u [latent] \n y [outcome] \n x -> y ; u -> {x y} }")
        >>> model.of_role("action"), model.hidden
        (('x',), ('u',))

    Source:
        Textor et al., "Robust causal inference using directed acyclic graphs: the R package dagitty", International
        Journal of Epidemiology 45(6), 2016, and its manual.
    """
    return _Parser(text, source, "dag").model()


def as_dot(model: CausalModel) -> str:
    """A model as DOT, which ``parse_dot`` and Graphviz read.

    Example:
        >>> print(as_dot(CausalModel.of("age -> reply", "age <-> reply", roles={"reply": "action"})), end="")
        digraph {
          reply [role=action];
          age [role=measured];
          age -> reply;
          age -> reply [dir=both, style=dashed];
        }
    """
    lines = [f"  comment={_quoted(chr(10).join(model.assumptions))};"] if model.assumptions else []
    looks: Mapping[Role, str] = {"hidden": ", style=dashed"}
    lines += [f"  {_name(name)} [role={role}{looks.get(role, '')}];" for name, role in model.roles.items()]
    lines += [f"  {_name(cause)} -> {_name(effect)};" for cause, effect in model.arrows]
    lines += [f"  {_name(one)} -> {_name(other)} [dir=both, style=dashed];" for one, other in model.arcs]
    return "\n".join(["digraph {", *lines, "}"]) + "\n"


def as_dagitty(model: CausalModel) -> str:
    """A model as dagitty reads it. Roles that dagitty does not know are kept as ``role``.

    Example:
        >>> print(as_dagitty(CausalModel.of("age -> reply", roles={"reply": "action"})), end="")
        dag {
          reply [exposure]
          age
          age -> reply
        }
    """
    known: Mapping[Role, str] = {
        "action": " [exposure]",
        "outcome": " [outcome]",
        "hidden": " [latent]",
        "measured": "",
    }
    lines = [f"  # assume: {' '.join(sentence.split())}" for sentence in model.assumptions]
    lines += [f"  {_name(name)}{known.get(role, f' [role={role}]')}" for name, role in model.roles.items()]
    lines += [f"  {_name(cause)} -> {_name(effect)}" for cause, effect in model.arrows]
    lines += [f"  {_name(one)} <-> {_name(other)}" for one, other in model.arcs]
    return "\n".join(["dag {", *lines, "}"]) + "\n"


class _Parser:
    """Read statements one after the other."""

    def __init__(self, text: str, source: str, kind: str) -> None:
        self.source = source
        self.kind = kind
        self.tokens = list(_tokens(text, source))
        self.at = 0
        self.roles: dict[str, Role] = {}
        self.arrows: list[Pair] = []
        self.arcs: list[Pair] = []
        self.assumptions = re.findall(r"#\s*assume:\s*(.*?)\s*$", text, re.MULTILINE) if kind == "dag" else []

    def model(self) -> CausalModel:
        """The whole graph."""
        words: list[str] = []
        while self._peek() not in ("{", ""):
            words.append(self._next().text)
        if not words or self.kind not in words[:2]:
            self._fail(f"this is no {self.kind}", f"'{self.kind} {{ … }}'")
        self._take("{")
        while self._peek() != "}":
            if self._peek() == "":
                self._fail("the graph does not end", "'}'")
            self._statement()
        self._take("}")
        if self._peek():
            self._fail(f"{self._peek()!r} comes after the graph", "nothing")
        return CausalModel(self.roles, tuple(self.arrows), tuple(self.arcs), tuple(self.assumptions), self.source)

    def _statement(self) -> None:
        if self._peek() in (";", ","):
            self.at += 1
            return
        first = self.tokens[self.at]
        if first.kind == "word" and first.text in ("node", "edge", "graph"):  # defaults of looks
            self.at += 1
            self._attributes()
            return
        if first.kind != "sign" and self._peek(1) == "=":  # about the whole graph
            self.at += 2
            value = self._next().text
            if first.text == "comment":
                self.assumptions += value.split("\n")
            return
        groups, signs = [self._group()], []
        while self._peek() in ("->", "<-", "<->", "--"):
            signs.append(self._next())
            groups.append(self._group())
        attributes = self._attributes()
        if not signs:
            for name in groups[0]:
                self._set_role(name, attributes, first.line)
        for left, sign, right in zip(groups[:-1], signs, groups[1:], strict=True):
            self._edges(left, sign, right, attributes)

    def _group(self) -> list[str]:
        """One node, or several in braces."""
        if self._peek() == "subgraph":
            self.at += 1
            if self._peek() != "{":
                self.at += 1
        if self._peek() != "{":
            return [self._node()]
        self._take("{")
        names: list[str] = []
        while self._peek() != "}":
            if self._peek() in (";", ","):
                self.at += 1
            else:
                names.append(self._node())
        self._take("}")
        return names

    def _node(self) -> str:
        if self._peek() == "" or self.tokens[self.at].kind == "sign":
            self._fail(f"{self._peek() or 'the end'!r} is no node", "a name")
        name = self._next().text
        self.roles.setdefault(name, "measured")
        return name

    def _attributes(self) -> dict[str, str]:
        """What stands in square brackets, names in small letters."""
        found: dict[str, str] = {}
        while self._peek() == "[":
            self.at += 1
            while self._peek() != "]":
                if self._peek() == "":
                    self._fail("a bracket does not end", "']'")
                if self._peek() in (",", ";"):
                    self.at += 1
                    continue
                name = self._next().text
                value = ""
                if self._peek() == "=":
                    self.at += 1
                    value = self._next().text
                found[name.lower()] = value
            self.at += 1
        return found

    def _set_role(self, name: str, attributes: Mapping[str, str], line: int) -> None:
        role = attributes.get("role")
        if role is None and self.kind == "dag":
            role = next((_OF_DAGITTY[key] for key in attributes if key in _OF_DAGITTY), None)
        if role is not None:
            CausalModel.of(roles={name: cast(Role, role)}, source=f"{self.source} line {line}")
            self.roles[name] = cast(Role, role)

    def _edges(self, left: list[str], sign: _Token, right: list[str], attributes: Mapping[str, str]) -> None:
        way = sign.text
        if way == "--":
            self._fail("'--' says no direction", "'->', or '<->' for a hidden cause", sign.line)
        if self.kind == "digraph":
            way = {"both": "<->", "back": "<-"}.get(attributes.get("dir", ""), way)
        for one in left:
            for other in right:
                if way == "<->":
                    self.arcs.append((one, other))
                else:
                    self.arrows.append((one, other) if way == "->" else (other, one))

    def _peek(self, ahead: int = 0) -> str:
        """What comes; what stood in quotes is in quotes, so that no name is taken for a sign."""
        if self.at + ahead >= len(self.tokens):
            return ""
        token = self.tokens[self.at + ahead]
        return f'"{token.text}"' if token.kind == "quoted" else token.text

    def _next(self) -> _Token:
        if self.at >= len(self.tokens):
            self._fail("the graph does not end", "'}'")
        self.at += 1
        return self.tokens[self.at - 1]

    def _take(self, text: str) -> None:
        if self._peek() != text:
            self._fail(f"{self._peek() or 'the end'!r} comes here", repr(text))
        self.at += 1

    def _fail(self, what: str, expected: str, line: int | None = None) -> None:
        if line is None:
            line = self.tokens[min(self.at, len(self.tokens) - 1)].line if self.tokens else 1
        raise DataError(f"{self.source} line {line}: {what}. Expected {expected}")


def _tokens(text: str, source: str) -> Iterator[_Token]:
    line, place = 1, 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise DataError(
                f"{source} line {line}: {text[place]!r} cannot stand here. Expected a name, an edge or '}}'"
            )
        kind, piece = str(found.lastgroup), found.group()
        if kind == "quoted":
            yield _Token(re.sub(r"\\(.)", lambda one: "\n" if one[1] == "n" else one[1], piece[1:-1]), line, kind)
        elif kind not in ("space", "line"):
            yield _Token(piece, line, kind)
        line += piece.count("\n")
        place = found.end()


def _name(name: str) -> str:
    """A name as both languages write it."""
    return name if _PLAIN.fullmatch(name) and name.lower() not in _KEYWORDS else _quoted(name)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
