"""What commands share: options, and what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from huiyi.errors import OptionError

if TYPE_CHECKING:
    from huiyi.data import Columns

Text = Annotated[str | None, typer.Option("--text", metavar="COL", help="Column of the text.")]
LabelColumn = Annotated[
    str | None, typer.Option("--label", metavar="COL", help="Column of the label; A,B for several tasks.")
]
Fields = Annotated[str, typer.Option("--fields", metavar="A,B", help="Columns to take as form fields.")]
Ignore = Annotated[str, typer.Option("--ignore", metavar="C,D", help="Columns to leave out.")]
Where = Annotated[list[str] | None, typer.Option("--where", metavar="COL=VALUE", help="Keep only these rows.")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Skip and count rows, pictures and recordings that cannot be read.")
]
Language = Annotated[str, typer.Option("--lang", metavar="en|zh", help="Language of what is printed.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Images = Annotated[
    list[Path] | None,
    typer.Option("--image", metavar="FILE", help="A picture that came along, or that holds the text; one or more."),
]
Audios = Annotated[
    list[Path] | None, typer.Option("--audio", metavar="FILE", help="A recording that came along; one or more.")
]
FormFields = Annotated[list[str] | None, typer.Option("--field", metavar="K=V", help="A form field.")]
Answers = Annotated[list[str] | None, typer.Option("--answer", metavar="K=V", help="A reply to a question.")]
MaxError = Annotated[float, typer.Option("--max-error", help="Largest share of wrong acts among acts.")]
OosRate = Annotated[float, typer.Option("--oos-rate", help="Share of records out of scope where the model will work.")]


def columns_of(text: str | None, label: str | None, fields: str, ignore: str, where: list[str] | None) -> Columns:
    """The options about columns, as one value."""
    from huiyi.data import Columns

    return Columns(text, label, tuple(listed(fields)), tuple(listed(ignore)), pairs(where, "--where"))


def listed(names: str) -> list[str]:
    """The parts of ``a,b``."""
    return [name.strip() for name in names.split(",") if name.strip()]


def pairs(given: list[str] | None, option: str) -> dict[str, str]:
    """The pairs of repeated ``k=v``."""
    pairs = {}
    for pair in given or ():
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise OptionError(f"{option} {pair!r} is no pair; expected NAME=VALUE, such as {option} language=en")
        pairs[key.strip()] = value
    return pairs


def asked_language(lang: str) -> str:
    """The language asked for."""
    if lang not in ("en", "zh"):
        raise OptionError(f"--lang {lang!r} is not known; expected en or zh")
    return lang
