"""Proofs as pictures: one SVG that needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from huiyi.drawing import in_xml, wrapped
from huiyi.reason.proof import Proof
from huiyi.reason.wording import Wording

MOST_BOXES = 60
"""How many steps are drawn; those nearest to what is proved."""

_WIDTH, _GAP, _RISE, _MARGIN = 230, 24, 54, 20
_PADDING, _LINE, _SIZE = 10, 18, 13
_LINES = 8
_FILLS = {"given": ("#eef4fb", "#7a9cc6"), "derived": ("#ffffff", "#8a8a8a"), "proved": ("#edf7ee", "#3c8d4a")}


@dataclass(frozen=True)
class Box:
    """A step with its place in the picture.

    Attributes:
        step: Its place in the proof.
        kind: ``given``, ``derived`` or ``proved``.
        title: Lines that say what holds.
        notes: Lines that say why.
        left: Of its left edge.
        top: Of its upper edge.
        height: Of the box.
    """

    step: int
    kind: str
    title: tuple[str, ...]
    notes: tuple[str, ...]
    left: float
    top: float
    height: float


def draw(proof: Proof, wording: Wording) -> str:
    """A proof as SVG: what is proved at the top, what it rests on below.

    Args:
        proof: The proof.
        wording: Rules and language of the words in it.

    Example:
        >>> from huiyi.reason import Fact, Rules, close, prove
        >>> rules = Rules.parse("mortal(?x) :- human(?x).")
        >>> picture = draw(prove(close([Fact("human", ("<Ada>",))], rules), Fact("mortal", ("<Ada>",))), Wording(rules))
        >>> "&lt;Ada&gt; is mortal" in picture, "<Ada>" in picture
        (True, False)
    """
    boxes, edges, left_out = laid_out(proof, wording)
    by_step = {box.step: box for box in boxes}
    width = max(box.left for box in boxes) + _WIDTH + _MARGIN
    height = max(box.top + box.height for box in boxes) + _MARGIN + (_LINE if left_out else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" font-family="system-ui, sans-serif" font-size="{_SIZE}">',
        f"<title>{in_xml(wording.step(proof.steps[-1]))}</title>",
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
    ]
    for upper, lower in edges:
        above, below = by_step[upper], by_step[lower]
        x, y = above.left + _WIDTH / 2, above.top + above.height
        u, v = below.left + _WIDTH / 2, below.top
        bend = (y + v) / 2
        parts.append(
            f'<path d="M{x:g} {y:g} C{x:g} {bend:g} {u:g} {bend:g} {u:g} {v:g}" fill="none" stroke="#9a9a9a"/>'
        )
    for box in boxes:
        fill, stroke = _FILLS[box.kind]
        parts.append(
            f'<rect x="{box.left:g}" y="{box.top:g}" width="{_WIDTH}" height="{box.height:g}" rx="6" '
            f'fill="{fill}" stroke="{stroke}"/>'
        )
        for number, line in enumerate((*box.title, *box.notes)):
            y = box.top + _PADDING + _LINE * number + _SIZE
            style = 'font-weight="600"' if number < len(box.title) else f'font-size="{_SIZE - 2}" fill="#555555"'
            parts.append(f'<text x="{box.left + _PADDING:g}" y="{y:g}" {style}>{in_xml(line)}</text>')
    if left_out:
        said = {"en": f"{left_out} further steps are not drawn", "zh": f"另有 {left_out} 步未画出"}[wording.language]
        parts.append(f'<text x="{_MARGIN}" y="{height - _MARGIN / 2:g}" fill="#555555">{in_xml(said)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def laid_out(proof: Proof, wording: Wording) -> tuple[list[Box], list[tuple[int, int]], int]:
    """The boxes, which of them rest on which, and how many steps are left out.

    A step stands one row below the lowest of those that rest on it, and in its row near the middle of these.
    """
    last = len(proof.steps) - 1
    rows = {last: 0}
    for place in range(last, -1, -1):  # those that rest on a step come after it
        for earlier in proof.steps[place].because:
            if place in rows:
                rows[earlier] = max(rows.get(earlier, 0), rows[place] + 1)
    kept = set(sorted(rows, key=lambda place: (rows[place], -place))[:MOST_BOXES])
    edges = sorted({(place, earlier) for place in kept for earlier in proof.steps[place].because if earlier in kept})
    above: dict[int, list[int]] = {}
    for upper, lower in edges:
        above.setdefault(lower, []).append(upper)
    depth = max(rows[place] for place in kept)
    widest = max(sum(rows[place] == row for place in kept) for row in range(depth + 1))
    full = widest * (_WIDTH + _GAP) - _GAP
    boxes: list[Box] = []
    middle: dict[int, float] = {}
    top = float(_MARGIN)
    for row in range(depth + 1):
        wanted = {
            place: sum(middle[upper] for upper in above[place]) / len(above[place]) if above.get(place) else full / 2
            for place in kept
            if rows[place] == row
        }
        order = sorted(wanted, key=lambda place: (wanted[place], place))
        left = _MARGIN + (full - len(order) * (_WIDTH + _GAP) + _GAP) / 2
        tallest = 0.0
        for place in order:
            step = proof.steps[place]
            title = wrapped(wording.step(step), _WIDTH - 2 * _PADDING, _SIZE * 1.08)
            notes = [line for note in wording.reasons(step) for line in wrapped(note, _WIDTH - 2 * _PADDING, _SIZE - 2)]
            notes = notes[:_LINES]
            height = 2 * _PADDING + _LINE * (len(title) + len(notes)) - (_LINE - _SIZE)
            kind = "proved" if place == last else "derived" if step.rule else "given"
            boxes.append(Box(place, kind, title, tuple(notes), left, top, height))
            middle[place] = left + _WIDTH / 2
            tallest = max(tallest, height)
            left += _WIDTH + _GAP
        top += tallest + _RISE
    return boxes, edges, len(proof.steps) - len(kept)
