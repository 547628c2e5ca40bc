"""Explanation graphs of decisions, made from all that explains them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

from huiyi.explain.graph import Edge, Graph, Node
from huiyi.reason import Proof
from huiyi.reason.proof import EVIDENCE
from huiyi.reason.request import FORM, MENTIONS, OCR, REPLY, REQUEST, SPEECH, TEXT
from huiyi.values import spelt

if TYPE_CHECKING:
    from huiyi.explanation import Explanation, Word
    from huiyi.pipeline import Model
    from huiyi.reason import Step, Wording
    from huiyi.values import Decision

_MOST_INTENTS = 4
_QUOTED = re.compile(r"^([^:]+): “(.*)”$", re.DOTALL)
_SOURCES: Mapping[str, str] = {TEXT: "text", OCR: "ocr", SPEECH: "speech", FORM: "fields"}

_SAID = {
    "en": {
        "act": "act",
        "clarify": "ask",
        "decline": "decline",
        "reply": "the person said so",
        "strange": "as strange as {:.1%} of what is in scope",
        "unheard": "nothing in it that the model listens to",
        "none": "no label fits well enough",
        "threshold": "not sure enough to act",
    },
    "zh": {
        "act": "执行",
        "clarify": "询问",
        "decline": "拒绝",
        "reply": "对方已说明",
        "strange": "陌生程度：范围内仅 {:.1%} 的请求与之相当",
        "unheard": "其中没有模型能感知的内容",
        "none": "没有足够合适的标签",
        "threshold": "把握不足，无法执行",
    },
}


def explanation_graph(model: Model, decision: Decision, explanation: Explanation, language: str = "en") -> Graph:
    """From words over sources, things, facts and rules to intents and the decision.

    Args:
        model: That decided.
        decision: On the task of the explanation; with its proofs, where knowledge is to have its part.
        explanation: Of its label, or of another one.
        language: ``en`` or ``zh``: of what is said of facts, rules and the decision.

    Example:
        >>> import huiyi
        >>> model = huiyi.train([("where is my card", "arrival"), ("my card was stolen", "theft")])
        >>> text = "was it stolen"
        >>> graph = explanation_graph(model, model.decide(text), model.explain(text))
        >>> [node.text for node in graph.of("word")], [node.text for node in graph.of("source")]
        (['was', 'it', 'stolen'], ['text'])
    """
    maker = _Maker(model, decision, explanation, language)
    maker.words_and_sources()
    maker.intents()
    maker.proofs()
    maker.end()
    return Graph(tuple(maker.nodes.values()), tuple(maker.edges.values()))


class _Maker:
    """Gathers nodes and edges, each once."""

    def __init__(self, model: Model, decision: Decision, explanation: Explanation, language: str) -> None:
        self.model, self.decision, self.explanation = model, decision, explanation
        self.language, self.said = language, _SAID[language]
        task = model.of(explanation.task).task
        self.called = {label.name: label.words(language) for label in task.labels}
        self.nodes: dict[str, Node] = {}
        self.edges: dict[tuple[str, str], Edge] = {}

    def add(self, node: Node) -> str:
        """A node, once."""
        self.nodes.setdefault(node.id, node)
        return node.id

    def join(self, source: str, target: str, value: float | None = None) -> None:
        """An edge, once."""
        self.edges.setdefault((source, target), Edge(source, target, value))

    def words_and_sources(self) -> None:
        """What was looked at, and what it added to the label that is explained."""
        label = _intent(self.explanation.label)
        shares = self.explanation.shares
        words = [
            self.add(Node(f"word {number}", "word", word.text, word.weight))
            for number, word in enumerate(self.explanation.words)
        ]
        for source, share in shares.items():
            self.join(self.add(Node(f"source {source}", "source", source, share)), label, share)
        target = "source text" if "text" in shares else label
        for node, word in zip(words, self.explanation.words, strict=True):
            self.join(node, target, word.weight)

    def intents(self) -> None:
        """The labels that were weighed against each other."""
        probable = {one.label: one.probability for one in self.decision.candidates[:_MOST_INTENTS]}
        if self.decision.label is not None:
            probable.setdefault(self.decision.label, self.decision.probability)
        probable[self.explanation.label] = self.explanation.probability
        for label, probability in sorted(probable.items(), key=lambda one: -one[1]):
            self._intent(label, probability)

    def _intent(self, label: str, probability: float) -> str:
        """A label, with what it means where its name does not say so."""
        called = self.called.get(label, label)
        notes = () if called in (label, spelt(label)) else (called,)
        return self.add(Node(_intent(label), "intent", label, probability, notes))

    def proofs(self) -> None:
        """Things, facts and rules, and what rests on them."""
        if self.model.reasoner is None:
            return
        wording = self.model.reasoner.wording(cast("Literal['en', 'zh']", self.language))
        for plain in self.decision.proofs or ():
            proof = Proof.from_json(dict(plain))
            ids: list[str] = []
            for step in proof.steps:
                ids.append(self._step(step, wording))
                for earlier in step.because:
                    if ids[earlier] != ids[-1]:
                        self.join(ids[earlier], ids[-1])
            if self.nodes[ids[-1]].kind != "intent":
                self.join(ids[-1], "decision")

    def _step(self, step: Step, wording: Wording) -> str:
        """The node of a step of a proof, and what of the record it was read from."""
        fact = step.fact
        is_label = fact.relation == self.decision.task and fact.arguments[:1] == (REQUEST,)
        if is_label and (step.rule in ("", EVIDENCE)):
            label = str(fact.arguments[-1])
            node = self._intent(label, step.weight)
            if step.rule == EVIDENCE:
                known = self.nodes[node]
                self.nodes[node] = replace(known, notes=(*known.notes, *wording.reasons(step)))
            return node
        key = f"{fact.relation}({', '.join(map(str, fact.arguments))})"
        if step.rule:
            return self.add(Node(f"rule {key}", "rule", wording.step(step), step.weight, tuple(wording.reasons(step))))
        quotes = [found for source in step.sources if (found := _QUOTED.match(source))]
        of_record = [source for source in step.sources if source in (FORM, REPLY)]
        kind: Literal["thing", "fact"] = "thing" if quotes else "fact"
        text = wording.value(fact.arguments[-1]) if fact.relation == MENTIONS else wording.step(step)
        notes = tuple(reason for reason in wording.reasons(step) if not (quotes and fact.relation == MENTIONS))
        node = self.add(Node(f"{kind} {key}", kind, text, step.weight, notes))
        for quote in quotes:
            self._read_from(_SOURCES.get(quote[1], ""), quote[2], node)
        for source in of_record:
            if f"source {_SOURCES.get(source, '')}" in self.nodes:
                self.join(f"source {_SOURCES[source]}", node)
        return node

    def _read_from(self, source: str, quote: str, node: str) -> None:
        """Join what was quoted with the words that it was read in, or with its source."""
        words = _covering(self.explanation.words, quote) if source == "text" else []
        for number in words:
            self.join(f"word {number}", node)
        if not words and f"source {source}" in self.nodes:
            self.join(f"source {source}", node)

    def end(self) -> None:
        """What was decided, and why nothing else was."""
        decision = self.decision
        notes = []
        if decision.action is not None:
            notes.append(decision.action)
        if decision.question is not None:
            notes.append(decision.question.text)
        elif decision.kind == "clarify":
            notes.append(self.said["threshold"])
        if decision.kind == "decline":
            level = self.model.skills[decision.task].decider.promise.scope_level
            strange = decision.in_scope < level
            key = "strange" if strange and decision.in_scope else "unheard" if not decision.in_scope else "none"
            notes.append(self.said[key].format(decision.in_scope))
        labels = ", ".join(decision.labels) or "–"
        text = f"{self.said[decision.kind]}: {labels}" if decision.kind == "act" else self.said[decision.kind]
        end = self.add(Node("decision", "decision", text, None, tuple(notes)))
        for node in list(self.nodes.values()):
            if node.kind == "intent":
                self.join(node.id, end)
        used = {edge.source for edge in self.edges.values()}
        for node in list(self.nodes.values()):
            if node.id not in used and node.id != end:
                self.join(node.id, end)


def _intent(label: str) -> str:
    return f"intent {label}"


def _covering(words: Sequence[Word], quote: str) -> list[int]:
    """Places of the words in which a quote stands: where it first stands among words that follow each other."""
    wanted = quote.lower()
    if not words or not wanted:
        return []
    text, starts = "", []
    for word in words:
        text += " " * max(0, word.start - len(text)) + word.text.lower()
        starts.append(word.start)
    place = text.find(wanted)
    if place < 0:
        place = text.find(" ".join(wanted.split()))
    if place < 0:
        pieces = set(re.findall(r"\w+", wanted))
        return [number for number, word in enumerate(words) if word.text.lower() in pieces]
    end = place + len(wanted)
    return [number for number, word in enumerate(words) if word.start < end and word.end > place]
