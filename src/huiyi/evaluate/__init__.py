"""Metrics as pure functions, one evaluation value, and its report."""

from huiyi.evaluate.evaluation import FIGURES, Decider, Evaluation, evaluate
from huiyi.evaluate.report import write_report
from huiyi.evaluate.terminal import figures_table

__all__ = ["FIGURES", "Decider", "Evaluation", "evaluate", "figures_table", "write_report"]
