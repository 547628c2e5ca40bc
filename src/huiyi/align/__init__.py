"""Align: what does the person want done?"""

from huiyi.align.aligner import HEADS, Aligner
from huiyi.align.base import Head, Scores
from huiyi.align.blend import Blend, fit_blend
from huiyi.align.kernel import KernelConfig, KernelHead
from huiyi.align.scope import Scope

__all__ = ["HEADS", "Aligner", "Blend", "Head", "KernelConfig", "KernelHead", "Scope", "Scores", "fit_blend"]
