"""Perceive: what do we see and hear? One file a signal."""

from collections.abc import Callable

from huiyi.errors import OptionError, did_you_mean
from huiyi.perceive.backbone import MARK, BackbonePerceiver
from huiyi.perceive.base import Perceiver
from huiyi.perceive.text import TextPerceiver, said, said_before
from huiyi.perceive.words import WordsPerceiver, terms

PERCEIVERS: dict[str, Callable[[], Perceiver]] = {
    "text": TextPerceiver,
    "words": WordsPerceiver,
    "history": lambda: TextPerceiver(said_before, prefix="history "),
}
"""What can be perceived without training, by name."""


def perceiver(name: str) -> Perceiver:
    """Make the perceiver of that name; one of a backbone must then be loaded.

    Raises:
        OptionError: There is none of that name.
    """
    if name.startswith(MARK):
        return BackbonePerceiver(name)
    if name not in PERCEIVERS:
        known = ", ".join(PERCEIVERS)
        raise OptionError(f"signal {name!r} is not known; expected some of: {known}.{did_you_mean(name, PERCEIVERS)}")
    return PERCEIVERS[name]()


__all__ = [
    "MARK", "PERCEIVERS", "BackbonePerceiver", "Perceiver", "TextPerceiver", "WordsPerceiver", "perceiver", "said",
    "said_before", "terms",
]  # fmt: skip
