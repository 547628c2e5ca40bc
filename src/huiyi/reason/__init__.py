"""Reason: what follows from what we know, and why?"""

from huiyi.reason.closure import Closure, View, close
from huiyi.reason.contradictions import Contradiction, contradictions
from huiyi.reason.drawing import draw
from huiyi.reason.facts import Fact, Given, Statements
from huiyi.reason.graph import Knowledge
from huiyi.reason.proof import Proof, Step, prove
from huiyi.reason.replay import replay
from huiyi.reason.rules import Rules
from huiyi.reason.wording import Wording

__all__ = [
    "Closure",
    "Contradiction",
    "Fact",
    "Given",
    "Knowledge",
    "Proof",
    "Rules",
    "Statements",
    "Step",
    "View",
    "Wording",
    "close",
    "contradictions",
    "draw",
    "prove",
    "replay",
]
