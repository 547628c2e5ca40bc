"""Decide: act, clarify or decline?"""

from huiyi.decide.candidates import COVERAGE, candidate_threshold
from huiyi.decide.clarify import ask, is_none_of_these, language_of, reply_to, says_yes
from huiyi.decide.decider import Decider
from huiyi.decide.promise import SCOPE_LEVEL, Promise, fit_promise

__all__ = [
    "COVERAGE",
    "SCOPE_LEVEL",
    "Decider",
    "Promise",
    "ask",
    "candidate_threshold",
    "fit_promise",
    "is_none_of_these",
    "language_of",
    "reply_to",
    "says_yes",
]
