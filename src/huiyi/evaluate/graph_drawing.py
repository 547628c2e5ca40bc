"""Explanation graphs as pictures: one SVG that needs nothing else, and can be read on a phone and on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from huiyi.drawing import Placed, in_xml, measured, wrapped
from huiyi.evaluate.wording import wording
from huiyi.explain.graph import Edge, Graph, Node, NodeKind

WIDTH = 360
"""Of the picture, in pixels: that of a phone held upright."""

MOST_WORDS = 10
"""Words that are drawn: those that something rests on, and those of the most weight. The others are one box."""

MOST_GROUNDS = 24
"""Things, facts and rules that are drawn: those nearest to the decision."""

_MARGIN, _GAP, _RISE, _PADDING, _LINE, _SIZE, _SMALL = 10, 8, 44, 7, 16, 13, 11
_HALF = (WIDTH - 2 * _MARGIN - _GAP) / 2
_FILLS: Mapping[NodeKind, tuple[str, str]] = {
    "word": ("#ffffff", "#777777"),
    "source": ("#ffffff", "#777777"),
    "thing": ("#f6f0fb", "#7d5ba6"),
    "fact": ("#eef4fb", "#7a9cc6"),
    "rule": ("#ffffff", "#8a8a8a"),
    "intent": ("#fdf5e3", "#a9791c"),
    "decision": ("#edf7ee", "#3c8d4a"),
}
_FOR, _AGAINST, _PLAIN = "#2f6fde", "#c8630a", "#9a9a9a"

SAID = {
    "en": {
        "word": "words", "source": "sources", "thing": "what they stand for", "fact": "facts", "rule": "rules",
        "intent": "what may be meant", "decision": "what was decided",
        "others": "{} more", "left_out": "{} further steps are not drawn", "from": "{} (from {})",
        "title": "How it came about",
    },
    "zh": {
        "word": "词语", "source": "来源", "thing": "所指的事物", "fact": "事实", "rule": "规则",
        "intent": "可能的意图", "decision": "决定",
        "others": "其余 {} 个", "left_out": "另有 {} 步未画出", "from": "{}（由 {}）", "title": "决定的由来",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Box(Placed):
    """A node with its place in the picture.

    Attributes:
        node: What it is.
        lines: What is written in it; the first ``titles`` of them are what it says.
        titles: How many lines that is.
        left: Of its left edge.
        top: Of its upper edge.
        width: Of the box.
        height: Of the box.
    """

    node: Node
    lines: tuple[str, ...]
    titles: int
    left: float
    top: float
    width: float
    height: float


def draw_graph(graph: Graph, language: str = "en") -> str:
    """A graph as SVG: words at the top, the decision at the bottom; blue speaks for the label, orange against it.

    Example:
        >>> nodes = (Node("w", "word", "<b>", 0.4), Node("i", "intent", "theft", 0.9), Node("d", "decision", "act"))
        >>> picture = draw_graph(Graph(nodes, (Edge("w", "i", 0.4), Edge("i", "d"))))
        >>> "&lt;b&gt;" in picture, picture.count("<path"), "<script" in picture
        (True, 2, False)
    """
    said = SAID[language]
    graph, left_out = _few(graph, said)
    boxes, captions = laid_out(graph, language)
    by_id = {box.node.id: box for box in boxes}
    height = max((box.bottom for box in boxes), default=0.0) + _MARGIN + (_LINE if left_out else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}" viewBox="0 0 {WIDTH} {height:g}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="{_SIZE}">',
        f"<title>{in_xml(said['title'])}</title>",
        f'<rect width="{WIDTH}" height="{height:g}" fill="#ffffff"/>',
    ]
    most = max((abs(edge.value) for edge in graph.edges if edge.value), default=1.0)
    parts += [_curve(edge, by_id[edge.source], by_id[edge.target], most) for edge in graph.edges]
    parts += [
        f'<text x="{_MARGIN}" y="{top:g}" font-size="{_SMALL}" fill="#666666" stroke="#ffffff" stroke-width="3" '
        f'paint-order="stroke">{in_xml(text)}</text>'
        for top, text in captions
    ]
    heaviest = max((abs(box.node.value or 0.0) for box in boxes if box.node.kind == "word"), default=0.0) or 1.0
    for box in boxes:
        parts += _box(box, heaviest)
    if left_out:
        text = in_xml(said["left_out"].format(left_out))
        parts.append(f'<text x="{_MARGIN}" y="{height - _MARGIN:g}" font-size="{_SMALL}" fill="#666666">{text}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def graph_in_words(graph: Graph, language: str = "en") -> list[str]:
    """A graph in words, a line for each of its rows, each with what its facts and rules rest on.

    Example:
        >>> nodes = (Node("w", "word", "taken", 0.4), Node("i", "intent", "theft", 0.9), Node("d", "decision", "act"))
        >>> graph_in_words(Graph(nodes, (Edge("w", "i", 0.4), Edge("i", "d"))))
        ['words: taken +40.0%', '→ what may be meant: theft 90.0%', '→ what was decided: act']
    """
    said, colon = SAID[language], "：" if language == "zh" else ": "
    graph, _ = _few(graph, said)
    comma = "、" if language == "zh" else ", "
    lines = []
    for number, row in enumerate(graph.rows):
        kinds = dict.fromkeys(node.kind for node in row)
        parts = []
        for kind in kinds:
            told = [_told(graph, node, language) for node in row if node.kind == kind]
            parts.append(f"{said[kind]}{colon}{comma.join(told)}")
        lines.append(f"{'→ ' if number else ''}{'; '.join(parts)}")
    return lines


def laid_out(graph: Graph, language: str = "en") -> tuple[list[Box], list[tuple[float, str]]]:
    """The boxes from top to bottom, and where each row is named, and how.

    In its row a node stands near the middle of what it rests on. Rows that are too wide are broken.
    """
    said = SAID[language]
    boxes: list[Box] = []
    captions: list[tuple[float, str]] = []
    middles: dict[str, float] = {}
    top = float(_MARGIN)
    for row in graph.rows:
        captions.append((top + _SMALL, " · ".join(said[kind] for kind in dict.fromkeys(node.kind for node in row))))
        top += _SMALL + 6
        room = WIDTH - 2 * _MARGIN if len(row) == 1 else _HALF
        made = [_written(node, room, language) for node in _ordered(graph, row, middles)]
        for line in _broken(made):
            width = sum(box.width for box in line) + _GAP * (len(line) - 1)
            left, tallest = (WIDTH - width) / 2, max(box.height for box in line)
            for box in line:
                placed = Box(box.node, box.lines, box.titles, round(left, 1), top, box.width, box.height)
                boxes.append(placed)
                middles[box.node.id] = placed.middle
                left += box.width + _GAP
            top += tallest + _GAP
        top += _RISE - _GAP
    return boxes, captions


def _few(graph: Graph, said: Mapping[str, str]) -> tuple[Graph, int]:
    """What is drawn of a graph, and how many steps are left out."""
    words = graph.of("word")
    bound = {edge.source for edge in graph.edges if graph.by_id[edge.target].kind == "thing"}
    ranked = sorted(words, key=lambda node: (node.id not in bound, -abs(node.value or 0.0)))
    rest = ranked[MOST_WORDS:]
    grounds = [node for row in graph.rows[::-1] for node in row if node.kind in ("thing", "fact", "rule")]
    left_out = grounds[MOST_GROUNDS:]
    targets = {edge.target for edge in graph.edges for node in rest if edge.source == node.id}
    graph = graph.without([node.id for node in (*rest, *left_out)])
    if rest:
        together = sum(node.value or 0.0 for node in rest)
        one = Node("words", "word", said["others"].format(len(rest)), together)
        joined = tuple(Edge("words", target, together) for target in sorted(targets & {*graph.by_id}))
        graph = Graph((*graph.nodes, one), (*graph.edges, *joined))
    return graph, len(left_out)


def _ordered(graph: Graph, row: Sequence[Node], middles: Mapping[str, float]) -> list[Node]:
    """Words as they stand in the text; all else near the middle of what it rests on."""

    def wanted(node: Node) -> float:
        known = [middles[one.id] for one in graph.into(node.id) if one.id in middles]
        return sum(known) / len(known) if known else WIDTH / 2

    return list(row) if row[0].kind == "word" else sorted(row, key=wanted)


def _written(node: Node, room: float, language: str) -> Box:
    """A node with its lines, not yet in its place."""
    inner = room - 2 * _PADDING
    title = wrapped(_called(node, language), inner, _SIZE * 1.08, most=4)
    value = _number(node)
    notes = [line for note in ([value] if value else []) for line in wrapped(note, inner, _SMALL)]
    notes += [line for note in node.notes for line in wrapped(note, inner, _SMALL, most=4)]
    notes = notes[:6]
    widths = [*(measured(line, _SIZE * 1.08) for line in title), *(measured(line, _SMALL) for line in notes)]
    width = min(room, max(widths) + 2 * _PADDING)
    height = 2 * _PADDING + _LINE * (len(title) + len(notes)) - (_LINE - _SIZE)
    return Box(node, (*title, *notes), len(title), 0.0, 0.0, round(max(width, 34.0), 1), height)


def _broken(boxes: Sequence[Box]) -> list[list[Box]]:
    """Boxes in lines that are no wider than the picture."""
    lines: list[list[Box]] = [[]]
    for box in boxes:
        width = sum(other.width + _GAP for other in lines[-1]) + box.width
        if lines[-1] and width > WIDTH - 2 * _MARGIN:
            lines.append([])
        lines[-1].append(box)
    return lines


def _curve(edge: Edge, above: Box, below: Box, most: float) -> str:
    """A line from one box down to another, the stronger the more was added."""
    x, y, u, v = above.middle, above.bottom, below.middle, below.top
    bend = (y + v) / 2
    colour = _PLAIN if edge.value is None else _FOR if edge.value >= 0 else _AGAINST
    width = 1.2 if edge.value is None else 0.8 + 3.2 * abs(edge.value) / most
    return (
        f'<path d="M{x:g} {y:g} C{x:g} {bend:g} {u:g} {bend:g} {u:g} {v:g}" fill="none" stroke="{colour}" '
        f'stroke-width="{width:.2g}" stroke-opacity="0.75"/>'
    )


def _box(box: Box, heaviest: float) -> list[str]:
    """A box with its lines. Words are the darker the more they added."""
    fill, stroke = _FILLS[box.node.kind]
    parts = [
        f'<rect x="{box.left:g}" y="{box.top:g}" width="{box.width:g}" height="{box.height:g}" rx="6" '
        f'fill="{fill}" stroke="{stroke}"/>'
    ]
    if box.node.kind == "word" and box.node.value:
        share = 0.4 * min(1.0, abs(box.node.value) / heaviest)
        parts.append(
            f'<rect x="{box.left:g}" y="{box.top:g}" width="{box.width:g}" height="{box.height:g}" rx="6" '
            f'fill="{_FOR if box.node.value > 0 else _AGAINST}" fill-opacity="{share:.2f}"/>'
        )
    for number, line in enumerate(box.lines):
        y = box.top + _PADDING + _LINE * number + _SIZE - 1
        style = 'font-weight="600"' if number < box.titles else f'font-size="{_SMALL}" fill="#444444"'
        parts.append(f'<text x="{box.middle:g}" y="{y:g}" text-anchor="middle" {style}>{in_xml(line)}</text>')
    return parts


def _told(graph: Graph, node: Node, language: str) -> str:
    """A node in words, with what it rests on beside facts, which stand in the row above."""
    text = f"{_called(node, language)}{f' {number}' if (number := _number(node)) else ''}"
    into = [one for one in graph.into(node.id) if one.kind != "fact" and node.kind in ("thing", "rule")]
    if into:
        comma = "、" if language == "zh" else ", "
        return SAID[language]["from"].format(text, comma.join(_called(one, language) for one in into))
    return f"{text} ({'; '.join(node.notes)})" if node.kind == "decision" and node.notes else text


def _called(node: Node, language: str) -> str:
    return wording(language).sources.get(node.text, node.text) if node.kind == "source" else node.text


def _number(node: Node) -> str:
    """The number of a node, where it has one that says something."""
    if node.value is None or node.kind in ("thing", "fact", "rule"):
        return ""
    return f"{node.value:.1%}" if node.kind == "intent" else f"{node.value:+.1%}"
