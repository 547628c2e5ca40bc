"""Which column of a table is what."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from huiyi.errors import ColumnError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

LABEL_COLUMNS = (("intent", "intents"), ("spans", "tags"))
"""What columns of labels are called: of intents, and of spans."""

_OTHER_COLUMNS = ("image", "audio", "history", "id", "time")


@dataclass(frozen=True)
class Columns:
    """Which column is what, where the names alone do not say it.

    Attributes:
        text: The column of the texts; ``text`` unless named.
        label: The column of the labels, or one for each task, separated by
            commas. Unless named: the first there is of ``intent`` and
            ``intents``, and of ``spans``, and ``tags`` beside ``tokens``. Of a
            named column the values decide: lists mean several labels a row,
            lists of ``{label, start, end}`` mean spans, BIO tags beside
            ``tokens`` mean spans too, all else one label.
        fields: Columns to keep as form fields.
        ignore: Columns to treat as if they were not there.
        where: Column to the value, compared as a string, that a row must have there to be read.

    Example:
        >>> Columns(text="question", fields=("plan", "country"), where={"lang": "en"}).text
        'question'
    """

    text: str | None = None
    label: str | None = None
    fields: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns of labels that are named.

        Example:
            >>> Columns(label="intent, urgency").labels
            ('intent', 'urgency')
        """
        names = (name.strip() for name in (self.label or "").split(","))
        return tuple(dict.fromkeys(name for name in names if name))


@dataclass(frozen=True)
class Layout:
    """What each column of one table is used for. The cells of those ``used`` make the records."""

    text: str | None
    tokens: str | None
    labels: tuple[str, ...]
    fields: tuple[str, ...]
    used: tuple[str, ...]
    left_out: tuple[str, ...]


def label_columns(columns: Columns, names: Sequence[str]) -> tuple[str, ...]:
    """Find the columns of the labels: those named, or else at most one of intents and one of spans.

    Example:
        >>> label_columns(Columns(), ["text", "tags", "intents"])
        ('intents',)
        >>> label_columns(Columns(), ["tokens", "tags", "intent"])
        ('intent', 'tags')
    """
    if columns.labels:
        return columns.labels
    usable = [name for name in names if name not in columns.ignore and (name != "tags" or "tokens" in names)]
    found = (next((name for name in known if name in usable), None) for known in LABEL_COLUMNS)
    return tuple(name for name in found if name is not None)


def lay_out(columns: Columns, names: Sequence[str], source: str, *, labels: tuple[str, ...], is_tagged: bool) -> Layout:
    """Find the use of each column.

    Args:
        columns: What the user named.
        names: The columns that the table has.
        source: What to call the table in messages.
        labels: The columns of the labels.
        is_tagged: Whether there are tags among the labels, one for each of the ``tokens``.

    Raises:
        ColumnError: There is nothing to read a record from.

    Example:
        >>> lay_out(Columns(), ["text", "intent", "agent"], "the list", labels=("intent",), is_tagged=False).left_out
        ('agent',)
    """
    usable = [name for name in names if name not in columns.ignore]
    text = columns.text or ("text" if "text" in usable else None)
    tokens = "tokens" if "tokens" in usable and (is_tagged or text is None) else None
    others = [name for name in _OTHER_COLUMNS if name in usable and name not in (text, *labels)]
    if not (text or tokens or columns.fields or {"image", "audio"}.intersection(others)):
        raise _missing("text", usable, source, "--text", unlikely=labels)
    used = tuple(dict.fromkeys(name for name in (text, tokens, *labels, *others, *columns.fields) if name))
    left_out = tuple(name for name in usable if name not in used and name not in columns.where)
    return Layout(text, tokens, labels, columns.fields, used, left_out)


def check_named(columns: Columns, names: Sequence[str], source: str) -> None:
    """Refuse columns that the user named and the table does not have.

    Raises:
        ColumnError: It names the column, the nearest there is, and all there are.
    """
    for option, wanted in (
        ("--text", [columns.text]),
        ("--label", columns.labels),
        ("--fields", columns.fields),
        ("--ignore", columns.ignore),
        ("--where", columns.where),
    ):
        for name in wanted:
            if name is not None and name not in names:
                raise _missing(name, names, source, option)


def no_label(names: Sequence[str], text: str | None, source: str) -> ColumnError:
    """The error of a table that must have a label column and has none."""
    near = did_you_mean("intent", [name for name in names if name != text])
    return ColumnError(
        f"{source} has no label column: expected 'intent', 'intents', 'spans', or 'tokens' with 'tags'.{near} "
        f"Its columns: {listed(names)}. Name the right one with --label."
    )


def column_names(raw: Iterable[object], source: str) -> list[str]:
    """Names as users type them: without white space around them, none twice, none blank.

    Raises:
        ColumnError: A name is there twice.

    Example:
        >>> column_names([" text ", "", "intent"], "tickets.csv")
        ['text', 'column 2', 'intent']
    """
    names = [str(name).replace("\0", "").strip() or f"column {number}" for number, name in enumerate(raw, 1)]
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        places = ", ".join(str(number) for number, name in enumerate(names, 1) if name == twice)
        raise ColumnError(
            f"{source} has the column {twice!r} more than once (columns {places}). "
            "Each name must be there once: rename or delete the others."
        )
    return names


def listed(words: Collection[object], *, most: int = 10) -> str:
    """Words for a message, each shortened, the rest counted; ``none`` where there are none.

    Example:
        >>> listed(["text", "intent", "id"], most=2)
        "'text', 'intent' and 1 more"
    """
    shown = ", ".join(reprlib.repr(word) for word in islice(words, most))
    return (shown or "none") + (f" and {len(words) - most} more" if len(words) > most else "")


def _missing(name: str, names: Sequence[str], source: str, option: str, *, unlikely: Sequence[str] = ()) -> ColumnError:
    near = did_you_mean(name, [other for other in names if other not in unlikely])
    return ColumnError(
        f"{source} has no column {name!r}.{near} Its columns: {listed(names)}. Name the right one with {option}."
    )
