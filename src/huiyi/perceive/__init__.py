"""Perceive: what do we see and hear? One file a signal."""

from collections.abc import Callable

from huiyi.perceive.base import Perceiver
from huiyi.perceive.text import TextPerceiver, said, said_before
from huiyi.perceive.words import WordsPerceiver, terms

PERCEIVERS: dict[str, Callable[[], Perceiver]] = {
    "text": TextPerceiver,
    "words": WordsPerceiver,
    "history": lambda: TextPerceiver(said_before, prefix="history "),
}
"""What can be perceived, by name."""

__all__ = ["PERCEIVERS", "Perceiver", "TextPerceiver", "WordsPerceiver", "said", "said_before", "terms"]
