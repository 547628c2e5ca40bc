"""Graphs that a log suggests, for people: each edge with how sure it is, and that it is a suggestion."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

from huiyi.evaluate.effects import plain
from huiyi.evaluate.wording import wording

if TYPE_CHECKING:
    from huiyi.cause import SuggestedEdge, Suggestion

_SAID = {
    "en": {
        "head": "Suggested by {rows:,} rows (method {method}). It is no more than that: look at every arrow before you "
        "believe it.",
        "none": "No edge is suggested.",
        "sure": "in {share:.0%} of {resamples} resamples",
        "direction": "direction in {share:.0%} of these",
        "open": "direction not told",
    },
    "zh": {
        "head": "由 {rows:,} 行数据建议（方法 {method}）。这只是建议：相信之前请逐条核对。",
        "none": "没有建议的边。",
        "sure": "在 {resamples} 次重抽样中占 {share:.0%}",
        "direction": "其中方向一致的占 {share:.0%}",
        "open": "方向不明",
    },
}


def suggestion_in_words(found: Suggestion, language: str = "en") -> list[str]:
    """Each edge with how often it was found again, the surest first.

    Args:
        found: What ``huiyi.cause.discover`` returned.
        language: ``en`` or ``zh``.
    """
    said = _SAID[wording(language).code[:2]]
    lines = [said["head"].format(rows=found.rows, method=found.method)]
    if not found.edges:
        return [*lines, said["none"]]

    def told(edge: SuggestedEdge) -> str:
        parts = [str(edge)]
        if not isnan(edge.confidence):
            parts.append(said["sure"].format(share=edge.confidence, resamples=found.resamples))
        if edge.is_directed and not isnan(edge.direction):
            parts.append(said["direction"].format(share=edge.direction))
        elif not edge.is_directed:
            parts.append(said["open"])
        return "  " + ", ".join(parts)

    ranked = sorted(found.edges, key=lambda edge: -1.0 if isnan(edge.confidence) else -edge.confidence)
    return [*lines, *map(told, ranked)]


def suggestion_json(found: Suggestion) -> dict[str, Any]:
    """A suggested graph as JSON can hold it.

    Args:
        found: What ``huiyi.cause.discover`` returned.
    """
    return {"is_suggestion": True, **plain(found)}
