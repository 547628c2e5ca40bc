"""Files of facts as quads: RDF in its formats, tables of triples, and tables of properties."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import parse_qs, quote, unquote

from huiyi.errors import DataError, did_you_mean
from huiyi.reason.facts import LARGEST_TEXT, value_of
from huiyi.reason.ledger import digest
from huiyi.reason.names import ALIAS, BASE, LABEL, iri_of
from huiyi.reason.terms import oxigraph, term_of

if TYPE_CHECKING:
    import pyoxigraph

RDF = {
    ".ttl": "TURTLE",
    ".nt": "N_TRIPLES",
    ".nq": "N_QUADS",
    ".trig": "TRIG",
    ".rdf": "RDF_XML",
    ".owl": "RDF_XML",
    ".xml": "RDF_XML",
    ".jsonld": "JSON_LD",
}
"""The endings of RDF, and the name of each format."""

TABLES = {".csv": ",", ".tsv": "\t"}
"""The endings of tables, and what separates their cells."""

TRIPLE_COLUMNS = ("head", "relation", "tail")
_CHUNK = 1 << 20
_LONGEST_LINE = 10_000_000
_LONGEST_ENTITY = 300
_ENTITY = re.compile(rb"""<!ENTITY\s{1,20}[\w.\-]{1,60}\s{1,20}("[^"&%<]{0,100}"|'[^'&%<]{0,100}')\s{0,20}>""")
_CACHED = 1 << 19
_SOURCE = f"{BASE}source:"


class Row(NamedTuple):
    """One fact of a file; line 0 where the format tells none."""

    quad: pyoxigraph.Quad
    source: str
    line: int
    weight: float


class Written(NamedTuple):
    """One fact of a table of triples, as a line of N-Quads with its hash: the store reads these in half the time."""

    text: bytes
    source: str
    line: int
    weight: float
    digested: int


def ending(path: Path) -> tuple[str, bool]:
    """The ending that tells a file's format, and whether it is compressed.

    Raises:
        DataError: It tells none.
    """
    compressed = path.suffix.lower() == ".gz"
    kind = (path.with_suffix("") if compressed else path).suffix.lower()
    if kind not in RDF and kind not in TABLES:
        raise DataError(
            f"{path.name}: its name tells no known format. Expected a file ending in "
            f"{', '.join((*RDF, *TABLES))}, each also .gz: rename it, or save it as one of these."
        )
    return kind, compressed


def rows(path: Path, *, graph: str | None = None) -> Iterator[Row] | Iterator[Written]:
    """All facts of a file, one after the other, all in one form.

    Args:
        path: The file.
        graph: Name of the graph for facts that have none.

    Raises:
        DataError: The file or a line of it cannot be read.
    """
    kind, _ = ending(path)
    home = oxigraph().NamedNode(iri_of(graph)) if graph else None
    with _explained(path.name), _opened(path) as stream:
        if RDF.get(kind) == "RDF_XML":
            _check_entities(path.name, stream)
            stream.seek(0)
        if kind in RDF:
            yield from _rdf(path.name, stream, kind, home)
        else:
            yield from _table(path.name, stream, TABLES[kind], home)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if not path.parent.is_dir():
        raise DataError(f"There is no folder {str(path.parent)!r}. Expected the path of a file that exists.")
    if not path.is_file():
        near = did_you_mean(path.name, (other.name for other in path.parent.iterdir()))
        raise DataError(f"There is no file {str(path)!r}.{near} Expected one that exists: check the path.")
    with cast("IO[bytes]", gzip.open(path)) if ending(path)[1] else path.open("rb") as stream:
        yield stream


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Say what the operating system or gzip refused in one line."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name} is not a whole gzip file ({error}). Expected one that can be unzipped.") from error
    except OSError as error:
        raise DataError(
            f"{name} cannot be read: {error.strerror or error}. Give yourself the right, or copy it."
        ) from error


def source_iri(source: str, line: int, weight: float) -> str:
    """The name of a graph that says where a fact came from, for N-Quads.

    Example:
        >>> source_iri("orders.csv", 3, 0.5)
        'urn:huiyi:source:orders.csv?line=3&weight=0.5'
    """
    return f"{_SOURCE}{quote(source, safe='')}?line={line}&weight={weight!r}"


def _from_iri(iri: str) -> tuple[str, int, float] | None:
    """What ``source_iri`` wrote, or nothing."""
    source, found, query = iri.removeprefix(_SOURCE).partition("?")
    if not iri.startswith(_SOURCE) or not found:
        return None
    said = parse_qs(query)
    try:
        line, weight = int(said["line"][0]), float(said["weight"][0])
    except (ValueError, KeyError):
        return None
    return (unquote(source), line, weight) if 0 <= line < 1 << 32 and 0 < weight <= 1 else None


def _rdf(name: str, stream: IO[bytes], kind: str, home: Any) -> Iterator[Row]:
    """The quads of a file of RDF. Things without a name get new ones, so that two files never share one."""
    ox = oxigraph()
    default = ox.DefaultGraph()
    parsed = ox.parse(stream, getattr(ox.RdfFormat, RDF[kind]), rename_blank_nodes=True)
    try:
        for quad in parsed:
            if type(quad.object) is ox.Literal and len(quad.object.value) > LARGEST_TEXT:
                raise DataError(too_large(name, 0, len(quad.object.value), f"{quad.subject} {quad.predicate}"))
            graph = quad.graph_name
            if graph == default:
                yield Row(ox.Quad(*quad.triple, home) if home else quad, name, 0, 1.0)
            elif said := _from_iri(graph.value):
                yield Row(ox.Quad(*quad.triple), *said)
            else:
                yield Row(quad, name, 0, 1.0)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        said_by = " ".join(str(error.msg).split())
        raise DataError(
            f"{name}{line} is not {RDF[kind].replace('_', '-')}: {said_by}. Nothing was loaded: correct it."
        ) from error


def _check_entities(name: str, stream: IO[bytes]) -> None:
    """Refuse abbreviations of XML that stand for others, or for much, by which a small file becomes enormous.

    Those for the beginnings of addresses, which ontologies often have, are short.
    """
    begun = b""
    while chunk := stream.read(_CHUNK):
        begun += chunk
        for found in re.finditer(rb"<!ENTITY", begun):
            if len(begun) - found.start() > _LONGEST_ENTITY and not _ENTITY.match(begun, found.start()):
                raise DataError(_entity(name, begun[found.start() : found.start() + 60]))
        begun = begun[-_LONGEST_ENTITY - 1 :]
    for found in re.finditer(rb"<!ENTITY", begun):
        if not _ENTITY.match(begun, found.start()):
            raise DataError(_entity(name, begun[found.start() : found.start() + 60]))


def _entity(name: str, declared: bytes) -> str:
    return (
        f"{name} declares {declared.decode('utf-8', 'replace')!r}. Expected entities of at most 100 characters that "
        "use no others. Nothing was loaded: write them out."
    )


def _table(name: str, stream: IO[bytes], separator: str, home: Any) -> Iterator[Row | Written]:
    """The facts of a table, each row of which is a triple, or a thing with its properties."""
    lines = _cells(name, stream, separator)
    _, header = next(lines, (0, []))
    columns = [column.strip() for column in header]
    if not any(columns):
        raise DataError(f"{name} is empty. Expected a header, then a row for each fact or thing: fill it.")
    doubled = sorted({column for column in columns if columns.count(column) > 1})
    if doubled or "" in columns:
        what = f"the column {doubled[0]!r} twice" if doubled and doubled[0] else "a column without a name"
        raise DataError(f"{name}, line 1 has {what}. Expected a name of its own for each column: rename it.")
    lowered = [column.lower() for column in columns]
    if set(TRIPLE_COLUMNS) <= set(lowered):
        yield from _triples(name, lines, lowered, home)
    elif near := {*TRIPLE_COLUMNS} & set(lowered) if len(columns) in (3, 4) else set():
        lacking = [column for column in TRIPLE_COLUMNS if column not in lowered]
        raise DataError(
            f"{name}, line 1 has {', '.join(sorted(near))} but not {', '.join(lacking)}. "
            f"Expected {', '.join(TRIPLE_COLUMNS)} and perhaps weight, or columns of properties."
        )
    else:
        yield from _properties(name, lines, columns, home)


def _triples(name: str, lines: Iterator[tuple[int, list[str]]], columns: list[str], home: Any) -> Iterator[Written]:
    """A fact a row."""
    if extra := [column for column in columns if column not in (*TRIPLE_COLUMNS, "weight")]:
        raise DataError(
            f"{name}, line 1 has a column {extra[0]!r} beside head, relation and tail. "
            "Expected no other than weight: remove it, or make it a relation of its own."
        )
    first, second, third = (columns.index(column) for column in TRIPLE_COLUMNS)
    weighted = columns.index("weight") if "weight" in columns else None
    terms: dict[str, str] = {}  # each name as it is written
    known, end = terms.get, f"{home} .\n" if home else ".\n"

    def met(line: int, cells: list[str], place: int) -> str:
        """A name that was not there yet."""
        if len(terms) > _CACHED:
            terms.clear()
        terms[cells[place]] = term = str(_node(name, line, cells[place], columns[place]))
        return term

    for line, cells in lines:
        head = known(cells[first]) or met(line, cells, first)
        relation = known(cells[second]) or met(line, cells, second)
        tail = known(cells[third]) or met(line, cells, third)
        weight = 1.0 if weighted is None else _weight(name, line, cells[weighted])
        text = f"{head} {relation} {tail} {end}".encode()
        yield Written(text, name, line, weight, digest(head, relation, tail))


def _properties(name: str, lines: Iterator[tuple[int, list[str]]], columns: list[str], home: Any) -> Iterator[Row]:
    """A thing a row: its name under ``id`` or in the first column, and its properties."""
    ox = oxigraph()
    thing = next((place for place, column in enumerate(columns) if column.lower() == "id"), 0)
    if len(columns) < 2:
        raise DataError(
            f"{name}, line 1 has one column only. Expected head, relation and tail, or names and their properties."
        )
    kinds = [_property(name, column) for column in columns]
    for line, cells in lines:
        head = _node(name, line, cells[thing], columns[thing])
        for place, (relation, language, several) in enumerate(kinds):
            if place == thing:
                continue
            for part in cells[place].split("|") if several else [cells[place]]:
                if not (text := part.strip()):
                    continue
                if len(text) > LARGEST_TEXT:
                    raise DataError(too_large(name, line, len(text), f"the column {columns[place]!r}"))
                value = value_of(text)
                literal = isinstance(value, str) or language
                tail = ox.Literal(text, language=language) if literal else term_of(value)
                yield Row(ox.Quad(head, relation, tail, home) if home else ox.Quad(head, relation, tail), name, line, 1)


def _property(name: str, column: str) -> tuple[Any, str | None, bool]:
    """The relation of a column, the language of its texts, and whether a cell holds several."""
    ox = oxigraph()
    word, _, language = column.partition("@")
    own = {"label": LABEL, "alias": ALIAS}.get(word)
    if own is None:
        return ox.NamedNode(iri_of(column)), None, False
    try:
        ox.Literal("", language=language or None)
    except ValueError as error:
        raise DataError(
            f"{name}, line 1: {language!r} in {column!r} is no language. Expected such as en or zh."
        ) from error
    return ox.NamedNode(own), language or None, word == "alias"


def _cells(name: str, stream: IO[bytes], separator: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table with the lines they begin in, all of the header's width. Blank lines are left out."""
    texts = _decoded(name, stream)
    width = 0
    for line, cells in _split(name, texts, separator):
        if not cells or cells == [""]:
            continue
        width = width or len(cells)
        if len(cells) != width:
            raise DataError(
                f"{name}, line {line} has {len(cells)} {'cell' if len(cells) == 1 else 'cells'}, "
                f"but the header has {width}. Nothing was loaded: correct the line."
            )
        yield line, cells


def _split(name: str, texts: Iterator[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """Cells of tables with tabs, where a quote is a quote, or with commas, where it holds a cell together."""
    if separator == "\t":
        for line, text in enumerate(texts, 1):
            yield line, text.rstrip("\r\n").split("\t")
        return
    reader = csv.reader(texts, delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{name}, line {line} cannot be split into cells: {error}. Nothing was loaded: mend its quotes."
            ) from error
        yield line, cells


def _decoded(name: str, stream: IO[bytes]) -> Iterator[str]:
    """The lines of a file in UTF-8, read in large pieces."""
    before, rest = 0, b""
    while True:
        chunk = stream.read(_CHUNK)
        block = rest + chunk
        whole = block.rfind(b"\n") + 1 if chunk else len(block)
        block, rest = block[:whole], block[whole:]
        try:
            text = block.decode("utf-8")
        except UnicodeDecodeError as error:
            line = before + block.count(b"\n", 0, error.start) + 1
            raise DataError(f"{name}, line {line} is not UTF-8. Nothing was loaded: save the file as UTF-8.") from error
        lines = (text.removeprefix("\ufeff") if not before else text).split("\n")
        last = lines.pop()
        yield from [line + "\n" for line in lines]
        before += len(lines)
        if len(rest) > _LONGEST_LINE:
            raise DataError(f"{name}, line {before + 1} has more than {_LONGEST_LINE:,} bytes. Expected a shorter one.")
        if not chunk:
            if last:
                yield last
            return


def _node(name: str, line: int, cell: str, column: str) -> Any:
    """A cell as a thing."""
    try:
        return oxigraph().NamedNode(iri_of(cell))
    except DataError as error:
        raise DataError(f"{name}, line {line}, column {column!r}: {error}") from error


def _weight(name: str, line: int, cell: str) -> float:
    """A cell as a weight; a blank one is certain."""
    try:
        weight = float(cell) if cell.strip() else 1.0
    except ValueError:
        weight = 0.0
    if not 0 < weight <= 1:
        raise DataError(
            f"{name}, line {line} has the weight {cell[:40]!r}. Expected a number above 0 and up to 1: correct it."
        )
    return weight


def too_large(name: str, line: int, length: int, where: str) -> str:
    """What to say of a text that is larger than a graph takes."""
    place = f", line {line}" if line else ""
    return (
        f"{name}{place}: a text of {where[:200]} has {length:,} characters. Expected at most {LARGEST_TEXT:,}. "
        "Nothing was loaded: shorten it."
    )
