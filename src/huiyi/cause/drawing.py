"""Causal models as pictures: one SVG that needs nothing else and can be read on a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from huiyi.cause.model import CausalModel, Role
from huiyi.drawing import Placed, in_xml, measured, wrapped

WIDTH = 360
"""Of the picture, in pixels: that of a phone held upright."""

MANY_ALIKE = 4
"""So many nodes with the same role and the same edges are drawn as one box."""

_MARGIN, _GAP, _RISE, _PADDING, _LINE, _SIZE = 12, 14, 46, 8, 16, 13
_MOST_IN_ROW = 3
_MOST_LINES = 6
_LANES = 5
_FILLS: Mapping[Role, tuple[str, str]] = {
    "action": ("#e6effa", "#2f6db3"),
    "outcome": ("#e7f4ea", "#2e7d43"),
    "intent": ("#f6f0fb", "#7d5ba6"),
    "context": ("#ffffff", "#777777"),
    "instrument": ("#fdf5e3", "#a9791c"),
    "mediator": ("#ffffff", "#2f6db3"),
    "measured": ("#ffffff", "#777777"),
    "hidden": ("#f7f7f7", "#999999"),
}


@dataclass(frozen=True)
class Box(Placed):
    """A node, or several alike, with its place in the picture.

    Attributes:
        names: The nodes.
        role: Of all of them.
        lines: What is written in it.
        left: Of its left edge.
        top: Of its upper edge.
        width: Of the box.
        height: Of the box.
    """

    names: tuple[str, ...]
    role: Role
    lines: tuple[str, ...]
    left: float
    top: float
    width: float
    height: float


_Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class _Line:
    way: str
    is_dashed: bool
    has_two_heads: bool


def draw(model: CausalModel) -> str:
    """A model as SVG: causes above what they lead to; what is hidden is dashed.

    Example:
        >>> picture = draw(CausalModel.of("u -> reply -> solved", roles={"u": "hidden", "reply": "action"}))
        >>> picture.count("<rect"), picture.count("stroke-dasharray"), "http://www.w3.org/2000/svg" in picture
        (4, 2, True)
    """
    boxes = laid_out(model)
    height = max((box.bottom for box in boxes), default=0.0) + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}" viewBox="0 0 {WIDTH} {height:g}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="{_SIZE}">',
        f"<title>{in_xml(_title(model))}</title>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 0 L8 4 L0 8 z" fill="#666666"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height:g}" fill="#ffffff"/>',
    ]
    parts += [
        f'<path d="{line.way}" fill="none" stroke="#666666"{_DASHES if line.is_dashed else ""}'
        f'{_START if line.has_two_heads else ""} marker-end="url(#head)"/>'
        for line in _lines(model, boxes)
    ]
    for box in boxes:
        fill, stroke = _FILLS[box.role]
        parts.append(
            f'<rect x="{box.left:g}" y="{box.top:g}" width="{box.width:g}" height="{box.height:g}" rx="6" '
            f'fill="{fill}" stroke="{stroke}"{_DASHES if box.role == "hidden" else ""}/>'
        )
        for number, line in enumerate(box.lines):
            y = box.top + _PADDING + _LINE * number + _SIZE
            style = f' font-size="{_SIZE - 2}" fill="#666666"' if number and number == len(box.lines) - 1 else ""
            parts.append(f'<text x="{box.middle:g}" y="{y:g}" text-anchor="middle"{style}>{in_xml(line)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


_DASHES = ' stroke-dasharray="4 3"'
_START = ' marker-start="url(#head)"'


def laid_out(model: CausalModel) -> list[Box]:
    """The boxes, from top to bottom.

    A node stands below all that leads to it; of these rows, those with too many boxes for a phone are broken. In its
    row it stands near the middle of what leads to it.
    """
    groups = _alike(model)
    of = {name: place for place, group in enumerate(groups) for name in group}
    above: dict[int, set[int]] = {place: set() for place in range(len(groups))}
    for cause, effect in model.arrows:
        above[of[effect]].add(of[cause])
    depth: dict[int, int] = {}
    for name in model.graph.order:
        depth[of[name]] = max((depth[place] + 1 for place in above[of[name]]), default=0)
    boxes: list[Box] = []
    middles: dict[int, float] = {}
    top = float(_MARGIN)
    for row in range(max(depth.values(), default=-1) + 1):
        wanted = {
            place: sum(middles[one] for one in above[place]) / len(above[place]) if above[place] else WIDTH / 2
            for place, found in depth.items()
            if found == row
        }
        order = sorted(wanted, key=lambda place: (wanted[place], place))
        for start in range(0, len(order), _MOST_IN_ROW):
            some = order[start : start + _MOST_IN_ROW]
            room = (WIDTH - 2 * _MARGIN - _GAP * (len(some) - 1)) / len(some)
            tight = len(order) > _MOST_IN_ROW and start + _MOST_IN_ROW < len(order)
            top = _row([groups[place] for place in some], model, room, top, boxes) + (_GAP * 2 if tight else _RISE)
            for place, box in zip(some, boxes[-len(some) :], strict=True):
                middles[place] = box.middle
    return boxes


def _row(groups: Sequence[Sequence[str]], model: CausalModel, room: float, top: float, boxes: list[Box]) -> float:
    """Add boxes side by side, and return where they end."""
    made: list[tuple[tuple[str, ...], float, float]] = []
    for group in groups:
        role = model.roles[group[0]]
        told = ", ".join(group) if len(group) > 1 else group[0]
        lines = wrapped(told, room - 2 * _PADDING, _SIZE, most=_MOST_LINES)
        note = role if len(group) == 1 else f"{len(group)} × {role}"
        lines = (*lines, note) if role != "measured" or len(group) > 1 else (*lines,)
        width = min(room, max(measured(line, _SIZE) for line in lines) + 2 * _PADDING)
        made.append((lines, max(width, 56.0), 2 * _PADDING + _LINE * len(lines) - (_LINE - _SIZE)))
    whole = sum(width for _, width, _ in made) + _GAP * (len(made) - 1)
    spare = (WIDTH - 2 * _MARGIN - whole) / (len(made) + 1)
    left = _MARGIN + spare
    for group, (lines, width, height) in zip(groups, made, strict=True):
        boxes.append(Box(tuple(group), model.roles[group[0]], lines, round(left, 1), top, round(width, 1), height))
        left += width + _GAP + spare
    return top + max(height for _, _, height in made)


def _alike(model: CausalModel) -> list[tuple[str, ...]]:
    """The nodes, those together that many others are like in role and edges."""
    graph = model.graph
    kinds: dict[object, list[str]] = {}
    for name, role in model.roles.items():
        kinds.setdefault((role, graph.parents[name], graph.children[name], graph.siblings[name]), []).append(name)
    found: list[tuple[str, ...]] = []
    for names in kinds.values():
        found += [tuple(names)] if len(names) >= MANY_ALIKE else [(name,) for name in names]
    return found


def _lines(model: CausalModel, boxes: Sequence[Box]) -> list[_Line]:
    """A curve for each pair of boxes with an edge. Where several meet a box, each has a place of its own."""
    of = {name: place for place, box in enumerate(boxes) for name in box.names}
    ends = dict.fromkeys((of[one], of[other], False) for one, other in model.arrows)
    ends |= dict.fromkeys((of[one], of[other], True) for one, other in model.arcs)
    meeting: dict[tuple[int, bool], list[tuple[float, int]]] = {}  # by box and whether below it
    sides: list[tuple[tuple[int, bool], tuple[int, bool]]] = []
    for number, (start, end, _) in enumerate(ends):
        level = boxes[start].top == boxes[end].top
        here = (start, level or boxes[start].top < boxes[end].top), (end, level or boxes[end].top < boxes[start].top)
        sides.append(here)
        meeting.setdefault(here[0], []).append((boxes[end].middle, number))
        meeting.setdefault(here[1], []).append((boxes[start].middle, number))
    lanes = {-1: 0, 1: 0}
    found: list[_Line] = []
    for number, (start, end, is_arc) in enumerate(ends):
        points = []
        for place, below in sides[number]:
            box, others = boxes[place], sorted(meeting[place, below])
            rank = [other for _, other in others].index(number)
            x = box.left + box.width * (rank + 1) / (len(others) + 1)
            points.append((round(x, 1), box.bottom if below else box.top))
        dashed = is_arc or "hidden" in (boxes[start].role, boxes[end].role)
        found.append(
            _Line(_way(points[0], points[1], boxes[start].top == boxes[end].top, boxes, lanes), dashed, is_arc)
        )
    return found


def _way(start: _Point, end: _Point, is_level: bool, boxes: Sequence[Box], lanes: dict[int, int]) -> str:
    """A curve from one point to another, around boxes that stand between, on a lane of its own."""
    if is_level:
        deep = max(start[1], end[1]) + _RISE * 0.55  # side by side: below both
        return f"M{start[0]:g} {start[1]:g} C{start[0]:g} {deep:g} {end[0]:g} {deep:g} {end[0]:g} {end[1]:g}"
    (x, y), (u, v) = sorted((start, end), key=lambda point: point[1])
    between = [box for box in boxes if y < box.top and box.bottom < v]
    hit = [box for box in between if box.left - 6 < x + (u - x) * _share(y, v, box) < box.left + box.width + 6]
    if hit:
        left = min(box.left for box in hit)
        right = max(box.left + box.width for box in hit)
        side = -1 if (x + u) / 2 - left < right - (x + u) / 2 else 1
        reach = 8 + 6 * lanes[side]
        lanes[side] = (lanes[side] + 1) % _LANES
        lane = max(left - reach, 3.0 + 2 * lanes[side]) if side < 0 else min(right + reach, WIDTH - 3 - 2 * lanes[side])
        first, last = min(box.top for box in hit) - 6, max(box.bottom for box in hit) + 6
        turn, back = (y + first) / 2, (last + v) / 2
        ways = [(x, y), (x, turn), (lane, turn), (lane, first), (lane, last), (lane, back), (u, back), (u, v)]
    else:
        bend = (y + v) / 2
        ways = [(x, y), (x, bend), (u, bend), (u, v)]
    if start[1] > end[1]:
        ways.reverse()
    spelt = [f"{a:g} {b:g}" for a, b in ways]
    if len(spelt) == 4:
        return f"M{spelt[0]} C{' '.join(spelt[1:])}"
    return f"M{spelt[0]} C{' '.join(spelt[1:4])} L{spelt[4]} C{' '.join(spelt[5:])}"


def _share(y: float, v: float, box: Box) -> float:
    """How far down between two heights the middle of a box is, 0 to 1."""
    return ((box.top + box.bottom) / 2 - y) / (v - y)


def _title(model: CausalModel) -> str:
    actions, outcomes = model.of_role("action"), model.of_role("outcome")
    if actions and outcomes:
        return f"What leads to {', '.join(outcomes)}, and what {actions[0]} does"
    return f"What causes what: {', '.join(list(model.roles)[:6])}"
