"""Opening files of text: what stands on the disk, compressed or not, in whatever encoding."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from huiyi.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from huiyi.data.notices import Notices

_SAMPLE_BYTES = 1 << 16
_NOT_TEXT = {
    b"PK\x03\x04": "a zip archive, which an Excel file is too",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "gzip data in a file that does not end in .gz",
    b"PAR1": "a Parquet file that does not end in .parquet",
}


@contextmanager
def explained(source: str) -> Iterator[None]:
    """Say what the operating system or gzip refused in one line."""
    try:
        yield
    except PermissionError as error:
        raise DataError(
            f"{source} cannot be read: permission denied. Give yourself the right to read it, or copy it."
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{source} is not a whole gzip file ({error}). Expected one that can be unzipped: copy it again."
        ) from error
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror or error}. Expected a file or a folder.") from error


def missing(path: Path) -> DataError:
    """The error of a path that is not there, with the nearest name in its folder."""
    if not path.parent.is_dir():
        return DataError(f"There is no folder {str(path.parent)!r}. Expected the path of a file or folder that exists.")
    near = did_you_mean(path.name, (other.name for other in path.parent.iterdir()))
    return DataError(f"There is no file or folder {str(path)!r}.{near} Expected one that exists: check the path.")


def no_content(source: str) -> DataError:
    """The error of a file without anything in it."""
    return DataError(f"{source} is empty. Expected rows, one for each record: fill it, or name another file.")


@contextmanager
def open_text(path: Path, source: str, notices: Notices, *, newline: str) -> Iterator[TextIO]:
    """Open a text file, compressed or not, in the encoding it turns out to have.

    Raises:
        DataError: It is empty, is no text, or mixes encodings.
    """
    encoding = _encoding(path, source, notices)
    with _open_bytes(path) as stream, io.TextIOWrapper(stream, encoding=encoding, newline=newline) as text:
        yield text


def _open_bytes(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def _encoding(path: Path, source: str, notices: Notices) -> str:
    with _open_bytes(path) as stream:
        head = stream.read(_SAMPLE_BYTES)
    if not head.strip():
        raise no_content(source)
    for magic, what in _NOT_TEXT.items():
        if head.startswith(magic):
            raise DataError(f"{source} is not text but {what}. Expected rows of text: save it as CSV in UTF-8.")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        if not _decodes(path, "utf-16"):
            raise DataError(f"{source} begins as UTF-16 but is broken further on. Save it again, as UTF-8.")
        notices.say(f"{source}: read as UTF-16, as its byte-order mark says.")
        return "utf-16"
    is_utf8 = _decodes(path, "utf-8")
    if head.count(0) * (5 if is_utf8 else len(head)) > len(head):  # stray NULs in UTF-8 do no harm
        raise DataError(
            f"{source} is not text: it holds NUL bytes as a binary file does, or UTF-16 without a byte-order mark. "
            "Expected rows of text: save it as UTF-8."
        )
    if is_utf8:
        if head.startswith(codecs.BOM_UTF8):
            notices.say(f"{source}: the byte-order mark at its start was left out.")
        return "utf-8-sig"
    encoding, name = _guess(path, source)
    notices.say(f"{source}: not UTF-8, so read as {name}, which is a guess. Save it as UTF-8 to be sure.")
    return encoding


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with _open_bytes(path) as stream:
        try:
            while chunk := stream.read(_SAMPLE_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _guess(path: Path, source: str) -> tuple[str, str]:
    """Tell the encoding of a file that is not UTF-8, with its name for people, or refuse."""
    with _open_bytes(path) as stream:
        content = stream.read()
    lines = [(number, line) for number, line in enumerate(content.splitlines(), 1) if not line.isascii()]
    foreign = [number for number, line in lines if _decoded(line, "utf-8") is None]
    utf8 = [text for _, line in lines if (text := _decoded(line, "utf-8")) is not None]
    # A very short line of GB18030 may be UTF-8 by accident; then it does not read as Chinese.
    by_accident = len(utf8) < 0.05 * len(lines) and not any(map(_is_chinese, utf8))
    if by_accident and _is_chinese(_decoded(content, "gb18030")):
        return "gb18030", "GB18030"
    if not utf8 and _is_western(_decoded(content, "cp1252")):
        return "cp1252", "Windows-1252"
    if utf8:
        raise DataError(
            f"{source}, line {foreign[0]} is not UTF-8, though other lines are. "
            "Expected one encoding throughout: correct that line, or save the whole file as UTF-8."
        )
    raise DataError(
        f"{source}, line {foreign[0]} is not UTF-8, and the file is neither GB18030 nor Windows-1252. Save it as UTF-8."
    )


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None


def _is_chinese(text: str | None) -> bool:
    """Whether most of what is not ASCII are everyday characters; of other encodings' bytes few would be."""
    foreign = [char for char in text or "" if char > "\x7f"][:_SAMPLE_BYTES]
    return 2 * sum(map(_is_everyday, foreign)) > len(foreign)


def _is_everyday(char: str) -> bool:
    """Whether GB 2312 has it among its punctuation or its 3,755 most frequent characters."""
    code = char.encode("gb18030")
    return len(code) == 2 and code[1] >= 0xA1 and (0xA1 <= code[0] <= 0xA3 or 0xB0 <= code[0] <= 0xD7)


def _is_western(text: str | None) -> bool:
    """Whether accents are the exception, as in Western languages; in Cyrillic, say, nearly all would be accented."""
    return text is not None and 4 * sum(char > "\x7f" for char in text) < len(text)
