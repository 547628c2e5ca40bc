"""Pictures and recordings as an explanation shows them: tinted by what their parts added.

They are drawn anew from pixels and samples, so a page needs nothing beside itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from huiyi.errors import InputError
from huiyi.evaluate.thumbnails import small_copy

if TYPE_CHECKING:
    from huiyi.explanation import Region, Stretch
    from huiyi.values import Media

SIDE = 480
"""Of a picture, in pixels at most."""

NAMED = 5
"""Parts that are numbered and listed, at most."""

_FAINT = 0.1  # of the strongest: parts of less are not named
_BARS = 160  # of the sound
_WIDTH, _HEIGHT = 640, 96  # of the strip
_STRONGEST = 60  # per cent of colour over what added most

_PLACES = {
    "en": (
        ("top left", "top", "top right"), ("left", "middle", "right"), ("bottom left", "bottom", "bottom right"),
    ),
    "zh": (("左上", "上方", "右上"), ("左侧", "中间", "右侧"), ("左下", "下方", "右下")),
}  # fmt: skip


def place(region: Region, language: str) -> str:
    """Where the middle of a region lies.

    Example:
        >>> from huiyi.explanation import Region
        >>> place(Region(0, 0.0, 0.5, 0.25, 0.75, 0.1), "en"), place(Region(0, 0.5, 0.5, 0.625, 0.625, 0.1), "zh")
        ('left', '中间')
    """
    row, column = (min(2, int(3 * middle)) for middle in (_middle(region.top, region.bottom), _across(region)))
    return _PLACES[language][row][column]


def moment(stretch: Stretch) -> str:
    """From when to when a stretch lasts.

    Example:
        >>> from huiyi.explanation import Stretch
        >>> moment(Stretch(0, 59.04, 61.5, 0.1))
        '0:59.0–1:01.5'
    """
    return "–".join(f"{int(tenths // 600)}:{tenths % 600 / 10:04.1f}" for tenths in _tenths(stretch))


def telling(regions: Sequence[Region]) -> list[Region]:
    """The few regions that count most, for the label or against it."""
    ranked = sorted(regions, key=lambda region: -abs(region.weight))[:NAMED]
    return [one for one in ranked if one.weight and abs(one.weight) >= _FAINT * abs(ranked[0].weight)]


def heated_picture(media: Media, regions: Sequence[Region], named: Sequence[Region]) -> str:
    """A picture as it was sent, and beside it tinted: blue where it speaks for the label, orange against it.

    Args:
        media: The picture.
        regions: Of this picture.
        named: Those of them that are numbered, in order.

    Returns:
        HTML; empty where the picture cannot be read any more.
    """
    address = small_copy(media, SIDE)
    if address is None:
        return ""
    most = max((abs(region.weight) for region in regions), default=0.0) or 1.0
    tints = "".join(
        f'<i title="{region.weight:+.1%}" style="left:{region.left:.2%};top:{region.top:.2%};'
        f"width:{region.right - region.left:.2%};height:{region.bottom - region.top:.2%};"
        f'{_tint(region.weight / most)}"{_marked(region in named)}>{_number(named, region)}</i>'
        for region in regions
    )
    image = f'<img src="{address}" alt="">'
    return f'<div class="seen"><div>{image}</div><div>{image}{tints}</div></div>'


def heated_sound(media: Media, stretches: Sequence[Stretch]) -> str:
    """A recording as a strip of its loudness, tinted behind: blue where it speaks for the label, orange against it.

    Returns:
        HTML; empty where the recording cannot be read any more.
    """
    from huiyi.perceive.recordings import RATE, RECORDINGS, samples

    try:
        sound = samples(RECORDINGS.content(media), RECORDINGS.called(media))
    except InputError:  # as of pictures
        return ""
    loudest = [float(np.abs(part).max(initial=0)) for part in np.array_split(sound, _BARS)]
    scale = 0.45 * _HEIGHT / (max(loudest) or 1.0)
    step = _WIDTH / _BARS
    bars = "".join(
        f"M{(number + 0.5) * step:.1f} {_HEIGHT / 2 - scale * one:.1f}V{_HEIGHT / 2 + scale * one:.1f}"
        for number, one in enumerate(loudest)
    )
    most = max((abs(stretch.weight) for stretch in stretches), default=0.0) or 1.0
    seconds = len(sound) / RATE
    tints = "".join(
        f'<rect x="{_WIDTH * one.start / seconds:.1f}" y="0" width="{_WIDTH * (one.end - one.start) / seconds:.1f}" '
        f'height="{_HEIGHT}" style="fill:var(--{_colour(one.weight)});fill-opacity:{_strength(one.weight / most):.0%};'
        f'stroke:var(--line)"><title>{moment(one)} {one.weight:+.1%}</title></rect>'
        for one in stretches
    )
    return (
        f'<svg class="heard" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img">{tints}'
        f'<path d="{bars}" style="stroke:var(--ink);stroke-width:1.6"/></svg>'
    )


def _middle(start: float, end: float) -> float:
    return (start + end) / 2


def _across(region: Region) -> float:
    return _middle(region.left, region.right)


def _tenths(stretch: Stretch) -> tuple[int, int]:
    """Start and end in tenths of a second, so that 59.96 is a minute."""
    return round(10 * stretch.start), round(10 * stretch.end)


def _colour(weight: float) -> str:
    return "blue" if weight > 0 else "orange"


def _strength(share: float) -> float:
    """How much colour, as a share."""
    return _STRONGEST / 100 * abs(share)


def _tint(share: float) -> str:
    """The colour of a region that added so much of what the strongest did."""
    return f"background:color-mix(in srgb, var(--{_colour(share)}) {_strength(share):.0%}, transparent)"


def _marked(is_named: bool) -> str:
    return ' class="named"' if is_named else ""


def _number(named: Sequence[Region], region: Region) -> str:
    return f"<b>{named.index(region) + 1}</b>" if region in named else ""
