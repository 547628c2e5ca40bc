"""Explain: why this decision? Models come in as callables."""

from huiyi.explain.signals import shapley

__all__ = ["shapley"]
