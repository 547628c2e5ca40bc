"""Rules: written by people who know the domain, checked before anything follows from them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from huiyi.errors import DataError, did_you_mean
from huiyi.reason.checks import check_names, check_safe, stratified
from huiyi.reason.facts import Given, Key, Source, written
from huiyi.reason.logic import TODAY, Atom, Rule
from huiyi.reason.syntax import Relation, declared, parse

_LARGEST_FILE = 10_000_000
_SCHEMA = {"rdfs:subClassOf": "subclass", "rdfs:subPropertyOf": "subrelation", "owl:inverseOf": "inverse"}
_KINDS = {"owl:SymmetricProperty": "symmetric", "owl:TransitiveProperty": "transitive"}


class Rules:
    """Rules that were checked, with the facts and the descriptions that stand beside them.

    Args:
        rules: The rules.
        facts: Facts that stand among them.
        relations: Relations that were declared.

    Raises:
        DataError: A rule is not safe, a relation has two arities, or rules go in a circle through ``not`` or
            through new values; the message names file, line and rule.

    Example:
        >>> rules = Rules.parse("mortal(?x) :- human(?x).")
        >>> print(rules.rules[0])
        mortal(?x) :- human(?x).
    """

    def __init__(
        self, rules: Sequence[Rule] = (), facts: Sequence[Given] = (), relations: Sequence[Relation] = ()
    ) -> None:
        self.rules = tuple(rules)
        self.facts = tuple(facts)
        self.relations = tuple(relations)
        self.by_name = {rule.name: rule for rule in self.rules}
        check_names(self.rules)
        for rule in self.rules:
            check_safe(rule)
        self.strata = stratified(self.rules)
        self.check({})

    @classmethod
    def parse(cls, text: str, *, source: str = "rules") -> Rules:
        """Read rules from a text.

        Raises:
            DataError: See the class, or the text is not in the notation of rules.
        """
        return cls.of_texts({source: text})

    @classmethod
    def of_texts(cls, texts: Mapping[str, str]) -> Rules:
        """Read rules from several texts, by what each is called. Rules without a name are counted through all.

        Raises:
            DataError: See ``parse``.

        Example:
            >>> list(Rules.of_texts({"a": "b(?x) :- c(?x).", "d": "b(?x) :- e(?x)."}).by_name)
            ['b 1', 'b 2']
        """
        unnamed: dict[str, int] = {}
        parts = [parse(text, source, unnamed) for source, text in texts.items()]
        return cls.joined([cls(part.rules, part.facts, part.relations) for part in parts])

    @classmethod
    def read(cls, file: str | os.PathLike[str]) -> Rules:
        """Read rules from a file in UTF-8.

        Raises:
            DataError: See the class, or the file cannot be read.
        """
        return cls.parse(text_of(file), source=Path(file).name)

    @classmethod
    def of_schema(cls, source: Source) -> Rules:
        """The rules that the triples of RDFS and OWL in a graph stand for.

        They are ``rdfs:subClassOf``, ``rdfs:subPropertyOf``, ``owl:inverseOf``, and things of the kinds
        ``owl:SymmetricProperty`` and ``owl:TransitiveProperty``.

        Example:
            >>> from huiyi.reason.facts import Fact, Statements
            >>> print(Rules.of_schema(Statements([Fact("owl:TransitiveProperty", ("part_of",))])).rules[0])
            part_of(?x, ?z) :- part_of(?x, ?y), part_of(?y, ?z).
        """
        wanted = {(name, 2) for name in _SCHEMA} | {(name, 1) for name in _KINDS}
        found: dict[str, Rule] = {}
        for fact, _ in source.facts(wanted):
            kind = _SCHEMA.get(fact.relation) or _KINDS[fact.relation]
            names = [written(value) for value in fact.arguments]
            for way in (names, names[::-1]) if kind == "inverse" else (names,):
                rule = declared(kind, way, next(iter(source.sources(fact)), ""))  # type: ignore[arg-type]
                found[rule.name] = rule
        return cls([found[name] for name in sorted(found)])

    @classmethod
    def joined(cls, parts: Iterable[Rules]) -> Rules:
        """The rules of all parts together. Of equal declarations, one is kept."""
        parts = list(parts)
        rules: dict[Rule | str, Rule] = {}
        for part in parts:
            for rule in part.rules:
                rules.setdefault(rule.name if rule.kind not in ("rule", "constraint") else str(id(rule)), rule)
        facts = [fact for part in parts for fact in part.facts]
        return cls(list(rules.values()), facts, [relation for part in parts for relation in part.relations])

    @property
    def asks_for_today(self) -> bool:
        """Whether any rule speaks of the day on which it is asked."""
        return any(atom.relation == TODAY for rule in self.rules for atom in rule.atoms)

    @property
    def keys(self) -> frozenset[Key]:
        """The relations that rules speak of."""
        return frozenset(
            atom.key
            for rule in self.rules
            for atom in (*rule.atoms, *rule.negated, *([rule.head] if rule.head else []))
        )

    def check_facts(self, relations: Mapping[str, Collection[int]]) -> None:
        """Hold the facts of a request against what rules speak of.

        Raises:
            DataError: No rule speaks of a relation, or another number of arguments.
        """
        own: dict[str, set[int]] = {}
        for name, arity in {*self.keys, *(relation.atom.key for relation in self.relations)}:
            own.setdefault(name, set()).add(arity)
        for name, arities in relations.items():
            if name not in own:
                raise DataError(
                    f"No rule speaks of {name!r}, so a fact of it changes nothing.{did_you_mean(name, own)} "
                    "Expected a relation of the rules: leave the fact out, or declare the relation."
                )
            if wrong := [arity for arity in arities if arity not in own[name]]:
                raise DataError(
                    f"A fact of {name!r} has {wrong[0]} {'argument' if wrong[0] == 1 else 'arguments'}. "
                    f"Expected {' or '.join(map(str, sorted(own[name])))}, as in the rules."
                )

    def check(self, known: Mapping[str, Collection[int]], *, complete: bool = False) -> None:
        """Hold all uses of relations against those that are known.

        Args:
            known: Relations of the graph, and with how many arguments each.
            complete: Whether a relation that is neither there, nor declared, nor concluded is an error.

        Raises:
            DataError: One is not known, or has another number of arguments; the message names the nearest.
        """
        own: dict[str, set[int]] = {TODAY: {1}}
        for relation in self.relations:
            own.setdefault(relation.atom.relation, set()).add(len(relation.atom.terms))
        declared_here = set(own)
        for given in self.facts:
            own.setdefault(given.fact.relation, set()).add(len(given.fact.arguments))
        for rule in self.rules:
            head = rule.head
            if head is None:
                continue
            arities = own.setdefault(head.relation, set())
            if arities and len(head.terms) not in arities and head.relation not in known:
                raise DataError(_other_arity(rule, head, arities))
            arities.add(len(head.terms))
        for rule in self.rules:
            for atom in (*rule.atoms, *rule.negated, *([rule.head] if rule.head else [])):
                arities = own.get(atom.relation, set()) | set(known.get(atom.relation, ()))
                if (
                    arities
                    and len(atom.terms) not in arities
                    and (complete or atom.relation in declared_here | set(own))
                ):
                    raise DataError(_other_arity(rule, atom, arities))
                if complete and not arities and rule.kind in ("rule", "constraint"):
                    near = did_you_mean(atom.relation, [*own, *known])
                    raise DataError(
                        f"{rule.source}: the relation {atom.relation!r} is not known.{near} Expected one of the graph, "
                        f"one that a rule concludes, or one declared by '@relation {atom}.'"
                    )


def text_of(file: str | os.PathLike[str]) -> str:
    """What stands in a file of rules.

    Raises:
        DataError: It cannot be read.
    """
    path = Path(file)
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise DataError(f"{path.name} has more than {_LARGEST_FILE:,} bytes. Expected rules: keep facts in tables.")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8. Expected rules in UTF-8: save it so.") from error
    except OSError as error:
        near = did_you_mean(path.name, (one.name for one in path.parent.iterdir())) if path.parent.is_dir() else ""
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}.{near} Expected a file of rules: check the path."
        ) from error


def _other_arity(rule: Rule, atom: Atom, arities: Collection[int]) -> str:
    counts = " or ".join(map(str, sorted(arities)))
    return (
        f"{rule.source}: {atom} has {len(atom.terms)} {'argument' if len(atom.terms) == 1 else 'arguments'}. "
        f"Expected {counts}, as everywhere else: correct one of them."
    )
