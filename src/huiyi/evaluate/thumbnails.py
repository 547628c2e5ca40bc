"""Small copies of the pictures of records, for pages that need nothing beside themselves."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from huiyi.errors import InputError

if TYPE_CHECKING:
    from huiyi.values import Media, Record

SIDE = 96  # pixels
_QUALITY = 70


def thumbnail(record: Record) -> str | None:
    """The first picture of a record as a ``data:`` address of a small JPEG.

    It is drawn anew from pixels, so nothing else that the file held comes along.

    Returns:
        None where there is no picture, or none that can be read.

    Example:
        >>> from huiyi.values import Record
        >>> thumbnail(Record(text="no picture")) is None
        True
    """
    return small_copy(record.images[0], SIDE) if record.images else None


def small_copy(media: Media, side: int) -> str | None:
    """A picture, no side of it longer than ``side`` pixels. See ``thumbnail``."""
    from huiyi.perceive.pictures import PICTURES, picture

    try:
        image = picture(PICTURES.content(media), PICTURES.called(media), at_least=side)
    except InputError:  # a page is no place to refuse it, and it may be gone by now
        return None
    image.thumbnail((side, side))
    with io.BytesIO() as file:
        image.save(file, "JPEG", quality=_QUALITY)
        return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
