"""Quads as files: RDF in its formats, and tables of triples."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import IO, Any

from huiyi.errors import OutputError
from huiyi.reason.facts import written
from huiyi.reason.names import name_of
from huiyi.reason.reading import RDF, TABLES, TRIPLE_COLUMNS, Row, source_iri
from huiyi.reason.terms import oxigraph, value_of_term

_KEEPS_GRAPHS = frozenset({".nq", ".trig"})


def write_rows(rows: Iterator[Row], stream: IO[bytes], kind: str, name: str, *, weighted: bool) -> None:
    """Write facts in the format of an ending.

    Raises:
        OutputError: The format cannot hold a weight or a name.
    """
    if kind in TABLES:
        _table(rows, stream, kind, name, weighted=weighted)
        return
    if weighted and kind not in _KEEPS_GRAPHS:
        raise OutputError(f"{name}: some facts have weights, which {kind} cannot hold. Write .nq, .trig, .csv or .tsv.")
    ox = oxigraph()
    shape = getattr(ox.RdfFormat, RDF[kind])
    if kind in _KEEPS_GRAPHS:
        ox.serialize(_with_sources(rows), stream, shape)
    else:
        ox.serialize((row.quad.triple for row in _each_once(rows)), stream, shape)


def _with_sources(rows: Iterator[Row]) -> Iterator[Any]:
    """Quads whose graphs say where they came from, when they have none of their own."""
    ox = oxigraph()
    for quad, source, line, weight in rows:
        yield ox.Quad(*quad.triple, ox.NamedNode(source_iri(source, line, weight))) if source else quad


def _each_once(rows: Iterator[Row]) -> Iterator[Row]:
    """Facts of several graphs, or read several times, come once; the first time they are seen."""
    seen: set[Any] = set()
    for row in rows:
        if row.quad.triple not in seen:
            seen.add(row.quad.triple)
            yield row


def _table(rows: Iterator[Row], stream: IO[bytes], kind: str, name: str, *, weighted: bool) -> None:
    """A fact a row."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    columns = (*TRIPLE_COLUMNS, "weight") if weighted else TRIPLE_COLUMNS
    writer = csv.writer(text, lineterminator="\r\n")  # as RFC 4180 has it; so both characters are quoted in names
    put = writer.writerow if kind == ".csv" else lambda cells: text.write("\t".join(cells) + "\n")
    put(columns)
    for quad, _, _, weight in rows if weighted else _each_once(rows):
        cells = [
            written(value_of_term(quad.subject)),
            name_of(quad.predicate.value),
            written(value_of_term(quad.object)),
        ]
        if kind == ".tsv" and (bad := next((cell for cell in cells if any(c in cell for c in "\t\n\r")), None)):
            raise OutputError(
                f"{name}: {bad[:60]!r} holds a tab or a line break, which .tsv cannot. Write .csv or .nq."
            )
        put([*cells, repr(weight)] if weighted else cells)
    text.flush()
    text.detach()
