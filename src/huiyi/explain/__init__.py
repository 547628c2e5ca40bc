"""Explain: why this decision? Models come in as callables."""

from huiyi.explain.faithfulness import Faithfulness, faithfulness, likeness
from huiyi.explain.signals import shapley
from huiyi.explain.tokens import METHODS, Attribution, attribute
from huiyi.explain.units import Unit, units_of, without

__all__ = [
    "METHODS",
    "Attribution",
    "Faithfulness",
    "Unit",
    "attribute",
    "faithfulness",
    "likeness",
    "shapley",
    "units_of",
    "without",
]
