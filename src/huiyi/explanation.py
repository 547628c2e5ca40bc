"""What an explanation holds: what each part of a record counted, examples, and what would change a decision.

``values.py`` has the decision that it belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from huiyi.values import DecisionKind

T = TypeVar("T")


@dataclass(frozen=True)
class Word:
    """A stretch of the text that an explanation speaks of, in characters, ``end`` exclusive.

    Attributes:
        text: What stands there.
        start: Where it begins.
        end: Where it ends.
        weight: What it added to the probability.
    """

    text: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True)
class Region:
    """A rectangle of a picture that an explanation speaks of; its sides as shares of the picture's, from its top left.

    Attributes:
        picture: Which of the record's pictures, from 0.
        left: Where it begins.
        top: Where it begins.
        right: Where it ends.
        bottom: Where it ends.
        weight: What it added to the probability.
    """

    picture: int
    left: float
    top: float
    right: float
    bottom: float
    weight: float


@dataclass(frozen=True)
class Stretch:
    """A part of a recording that an explanation speaks of.

    Attributes:
        recording: Which of the record's recordings, from 0.
        start: Where it begins, in seconds.
        end: Where it ends, in seconds.
        weight: What it added to the probability.
    """

    recording: int
    start: float
    end: float
    weight: float


@dataclass(frozen=True)
class Entry:
    """A form field that an explanation speaks of.

    Attributes:
        name: Of the field.
        value: What it says, as text.
        weight: What it added to the probability.
    """

    name: str
    value: str
    weight: float


@dataclass(frozen=True)
class Faithfulness:
    """Whether the words, or other parts, that an explanation names first really made the decision.

    See ``huiyi.explain``.

    Attributes:
        comprehensiveness: What the probability loses without them. Large is good.
        sufficiency: What it loses when nothing but them is left. Small is good.
        monotonicity: Share of them, put back from the least named one on, after which it does not fall.
    """

    comprehensiveness: float
    sufficiency: float
    monotonicity: float


@dataclass(frozen=True)
class Weighed(Generic[T]):
    """What the fields of a record, the regions of its pictures or the stretches of its recordings added.

    All else of the record stays as it is while they are taken out.

    Attributes:
        parts: Each with what it added to the probability. If it sufficed, these sum to it, less ``without``, but for
            the method ``occlusion``.
        without: How probable the label would be if all of them were gone.
        method: How they were weighed.
        passes: How often the model was asked.
        sufficed: Whether passes and time were enough; if not, this is the best that was found.
        faithfulness: How far they can be trusted. None where there was no time to measure it.
    """

    parts: tuple[T, ...]
    without: float
    method: str
    passes: int
    sufficed: bool
    faithfulness: Faithfulness | None = None


@dataclass(frozen=True)
class Example:
    """A training row that an explanation names.

    Attributes:
        text: What it says.
        labels: What it is labelled with.
        similarity: With the record, 0 (nothing alike) to 1 (the same).
        influence: What its label counts: by so much the estimate for it would fall if the row did not have it, in the
            head that keeps the rows, where there is one that tells.
    """

    text: str
    labels: tuple[str, ...]
    similarity: float
    influence: float | None = None


@dataclass(frozen=True)
class Relabelling:
    """Training rows that would have changed the label that was told, had they been labelled with another one.

    Attributes:
        label: The other label, which would have been told then.
        rows: The rows as they are labelled, those that count most first.
        probability: How probable it would have been.
        is_verified: Whether the heads were fitted again on rows labelled so. If not, it is an estimate.
    """

    label: str
    rows: tuple[Example, ...]
    probability: float
    is_verified: bool


@dataclass(frozen=True)
class Change:
    """One word in the place of another. One of nothing is taken out."""

    was: str
    now: str


@dataclass(frozen=True)
class Counterfactual:
    """The smallest change of words that was found to change the decision.

    Attributes:
        text: The text once it is changed.
        changes: The words that differ.
        kind: What is decided then.
        labels: The labels given then.
        probability: How probable they are then.
        stilted: Whether two words stand side by side there that never do in the training texts.
    """

    text: str
    changes: tuple[Change, ...]
    kind: DecisionKind
    labels: tuple[str, ...]
    probability: float
    stilted: bool


@dataclass(frozen=True)
class Explanation:
    """Why a label is as probable as it is.

    Attributes:
        task: Name of the task.
        label: The label that is explained.
        probability: How probable it is.
        without_words: How probable it would be if the record had no text.
        words: What each word of the text, or each phrase of a long one, added to the probability. They sum to it, less
            ``without_words``, but for the method ``occlusion``.
        shares: How much each source that the record has, such as ``text`` or ``fields``, added to it.
        method: How the words were weighed.
        passes: Texts that the model was asked about.
        sufficed: Whether passes and time were enough; if not, this is the best that was found.
        seed: Of random orders.
        faithfulness: How far the words can be trusted. None where there are none.
        nearest: The training rows that are most like the record.
        influential: Those whose labels count most.
        counterfactual: A small change of words that changes the decision, where one was found.
        relabelling: A few training rows whose other label would change the label told, where such were found.
        fields: What each form field added. None where the record has none that the model knows.
        regions: What regions of the pictures added. None where the model looks at none.
        stretches: What stretches of the recordings added. None where the model listens to none.
    """

    task: str
    label: str
    probability: float
    without_words: float
    words: tuple[Word, ...]
    shares: Mapping[str, float]
    method: str
    passes: int
    sufficed: bool
    seed: int
    faithfulness: Faithfulness | None = None
    nearest: tuple[Example, ...] = ()
    influential: tuple[Example, ...] = ()
    counterfactual: Counterfactual | None = None
    relabelling: Relabelling | None = None
    fields: Weighed[Entry] | None = None
    regions: Weighed[Region] | None = None
    stretches: Weighed[Stretch] | None = None

    @property
    def is_disputed(self) -> bool:
        """Whether most of the nearest training rows have other labels."""
        return 2 * sum(self.label in row.labels for row in self.nearest) < len(self.nearest)
