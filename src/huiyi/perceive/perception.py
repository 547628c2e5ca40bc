"""The first stage: the chosen perceivers side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.perceive.altered import Altered
from huiyi.perceive.backbone import BackbonePerceiver
from huiyi.perceive.base import Perceiver
from huiyi.perceive.features import FeaturesPerceiver
from huiyi.perceive.fields import FieldsPerceiver
from huiyi.perceive.media import MediaKind, Upkeep
from huiyi.perceive.perceivers import READERS, TunablePerceiver
from huiyi.perceive.perceivers import perceiver as make_perceiver
from huiyi.perceive.transcripts import TranscriptPerceiver, stood_in
from huiyi.values import Context, Record, source_of

if TYPE_CHECKING:
    from huiyi.values import Ragged, Signal


class Perception:
    """Perceive: the chosen perceivers side by side."""

    def __init__(self, names: Sequence[str]) -> None:
        self._perceivers: dict[str, Perceiver] = {name: make_perceiver(name) for name in names}
        self._readers: dict[str, TranscriptPerceiver] = {}
        self._upkeep = Upkeep()

    @property
    def names(self) -> tuple[str, ...]:
        """What is perceived."""
        return tuple(self._perceivers)

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the form fields that are perceived."""
        found = [perceiver.fields for perceiver in self._perceivers.values() if isinstance(perceiver, FieldsPerceiver)]
        return tuple(name for fields in found for name in fields)

    def __getitem__(self, name: str) -> Perceiver:
        """The perceiver of that name."""
        return self._perceivers[name]

    @property
    def backbones(self) -> Mapping[str, BackbonePerceiver]:
        """The transformers that hear texts, by signal."""
        return {name: one for name, one in self._perceivers.items() if isinstance(one, BackbonePerceiver)}

    def add(self, name: str, perceiver: Perceiver) -> None:
        """See one thing more, with a perceiver that is ready."""
        self._perceivers[name] = perceiver

    def keep_up(self, upkeep: Upkeep) -> None:
        """Say where what is perceived in media is kept, and what happens to those that cannot be read."""
        self._upkeep = upkeep

    @property
    def readers(self) -> int:
        """How many perceivers read media as texts, which takes time when they are fitted."""
        return sum(isinstance(perceiver, TranscriptPerceiver) for perceiver in self._perceivers.values())

    def fit(self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None) -> None:
        """Learn vocabularies and the like; ``tick`` is told of each record once by each of ``readers``."""
        self._equip()
        for perceiver in self._perceivers.values():
            if isinstance(perceiver, TranscriptPerceiver):
                perceiver.fit(records, tick=tick)
            else:
                perceiver.fit(records)

    def perceive(self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None) -> Context:
        """See every signal of every record; ``tick`` is told of each record once by each perceiver.

        Pictures and recordings, if nothing else is learnt from such, are read
        as the text of a record that has none.
        """
        stand_ins = self._stand_ins()
        self._equip()
        records, readings = stood_in(records, stand_ins)
        signals: dict[str, Signal] = {}
        present: list[Any] = []
        tokens: dict[str, Ragged] = {}
        for perceiver in self._perceivers.values():
            seen: Mapping[str, Signal]
            if isinstance(perceiver, BackbonePerceiver) and perceiver.hears_units:
                seen, there, units = perceiver.perceive_units(records, tick=tick)
                tokens |= units
            elif isinstance(perceiver, TranscriptPerceiver):
                readings[perceiver.source] = perceiver.read(records, tick=tick)
                seen, there = perceiver.perceive_read(readings[perceiver.source])
            else:
                seen, there = perceiver.perceive(records, tick=tick)
            signals |= seen
            present += [there] * len(seen)
        return Context(records, signals, np.column_stack(present), tokens, readings)

    def reworded(self, context: Context, texts: Sequence[str]) -> Context:
        """One record as it would be with each of some texts. Only what is made of the text is perceived anew."""
        (record,) = context.records
        return self._again(context, [replace(record, text=text) for text in texts], "text")

    def refilled(self, context: Context, forms: Sequence[Mapping[str, Any]]) -> Context:
        """One record as it would be with the fields of each of some forms. Only what is made of them is seen anew."""
        (record,) = context.records
        return self._again(context, [replace(record, fields=form) for form in forms], "fields")

    def altered(self, context: Context, kind: MediaKind) -> Altered | None:
        """The one record of a context, as it would be with parts of its media of a kind gone.

        None where it has no such media, or nothing was learnt from any: a recording that stands for a text is told by
        its words.
        """
        (record,) = context.records
        sees = {
            name: perceiver
            for name, perceiver in self._perceivers.items()
            if (isinstance(perceiver, FeaturesPerceiver) and perceiver.kind == kind)
            or (isinstance(perceiver, TranscriptPerceiver) and perceiver.kind == kind and not perceiver.is_idle)
        }
        return Altered(context, kind, sees) if sees and kind.of(record) else None

    def _again(self, context: Context, records: Sequence[Record], source: str) -> Context:
        """One record as it would be like each of some records, of which one source alone is perceived."""
        again = replace(context.rows(np.zeros(len(records), dtype=np.intp)), records=records)
        for name, perceiver in self._perceivers.items():
            if source_of(name) == source:
                again = again.seeing(*perceiver.perceive(records))
        return again

    def costs(self, records: Sequence[Record]) -> dict[str, float]:
        """Milliseconds that each source takes in a record that has it: the median over records perceived one by one."""
        taken: dict[str, list[float]] = {}
        for record in records:
            spent: dict[str, float] = {}
            for name, perceiver in self._perceivers.items():
                started = perf_counter()
                _, there = perceiver.perceive([record])
                if there[0]:
                    source = source_of(name)
                    spent[source] = spent.get(source, 0.0) + 1000 * (perf_counter() - started)
            for source, milliseconds in spent.items():
                taken.setdefault(source, []).append(milliseconds)
        return {source: float(np.median(milliseconds)) for source, milliseconds in taken.items()}

    def _equip(self) -> None:
        """Hand on what ``keep_up`` was told."""
        for perceiver in [*self._perceivers.values(), *self._readers.values()]:
            if isinstance(perceiver, FeaturesPerceiver | TranscriptPerceiver):
                perceiver.upkeep = self._upkeep

    def takes(self, kind: MediaKind) -> bool:
        """Whether anything is made of pictures, or of recordings: looked at, listened to, or read as a text."""
        return kind in self._looked_at() or any(reader.kind == kind for reader in self._stand_ins().values())

    def _looked_at(self) -> set[MediaKind]:
        """The kinds of media that some perceiver has learnt from."""
        return {
            perceiver.kind
            for perceiver in self._perceivers.values()
            if isinstance(perceiver, FeaturesPerceiver | TranscriptPerceiver)
        }

    def _stand_ins(self) -> Mapping[str, TranscriptPerceiver]:
        """What reads media as texts: of the kinds that no perceiver looks at, where some perceiver hears texts."""
        if not any(source_of(name) == "text" for name in self._perceivers):
            return {}
        for name, make in READERS.items():
            self._readers.setdefault(name, make())
        looked_at = self._looked_at()
        return {name: reader for name, reader in self._readers.items() if reader.kind not in looked_at}

    def keep(self, signals: Collection[str]) -> None:
        """Stop perceiving what no head listens to."""
        probe = {name: perceiver.perceive([Record(text="?")])[0] for name, perceiver in self._perceivers.items()}
        self._perceivers = {
            name: perceiver for name, perceiver in self._perceivers.items() if not set(signals).isdisjoint(probe[name])
        }

    def frozen(self) -> Perception:
        """What is perceived as it would be for any task: the part that learnt no labels."""
        perception = Perception(())
        for name, perceiver in self._perceivers.items():
            if not isinstance(perceiver, TunablePerceiver) or not perceiver.tuned:
                perception.add(name, perceiver)
        return perception

    def joined(self, other: Perception) -> Perception:
        """All that either perceives. What both do is that of the first."""
        perception = Perception(())
        perception._perceivers = {**other._perceivers, **self._perceivers}
        return perception

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """All perceivers, with the perceiver's name before each array's."""
        arrays: dict[str, Any] = {}
        config: dict[str, Any] = {}
        for name, perceiver in self._perceivers.items():
            own, config[name] = perceiver.to_arrays()
            arrays |= {f"{name}/{key}": value for key, value in own.items()}
        return arrays, config

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], config: Mapping[str, Any]) -> Perception:
        """Take back what ``to_arrays`` gave."""
        perception = cls(list(config))
        for name, part in perception._perceivers.items():
            own = {key[len(name) + 1 :]: value for key, value in arrays.items() if key.startswith(f"{name}/")}
            part.from_arrays(own, config[name])
        return perception
