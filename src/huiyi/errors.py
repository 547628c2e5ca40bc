"""Every error Huiyi raises on purpose.

    HuiyiError
    ├── InputError              the user's input or options; the CLI exits with code 2
    │   ├── DataError           a file, a row or a column of it
    │   │   └── ColumnError     a column that is not there, is there twice or holds the wrong thing
    │   ├── OptionError         an option, a configuration key or a value of one
    │   ├── OutputError         a place that cannot be written, or must not be overwritten
    │   ├── ModelFolderError    a saved model that is not whole, was changed or is too new
    │   └── MissingExtraError   a part that needs another install, named with its command
    └── ExportError             a trained backbone that does not become a file which answers as it does

Each message says what happened, what was expected and how to fix it, in one line.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class HuiyiError(Exception):
    """Base of all errors raised on purpose."""


class InputError(HuiyiError):
    """The user's input cannot be used as it is."""


class DataError(InputError):
    """A file, or a row of it, cannot be used."""


class ColumnError(DataError):
    """A column is not there, is there twice or holds the wrong thing."""


class OptionError(InputError):
    """An option or configuration value cannot be used."""


class OutputError(InputError):
    """A place cannot be written, or must not be overwritten."""


class ModelFolderError(InputError):
    """A saved model is not whole, was changed or is too new."""


class MissingExtraError(InputError):
    """A part of Huiyi needs another install.

    Example:
        >>> str(MissingExtraError("Parquet files", extra="tables"))
        'Parquet files need the extra "tables". Install it with: pip install "huiyi[tables]"'
    """

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(f'{what} need the extra "{extra}". Install it with: pip install "huiyi[{extra}]"')
        self.extra = extra


class ExportError(HuiyiError):
    """A trained backbone does not become a file that answers as it does."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the nearest known name, or nothing.

    Example:
        >>> did_you_mean("txt", ["text", "intent"])
        " Did you mean 'text'?"
        >>> did_you_mean("zebra", ["text", "intent"])
        ''
    """
    lowered = {candidate.lower(): candidate for candidate in known}
    near = get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    return f" Did you mean {lowered[near[0]]!r}?" if near else ""
