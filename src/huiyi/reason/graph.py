"""A knowledge graph: an RDF dataset that remembers where each fact came from and how sure it is.

The triples lie in Oxigraph, in memory or on disk. Whatever is read is read as
a whole or not at all.
"""

from __future__ import annotations

import gzip
import os
import re
import tempfile
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast

from huiyi.errors import DataError, OptionError, OutputError
from huiyi.reason.facts import UNNAMED, Fact, Given, Key, Statements, Value, checked, normalised, written
from huiyi.reason.ledger import Ledger, Page, digest
from huiyi.reason.names import ALIAS, BASE, LABEL, TYPE, iri_of, name_of
from huiyi.reason.reading import Row, Written, ending, rows
from huiyi.reason.stream import Stream
from huiyi.reason.terms import fact_of, oxigraph, term_of, thing_of, triple_of, value_of_term
from huiyi.reason.writing import write_rows

if TYPE_CHECKING:
    from types import TracebackType

_UNFINISHED = "unfinished"
_KIND = ("rdf:type", 2)
_NOT_SPARQL = re.compile(
    r"<[^<>\s]*>|\"\"\".*?\"\"\"|'''.*?'''|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|#[^\n]*", re.DOTALL
)


class Knowledge:
    """Facts as an RDF dataset, in memory or on disk.

    Args:
        folder: Where it lies on disk; it is made when it is not there. Without one it is in memory.

    Raises:
        MissingExtraError: ``pyoxigraph`` is not installed.
        DataError: The folder holds something else, is in use, or was left unfinished.

    Example:
        >>> knowledge = Knowledge()
        >>> knowledge.add([Fact("placed_on", ("o1", "2026-01-31")), Fact("order", ("o1",))], source="the form")
        2
        >>> knowledge.select("SELECT ?o { ?o a :order }")
        [{'o': 'o1'}]
        >>> knowledge.sources(Fact("order", ("o1",)))
        ('the form',)
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self._folder = None if folder is None else Path(folder)
        self._ledger = Ledger()
        self._relations: dict[str, frozenset[int]] | None = None
        ox = oxigraph()
        if self._folder is None:
            self._store = ox.Store()
            return
        if (self._folder / _UNFINISHED).exists():
            raise DataError(
                f"{self._folder} was left while facts were being loaded, so it may hold a part of them. "
                "Remove the folder, and read the files again."
            )
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if any(self._folder.iterdir()) and not (self._folder / "store").is_dir():
                raise DataError(f"{self._folder} holds something other than a knowledge graph. Name another folder.")
            self._store = ox.Store(str(self._folder / "store"))
            self._ledger = Ledger.load(self._folder)
        except (OSError, ValueError, KeyError) as error:
            said = " ".join(str(error).split())
            raise DataError(
                f"{self._folder} cannot be opened as a knowledge graph: {said}. "
                "Expected a folder that no other process has open: close it there, or name another."
            ) from error

    def __len__(self) -> int:
        """How many triples, those of different named graphs each for itself."""
        return len(self._store)

    def __enter__(self) -> Self:
        """Use as a context manager to close a graph on disk at once."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder, so that others may open it. The object cannot be used after that."""
        if self._folder is not None:
            self._store.flush()
        del self._store

    # Reading and adding

    def read(self, file: str | os.PathLike[str], *, graph: str | None = None) -> int:
        """Add all facts of a file, or none when any of it cannot be read.

        RDF ends in ``.ttl``, ``.nt``, ``.nq``, ``.trig``, ``.rdf`` or ``.jsonld``.
        A table (``.csv``, ``.tsv``) with the columns ``head``, ``relation`` and
        ``tail``, and perhaps ``weight``, has a fact a row. In any other table a
        row is a thing, named by the column ``id`` or else by the first, and the
        other columns are its properties; ``label``, ``label@zh``, ``alias`` and
        ``alias@zh`` are its names. All may also end in ``.gz``.

        Args:
            file: The file.
            graph: Name of the graph for facts that have none.

        Returns:
            How many facts it holds, repeated ones counted.

        Raises:
            DataError: The file, or a line of it, cannot be read; nothing was added then.
        """
        path = Path(file)
        return self._load(lambda: rows(path, graph=graph))

    def add(self, facts: Iterable[Fact | Given], *, source: str = UNNAMED) -> int:
        """Add facts of one or two arguments; with one, the relation is the kind of the thing.

        Args:
            facts: Facts, or facts with weight and source.
            source: What is said of those that come without one.

        Returns:
            How many.

        Raises:
            DataError: One of them is no such fact, and none was added.
        """
        ox = oxigraph()
        given = [item if isinstance(item, Given) else Given(item) for item in facts]
        Statements(given)  # checks the weights
        quads = []
        for one in given:
            fact = checked(one.fact)
            if len(fact.arguments) > 2:
                raise DataError(f"{fact} has {len(fact.arguments)} arguments. A graph takes facts of one or two.")
            quads.append(Row(ox.Quad(*triple_of(fact)), one.source or source, 0, one.weight))
        return self._load(lambda: iter(quads))

    def _load(self, read: Any) -> int:
        """Add rows, all or none: what does not go through is found before the store is touched, or taken back."""
        pages: dict[str, Page] = {}
        empty = len(self._store) == 0
        if not empty:
            deque(read(), maxlen=0)
        count = 0

        def noted() -> Iterator[Any]:
            nonlocal count
            for one in read():
                page = pages.get(one.source)
                if page is None:
                    page = pages[one.source] = Page(one.source)
                is_text = type(one) is Written
                page.note(one.digested if is_text else _digest(one.quad), one.line, one.weight)
                count += 1
                yield one.text if is_text else one.quad

        with self._unfinished(empty):
            facts = noted()
            first = next(facts, None)
            if isinstance(first, bytes):
                stream = Stream(chain([first], facts))
                self._store.bulk_load(input=stream, format=oxigraph().RdfFormat.N_QUADS)
            elif first is not None:
                self._store.bulk_extend(chain([first], facts))
            self._relations = None
            for page in pages.values():
                self._ledger.file(page)
            if self._folder is not None:
                self._store.flush()
                self._ledger.save(self._folder)
        return count

    @contextmanager
    def _unfinished(self, empty: bool) -> Iterator[None]:
        """Mark the folder while it is being filled; a store that was empty is empty again after an error."""
        mark = None if self._folder is None else self._folder / _UNFINISHED
        if mark is not None:
            mark.touch()
        try:
            yield
        except BaseException as error:
            if empty:
                self._store.clear()
                if mark is not None:
                    mark.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise OutputError(f"The facts could not be stored: {error}. Make room on the disk.") from error
            raise
        if mark is not None:
            mark.unlink()

    # Asking

    def facts(self, keys: Collection[Key] | None = None) -> Iterator[tuple[Fact, float]]:
        """The facts of some relations, or of all, with their weights. One of several graphs comes several times."""
        unsure = self._ledger.weights() if self._ledger.weighted else None
        for quad in self._quads(keys):
            fact = fact_of(quad)
            weight = 1.0 if unsure is None else unsure.get(_digest(quad), 1.0)
            if keys is None or fact.key in keys:
                yield fact, weight
            elif _KIND in keys and len(fact.arguments) == 1:  # a rule speaks of kinds as of things
                yield Fact(_KIND[0], (fact.arguments[0], normalised(fact.relation))), weight

    def _quads(self, keys: Collection[Key] | None) -> Iterator[Any]:
        ox = oxigraph()
        if keys is None:
            yield from self._store
            return
        for relation, arguments in sorted(keys):
            node = ox.NamedNode(iri_of(relation))
            if arguments == 1:
                yield from self._store.quads_for_pattern(None, ox.NamedNode(TYPE), node)
            elif arguments == 2:
                yield from self._store.quads_for_pattern(None, node, None)

    def relations(self) -> dict[str, frozenset[int]]:
        """The relations there are, and with how many arguments each; kinds of things are relations of one."""
        if self._relations is None:
            found: dict[str, frozenset[int]] = {}
            for solution in self._solutions("SELECT DISTINCT ?p { ?s ?p ?o }"):
                found[name_of(solution["p"].value)] = frozenset({2})
            for solution in self._solutions(f"SELECT DISTINCT ?k {{ ?s <{TYPE}> ?k FILTER isIRI(?k) }}"):
                kind = name_of(solution["k"].value)
                found[kind] = found.get(kind, frozenset()) | {1}
            self._relations = found
        return self._relations

    def holds(self, fact: Fact) -> bool:
        """Whether a fact of one or two arguments is in the graph.

        Example:
            >>> knowledge = Knowledge()
            >>> _ = knowledge.add([Fact("costs", ("o1", 30))])
            >>> knowledge.holds(Fact("costs", ("o1", 30))), knowledge.holds(Fact("costs", ("o1", 31)))
            (True, False)
        """
        return next(self._matching(fact), None) is not None

    def sources(self, fact: Fact) -> tuple[str, ...]:
        """Where a fact came from, such as ``orders.csv, line 3`` or ``shop.nq, graph prices``; else empty."""
        found: dict[str, None] = {}
        for quad in self._matching(fact):
            graph = "" if quad.graph_name == oxigraph().DefaultGraph() else f"graph {value_of_term(quad.graph_name)}"
            entries = list(self._ledger.entries(_digest(quad))) or [("", 0, 1.0)]
            for name, line, _ in entries:
                parts = (name, f"line {line}" if line else "", graph)
                found[", ".join(part for part in parts if part) or "the graph"] = None
        return tuple(found)

    def weight(self, fact: Fact) -> float:
        """How sure a fact of the graph is: the highest weight it was read with, and 0 when it is not there."""
        unsure = self._ledger.weights()
        return max((unsure.get(_digest(quad), 1.0) for quad in self._matching(fact)), default=0.0)

    def _matching(self, fact: Fact) -> Iterator[Any]:
        """The quads that say a fact, whichever of the terms of its value they use."""
        ox = oxigraph()
        if not 1 <= len(fact.arguments) <= 2:
            return
        try:
            head, predicate, tail = triple_of(fact)
        except DataError:  # no name could be so, and no fact
            return
        if len(fact.arguments) == 1:
            yield from self._store.quads_for_pattern(head, predicate, tail)
            return
        value = value_of_term(tail)
        ways = dict.fromkeys((tail, thing_of(value), ox.Literal(written(value))))
        direct = [quad for way in ways for quad in self._store.quads_for_pattern(head, predicate, way)]
        yield from direct or (
            quad for quad in self._store.quads_for_pattern(head, predicate, None) if value_of_term(quad.object) == value
        )

    def select(self, query: str, given: Mapping[str, Value] | None = None) -> list[dict[str, Value]]:
        """Answer a SPARQL query of the form ``SELECT``, over all graphs together.

        ``:name`` is the plain name ``name``. Put what people typed into
        ``given``, never into the query: there it can only be a value.

        Args:
            query: The query.
            given: Values of variables.

        Returns:
            One dict for each answer: the value of each variable that has one.

        Raises:
            OptionError: It is no such query, or wants another server to be asked.

        Example:
            >>> knowledge = Knowledge()
            >>> _ = knowledge.add([Fact("part_of", ("Lyon", "France")), Fact("part_of", ("France", "Europe"))])
            >>> knowledge.select("SELECT ?whole { ?thing :part_of/:part_of ?whole }", {"thing": "Lyon"})
            [{'whole': 'Europe'}]
        """
        solutions = self._solutions(query, given)
        if not hasattr(solutions, "variables"):
            raise OptionError("This query is no SELECT. Expected one that begins so: use `ask` for a yes or no.")
        names = [variable.value for variable in solutions.variables]
        return [
            {name: value_of_term(term) for name in names if (term := solution[name]) is not None}
            for solution in solutions
        ]

    def ask(self, query: str, given: Mapping[str, Value] | None = None) -> bool:
        """Answer a SPARQL query of the form ``ASK``. See ``select``.

        Raises:
            OptionError: It is no such query, or wants another server to be asked.

        Example:
            >>> knowledge = Knowledge()
            >>> _ = knowledge.add([Fact("order", ("o1",))])
            >>> knowledge.ask("ASK { :o1 a :order }")
            True
        """
        answer = self._solutions(query, given)
        if type(answer).__name__ != "QueryBoolean":
            raise OptionError("This query is no ASK. Expected one that begins so: use `select` for values.")
        return bool(answer)

    def _solutions(self, query: str, given: Mapping[str, Value] | None = None) -> Any:
        """What Oxigraph answers. It would follow SERVICE to other machines, so that is refused."""
        bare = _NOT_SPARQL.sub(lambda found: " " * len(found[0]), query)
        if re.search(r"\bSERVICE\b", bare, re.IGNORECASE):
            raise OptionError("This query asks another server (SERVICE). Nothing is fetched from a network: remove it.")
        try:
            return self._store.query(
                _with_values(query, bare.find("{") + 1, given or {}),
                prefixes={"": BASE, "rdfs": LABEL.removesuffix("label"), "skos": ALIAS.removesuffix("altLabel")},
                use_default_graph_as_union=True,
            )
        except (SyntaxError, ValueError, RuntimeError) as error:
            said = " ".join(str(error).split())
            raise OptionError(f"This query cannot be read: {said}. Expected SPARQL: correct it there.") from error

    # Names

    def labels(self, name: str) -> dict[str, str]:
        r"""The labels of a thing: language ("" when none is said) to text, the first in order of the alphabet.

        Example:
            >>> import tempfile; file = Path(tempfile.mkdtemp(), "drugs.csv")
            >>> rows = ["id,label@en,label@zh,alias@zh", "d1,Aspirin,阿司匹林,乙酰水杨酸|阿斯匹灵"]
            >>> _ = file.write_text(chr(10).join(rows), "utf-8")
            >>> knowledge = Knowledge(); _ = knowledge.read(file)
            >>> knowledge.labels("d1"), knowledge.label("d1", "zh"), knowledge.aliases("d1")
            ({'zh': '阿司匹林', 'en': 'Aspirin'}, '阿司匹林', ('乙酰水杨酸', '阿斯匹灵'))
        """
        return dict(reversed(self._texts(name, LABEL)))

    def label(self, name: str, language: str = "") -> str:
        """What to call a thing in a language: its label there, else one that names no language, else its name."""
        labels = self.labels(name)
        return labels.get(language) or labels.get("") or name

    def aliases(self, name: str, language: str | None = None) -> tuple[str, ...]:
        """Other names of a thing, in all languages or in one."""
        return tuple(text for of, text in self._texts(name, ALIAS) if language is None or of == language)

    def _texts(self, name: str, relation: str) -> list[tuple[str, str]]:
        """The texts that stand in a relation to a thing, with their languages, in a fixed order."""
        ox = oxigraph()
        quads = self._store.quads_for_pattern(thing_of(name), ox.NamedNode(relation), None)
        return sorted(
            {(quad.object.language or "", quad.object.value) for quad in quads if type(quad.object) is ox.Literal}
        )

    # Writing

    def write(self, file: str | os.PathLike[str]) -> None:
        """Write all facts to a file, in the format that its ending tells; see ``read``.

        N-Quads keep everything. A table of triples keeps names and weights, but
        takes all texts for names. Turtle, N-Triples, RDF/XML and JSON-LD keep neither weights nor sources.

        Raises:
            OutputError: The place exists or cannot be written, or the format cannot hold the facts.
        """
        path = Path(file)
        try:
            kind, compressed = ending(path)
        except DataError as error:
            raise OutputError(str(error)) from error
        if os.path.lexists(path):
            raise OutputError(f"{path} exists already, and is not written over. Choose another name, or move it.")
        partial = None
        try:
            handle, partial = tempfile.mkstemp(prefix=f".{path.name[:60]}.partial-", dir=path.parent)
            with os.fdopen(handle, "wb") as raw:
                stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw, mode="wb", mtime=0)) if compressed else raw
                write_rows(self._rows(), stream, kind, path.name, weighted=bool(self._ledger.weights()))
                if compressed:
                    stream.close()
                raw.flush()
                os.fsync(raw.fileno())
            Path(partial).chmod(0o644)
            Path(partial).replace(path)
        except OSError as error:
            raise OutputError(
                f"{path} could not be written: {error.strerror or error}. Nothing was left behind."
            ) from error
        finally:
            if partial is not None:
                with suppress(FileNotFoundError):
                    Path(partial).unlink()

    def _rows(self) -> Iterator[Row]:
        """Each fact, as often as it was read."""
        default = oxigraph().DefaultGraph()
        for quad in self._store:
            entries = list(self._ledger.entries(_digest(quad))) if quad.graph_name == default else []
            for name, line, weight in entries or [("", 0, 1.0)]:
                yield Row(quad, name, line, weight)


def _with_values(query: str, place: int, given: Mapping[str, Value]) -> str:
    """A query whose first group begins with the values of some variables, written as terms, which cannot break out."""
    values = " ".join(f"VALUES {oxigraph().Variable(name)} {{ {term_of(value)} }}" for name, value in given.items())
    return f"{query[:place]} {values} {query[place:]}" if values and place else query


def _digest(quad: Any) -> int:
    """The hash by which the ledger knows a triple, however its numbers are written."""
    tail = quad.object
    if type(tail).__name__ == "Literal" and not tail.datatype.value.endswith(("#string", "#langString")):
        return digest(str(quad.subject), str(quad.predicate), written(value_of_term(tail)))
    return digest(str(quad.subject), str(quad.predicate), str(tail))
