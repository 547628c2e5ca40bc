"""The notation of rules, read into what rules are made of. ``docs/reason.md`` shows it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from huiyi.errors import DataError, did_you_mean
from huiyi.reason.facts import LARGEST_TEXT, Fact, Given, normalised, value_of
from huiyi.reason.logic import (
    ANONYMOUS,
    FUNCTIONS,
    TODAY,
    Age,
    Atom,
    Comparison,
    Expression,
    Kind,
    Negation,
    Part,
    Rule,
    Sum,
    Term,
    Variable,
    variables_of,
)
from huiyi.reason.names import name_of

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n\ufeff]+|\#[^\n]*)
      | (?P<iri><[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>"{}|^`\\]*>)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<variable>\?\w+)
      | (?P<at>@\w+)
      | (?P<date>\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?)?)
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<short>[^\W\d]\w*:[^\W\d]\w*)
      | (?P<word>[^\W\d]\w*)
      | (?P<sign>:-|<=|>=|!=|[=<>(),.+\-*/])""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_WIDE = dict(
    zip("，。（）：？！＝＜＞“”‘’", [",", ".", "(", ")", ":", "?", "!", "=", "<", ">", '"', '"', "'", "'"], strict=True)
)
_SIGNS = ("<=", ">=", "!=", "=", "<", ">")
_DEEPEST = 50
DECLARATIONS: Mapping[str, int] = {
    "@subclass": 2,
    "@subrelation": 2,
    "@inverse": 2,
    "@symmetric": 1,
    "@transitive": 1,
}
"""What can be declared, and of how many relations."""

_KNOWN = ("@prefix", "@relation", "@rule", *DECLARATIONS)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text, and where it stands."""

    kind: str
    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation that was declared, so that it may be used before any fact of it is known.

    Attributes:
        atom: It, with a variable for each argument.
        descriptions: Language to what a fact of it says, with ``?name`` for the arguments.
    """

    atom: Atom
    descriptions: Mapping[str, str]


@dataclass
class Parsed:
    """What a file of rules holds, in the order in which it stands there."""

    rules: list[Rule] = field(default_factory=list)
    facts: list[Given] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)


def parse(text: str, source: str, unnamed: dict[str, int] | None = None) -> Parsed:
    """Read rules.

    Args:
        text: The rules.
        source: What errors and proofs call the text.
        unnamed: How many rules without a name were read before, by what they conclude. It is counted on.

    Raises:
        DataError: Something in it is not as it should be; the message gives line and column.
    """
    return _Parser(_tokens(text, source), source, {} if unnamed is None else unnamed).file()


def _tokens(text: str, source: str) -> list[Token]:
    """Cut the text into pieces, without white space and comments."""
    found: list[Token] = []
    place, line, start = 0, 1, 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        column = place - start + 1
        if match is None:
            char = text[place]
            why = "a text that has no end on its line" if char in "\"'" else f"{char!r}, which has no meaning here"
            hint = f" Write {_WIDE[char]!r}." if char in _WIDE else " Put names with such characters in quotes."
            raise DataError(f"{source}, line {line}, column {column}: there is {why}.{hint}")
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, match[0], line, column))
        breaks = match[0].count("\n")
        if breaks:
            line += breaks
            start = place + match[0].rindex("\n") + 1
        place = match.end()
    return [*found, Token("end", "", line, place - start + 1)]


class _Parser:
    """Goes from token to token."""

    def __init__(self, tokens: list[Token], source: str, unnamed: dict[str, int]) -> None:
        self._tokens = tokens
        self._source = source
        self._place = 0
        self._prefixes: dict[str, str] = {}
        self._anonymous = 0
        self._unnamed = unnamed
        self._found = Parsed()

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._next
        self._place += token.kind != "end"
        return token

    def _fail(self, expected: str, token: Token | None = None, hint: str = "") -> NoReturn:
        token = token or self._next
        what = "the text ends" if token.kind == "end" else f"there is {token.text[:60]!r}"
        raise DataError(f"{self._source}, line {token.line}, column {token.column}: {what}. Expected {expected}.{hint}")

    def _is(self, text: str) -> bool:
        return self._next.text == text and self._next.kind in ("sign", "word", "at")

    def _want(self, text: str, after: str) -> None:
        if not self._is(text):
            self._fail(f"{text!r} {after}")
        self._take()

    def file(self) -> Parsed:
        """All of it."""
        while self._next.kind != "end":
            if self._next.kind == "at":
                self._directive()
            else:
                self._clause(self._next, "", 1.0, {})
        return self._found

    def _directive(self) -> None:
        at = self._take()
        if at.text == "@prefix":
            word, iri = self._word("a short name for the addresses"), self._take()
            if iri.kind != "iri":
                self._fail("an address in angle brackets, such as <http://shop.example/>", iri)
            self._prefixes[word] = iri.text[1:-1]
        elif at.text == "@relation":
            self._relation()
        elif at.text == "@rule":
            name = self._rule_name()
            weight = self._weight()
            self._clause(at, name, weight, self._descriptions())
            return
        elif at.text in DECLARATIONS:
            names = [self._name("the name of a relation") for _ in range(DECLARATIONS[at.text])]
            self._found.rules.append(declared(at.text[1:], names, f"{self._source}, line {at.line}"))  # type: ignore[arg-type]
        else:
            self._fail(f"one of {', '.join(_KNOWN)}", at, did_you_mean(at.text, _KNOWN))
        self._want(".", "at the end")

    def _relation(self) -> None:
        place = self._next
        atom = self._atom()
        if not all(isinstance(term, Variable) and not term.name.startswith(ANONYMOUS) for term in atom.terms) or len(
            set(atom.terms)
        ) < len(atom.terms):
            self._fail("a different variable for each argument, as in @relation placed_on(?order, ?day)", place)
        self._found.relations.append(Relation(atom, self._descriptions()))

    def _rule_name(self) -> str:
        if self._next.kind == "text":
            return self._text(self._take())
        if self._next.kind == "word" and self._tokens[self._place + 1].text != "(" and not self._is("weight"):
            language = self._next.text in ("en", "zh") and self._tokens[self._place + 1].kind == "text"
            return "" if language else self._take().text
        return ""

    def _weight(self) -> float:
        if not self._is("weight"):
            return 1.0
        self._take()
        number = self._take()
        if number.kind != "number" or not 0 < float(number.text) <= 1:
            self._fail("a weight above 0 and up to 1, such as 0.9", number)
        return float(number.text)

    def _descriptions(self) -> dict[str, str]:
        found: dict[str, str] = {}
        while self._next.kind == "word" and self._tokens[self._place + 1].kind == "text":
            language = self._take()
            if language.text in found:
                self._fail("each language once", language)
            found[language.text] = self._text(self._take())
        return found

    def _clause(self, start: Token, name: str, weight: float, descriptions: Mapping[str, str]) -> None:
        """A fact, a rule or a constraint."""
        self._anonymous = 0
        head = None if self._is(":-") else self._atom()
        body: list[Part] = []
        if self._is(":-"):
            self._take()
            body.append(self._part())
            while self._is(","):
                self._take()
                body.append(self._part())
        self._want(".", "at the end, ',' before a further condition, or ':-' before the first")
        if len(body) > _DEEPEST:
            self._fail(f"at most {_DEEPEST} conditions: split the rule", start)
        source = f"{self._source}, line {start.line}"
        if not body and head is not None:
            if head.variables:
                self._fail("conditions that say what the variables are", start, f" {head} has none: add ':- …'.")
            fact = Fact(head.relation, tuple(term for term in head.terms if not isinstance(term, Variable)))
            self._found.facts.append(Given(fact, weight, source))
            return
        speaks = any(
            TODAY in (*variables_of(part.left), *variables_of(part.right))
            for part in body
            if isinstance(part, Comparison)
        )
        if speaks and not any(isinstance(part, Atom) and part.relation == TODAY for part in body):
            body.append(Atom(TODAY, (Variable(TODAY),)))
        base = "constraint" if head is None else head.relation
        self._unnamed[base] = self._unnamed.get(base, 0) + 1
        kind: Kind = "constraint" if head is None else "rule"
        name = name or f"{base} {self._unnamed[base]}"
        self._found.rules.append(Rule(name, head, tuple(body), weight, descriptions, source, kind))

    def _part(self) -> Part:
        if self._is("not"):
            self._take()
            return Negation(self._atom())
        following = self._tokens[self._place + 1].text if self._next.kind != "end" else ""
        if (
            following == "("
            and self._next.kind in ("word", "text", "iri", "short")
            and self._next.text not in FUNCTIONS
        ):
            return self._atom()
        left = self._expression(0)
        sign = self._take()
        if sign.text not in _SIGNS:
            self._fail(f"a comparison ({' '.join(_SIGNS)}), or a relation with its arguments in brackets", sign)
        return Comparison(sign.text, left, self._expression(0))

    def _atom(self) -> Atom:
        token = self._next
        name = self._name("the name of a relation")
        if not self._is("("):
            self._fail(f"'(' and the arguments of {name!r}")
        if name == TODAY and token.kind == "word":
            name = TODAY
        self._take()
        terms = [self._term()]
        while self._is(","):
            self._take()
            terms.append(self._term())
        self._want(")", f"after the arguments of {name!r}, or ',' before a further one")
        return Atom(name, tuple(terms))

    def _term(self) -> Term:
        if self._next.kind == "variable":
            return self._variable()
        if self._is(TODAY):
            self._take()
            return Variable(TODAY)
        if self._is("-") or self._next.kind in ("number", "date"):
            value = self._expression(_DEEPEST)
            if not isinstance(value, Sum | Age):
                return value
        return value_of(self._name("a variable such as ?order, a name, a number or a date"))

    def _variable(self) -> Variable:
        name = self._take().text[1:]
        if name == "_":
            self._anonymous += 1
            return Variable(f"{ANONYMOUS}{self._anonymous}")
        return Variable(name)

    def _expression(self, depth: int) -> Expression:
        """Products before sums, from left to right."""
        return self._chain(("+", "-"), lambda: self._chain(("*", "/"), lambda: self._operand(depth), depth), depth)

    def _chain(self, signs: tuple[str, ...], read: Callable[[], Expression], depth: int) -> Expression:
        left = read()
        links = 0
        while depth < _DEEPEST and self._next.text in signs and self._next.kind == "sign":
            links += 1
            if links > _DEEPEST:
                self._fail(f"at most {_DEEPEST} values put together: split the rule")
            sign = self._take().text
            left = Sum(sign, left, read())
        return left

    def _operand(self, depth: int) -> Expression:
        token = self._next
        if token.kind == "number":
            self._take()
            return normalised(float(token.text) if "." in token.text else int(token.text[:30]))
        if token.kind == "date":
            self._take()
            value = value_of(token.text)
            if isinstance(value, str):
                self._fail("a day that exists, such as 2026-01-31", token)
            return value
        if self._is("-"):
            self._take()
            number = self._operand(depth)
            if not isinstance(number, int | float):
                self._fail("a number after '-'", token)
            return -number
        if self._is("("):
            self._take()
            if depth + 1 >= _DEEPEST:
                self._fail("fewer brackets inside each other: split the rule", token)
            inner = self._expression(depth + 1)
            self._want(")", "to close the bracket")
            return inner
        if token.text in FUNCTIONS and self._tokens[self._place + 1].text == "(":
            self._take()
            self._take()
            of = self._expression(depth + 1)
            self._want(")", f"after the argument of {token.text}")
            return Age(token.text, of)
        return self._term()

    def _word(self, expected: str) -> str:
        if self._next.kind != "word":
            self._fail(expected)
        return self._take().text

    def _name(self, expected: str) -> str:
        """A name: a word, a text in quotes, an address in angle brackets, or one by its short name."""
        token = self._take()
        if token.kind == "word" and token.text != "not":
            return token.text
        if token.kind == "text":
            if text := self._text(token):
                return text
            self._fail("a name with at least one character", token)
        if token.kind == "iri":
            return name_of(token.text[1:-1])
        if token.kind == "short":
            prefix, _, local = token.text.partition(":")
            if prefix in self._prefixes:
                return name_of(self._prefixes[prefix] + local)
            if name_of(token.text) == token.text and prefix in ("rdf", "rdfs", "owl", "skos", "xsd"):
                return token.text
            self._fail(f"'@prefix {prefix} <…>.' before it", token, did_you_mean(prefix, self._prefixes))
        self._fail(expected, token)

    def _text(self, token: Token) -> str:
        if len(token.text) > LARGEST_TEXT:
            self._fail(f"a text of at most {LARGEST_TEXT:,} characters", token)
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), token.text[1:-1])


def declared(kind: Kind, names: list[str], source: str) -> Rule:
    """The rule that a declaration stands for.

    Example:
        >>> print(declared("transitive", ["part_of"], ""))
        part_of(?x, ?z) :- part_of(?x, ?y), part_of(?y, ?z).
    """
    x, y, z = Variable("x"), Variable("y"), Variable("z")
    first, last = names[0], names[-1]
    head, *body = {
        "subclass": (Atom(last, (x,)), Atom(first, (x,))),
        "subrelation": (Atom(last, (x, y)), Atom(first, (x, y))),
        "inverse": (Atom(last, (y, x)), Atom(first, (x, y))),
        "symmetric": (Atom(first, (y, x)), Atom(first, (x, y))),
        "transitive": (Atom(first, (x, z)), Atom(first, (x, y)), Atom(first, (y, z))),
    }[kind]
    english, chinese = {
        "subclass": (f"every {first} is a {last}", f"凡“{first}”都是“{last}”"),
        "subrelation": (f"{first} implies {last}", f"“{first}”蕴含“{last}”"),
        "inverse": (f"{last} is {first}, seen from the other side", f"“{last}”与“{first}”互逆"),
        "symmetric": (f"{first} holds both ways", f"“{first}”是对称的"),
        "transitive": (f"{first} passes on from one to the next", f"“{first}”可以传递"),
    }[kind]
    return Rule(f"{kind} {' '.join(names)}", head, tuple(body), 1.0, {"en": english, "zh": chinese}, source, kind)
