"""Align: what does the person want done? One file a technique."""

from huiyi.align.aligner import FEW_ROWS, FOLDS, HEADS, Aligner, FittedHead, HeldOut, folds_of, techniques_for
from huiyi.align.base import Head, Memory, Scores
from huiyi.align.blend import Blend, fit_blend, softmax
from huiyi.align.kernel import KernelConfig, KernelHead
from huiyi.align.logistic import LogisticConfig, LogisticHead
from huiyi.align.prototypes import PrototypesConfig, PrototypesHead
from huiyi.align.scope import Scope
from huiyi.align.spans import SpanEvidence, SpansAligner
from huiyi.align.svm import SvmConfig, SvmHead

__all__ = [
    "FEW_ROWS", "FOLDS", "HEADS", "Aligner", "Blend", "FittedHead", "Head", "HeldOut", "KernelConfig", "KernelHead",
    "LogisticConfig", "LogisticHead", "Memory", "PrototypesConfig", "PrototypesHead", "Scope", "Scores", "SpanEvidence",
    "SpansAligner", "SvmConfig", "SvmHead", "fit_blend", "folds_of", "softmax",
    "techniques_for",
]  # fmt: skip
