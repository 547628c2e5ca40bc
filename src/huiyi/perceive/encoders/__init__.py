"""Text encoders: one file each, and the dict that names them."""

from collections.abc import Callable

from huiyi.errors import OptionError, did_you_mean
from huiyi.perceive.encoders.base import Encoder
from huiyi.perceive.encoders.use import UniversalSentenceEncoder, pieces

ENCODERS: dict[str, Callable[[], Encoder]] = {UniversalSentenceEncoder.name: UniversalSentenceEncoder}


def encoder(name: str) -> Encoder:
    """Make the encoder of that name.

    Raises:
        OptionError: There is none of that name.
    """
    if name not in ENCODERS:
        known = ", ".join(ENCODERS)
        raise OptionError(f"encoder {name!r} is not known; expected one of: {known}.{did_you_mean(name, ENCODERS)}")
    return ENCODERS[name]()


__all__ = ["ENCODERS", "Encoder", "UniversalSentenceEncoder", "encoder", "pieces"]
