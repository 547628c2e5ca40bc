"""Metrics as pure functions, one evaluation value, and its report."""

from huiyi.callables import callable_package
from huiyi.evaluate.audits import audit, replay_audit
from huiyi.evaluate.effects import effects_table, study_in_words, study_json, write_study
from huiyi.evaluate.evaluation import FIGURES, Decider, Evaluation, evaluate, labelled_rows
from huiyi.evaluate.explanations import for_agent, for_person, write_explanation
from huiyi.evaluate.graph_drawing import draw_graph, graph_in_words
from huiyi.evaluate.graphs import explanation_graph
from huiyi.evaluate.overview import overview
from huiyi.evaluate.overviews import overview_in_words, write_overview
from huiyi.evaluate.policies import policy_in_words, policy_json
from huiyi.evaluate.proofs import draw_proofs, proofs_in_words
from huiyi.evaluate.report import mixed_up, write_report
from huiyi.evaluate.spoken import in_words
from huiyi.evaluate.suggestions import suggestion_in_words, suggestion_json
from huiyi.evaluate.terminal import figures_table, sources_table
from huiyi.evaluate.wording import wording

callable_package(__name__, evaluate)

__all__ = [
    "FIGURES", "Decider", "Evaluation", "audit", "draw_graph", "draw_proofs", "effects_table", "evaluate",
    "explanation_graph", "figures_table", "for_agent", "for_person", "graph_in_words", "in_words", "labelled_rows",
    "mixed_up", "overview", "overview_in_words", "policy_in_words", "policy_json", "proofs_in_words",
    "replay_audit", "sources_table", "study_in_words", "study_json", "suggestion_in_words", "suggestion_json",
    "wording", "write_explanation", "write_overview", "write_report", "write_study",
]  # fmt: skip
