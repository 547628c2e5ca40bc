"""Proofs in words, English or Chinese."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from huiyi.reason.facts import UNNAMED, Fact, Key, Value, written
from huiyi.reason.logic import TODAY, Atom, Variable
from huiyi.reason.proof import EVIDENCE, Proof, Step
from huiyi.reason.rules import Rules
from huiyi.values import spelt

Language = Literal["en", "zh"]
Labels = Callable[[str, str], str]
"""What to call a thing in a language, as ``Knowledge.label`` does."""

_VARIABLE = re.compile(r"\?(\w+)")
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # names may hold them, and may not break a line
_SAID = {
    "en": {
        "today": "today is {0}",
        "unary": "{0} is {1}",
        "binary": "{0} {1} {2}",
        "given": "given: {0}",
        "bare": "given",
        "since": "since {0}",
        "by": "by the rule “{0}”",
        "evidence": "by evidence, in log-odds",
        "before": "{0:.1%} before",
        "probability": "{0:.1%}",
        "from": "from {0}",
        "absent": "nothing says that {0}",
        "anything": "anything",
        "weight": "weight {0}",
        "broken": "“{0}” is broken",
        "why": "Why:",
        "and": ", ",
        "join": "; ",
        "around": "{0} ({1})",
        "stop": ".",
    },
    "zh": {
        "today": "今天是 {0}",
        "unary": "{0}属于“{1}”",
        "binary": "{0}的“{1}”是{2}",
        "given": "已知：{0}",
        "bare": "已知",
        "since": "因为{0}",
        "by": "依据规则“{0}”",
        "evidence": "依据证据（对数优势）",
        "before": "此前 {0:.1%}",
        "probability": "概率 {0:.1%}",
        "from": "由 {0}",
        "absent": "没有记录表明{0}",
        "anything": "任何对象",
        "weight": "权重 {0}",
        "broken": "违反了“{0}”",
        "why": "理由：",
        "and": "、",
        "join": "；",
        "around": "{0}（{1}）",
        "stop": "。",
    },
}


_SOURCES_ZH = {
    "the text": "文本",
    "the picture": "图片",
    "the recording": "录音",
    "the form": "表单",
    "the reply": "回答",
    "the decision": "判断",
    "the request": "请求",
}
"""What requests bring, in Chinese. See ``huiyi.reason.request``."""


@dataclass(frozen=True)
class Wording:
    """Says facts and proofs in one language.

    Args:
        rules: The rules, whose descriptions are the sentences.
        language: ``en`` or ``zh``.
        label: What to call a thing; by its own name when nothing is given.
    """

    rules: Rules
    language: Language = "en"
    label: Labels | None = None
    _templates: Mapping[Key, tuple[str, tuple[str, ...]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        templates = {
            relation.atom.key: (relation.descriptions[self.language], relation.atom.variables)
            for relation in self.rules.relations
            if self.language in relation.descriptions
        }
        object.__setattr__(self, "_templates", templates)

    def value(self, value: Value) -> str:
        """What to call a value."""
        return self.label(value, self.language) if isinstance(value, str) and self.label else written(value)

    def fact(self, fact: Fact) -> str:
        """A fact as a sentence without its full stop."""
        return self.atom(Atom(fact.relation, fact.arguments))

    def atom(self, atom: Atom) -> str:
        """A fact, or the shape of one, as a sentence without its full stop."""
        say = _SAID[self.language]
        values = [say["anything"] if isinstance(term, Variable) else self.value(term) for term in atom.terms]
        if atom.relation == TODAY:
            return say["today"].format(values[0])
        if template := self._templates.get(atom.key):
            return fill(template[0], dict(zip(template[1], values, strict=True)))
        name = self.label(atom.relation, self.language) if self.label else atom.relation
        name = spelt(name) if name == atom.relation and ":" not in name else name
        if len(values) == 1:
            return say["unary"].format(values[0], name)
        return say["binary"].format(values[0], name, say["and"].join(values[1:]))

    def step(self, step: Step) -> str:
        """What a step says: the description of its rule where that has one, else its fact."""
        rule = self.rules.by_name.get(step.rule)
        if rule is not None and rule.kind in ("rule", "constraint") and self.language in rule.descriptions:
            bindings = {name: self.value(value) for name, value in step.bindings.items()}
            return fill(rule.descriptions[self.language], bindings)
        if step.fact.relation.startswith(":- "):
            return _SAID[self.language]["broken"].format(step.rule)
        return self.fact(step.fact)

    def reasons(self, step: Step) -> list[str]:
        """What else there is to say of a step: its source, or its rule with comparisons and what was absent."""
        say = _SAID[self.language]
        if step.rule == EVIDENCE:
            before = step.bindings.get(str(step.fact.arguments[-1]), 0.0)
            told = [say["evidence"], *step.comparisons, say["before"].format(before)]
            return [*told, say["probability"].format(step.weight)]
        if step.rule:
            rule = self.rules.by_name.get(step.rule)
            declared = rule is not None and rule.kind not in ("rule", "constraint")
            if rule is not None and declared:
                reasons = [say["since"].format(rule.descriptions.get(self.language, step.rule))]
            else:
                reasons = [say["by"].format(step.rule), *step.comparisons]
            reasons += [say["absent"].format(self.atom(atom)) for atom in step.absent]
        elif step.fact.relation == TODAY:
            reasons = []
        else:
            sources = [self._source(source) for source in step.sources if source != UNNAMED]
            reasons = [say["given"].format(say["and"].join(sources)) if sources else say["bare"]]
        if f"{step.weight:.3g}" != "1":
            reasons.append(say["weight"].format(f"{step.weight:.3g}"))
        return reasons

    def _source(self, source: str) -> str:
        """Where something came from; files and lines are named as they are."""
        where, colon, quote = source.partition(": ")
        if self.language == "zh" and where in _SOURCES_ZH:
            return f"{_SOURCES_ZH[where]}{'：' if colon else ''}{quote}"
        return source

    def proof(self, proof: Proof) -> str:
        """A proof in words: what holds, then each step with what it rests on.

        Example:
            >>> from huiyi.reason import Fact, Given, Rules, close, prove
            >>> rules = Rules.parse('''
            ...     @relation used(?thing) en "?thing was used" zh "?thing已经用过".
            ...     @rule unused en "?order may go back" zh "?order可以退货"
            ...     returns(?order) :- bought(?who, ?order), not used(?order).
            ... ''')
            >>> closure = close([Given(Fact("bought", ("Ada", "the lamp")), source="orders.csv, line 2")], rules)
            >>> print(Wording(rules).proof(prove(closure, Fact("returns", ("the lamp",)))))
            the lamp may go back.
            Why:
            1. Ada bought the lamp (given: orders.csv, line 2)
            2. the lamp may go back (by the rule “unused”; nothing says that the lamp was used; from 1)
        """
        say = _SAID[self.language]
        lines = [self.step(proof.steps[-1]) + say["stop"], say["why"]]
        for place, step in enumerate(proof.steps, 1):
            reasons = self.reasons(step)
            if step.because:
                reasons.append(say["from"].format(say["and"].join(str(earlier + 1) for earlier in step.because)))
            said = self.step(step)
            lines.append(f"{place}. {say['around'].format(said, say['join'].join(reasons)) if reasons else said}")
        return "\n".join(_BREAKS.sub(" ", line) for line in lines)


def fill(template: str, values: Mapping[str, str]) -> str:
    """A template with values for its variables, where Chinese may follow a name without a space.

    Example:
        >>> fill("?order的日期是?day，?what", {"order": "o1", "day": "2026-01-31"})
        'o1的日期是2026-01-31，?what'
    """

    def value(found: re.Match[str]) -> str:
        for end in range(len(found[1]), 0, -1):
            if found[1][:end] in values:
                return values[found[1][:end]] + found[1][end:]
        return found[0]

    return _VARIABLE.sub(value, template)
