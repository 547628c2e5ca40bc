"""The one file that joins the stages, saves them and loads them again.

records ── perceive ──▶ Context ── align ──▶ Intents ── reason ──▶ Inference ── decide ──▶ Decisions
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi import __version__
from huiyi.align import Aligner, SpansAligner
from huiyi.data.columns import listed
from huiyi.decide import SCOPE_LEVEL, Decider, Promise, language_of
from huiyi.errors import DataError, OptionError, did_you_mean
from huiyi.explaining import Explainer
from huiyi.explanation import Explanation
from huiyi.perceive import Perception
from huiyi.reason import Proof, Reasoner
from huiyi.reason.facts import written
from huiyi.storage import MANIFEST, read_folder, write_folder
from huiyi.values import Context, Decision, Inference, Intents, Record, Span, Task, Turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.cause.actor import Actor
    from huiyi.values import Reading, TaskKind

BATCH_ROWS = 1024
"""Rows perceived at once."""


@dataclass(frozen=True, eq=False)
class Skill:
    """What a model does for one task.

    Attributes:
        aligner: The second stage, fitted.
        decider: The last, fitted.
        summary: What the training found, as JSON can hold it.
    """

    aligner: Aligner | SpansAligner
    decider: Decider
    summary: Mapping[str, Any]


class Model:
    """What training makes and everything else uses.

    Attributes:
        perception: The first stage, fitted; all tasks share it.
        skills: What it does for each task, by the task's name. At least one.
        summary: What the training saw and found, as JSON can hold it.
        examples: The training records, for neighbours and explanations; may be empty.
        reasoner: The third stage, fitted, where it was given knowledge.
        actor: The fourth: what it does about intents, where a policy was learnt from a log.
        sha256: Of the manifest, once saved or loaded; else "".

    Example:
        >>> import huiyi
        >>> model = huiyi.train([("where is my card", "arrival"), ("my card was stolen", "theft")])
        >>> model.decide("has my card arrived yet?").label
        'arrival'
    """

    def __init__(
        self,
        perception: Perception,
        skills: Mapping[str, Skill],
        *,
        summary: Mapping[str, Any],
        examples: Sequence[Record] = (),
        reasoner: Reasoner | None = None,
        actor: Actor | None = None,
        sha256: str = "",
    ) -> None:
        self.perception = perception
        self.skills = skills
        self.summary = summary
        self.examples = tuple(examples)
        self.reasoner = reasoner
        self.actor = actor
        self.sha256 = sha256
        self._explainer = Explainer(self)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is told from a record."""
        return tuple(skill.aligner.task for skill in self.skills.values())

    @property
    def task(self) -> Task:
        """The first of the tasks, often the only one."""
        return self.tasks[0]

    @property
    def fields(self) -> tuple[str, ...]:
        """The form fields that it has learnt from, or that its rules or its policy look at."""
        others = (stage.fields for stage in (self.reasoner, self.actor) if stage is not None)
        return tuple(dict.fromkeys([*self.perception.fields, *(name for names in others for name in names)]))

    @property
    def promise(self) -> Promise:
        """When it acts on the first task, and what may be said about the error."""
        return self.skills[self.task.name].decider.promise

    @property
    def max_error(self) -> float:
        """The error that was asked for."""
        return self.promise.max_error

    @property
    def scope_level(self) -> float:
        """Records whose ``in_scope`` is below this are called out of scope when that is measured."""
        return self.promise.scope_level or SCOPE_LEVEL

    def of(self, task: str) -> Model:
        """The same model with one of its tasks alone.

        Raises:
            OptionError: It has no such task.
        """
        if task not in self.skills:
            raise OptionError(
                f"the model has no task {task!r}; expected one of {', '.join(self.skills)}."
                f"{did_you_mean(task, self.skills)}"
            )
        return self._with(skills={task: self.skills[task]})

    def joined(self, other: Model) -> Model:
        """This model with the tasks of another, which perceives with the same frozen parts."""
        summary = {**other.summary, "added_to": self.summary}
        perception = self.perception.joined(other.perception)
        examples = [*self.examples, *other.examples]
        skills = {**self.skills, **other.skills}
        return Model(perception, skills, summary=summary, examples=examples, reasoner=self.reasoner, actor=self.actor)

    def perceive(self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None) -> Context:
        """What do we see and hear?"""
        return self.perception.perceive(records, tick=tick)

    def costs(self, records: Sequence[Record]) -> Mapping[str, float]:
        """Milliseconds that each source of a record takes to perceive. See ``Perception.costs``."""
        return self.perception.costs(records)

    def align(self, context: Context, task: str | None = None) -> Intents:
        """What does the person want done? Told for one task, the first unless another is named."""
        return self.skills[task or self.task.name].aligner.align(context)

    def reason(self, context: Context, intents: Intents) -> Inference:
        """What follows from what we know? Intents as they are, where nothing is known."""
        if self.reasoner is None:
            return Inference(intents, intents)
        return self.reasoner.revise(self.reasoner.read(context), intents)

    def _inferences(self, context: Context) -> Mapping[str, Inference]:
        """What follows for each task. What the records say is read once."""
        intents = {name: self.align(context, name) for name in self.skills}
        if self.reasoner is None:
            return {name: Inference(own, own) for name, own in intents.items()}
        cases = self.reasoner.read(context)
        return {name: self.reasoner.revise(cases, own) for name, own in intents.items()}

    def choose(self, context: Context, inference: Inference) -> tuple[Decision, ...]:
        """Act, clarify or decline? Chosen for the task of the intents."""
        intents, records = inference.intents, context.records
        seed, decider = int(self.summary["seed"]), self.skills[intents.task.name].decider
        decisions = decider.decide(intents, records, model=self.sha256, version=__version__, seed=seed)
        if self.reasoner is None:
            return decisions
        asked = [
            self.reasoner.ask(inference, row, decision, language_of(records[row].text or ""))
            if decision.kind == "clarify"
            else None
            for row, decision in enumerate(decisions)
        ]
        return tuple(
            decision if question is None else replace(decision, question=question)
            for decision, question in zip(decisions, asked, strict=True)
        )

    def _concluded(
        self,
        reasoner: Reasoner,
        inferences: Mapping[str, Inference],
        told: Mapping[str, Sequence[Decision]],
        *,
        prove: bool,
    ) -> dict[str, tuple[Decision, ...]]:
        """Decisions, of which those on the first task have the action that rules conclude, or ask what settles it."""
        found: dict[str, list[Decision]] = {name: [] for name in told}
        for row, case in enumerate(inferences[self.task.name].facts):
            decisions = {name: some[row] for name, some in told.items()}
            conclusion = reasoner.conclude(case, decisions)
            first = decisions[self.task.name]
            if first.kind == "act" and conclusion.action is not None:
                first = replace(first, action=written(conclusion.action.arguments[-1]))
            elif first.kind == "act":
                question = reasoner.missing(conclusion, language_of(case.record.text or ""))
                first = first if question is None else replace(first, kind="clarify", question=question)
            for name, decision in {**decisions, self.task.name: first}.items():
                proofs = reasoner.proofs(inferences[name], row, decision, conclusion) if prove else ()
                told_why = tuple(proof.to_json() for proof in proofs) if prove else None
                found[name].append(replace(decision, proofs=told_why))
        return {name: tuple(some) for name, some in found.items()}

    def replay(self, record: Record | str, decision: Decision) -> tuple[str, ...]:
        """Check the proofs of a decision on a record against the record, and the facts and rules, as they are now.

        Rules that speak of today go by the time of the record, and where it has none, by the day of the check.

        Returns:
            What is wrong, one line each; nothing when every step of every proof holds, and all that was decided by
            facts and rules is proved.

        Raises:
            OptionError: The model has no knowledge, does not do the task, or the decision has no proofs because none
                were asked for.
        """
        if self.reasoner is None or decision.proofs is None:
            raise OptionError(
                "there are no proofs to replay; expected a model trained with knowledge, and a decision with proofs. "
                "Decide with prove=True"
            )
        self.of(decision.task)
        decisions = {**decision.tasks, decision.task: decision}
        inferences = self._inferences(self.perceive([_as_record(record)]))
        conclusion = self.reasoner.conclude(inferences[decision.task].facts[0], decisions)
        failures: list[str] = []
        for name, inference in inferences.items():
            if (own := decisions.get(name)) is not None:
                proofs = [Proof.from_json(dict(proof)) for proof in own.proofs or ()]
                failures += self.reasoner.replay(proofs, inference, 0, own, conclusion)
        return tuple(failures)

    def shares(self, context: Context, decisions: Sequence[Decision]) -> tuple[Mapping[str, float], ...]:
        """How much each source of the records added to the probabilities of decisions on one task. See ``Decision``.

        Empty for spans, whose one source is the text, and where a reply settled it.
        """
        task = self.skills[decisions[0].task].aligner.task if decisions else self.task
        if task.kind == "spans":
            return tuple({} for _ in decisions)

        def worth(told: NDArray[np.floating]) -> NDArray[np.floating]:
            return np.array(
                [_probability_of(decision, task, row) for decision, row in zip(decisions, told, strict=True)]
            )

        found = self._explainer.shares(context, task, worth)
        inferred = [
            task.name not in record.answers or decision.probability < 1
            for record, decision in zip(context.records, decisions, strict=True)
        ]
        return tuple(shares if own else {} for shares, own in zip(found, inferred, strict=True))

    def explain(
        self,
        record: Record | str,
        about: str | None = None,
        *,
        method: str = "chains",
        seconds: float | None = None,
        seed: int = 0,
        counterfactual: bool = True,
    ) -> Explanation:
        """Why is a label as probable as it is? The words that made it so, the fields, and parts of what came along.

        All else that the record has stays as it is while some of it is taken out. Where knowledge has a part in the
        decision, it has its part in what is explained too.

        Args:
            record: A record or text.
            about: The label to explain, of any task; the one decided on where none is named.
            method: How words, regions of pictures and stretches of recordings are weighed, one of
                ``huiyi.explain.METHODS``; where a backbone was tuned, words also by one of
                ``huiyi.explain.BACKBONE_METHODS``, which need the extra ``explain`` and speak of the backbone alone.
            seconds: How long weighing may take. When it is over, the best so far is told, and said to be.
            seed: Of random orders.
            counterfactual: Whether to look for a small change of words that changes the decision, and for a few
                training rows whose other label does. It takes longer than all the rest.

        Raises:
            OptionError: The model has no such label, or tells spans alone; or there is no such method, or none for it.
            MissingExtraError: The method needs the extra ``explain``.
            DataError: It is neither a record nor a text, its text is longer than any that was said, or a picture or a
                recording cannot be read.

        Example:
            >>> import huiyi
            >>> model = huiyi.train([("where is my card", "arrival"), ("my card was stolen", "theft")])
            >>> found = model.explain("has my card been stolen?", about="arrival")
            >>> min(found.words, key=lambda word: word.weight).text
            'stolen'
        """
        return self._explainer.explain(
            _as_record(record), about, method=method, seconds=seconds, seed=seed, counterfactual=counterfactual
        )

    def decide_all(
        self, records: Sequence[Record | str], *, explain: bool = False, prove: bool = False
    ) -> tuple[Decision, ...]:
        """All stages, for many records or texts at once.

        Args:
            records: Records or texts.
            explain: Whether decisions tell how much each source counted: ``shares``.
            prove: Whether they prove what facts and rules have a part in: ``proofs``.

        Raises:
            DataError: One is neither, or its text is longer than any that was said.
        """
        if isinstance(records, str | Record):
            raise DataError("decide_all takes a list of texts or records; expected that, or use decide for one")
        if not records:
            return ()
        context = self.perceive([_as_record(record) for record in records])
        inferences = self._inferences(context)
        told = {name: self.choose(context, inference) for name, inference in inferences.items()}
        if self.reasoner is not None:
            told = self._concluded(self.reasoner, inferences, told, prove=prove)
        if self.actor is not None:
            told[self.task.name] = self.actor.act(told[self.task.name], context.records)
        if context.readings:
            told = {name: _with_readings(decisions, context) for name, decisions in told.items()}
        if explain:
            told = {
                name: tuple(
                    replace(decision, shares=shares)
                    for decision, shares in zip(decisions, self.shares(context, decisions), strict=True)
                )
                for name, decisions in told.items()
            }
        first = told[self.task.name]
        if len(told) == 1:
            return first
        return tuple(
            replace(decision, tasks={name: decisions[row] for name, decisions in told.items()})
            for row, decision in enumerate(first)
        )

    def decide(self, record: Record | str, *, explain: bool = False, prove: bool = False) -> Decision:
        """All stages, for one record or text. See ``decide_all``.

        Raises:
            DataError: It is neither, or its text is longer than any that was said.
        """
        return self.decide_all([record], explain=explain, prove=prove)[0]

    def save(self, folder: str | Path) -> None:
        """Write the model to a new folder.

        Raises:
            OutputError: The place exists or cannot be written.
        """
        parts: dict[str, Any] = {"perceive": self.perception}
        for number, skill in enumerate(self.skills.values()):  # a name may hold what no file name should
            parts |= {f"align/{number}": skill.aligner, f"decide/{number}": skill.decider}
        arrays: dict[str, Any] = {}
        config: dict[str, Any] = {}
        for name, part in parts.items():
            own, config[name] = part.to_arrays()
            arrays |= {f"{name}/{key}": value for key, value in own.items()}
        if self.reasoner is not None:
            own, config["reason"] = self.reasoner.to_arrays()
            arrays |= own
        if self.actor is not None:
            config["cause"] = self.actor.to_json()
        documents: dict[str, Any] = {"config.json": config}
        if self.examples:
            documents["examples.json"] = [_plain(record, self.skills) for record in self.examples]
        manifest = {
            "huiyi": __version__,
            "numpy": np.__version__,
            "tasks": {name: dict(skill.summary) for name, skill in self.skills.items()},
            "training": dict(self.summary),
        }
        self.sha256 = write_folder(Path(folder), arrays=arrays, documents=documents, manifest=manifest)

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """Read a saved model, after checking every file of it.

        Raises:
            ModelFolderError: It is not a model, not whole, was changed, or is of a newer format.
        """
        arrays, documents, sha256 = read_folder(Path(folder))
        config = documents["config.json"]

        def of(part: str) -> dict[str, Any]:
            return {key[len(part) + 1 :]: value for key, value in arrays.items() if key.startswith(f"{part}/")}

        manifest = documents[MANIFEST]
        skills = {}
        for number, (name, summary) in enumerate(manifest["tasks"].items()):
            aligner, decider = aligner_for(config[f"align/{number}"]["task"]["kind"]), Decider()
            aligner.from_arrays(of(f"align/{number}"), config[f"align/{number}"])
            decider.from_arrays(of(f"decide/{number}"), config[f"decide/{number}"])
            skills[name] = Skill(aligner, decider, summary)
        perception = Perception.from_arrays(of("perceive"), config["perceive"])
        tasks = [skill.aligner.task for skill in skills.values()]
        known = config.get("reason")
        return cls(
            perception,
            skills,
            summary=manifest["training"],
            examples=[_record(row) for row in documents.get("examples.json", ())],
            reasoner=Reasoner.from_arrays(arrays, known, tasks) if known else None,
            actor=_actor(config["cause"]) if "cause" in config else None,
            sha256=sha256,
        )

    def without_examples(self) -> Model:
        """The same model without the training texts. Neighbours cannot be shown then."""
        return self._with(examples=())

    def acting(self, actor: Actor) -> Model:
        """The same model with another policy.

        Raises:
            OptionError: The policy goes by intents, and the model tells none of them.
        """
        labels = [name for task in self.tasks for name in task.names]
        if actor.intents and not set(actor.intents) & set(labels):
            raise OptionError(
                f"the policy speaks of the intents {listed(actor.intents)}, and the model tells none of them; expected "
                f"a model of the log's intents. This one tells {listed(labels)}"
            )
        return self._with(actor=actor)

    def _with(
        self,
        *,
        skills: Mapping[str, Skill] | None = None,
        examples: Sequence[Record] | None = None,
        actor: Actor | None = None,
    ) -> Model:
        """The same model with other skills or examples, or another policy."""
        return Model(
            self.perception,
            self.skills if skills is None else skills,
            summary=self.summary,
            examples=self.examples if examples is None else examples,
            reasoner=self.reasoner,
            actor=actor or self.actor,
            sha256=self.sha256,
        )


def _actor(config: Mapping[str, Any]) -> Actor:
    """The fourth stage, which is loaded only for models that have it."""
    from huiyi.cause.actor import Actor

    return Actor.from_json(config)


def _probability_of(decision: Decision, task: Task, probabilities: NDArray[np.floating]) -> float:
    """What probabilities of all labels say of the one that a decision told the probability of."""
    if task.kind == "choice":
        return float(probabilities[task.names.index(str(decision.label))])
    given = np.isin(task.names, decision.labels)
    return float(np.where(given, probabilities, 1 - probabilities).min())


def _with_readings(decisions: Sequence[Decision], context: Context) -> tuple[Decision, ...]:
    """Decisions that tell what was read in each record."""
    found: list[dict[str, Reading]] = [{} for _ in decisions]
    for source, read in context.readings.items():
        for row, reading in enumerate(read):
            if reading is not None:
                found[row][source] = reading
    return tuple(replace(decision, readings=own) for decision, own in zip(decisions, found, strict=True))


def _as_record(record: Record | str) -> Record:
    """The record, or one of the text."""
    if isinstance(record, str):
        return Record(text=record)
    if not isinstance(record, Record):
        raise DataError(f"cannot decide on a {type(record).__name__}; expected a text or a huiyi.Record")
    return record


def batched(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Cut records into parts that memory holds with all their signals."""
    for start in range(0, len(records), BATCH_ROWS):
        yield records[start : start + BATCH_ROWS]


def load(folder: str | Path) -> Model:
    """Read a saved model. See ``Model.load``."""
    return Model.load(folder)


def aligner_for(kind: TaskKind) -> Aligner | SpansAligner:
    """An empty aligner for tasks of a kind."""
    return SpansAligner() if kind == "spans" else Aligner()


def _plain(record: Record, tasks: Collection[str]) -> dict[str, Any]:
    """A training record as JSON can hold it: what was said, before too, and its labels."""
    history = [[turn.speaker, turn.text] for turn in record.history]
    labels = {name: _plain_label(record.labels[name]) for name in tasks if name in record.labels}
    return {"id": record.id, "text": record.text, "history": history, "labels": labels}


def _plain_label(label: Any) -> Any:
    """What is right of a record for one task, as JSON can hold it."""
    if isinstance(label, str):
        return label
    return [[item.label, item.start, item.end] if isinstance(item, Span) else item for item in label]


def _record(row: Mapping[str, Any]) -> Record:
    """Take back what ``_plain`` gave."""
    history = tuple(Turn(speaker, text) for speaker, text in row["history"])
    labels = {name: label if isinstance(label, str) else _labels(label) for name, label in row["labels"].items()}
    return Record(id=row["id"], text=row["text"], history=history, labels=labels)


def _labels(items: Sequence[Any]) -> tuple[Any, ...]:
    """The labels, or the spans, of a record."""
    return tuple(item if isinstance(item, str) else Span(*item) for item in items)
