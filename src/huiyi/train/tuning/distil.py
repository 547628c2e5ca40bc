"""A small student learns from tuned backbones, so that it answers fast and yet knows what they know.

Of rows it learns half what is right of them and half what its teachers say,
who tell which labels are alike; of unlabelled texts, what its teachers say.
Where rows are left out for evidence, its teachers had not seen them either.

Source:
    Hinton et al., "Distilling the Knowledge in a Neural Network", 2015,
    section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from huiyi.train.tuning.finetune import Rows
from huiyi.train.tuning.sentence import SentenceTuner
from huiyi.train.tuning.tuner import Tuner

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array

WHAT_TEACHERS_SAY = 0.5
"""What counts beside what is right."""


class Student(SentenceTuner):
    """Tunes the core's own encoder to what other tuners taught."""

    _teachers: Sequence[Tuner]

    @classmethod
    def of(cls, teachers: Sequence[Tuner]) -> Self:
        """The student of tuners that have ``teaches`` set, and have run wherever it runs."""
        found = cls.beside(teachers[0])
        found._teachers = teachers
        return found

    def passed_on(self, taught: NDArray[np.bool_]) -> Mapping[str, Array]:
        """What is learnt of the lessons that are taught, and below them of the others. See ``Tuner.passed_on``."""
        found = {}
        for task in self.labels:
            shares = np.mean([teacher.said[taught.tobytes()][task.name] for teacher in self._teachers], axis=0)
            rows = int(taught.sum())
            right = self.lessons.targets[task.name][taught]
            both = WHAT_TEACHERS_SAY * shares[:rows] + (1 - WHAT_TEACHERS_SAY) * right
            is_out = ~right.any(axis=1, keepdims=True)  # of scope: teachers share out what belongs to no label
            shares[:rows] = np.where(np.isnan(right), shares[:rows], np.where(is_out, right, both))
            found[task.name] = shares.astype(np.float32)
        return found

    def _with_unlabelled(self, rows: Rows, taught: NDArray[np.bool_]) -> Rows:
        """What is taught and the unlabelled texts, with what was said of them."""
        return Rows([*rows.texts, *self.lessons.unlabelled], self.passed_on(taught))
