"""Explain: why this decision? Models come in as callables."""

from huiyi.callables import callable_package
from huiyi.explain.counterfactual import Corpus, Search
from huiyi.explain.examples import influential_examples, nearest_examples
from huiyi.explain.explain import explain
from huiyi.explain.faithfulness import faithfulness, likeness
from huiyi.explain.gradients import BACKBONE_METHODS, Inside
from huiyi.explain.graph import Edge, Graph, Node
from huiyi.explain.overview import Driver, Overview, Pair, drivers
from huiyi.explain.relabelling import fewest_rows
from huiyi.explain.signals import shapley
from huiyi.explain.tokens import METHODS, Attribution, Game, attribute
from huiyi.explain.units import Unit, phrases, units_of, without
from huiyi.explain.words import explain_words

callable_package(__name__, explain)

__all__ = [
    "BACKBONE_METHODS", "METHODS", "Attribution", "Corpus", "Driver", "Edge", "Game", "Graph", "Inside", "Node",
    "Overview", "Pair", "Search", "Unit", "attribute", "drivers", "explain", "explain_words", "faithfulness",
    "fewest_rows", "influential_examples", "likeness", "nearest_examples", "phrases", "shapley", "units_of",
    "without",
]  # fmt: skip
