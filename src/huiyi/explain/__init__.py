"""Explain: why this decision? Models come in as callables."""

from huiyi.callables import callable_package
from huiyi.explain.counterfactual import Corpus, Search
from huiyi.explain.examples import influential_examples, nearest_examples
from huiyi.explain.explain import explain
from huiyi.explain.faithfulness import faithfulness, likeness
from huiyi.explain.fields import explain_fields
from huiyi.explain.gradients import BACKBONE_METHODS, Inside
from huiyi.explain.graph import Edge, Graph, Node
from huiyi.explain.media import MOST_STRETCHES, explain_regions, explain_stretches
from huiyi.explain.overview import Driver, Overview, Pair, drivers
from huiyi.explain.parts import Numbered, Parts, deadline
from huiyi.explain.relabelling import fewest_rows
from huiyi.explain.signals import shapley
from huiyi.explain.tokens import METHODS, Attribution, Game, Weights, attribute
from huiyi.explain.units import Unit, phrases, units_of, without
from huiyi.explain.words import explain_words

callable_package(__name__, explain)

__all__ = [
    "BACKBONE_METHODS", "METHODS", "MOST_STRETCHES", "Attribution", "Corpus", "Driver", "Edge", "Game", "Graph",
    "Inside", "Node", "Numbered", "Overview", "Pair", "Parts", "Search", "Unit", "Weights", "attribute",
    "deadline", "drivers", "explain", "explain_fields", "explain_regions", "explain_stretches", "explain_words",
    "faithfulness", "fewest_rows", "influential_examples", "likeness", "nearest_examples", "phrases", "shapley",
    "units_of", "without",
]  # fmt: skip
