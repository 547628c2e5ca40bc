"""Graphs by causal-learn: PC, GES and LiNGAM."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.log import Categories, Column
from huiyi.cause.scores import codes_of
from huiyi.errors import MissingExtraError, OptionError

ALPHA = 0.01
"""A pair is independent for PC if it looks so by chance more often than this."""


def by_causal_learn(
    method: Literal["pc", "ges", "lingam"],
    columns: Mapping[str, Column],
    are_names: bool,
    allowed: NDArray[np.bool_],
    required: NDArray[np.bool_],
    *,
    known: bool,
) -> NDArray[np.bool_]:
    """A graph by one of its methods.

    Args:
        method: Which.
        columns: Name to column, all of n rows.
        are_names: Whether all are of names, or of few numbers.
        allowed: Which arrows may be there, from the row to the column.
        required: Which must be there.
        known: Whether anything was said of that.

    Returns:
        Arrows from the row to the column; what has no direction points both ways.

    Raises:
        MissingExtraError: causal-learn is not installed.
        OptionError: The method cannot take such columns, or such knowledge.

    Source:
        Zheng et al., "Causal-learn: causal discovery in Python", JMLR 25(60), 2024.
    """
    try:
        import causallearn  # noqa: F401
    except ImportError:
        raise MissingExtraError(f"Graphs by {method!r}", extra="cause") from None
    data = _matrix(columns, are_names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=SyntaxWarning)  # of its own source, when it is first compiled
        if method == "lingam":
            return _lingam(columns, data, allowed)
        if method == "ges":
            return _ges(data, are_names, known)
        return _pc(data, are_names, allowed, required)


def _pc(
    data: NDArray[np.float64], are_names: bool, allowed: NDArray[np.bool_], required: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    from causallearn.graph.GraphNode import GraphNode
    from causallearn.search.ConstraintBased.PC import pc
    from causallearn.utils.PCUtils.BackgroundKnowledge import BackgroundKnowledge

    names = [f"X{place + 1}" for place in range(data.shape[1])]
    knowledge, nodes = BackgroundKnowledge(), [GraphNode(name) for name in names]
    for cause, effect in np.argwhere(~allowed & ~np.eye(len(names), dtype=bool)).tolist():
        knowledge.add_forbidden_by_node(nodes[cause], nodes[effect])
    for cause, effect in np.argwhere(required).tolist():
        knowledge.add_required_by_node(nodes[cause], nodes[effect])
    found = pc(
        data,
        alpha=ALPHA,
        indep_test="gsq" if are_names else "fisherz",
        background_knowledge=knowledge,
        show_progress=False,
        node_names=names,
    )
    return _arrows(found.G.graph) | required


def _ges(data: NDArray[np.float64], are_names: bool, known: bool) -> NDArray[np.bool_]:
    from causallearn.search.ScoreBased.GES import ges

    if known:
        raise OptionError(
            "the method 'ges' knows of no background knowledge. Expected 'score' or 'pc', or no knowledge"
        )
    found = ges(data, score_func="local_score_BDeu" if are_names else "local_score_BIC")
    return _arrows(found["G"].graph)


def _lingam(columns: Mapping[str, Column], data: NDArray[np.float64], allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from causallearn.search.FCMBased.lingam import DirectLiNGAM

    for name, column in columns.items():
        if isinstance(column, Categories):
            raise OptionError(f"the method 'lingam' takes numbers, and {name!r} holds names. Expected 'score' or 'pc'")
    prior = np.where(allowed.T, -1, 0)  # of its rows those that lead to them are columns
    np.fill_diagonal(prior, -1)
    model = DirectLiNGAM(random_state=0, prior_knowledge=prior)
    model.fit(data / data.std(axis=0))
    return np.asarray(np.abs(model.adjacency_matrix_.T) > 0.05)


def _matrix(columns: Mapping[str, Column], are_names: bool) -> NDArray[np.float64]:
    made = []
    for name, column in columns.items():
        if isinstance(column, Categories):
            made.append(codes_of({name: column})[:, 0].astype(float))
        else:
            made.append(np.unique(column, return_inverse=True)[1].astype(float) if are_names else column)
    return np.stack(made, axis=1)


def _arrows(graph: Any) -> NDArray[np.bool_]:
    """Its matrix, in which 1 at (j, i) and -1 at (i, j) is an arrow from i to j."""
    heads = np.asarray(graph) == 1
    tails = np.asarray(graph) == -1
    return np.asarray((heads.T & tails) | (tails & tails.T) | (heads & heads.T))
