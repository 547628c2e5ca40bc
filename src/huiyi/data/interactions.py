"""What the built-in desk did and how it ended: a log of decisions that is made up, so that the truth is known.

Each row is one message to the desk: who wrote, what they wanted, how difficult it was and how long they had waited,
what the desk did (``reply``), and how it ended. Nothing is hidden: all that made the desk choose is in the columns. Yet
who compares what replies brought, and no more, is misled:

- **Difficult cases are called back, easy ones get a ready answer.** Calls look worse than ready answers.
- **What is best depends on the intent**, on how long people have waited, and a little on the difficulty.
- **The same customers come again**, and some are harder to please, so rows are not independent.

With d the difficulty, w the days waited, i the intent, and u of the customer, uniform within ``PATIENCE``,

    P(solved | template) = base(i) − 0.12 (d − 1) − 0.01 w + u
    P(solved | call_back) = that + call(i) + 0.02 (d − 3) + late(i) [w > 3]
    P(solved | voucher)   = that + voucher(i) + 0.05 [w > 7]

and satisfaction is 1 and four chances, each taken with the probability 0.25 + 0.4 solved + 0.05 [call_back] +
0.15 [voucher]. The desk draws its reply by a softmax of d, w, the channel and the intent; six times in a hundred,
evenly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from huiyi.data.columns import Columns
from huiyi.data.desk import FOLDER
from huiyi.data.reading import read
from huiyi.errors import OptionError

REPLIES = ("template", "call_back", "voucher")
"""What the desk may do: send a ready answer, call back, or answer with a voucher."""

PATIENCE = 0.06
"""By how much, up or down, it matters which customer it is."""

MOST_DAYS = 14
"""Nobody waits longer."""

_CHANNELS = {"app": 0.55, "mail": 0.25, "phone": 0.20}
_EVENLY = 0.06  # share of replies that were drawn evenly
_FIRST_DAY, _DAYS = "2026-03-02", 180


class _Kind(NamedTuple):
    """What sets messages of an intent apart."""

    share: float  # how many there are, beside the others
    hard: float  # mean difficulty is 1 + 4 * hard
    base: float  # probability that a ready answer solves an easy one at once
    call: float  # what a call adds
    late: float  # what it adds besides after three days
    voucher: float  # what a voucher adds
    habit: float = 0.0  # how much the desk likes to call


_KINDS = {
    "book_ticket": _Kind(9, 0.20, 0.84, -0.05, 0.06, -0.02),
    "ask_fare": _Kind(8, 0.15, 0.84, -0.07, 0.02, -0.03),
    "ask_timetable": _Kind(10, 0.15, 0.84, -0.09, 0.02, -0.06),
    "check_delay": _Kind(7, 0.25, 0.80, -0.06, 0.00, -0.02),
    "claim_delay_compensation": _Kind(6, 0.50, 0.72, 0.12, 0.04, 0.20, 0.2),
    "missed_train": _Kind(4, 0.55, 0.70, 0.24, 0.00, 0.06, 0.4),
    "request_refund": _Kind(7, 0.45, 0.74, 0.08, 0.12, 0.13),
    "refund_status": _Kind(7, 0.40, 0.76, 0.02, 0.22, 0.04),
    "change_date": _Kind(6, 0.35, 0.78, 0.16, 0.04, -0.02),
    "change_berth": _Kind(4, 0.35, 0.78, 0.14, 0.02, 0.05),
    "correct_passenger_details": _Kind(4, 0.40, 0.76, 0.20, 0.02, -0.04, 0.2),
    "ticket_not_received": _Kind(5, 0.40, 0.74, 0.18, 0.08, 0.00),
    "payment_problem": _Kind(6, 0.50, 0.72, 0.20, 0.06, 0.04, 0.2),
    "get_invoice": _Kind(5, 0.25, 0.80, -0.04, 0.15, -0.04),
    "luggage_allowance": _Kind(5, 0.20, 0.82, -0.06, 0.02, -0.03),
    "lost_item": _Kind(4, 0.60, 0.70, 0.25, 0.02, 0.09, 0.4),
    "travel_with_pet": _Kind(3, 0.30, 0.80, 0.06, 0.02, -0.03),
    "boarding_assistance": _Kind(3, 0.45, 0.76, 0.22, 0.00, -0.04, 0.4),
    "order_meal": _Kind(4, 0.20, 0.82, -0.06, 0.00, 0.03),
    "report_cabin_problem": _Kind(5, 0.50, 0.72, 0.08, 0.05, 0.19),
}


@dataclass(frozen=True, eq=False)
class Interactions:
    """A log of n decisions of the desk, and the truth about it.

    Attributes:
        columns: ``time``, ``customer``, ``channel``, ``language``, ``text``, ``intent``, ``difficulty`` (1 to 5),
            ``waiting`` (days), ``reply`` (one of ``replies``), ``propensity`` (how probable that reply was), ``solved``
            (0 or 1) and ``satisfaction`` (1 to 5), each of shape (n,).
        replies: The k replies.
        propensities: How probable each was, shape (n, k).
        solved: The mean of ``solved`` under each, whoever the customer is, shape (n, k).
        satisfaction: The same of ``satisfaction``.
    """

    columns: Mapping[str, NDArray[np.generic]]
    replies: tuple[str, ...]
    propensities: NDArray[np.float64]
    solved: NDArray[np.float64]
    satisfaction: NDArray[np.float64]

    def __len__(self) -> int:
        """How many rows."""
        return len(self.solved)

    @property
    def best(self) -> NDArray[np.intp]:
        """The place of the reply that solves most, in each row, shape (n,)."""
        return np.asarray(np.argmax(self.solved, axis=1), dtype=np.intp)

    def value(self, policy: NDArray[np.float64]) -> float:
        """The share that would be solved if replies were drawn by a policy of shape (n, k)."""
        return float((policy * self.solved).sum(axis=1).mean())


def simulate(rows: int, seed: int) -> Interactions:
    """Make up a log of the built-in desk, sorted by time.

    Args:
        rows: How many decisions.
        seed: The same seed gives the same log.

    Raises:
        OptionError: ``rows`` is not above 0.

    Example:
        >>> log = simulate(20_000, seed=1)
        >>> solved, called = log.columns["solved"], log.columns["reply"] == "call_back"
        >>> naive = solved[called].mean() - solved[log.columns["reply"] == "template"].mean()
        >>> truth = (log.solved[:, 1] - log.solved[:, 0]).mean()
        >>> bool(naive < -0.03), bool(truth > 0.04)
        (True, True)
    """
    if rows <= 0:
        raise OptionError(f"A log of {rows:,} rows cannot be made. Expected a number above 0: give rows=10_000.")
    rng = np.random.default_rng(seed)
    names = list(_KINDS)
    shares = _all("share")
    intents = rng.choice(len(names), rows, p=shares / shares.sum())
    difficulty = 1 + rng.binomial(4, _all("hard")[intents])
    waiting = np.minimum(rng.exponential(1 + 0.7 * difficulty), MOST_DAYS).astype(np.intp)
    channels = rng.choice(len(_CHANNELS), rows, p=list(_CHANNELS.values()))
    customers = rng.integers((rows + 1) // 2, size=rows)
    texts, languages = _texts(names)

    propensities = _propensities(difficulty, waiting, channels == 2, _all("habit")[intents])
    replies = (rng.random(rows)[:, None] > propensities.cumsum(axis=1)[:, :-1]).sum(axis=1)  # (n,)
    solvable = _solved(intents, difficulty, waiting)
    patience = rng.uniform(-PATIENCE, PATIENCE, customers.max() + 1)[customers]
    taken = np.arange(rows), replies
    solved = (rng.random(rows) < solvable[taken] + patience).astype(np.intp)
    pleased = 0.25 + np.array([0, 0.05, 0.15])  # of a case that is not solved
    which = rng.integers(texts.shape[1], size=rows)
    columns = {
        "time": _times(rng, rows),
        "customer": np.char.mod("K%06d", customers),
        "channel": np.array(list(_CHANNELS))[channels],
        "language": languages[intents, which],
        "text": texts[intents, which],
        "intent": np.array(names)[intents],
        "difficulty": difficulty,
        "waiting": waiting,
        "reply": np.array(REPLIES)[replies],
        "propensity": propensities[taken],
        "solved": solved,
        "satisfaction": 1 + rng.binomial(4, pleased[replies] + 0.4 * solved),
    }
    return Interactions(columns, REPLIES, propensities, solvable, 1 + 4 * (pleased + 0.4 * solvable))


def _all(field: str) -> NDArray[np.float64]:
    """One number of each intent, shape (intents,)."""
    return np.array([getattr(kind, field) for kind in _KINDS.values()])


def _propensities(
    difficulty: NDArray[np.intp], waiting: NDArray[np.intp], phoned: NDArray[np.bool_], habit: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How the desk chose, shape (n, k)."""
    call = -2.6 + 1.1 * (difficulty - 1) + 0.05 * waiting + 0.4 * phoned + habit
    voucher = -2.4 + 0.5 * (difficulty - 1) + 0.1 * waiting
    odds = np.exp(np.column_stack([np.zeros(len(call)), call, voucher]))
    chosen = odds / odds.sum(axis=1, keepdims=True)
    return np.asarray((1 - _EVENLY) * chosen + _EVENLY / len(REPLIES))


def _solved(intents: NDArray[np.intp], difficulty: NDArray[np.intp], waiting: NDArray[np.intp]) -> NDArray[np.float64]:
    """The truth: how probable it is that each reply solves it, shape (n, k)."""
    template = _all("base")[intents] - 0.12 * (difficulty - 1) - 0.01 * waiting
    call = _all("call")[intents] + 0.02 * (difficulty - 3) + _all("late")[intents] * (waiting > 3)
    voucher = _all("voucher")[intents] + 0.05 * (waiting > 7)
    return np.column_stack([template, template + call, template + voucher])


def _texts(names: list[str]) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """The desk's own examples and their languages, shape (intents, examples)."""
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
    for record in read(FOLDER / "train.csv", Columns(fields=("language",))).records:
        found[record.labels["intent"]].append((record.text or "", record.fields["language"]))
    both = np.array([found[name] for name in names], dtype=object)  # (intents, examples, 2)
    return both[:, :, 0], both[:, :, 1]


def _times(rng: np.random.Generator, rows: int) -> NDArray[np.str_]:
    """When, in order, to the second."""
    seconds = np.sort(rng.integers(_DAYS * 86_400, size=rows))
    return np.datetime_as_string(np.datetime64(_FIRST_DAY, "s") + seconds)
