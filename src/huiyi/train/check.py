"""Look for trouble in examples before anything learns from them."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from huiyi.data import Columns, read
from huiyi.data.columns import listed
from huiyi.perceive.text import LONGEST_TEXT
from huiyi.train.config import Progress
from huiyi.train.fast import held_out_intents
from huiyi.train.findings import KINDS, Finding, shown
from huiyi.train.label_errors import FEWEST_ROWS, LabelError, find_label_errors
from huiyi.train.leaks import telling
from huiyi.values import OUT_OF_SCOPE, Record, alike, spelt

if TYPE_CHECKING:
    from huiyi.data import Table

_IMBALANCE = 10  # times the median label
_LETTERS_READ = 2_000  # characters of a text that its language is told from


@dataclass(frozen=True, eq=False)
class Check:
    """What a check found.

    Attributes:
        source: What was checked.
        rows: Rows in it.
        labels: Label to the number of rows that carry it, most first.
        languages: ``zh`` where a fifth of a text's letters are Chinese;
            ``other`` where a fifth are neither Chinese nor Latin; else ``en``,
            which stands for Latin letters of any language; ``none`` where
            there is no letter. Each with its number of texts, most first.
        findings: In the order of ``KINDS``.
        label_errors: Rows of which another label is likelier, most suspicious first.
        notices: What was done without asking while reading.
    """

    source: str
    rows: int
    labels: Mapping[str, int]
    languages: Mapping[str, int]
    findings: tuple[Finding, ...]
    label_errors: tuple[LabelError, ...]
    notices: tuple[str, ...]


def check(
    source: Any,
    *,
    test: Any = None,
    columns: Columns | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> Check:
    """Look for trouble in labelled examples.

    Args:
        source: What ``huiyi.data.read`` takes.
        test: The same for the rows to test on, to look for overlap.
        columns: Which column is what. Its fields are checked for leaks.
        skip_bad: Skip rows that cannot be read.
        progress: Told how far it has come.

    Raises:
        DataError: The source cannot be read, or has no label.

    Example:
        >>> found = check([("where is my card", "arrival"), ("Where is  my card", "theft"), ("", "theft")])
        >>> [(finding.kind, finding.rows) for finding in found.findings]
        [('empty', (3,)), ('class size', ()), ('conflict', (1, 2))]
    """
    columns = columns or Columns()
    table = read(source, columns, needs_label=True, skip_bad=skip_bad)
    other = None if test is None else read(test, columns, skip_bad=skip_bad)
    errors, was_checked = _label_errors(table, progress)
    doubted = tuple(error.row for error in errors if error.is_confident)
    findings = [
        *_texts(table),
        *_sizes(table),
        *_repeats(table),
        *([] if was_checked else [Finding("not checked")]),
        *([Finding("label error", doubted, {"count": len(doubted)})] if doubted else []),
        *_leaks(table, columns.fields),
        *(_overlap(table, other) if other else []),
    ]
    return Check(
        source=table.source,
        rows=len(table.records),
        labels=_counts(table),
        languages=dict(Counter(script_of(record.text or "") for record in table.records).most_common()),
        findings=tuple(sorted(findings, key=lambda finding: KINDS.index(finding.kind))),
        label_errors=errors,
        notices=(*table.notices, *(other.notices if other else ())),
    )


def check_json(found: Check) -> dict[str, Any]:
    """A check as JSON can hold it."""
    return {
        **{name: getattr(found, name) for name in ("source", "rows", "labels", "languages", "notices")},
        "findings": [
            {"kind": finding.kind, "message": finding.message, "rows": finding.rows} for finding in found.findings
        ],
        "label_errors": [asdict(error) for error in found.label_errors],
    }


def script_of(text: str) -> str:
    """Tell by its letters what a text is written in; see ``Check.languages``.

    Example:
        >>> [script_of(text) for text in ("my card", "我的 card 没到", "где моя карта", "👍 12")]
        ['en', 'zh', 'other', 'none']
    """
    letters = [character for character in text[:_LETTERS_READ] if character.isalpha()]
    if not letters:
        return "none"
    names = [unicodedata.name(letter, "") for letter in letters]
    chinese = sum(name.startswith("CJK") for name in names)
    latin = sum(name.startswith(("LATIN", "FULLWIDTH LATIN")) for name in names)
    if 5 * (len(letters) - chinese - latin) >= len(letters):
        return "other"
    return "zh" if 5 * chinese >= len(letters) else "en"


def _label_errors(table: Table, progress: Progress | None) -> tuple[tuple[LabelError, ...], bool]:
    """Errors by held-out models, and whether these could be had."""
    labelled = table.labelled()
    kept = [
        i
        for i, record in enumerate(labelled.records)
        if not record.says_nothing and len(record.text or "") <= LONGEST_TEXT
    ]
    names = {name for i in kept for name in _names(labelled.records[i], table)} - {OUT_OF_SCOPE}
    if table.kind == "spans" or len(names) < _fewest_labels(table):
        return (), False
    usable = replace(
        labelled,
        records=tuple(labelled.records[i] for i in kept),
        rows=tuple(labelled.rows[i] for i in kept),
    )
    place = {id(record): row for record, row in zip(usable.records, usable.rows, strict=True)}
    records, intents = held_out_intents(usable, progress=progress)
    return find_label_errors(records, intents, [place[id(record)] for record in records]), True


def _texts(table: Table) -> Iterator[Finding]:
    """Rows with nothing to read, too much, or in letters that may not be known."""
    for kind, is_so in (
        ("empty", lambda record: record.says_nothing),
        ("too long", lambda record: len(record.text or "") > LONGEST_TEXT),
        ("language", lambda record: script_of(record.text or "") == "other"),
    ):
        rows = tuple(row for record, row in zip(table.records, table.rows, strict=True) if is_so(record))
        if rows:
            yield Finding(kind, rows, {"count": len(rows), "most": LONGEST_TEXT})


def _sizes(table: Table) -> Iterator[Finding]:
    """Labels that are too small, too large, alone, or twins."""
    counts = _counts(table)
    inside = {name: count for name, count in counts.items() if name != OUT_OF_SCOPE}
    if len(inside) < _fewest_labels(table):
        yield Finding("one label", details={"labels": listed(inside)})
        return
    if small := [name for name, count in inside.items() if count < FEWEST_ROWS]:
        yield Finding("class size", details={"labels": listed(small), "least": FEWEST_ROWS})
    (largest, most), middle = next(iter(inside.items())), median(inside.values())
    if most >= _IMBALANCE * middle:
        yield Finding("imbalance", details={"label": largest, "count": most, "times": most / middle})
    spellings: defaultdict[str, list[str]] = defaultdict(list)
    for name in inside:
        spellings[spelt(name)].append(name)
    for twins in spellings.values():
        if len(twins) > 1:
            yield Finding("spelling", details={"labels": listed(sorted(twins))})


def _repeats(table: Table) -> Iterator[Finding]:
    """Rows that say the same, under the same label or another one."""
    repeated: list[int] = []
    for same in _by_content(table).values():
        labels: dict[Hashable, int] = {}
        for index in same:
            label = _label(table.records[index], table)
            if label in labels:
                repeated.append(table.rows[index])
            labels.setdefault(label, index)
        firsts = [index for label, index in labels.items() if label is not None]
        if len(firsts) > 1:
            names = ["|".join(_names(table.records[index], table)) for index in firsts]
            rows = tuple(table.rows[index] for index in same if _label(table.records[index], table) is not None)
            text = shown(table.records[firsts[0]].text or "")
            yield Finding("conflict", rows, {"labels": listed(names), "text": text})
    if repeated:
        yield Finding("repeated", tuple(sorted(repeated)), {"count": len(repeated)})


def _leaks(table: Table, fields: Sequence[str]) -> Iterator[Finding]:
    """Fields that alone determine the label."""
    records = [record for record in table.labelled().records if table.kind != "spans"]
    for name in fields:
        having = [record for record in records if name in record.fields]
        if not having:
            continue
        told = telling([str(record.fields[name]) for record in having], [_label(record, table) for record in having])
        if told.is_leak:
            details = {"field": name, "told": told.told, "base": told.base, "count": told.rows}
            yield Finding("leak", details=details)


def _overlap(table: Table, other: Table) -> Iterator[Finding]:
    """Rows whose text is tested on too, and labels that only the test has."""
    theirs = _by_content(other)
    shared: list[int] = []
    differing: list[int] = []
    for key, same in _by_content(table).items():
        labels = {_label(other.records[index], other) for index in theirs.get(key, ())} - {None}
        shared += [table.rows[index] for index in same if key in theirs]
        differing += [
            table.rows[index] for index in same if labels and _label(table.records[index], table) not in {*labels, None}
        ]
    for kind, rows in (("overlap", shared), ("overlap conflict", differing)):
        if rows:
            yield Finding(kind, tuple(sorted(rows)), {"count": len(rows), "test": other.source})
    known = {*_counts(table), OUT_OF_SCOPE}
    unseen = [name for name in _counts(other) if name not in known]
    if unseen:
        yield Finding("unseen label", details={"labels": listed(unseen), "test": other.source})


def _by_content(table: Table) -> Mapping[Hashable, list[int]]:
    """Indices of the rows with the same content, case and white space aside."""
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, record in enumerate(table.records):
        if not record.says_nothing:
            places[alike(record.text), record.history, record.images, record.audios].append(index)
    return places


def _fewest_labels(table: Table) -> int:
    """Where a row has one label there must be another to tell it from."""
    return 2 if table.kind == "choice" else 1


def _counts(table: Table) -> dict[str, int]:
    """Rows of each label, most first."""
    counts = Counter(name for record in table.records for name in set(_names(record, table)))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _names(record: Record, table: Table) -> tuple[str, ...]:
    """The labels of a record, whatever the kind."""
    return record.labels_of(table.task_name or "")


def _label(record: Record, table: Table) -> Hashable:
    """The label of a record, equal where it means the same; ``None`` where there is none."""
    label = record.labels.get(table.task_name or "")
    return frozenset(label) if isinstance(label, tuple) else label
