"""Between the terms of RDF and the values of facts."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from huiyi.errors import MissingExtraError
from huiyi.reason.facts import Fact, Value, normalised, written
from huiyi.reason.names import STANDARD, TYPE, iri_of, name_of

if TYPE_CHECKING:
    from types import ModuleType

    import pyoxigraph

    Term = pyoxigraph.NamedNode | pyoxigraph.BlankNode | pyoxigraph.Literal

_MADE_UP = re.compile("_:[0-9a-f]{24,32}")
_XSD = STANDARD["xsd"]
_NUMBERS = frozenset(
    f"{_XSD}{kind}"
    for kind in (
        *("integer", "decimal", "double", "float", "int", "long", "short", "byte"),
        *("nonNegativeInteger", "positiveInteger", "nonPositiveInteger", "negativeInteger"),
        *("unsignedInt", "unsignedLong", "unsignedShort", "unsignedByte"),
    )
)


def oxigraph() -> ModuleType:
    """The library of RDF, or the error that says how to install it."""
    try:
        import pyoxigraph
    except ImportError as error:
        raise MissingExtraError("Knowledge graphs", extra="reason") from error
    return pyoxigraph


def value_of_term(term: Any) -> Value:
    """The value that a term of RDF stands for. Languages are left out: the text counts."""
    kind = type(term).__name__
    if kind == "NamedNode":
        return normalised(name_of(term.value))
    if kind == "BlankNode":
        return f"_:{term.value}"
    if kind != "Literal":  # a quoted triple
        return str(term)
    try:
        return _literal(term.value, term.datatype.value)
    except ValueError:
        return str(term.value)


def _literal(text: str, datatype: str) -> Value:
    """The value of a literal; ``ValueError`` when its text is not of its kind."""
    if datatype in _NUMBERS:
        return normalised(int(text[:40]) if text.lstrip("+-").isdigit() else float(text))
    if datatype == f"{_XSD}date":
        return date.fromisoformat(text[:10])
    if datatype == f"{_XSD}dateTime":
        return normalised(datetime.fromisoformat(text))
    return normalised(text)


def term_of(value: Value) -> Term:
    """What stands for a value where a thing may stand: a number or a date as such, a text as a name."""
    ox = oxigraph()
    literal: Term
    if isinstance(value, str):
        literal = ox.BlankNode(value[2:]) if is_blank_node(value) else ox.NamedNode(iri_of(value))
    elif isinstance(value, date):
        kind = "dateTime" if isinstance(value, datetime) else "date"
        literal = ox.Literal(value.isoformat(), datatype=ox.NamedNode(f"{_XSD}{kind}"))
    else:
        kind = "integer" if isinstance(value, int) else "decimal"
        literal = ox.Literal(str(value), datatype=ox.NamedNode(f"{_XSD}{kind}"))
    return literal


def thing_of(value: Value) -> Any:
    """What stands for a value where only a thing may stand, as at the head of a triple."""
    return term_of(value) if isinstance(value, str) else oxigraph().NamedNode(iri_of(written(value)))


def triple_of(fact: Fact) -> tuple[Any, Any, Any]:
    """The triple that says a fact of one or two arguments."""
    ox = oxigraph()
    head, predicate = thing_of(fact.arguments[0]), ox.NamedNode(iri_of(fact.relation))
    if len(fact.arguments) == 1:
        return head, ox.NamedNode(TYPE), predicate
    return head, predicate, term_of(fact.arguments[1])


def fact_of(triple: Any) -> Fact:
    """The fact that a triple says: ``o1 rdf:type order`` says ``order(o1)``."""
    head, relation = value_of_term(triple.subject), name_of(triple.predicate.value)
    tail = value_of_term(triple.object)
    if relation == "rdf:type" and type(triple.object).__name__ == "NamedNode":
        return Fact(name_of(triple.object.value), (head,))
    return Fact(relation, (head, tail))


def is_blank_node(name: str) -> bool:
    """Whether a name is that of a thing without one, which the store made up at random."""
    return _MADE_UP.fullmatch(name) is not None
