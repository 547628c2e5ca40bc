"""Reading pictures of any kind, from anyone: each becomes upright pixels in red, green and blue, or one clear refusal.

What a picture holds is not trusted. How large it is decoded is told by its
first bytes and checked before anything is decoded; only formats of plain
pixels are tried; and whatever the decoder makes of broken ones, neither its
exceptions nor its warnings leave this file.

Source:
    Orientation: CIPA DC-008 (Exif 2.32), tag 0x0112.
"""

from __future__ import annotations

import warnings
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from huiyi.errors import DataError, MissingExtraError
from huiyi.perceive.media import MediaKind

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

MOST_BYTES = 64_000_000  # of a file; what cameras write is smaller
MOST_PIXELS = 70_000_000  # more than the 64 megapixels of large cameras; reading so many takes 600 MB at most
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")  # not TIFF: its library prints to the error stream what it dislikes

_KNOWN = "a picture in JPEG, PNG, GIF, WebP or BMP"
_SVG_BYTES = 4_096  # the element that begins a drawing is not further off, but for very long comments
_ORIENTATION = 0x0112
_LOCK = Lock()  # one picture is decoded at a time: it bounds the memory, and filters of warnings belong to all threads

PICTURES = MediaKind("picture", _KNOWN, MOST_BYTES, lambda record: record.images)


def pixels(content: bytes, name: str, *, side: int) -> NDArray[np.uint8]:
    """A picture as a square: all of it, squeezed, so that nothing at an edge goes unseen.

    Args:
        content: The bytes of its file.
        name: What to call it in messages.
        side: Of the square, in pixels.

    Returns:
        Shape (side, side, 3): red, green and blue.

    Raises:
        DataError: It cannot be read. See ``picture``.
        MissingExtraError: Pillow is not installed.
    """
    image = picture(content, name, at_least=side)
    from PIL.Image import Resampling  # after it was said whether Pillow is there

    # The reducing gap first averages whole pixels of a much larger picture, which is faster and looks the same.
    return np.asarray(image.resize((side, side), Resampling.BICUBIC, reducing_gap=3.0), dtype=np.uint8)


def picture(content: bytes, name: str, *, at_least: int | None = None) -> Image:
    """A picture, upright, in RGB with 8 bits, over white where it is transparent; of a film, the first.

    Values of 16 bits keep their scale: the largest that there could be is white.

    Args:
        content: The bytes of its file.
        name: What to call it in messages.
        at_least: If a side of this many pixels is enough, a JPEG that is much larger is decoded smaller, which is
            faster.

    Raises:
        DataError: It is no picture that can be read, or is broken, or has more than MOST_PIXELS.
        MissingExtraError: Pillow is not installed.

    Example:
        >>> import io
        >>> from PIL import Image
        >>> with io.BytesIO() as file:
        ...     Image.new("LA", (3, 2), (0, 0)).save(file, "PNG")
        ...     image = picture(file.getvalue(), "clear.png")
        >>> image.mode, image.size, image.getpixel((0, 0))
        ('RGB', (3, 2), (255, 255, 255))
    """
    import io

    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise MissingExtraError("Pictures", extra="image") from error
    if _is_drawing(content):
        raise DataError(f"{name} is an SVG drawing, which has no pixels. Expected {_KNOWN}: convert it to PNG")
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd about a picture that can be read does no harm
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                _check_size(image.size, name)
                if at_least is not None:
                    image.draft(None, (at_least, at_least))
                image.load()
                return _upright(_in_colours(image), image)
        except DataError:
            raise
        except Image.DecompressionBombError as error:  # so large that Pillow itself refuses it
            raise DataError(_too_large("more pixels", name)) from error
        except UnidentifiedImageError as error:
            raise DataError(f"{name} is no picture that can be read. Expected {_KNOWN}: save it as PNG") from error
        except Exception as error:  # decoders raise nearly anything
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            raise DataError(
                f"{name} is broken, or of a rare kind ({reason}). Expected {_KNOWN}: copy it again, or save it as PNG"
            ) from error


def _is_drawing(content: bytes) -> bool:
    """Whether it is SVG."""
    start = content[:_SVG_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"<") and b"<svg" in start and b"<html" not in start.lower()


def _check_size(size: tuple[int, int], name: str) -> None:
    """Refuse what would be too large when it is decoded."""
    width, height = size
    if width * height > MOST_PIXELS:
        raise DataError(_too_large(f"{width:,} × {height:,} pixels, more", name))


def _too_large(what: str, name: str) -> str:
    """What to say of a picture of too many pixels."""
    return f"{name} has {what} than the {MOST_PIXELS:,} that a picture may have. Expected fewer: save it smaller"


def _in_colours(image: Image) -> Image:
    """A loaded picture in RGB."""
    from PIL import Image as Images

    if image.mode.startswith("I"):  # grey in 16 bits, which Pillow would cut off at 255
        rounded = (np.asarray(image).astype(np.uint32) + 128) // 257
        return Images.fromarray(rounded.astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    clear = image if image.mode == "RGBA" else image.convert("RGBA")
    white = Images.new("RGB", clear.size, "white")
    white.paste(clear, mask=clear.getchannel("A"))
    return white


def _upright(image: Image, source: Image) -> Image:
    """A picture turned as its source says it was held. What cannot be read there turns nothing."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        turn = turns.get(source.getexif().get(_ORIENTATION, 1))
    except Exception:  # as above
        return image
    return image if turn is None else image.transpose(turn)
