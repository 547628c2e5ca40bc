"""Reason: what follows from what we know, and why?"""

from huiyi.reason.alike import alike
from huiyi.reason.ask import AskConfig, Asker, Next
from huiyi.reason.closure import Closure, View, close
from huiyi.reason.contradictions import Contradiction, contradictions
from huiyi.reason.domain import Domain
from huiyi.reason.drawing import draw
from huiyi.reason.everyday import everyday
from huiyi.reason.evidence import Account, Contribution, Evidence, EvidenceConfig
from huiyi.reason.facts import Fact, Given, Statements
from huiyi.reason.findings import Findings, Observed
from huiyi.reason.graph import Knowledge
from huiyi.reason.link import Link, LinkConfig, Linker, answers
from huiyi.reason.mine import MineConfig, mine
from huiyi.reason.mined import Mined, Prediction
from huiyi.reason.proof import Proof, Step, prove
from huiyi.reason.reasoner import Reasoner
from huiyi.reason.replay import replay
from huiyi.reason.retrieve import RetrieveConfig, Retrieved, Retriever
from huiyi.reason.rulebook import MinedRule
from huiyi.reason.rules import Rules
from huiyi.reason.wording import Wording

__all__ = [
    "Account",
    "AskConfig",
    "Asker",
    "Closure",
    "Contradiction",
    "Contribution",
    "Domain",
    "Evidence",
    "EvidenceConfig",
    "Fact",
    "Findings",
    "Given",
    "Knowledge",
    "Link",
    "LinkConfig",
    "Linker",
    "MineConfig",
    "Mined",
    "MinedRule",
    "Next",
    "Observed",
    "Prediction",
    "Proof",
    "Reasoner",
    "RetrieveConfig",
    "Retrieved",
    "Retriever",
    "Rules",
    "Statements",
    "Step",
    "View",
    "Wording",
    "alike",
    "answers",
    "close",
    "contradictions",
    "draw",
    "everyday",
    "mine",
    "prove",
    "replay",
]
