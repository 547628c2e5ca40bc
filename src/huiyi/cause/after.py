"""What each action would have brought, by learners of its own rows and by one of all rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.covariates import Design
from huiyi.cause.learners import Learner, Mean, Trees, parts_of, suits_trees
from huiyi.cause.log import Numbers

MOST_SHARED = 20_000
"""From more rows on, those of each action are enough by themselves."""


class After:
    """The mean of a number after each of k actions, given what is held equal.

    An action that few got says little by itself, and much of what drives the outcome is the same after any action. So
    trees of all rows, which know the action as one more column, are asked beside the learners of each action's own
    rows. How much they count is decided by the action's own rows.

    Args:
        actions: k.
        rng: Draws rows, parts and landmarks.
        slack: See ``Mean``.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> design = Design(rng.normal(size=(400, 1)), np.array(["number"]), ("waiting",))
        >>> codes = rng.integers(2, size=400)
        >>> after = After(2, rng)
        >>> after.fit(design, codes, 3 * codes + design.rows[:, 0])
        >>> after.predict(Design(np.array([[-1.0], [1.0]]), design.kinds, design.sources)).round(1).tolist()
        [[-1.0, 2.0], [1.0, 4.0]]

    Source:
        Künzel et al., "Metalearners for Estimating Heterogeneous Treatment Effects", PNAS 116(10), 2019 (T- and
        S-learner).
    """

    def __init__(self, actions: int, rng: np.random.Generator, *, slack: float = 0.0) -> None:
        self.actions = actions
        self.rng = rng
        self.slack = slack

    def fit(
        self, design: Design, codes: NDArray[np.intp], values: Numbers, groups: NDArray[np.intp] | None = None
    ) -> None:
        """Choose among the learners of each action and fit those that count.

        Args:
            design: n rows.
            codes: The action of each, shape (n,). One that nobody got is told by all rows.
            values: Shape (n,).
            groups: Rows of one group are left out together, shape (n,).
        """
        shared: Trees | None = None
        if suits_trees(design) and len(design) <= MOST_SHARED:
            shared = Trees(self.rng, len(design))
            joined = self._with_action(design, codes)
            told = shared.choose(joined, values, parts_of(len(codes), 2, self.rng, codes=codes, groups=groups))
            shared.fit(joined, values)
        self.means = []
        for code in range(self.actions):
            took = np.flatnonzero(codes == code)
            took = took if len(took) else np.arange(len(codes))
            mean = Mean(self.rng, slack=self.slack)
            beside: Mapping[str, tuple[Learner, Numbers]] = {}
            if shared is not None:
                beside = {"trees of all actions": (_Given(self, shared, code), told[took])}
            mean.fit(design.taking(took), values[took], None if groups is None else groups[took], beside)
            self.means.append(mean)

    def predict(self, design: Design) -> Numbers:
        """The mean after each action, shape (n, k)."""
        return np.stack([mean.predict(design) for mean in self.means], axis=1)

    def _with_action(self, design: Design, codes: NDArray[np.intp]) -> Design:
        """What is held equal, and a column for each action but the first."""
        others = np.arange(1, self.actions)
        return Design(
            np.concatenate([design.rows, codes[:, None] == others], axis=1),
            np.concatenate([design.kinds, np.full(len(others), "indicator")]),
            (*design.sources, *[""] * len(others)),
        )


class _Given:
    """What trees of all rows say after one action."""

    def __init__(self, after: After, trees: Trees, code: int) -> None:
        self.after = after
        self.trees = trees
        self.code = code

    def predict(self, design: Design) -> Numbers:
        """Shape (n,)."""
        return self.trees.predict(self.after._with_action(design, np.full(len(design), self.code)))
