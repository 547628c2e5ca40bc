"""The few pieces of HTML that the report is made of. Every text goes in through ``one_line``."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import category

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHOWN_CHARACTERS = 200


class Column(NamedTuple):
    """A column of a table: its name, and the style of its cells."""

    name: str
    style: str = ""


class Pictured(NamedTuple):
    """A text with a picture before it, which is a ``data:`` address of our own making."""

    text: str
    address: str


def one_line(text: str, *, most: int = SHOWN_CHARACTERS) -> str:
    r"""Any text, made fit for a page: on one line, cut to size, with nothing left that acts.

    Control characters and lone surrogates become U+FFFD.

    Example:
        >>> one_line("<b>\x00 1 & 2\n", most=7)
        '&lt;b&gt;� 1…'
    """
    line = " ".join(text[: 4 * most].split())  # cut first: the text may be a megabyte
    is_cut = len(line) > most or len(text) > 4 * most
    shown = line[:most].rstrip() + "…" if is_cut else line
    return escape("".join(map(_visible, shown)))


def isolated(text: str, *, most: int = SHOWN_CHARACTERS) -> str:
    """``one_line``, in an element beyond which the direction of its writing cannot reach."""
    return f"<bdi>{one_line(text, most=most)}</bdi>"


def section(heading: str, content: str, *, note: str = "", style: str = "") -> str:
    """A part of the page."""
    explained = f'<p class="soft">{note}</p>' if note else ""
    return f'<section class="{style}"><h2>{heading}</h2>{explained}{content}</section>'


def table(columns: Sequence[Column], rows: Iterable[Sequence[str | Pictured]]) -> str:
    """A table of plain texts, each escaped, some with a picture.

    Example:
        >>> table([Column("Label"), Column("Rows", "number")], [("a<b", "3")]).split("<tbody>")[1].splitlines()[0]
        '<tr><td><bdi>a&lt;b</bdi></td><td class="number"><bdi>3</bdi></td></tr>'
    """
    styles = [f' class="{column.style}"' if column.style else "" for column in columns]
    head = "".join(f"<th{style}>{column.name}</th>" for column, style in zip(columns, styles, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{style}>{_cell(cell)}</td>' for cell, style in zip(row, styles, strict=True))}</tr>\n"
        for row in rows
    )
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def figure(heading: str, svg: str, keys: Sequence[tuple[str, str]], *, note: str) -> str:
    """A plot with its heading, its note and the (colour, name) of what it shows."""
    listed = "".join(f'<span><i style="background:{colour}"></i>{name}</span>' for colour, name in keys)
    return (
        f"<figure><h3>{heading}</h3>{svg}"
        f'<figcaption><div class="keys">{listed}</div><small>{note}</small></figcaption></figure>'
    )


def _cell(cell: str | Pictured) -> str:
    """What stands in one cell."""
    if isinstance(cell, str):
        return isolated(cell)
    return f'<img src="{cell.address}" alt=""> {isolated(cell.text)}'


def _visible(character: str) -> str:
    """The character, or U+FFFD for one that cannot be written or shown."""
    return "\ufffd" if category(character) in ("Cc", "Cs") else character
