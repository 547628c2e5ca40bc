"""Explanations for people: a sentence for whom it concerns, a panel for whoever answers for it, and a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from huiyi.evaluate.graph_drawing import SAID as OF_GRAPHS
from huiyi.evaluate.graph_drawing import draw_graph, graph_in_words
from huiyi.evaluate.graphs import explanation_graph
from huiyi.evaluate.markup import Column, isolated, one_line, section, table
from huiyi.evaluate.relabellings import relabelling_in_words, relabelling_on_page
from huiyi.evaluate.wording import wording
from huiyi.storage import write_page

if TYPE_CHECKING:
    from huiyi.pipeline import Model
    from huiyi.values import Counterfactual, Decision, Example, Explanation, Word

_TEMPLATE = Path(__file__).with_name("page.html")
_MOST_WORDS = 12
_TELLING = 0.25  # of the weight of the first word: words of less are not named to whom it concerns
_MOST_TELLING = 3
_LITTLE = 0.05  # a probability that all words together move by less

_SAID = {
    "en": {
        "act": "This was taken to be about “{label}”{why}.",
        "clarify": "It was not clear enough what this is about; “{label}” seemed likeliest{why}.",
        "decline": "It was not clear what this is about, so nothing was decided.",
        "for": "What spoke most for “{label}”: {words}.",
        "nothing": "Nothing in the text spoke for “{label}”.",
        "because": ", above all because of {words}",
        "sources": ", above all because of {words}",
        "and": " and ",
        "comma": ", ",
        "quote": "“{}”",
        "why": "Why {label} ({words}): {probability:.1%}",
        "words": "words: ",
        "shares": "sources: ",
        "carries": "These words carry it: little is left of it without them, and they are nearly enough alone.",
        "part": "These words are a good part of the reason, not all of it.",
        "weak": "Take these words with care: the label hardly rests on them alone.",
        "little": "The words matter little here: it would be about as probable without them.",
        "short": "There was too little time or there are too many words: this is the best that was found.",
        "near": "most alike in training",
        "influential": "counted most",
        "disputed": "most of these have another label",
        "if": "It would be {labels} ({kind}) if it said: “{text}”",
        "act_if": "It would be acted on ({labels}) if it said: “{text}”",
        "changes": "changed",
        "out": "{} taken out",
        "stilted": "people do not write so",
        "none": "No small change of words was found that changes the decision.",
        "title": "Why {label}",
        "word": "Word",
        "weight": "Added",
        "like": "Alike",
        "added": "Counts",
        "legend": "Blue speaks for it, orange against it.",
        "without": "Without any text it would be {:.1%}.",
    },
    "zh": {
        "act": "系统认为这是关于“{label}”的{why}。",
        "clarify": "无法充分确定这是关于什么的；最有可能是“{label}”{why}。",
        "decline": "无法确定这是关于什么的，因此没有作出决定。",
        "for": "最支持“{label}”的是：{words}。",
        "nothing": "文中没有支持“{label}”的内容。",
        "because": "，主要依据是{words}",
        "sources": "，主要依据是{words}",
        "and": "和",
        "comma": "、",
        "quote": "“{}”",
        "why": "为什么是 {label}（{words}）：{probability:.1%}",
        "words": "词语：",
        "shares": "来源：",
        "carries": "这些词语足以说明理由：去掉它们结论几乎不成立，只留它们也几乎足够。",
        "part": "这些词语是理由的大部分，但不是全部。",
        "weak": "请谨慎看待这些词语：结论很少单独依赖它们。",
        "little": "这里词语的作用很小：去掉它们，概率也差不多。",
        "short": "时间太少或词语太多：这是目前找到的最好结果。",
        "near": "训练数据中最相似的",
        "influential": "作用最大的",
        "disputed": "其中多数是别的标签",
        "if": "如果写成下面这样，就会是 {labels}（{kind}）：“{text}”",
        "act_if": "如果写成下面这样，就会执行 {labels}：“{text}”",
        "changes": "改动",
        "out": "去掉“{}”",
        "stilted": "一般不会这样写",
        "none": "没有找到能改变决定的小改动。",
        "title": "为什么是 {label}",
        "word": "词语",
        "weight": "贡献",
        "like": "相似度",
        "added": "作用",
        "legend": "蓝色表示支持，橙色表示反对。",
        "without": "没有文本时的概率为 {:.1%}。",
    },
}


def for_person(model: Model, decision: Decision, explanation: Explanation, language: str) -> str:
    """One sentence, without numbers, for the person whom a decision concerns.

    Args:
        model: That decided.
        decision: What was decided.
        explanation: Of its label, or of another one that was asked about.
        language: ``en`` or ``zh``.
    """
    said, label = _SAID[language], _label(model, explanation, language)
    words = _listed([said["quote"].format(word.text) for word in _telling(explanation)], said)
    if explanation.label not in (decision.label, *decision.labels):
        return said["for"].format(label=label, words=words) if words else said["nothing"].format(label=label)
    if decision.kind == "decline":
        return said["decline"]
    called = wording(language).sources
    others = {source: share for source, share in explanation.shares.items() if source != "text" and share > 0}
    if others and max(others.values()) > explanation.shares.get("text", 0.0):
        source = max(others, key=lambda name: others[name])
        why = said["sources"].format(words=_listed([called.get(source, source), *([words] if words else [])], said))
    else:
        why = said["because"].format(words=words) if words else ""
    return said[decision.kind].format(label=label, why=why)


def for_agent(
    model: Model, decision: Decision, explanation: Explanation, language: str, proofs: Sequence[str] = ()
) -> list[str]:
    """A panel, line by line: words and sources with what they added, how far to trust them, rows, and what if.

    Args:
        model: That decided.
        decision: What was decided.
        explanation: Of its label, or of another one that was asked about.
        language: ``en`` or ``zh``.
        proofs: Why facts and rules have a part in it, in words.
    """
    said = _SAID[language]
    lines = [
        said["why"].format(
            label=explanation.label, words=_label(model, explanation, language), probability=explanation.probability
        )
    ]
    ranked = sorted(explanation.words, key=lambda word: -abs(word.weight))[:_MOST_WORDS]
    if ranked:
        lines.append(f"  {said['words']}{', '.join(f'{word.text} {word.weight:+.1%}' for word in ranked)}")
    if len(explanation.shares) > 1:
        lines.append(f"  {said['shares']}{_shares(explanation, language)}")
    lines += [f"  {line}" for line in _trust(explanation, said)]
    rows = graph_in_words(explanation_graph(model, decision, explanation, language), language)
    lines += [f"  {OF_GRAPHS[language]['title']}:", *(f"    {row}" for row in rows[1:] if explanation.words)]
    if explanation.nearest:
        lines.append(f"  {said['near']}:")
        lines += [f"    {', '.join(row.labels)}: “{' '.join(row.text.split())}”" for row in explanation.nearest]
    if explanation.is_disputed:
        lines.append(f"    {said['disputed']}")
    lines.append(f"  {_what_if(decision, explanation, said, language)}")
    lines += [f"  {line}" for line in relabelling_in_words(explanation, language)]
    return [*lines, *proofs]


def write_explanation(
    model: Model,
    decision: Decision,
    explanation: Explanation,
    text: str,
    path: str | Path,
    *,
    language: str = "en",
    proofs: Sequence[str] = (),
) -> None:
    """Write an explanation as a self-contained HTML page, with the words of the text shaded by what they added.

    It asks the network for nothing and runs no script. An existing file is replaced only once the new one is whole.

    Args:
        model: That decided.
        decision: What was decided.
        explanation: Of its label, or of another one that was asked about.
        text: What was explained.
        path: The file to write.
        language: ``en`` or ``zh``.
        proofs: Why facts and rules have a part in it, in words.

    Raises:
        OutputError: The file cannot be written there.
    """
    said = _SAID[language]
    title = said["title"].format(label=_label(model, explanation, language))
    body = [f"<article><h1>{isolated(title)}</h1>"]
    body.append(f"<p>{isolated(for_person(model, decision, explanation, language), most=1000)}</p>")
    body.append(f'<section class="panel"><p style="font-size:1.15rem;line-height:2">{_shaded(explanation, text)}</p>')
    notes = [said["legend"], said["without"].format(explanation.without_words), *_trust(explanation, said)]
    body += [f'<p class="soft">{one_line(note)}</p>' for note in notes]
    body.append("</section>")
    weights = sorted(explanation.words, key=lambda word: -abs(word.weight))[:_MOST_WORDS]
    rows = [(word.text, f"{word.weight:+.1%}") for word in weights]
    body.append(section(said["why"].format(
        label=one_line(explanation.label), words=one_line(_label(model, explanation, language)),
        probability=explanation.probability,
    ), table([Column(said["word"], "wide"), Column(said["weight"], "number")], rows)))  # fmt: skip
    if len(explanation.shares) > 1:
        body.append(f"<p>{one_line(said['shares'] + _shares(explanation, language))}</p>")
    picture = draw_graph(explanation_graph(model, decision, explanation, language), language)
    body.append(section(OF_GRAPHS[language]["title"], picture, style="graph"))
    warning = said["disputed"] if explanation.is_disputed else ""
    body += [_rows(said["near"], explanation.nearest, said, warning)] if explanation.nearest else []
    body += [_rows(said["influential"], explanation.influential, said, "")] if explanation.influential else []
    body.append(relabelling_on_page(explanation, language))
    body.append(f"<p>{isolated(_what_if(decision, explanation, said, language), most=2000)}</p>")
    body += [f"<p>{isolated(line, most=1000)}</p>" for line in proofs if line]
    body.append(f'<p class="soft">{isolated(decision.model)} · {isolated(decision.version)}</p></article>')
    page = Template(_TEMPLATE.read_text("utf-8")).substitute(
        language=wording(language).code, title=one_line(title), body="\n".join(body)
    )
    write_page(Path(path), page, what="the explanation")


def _label(model: Model, explanation: Explanation, language: str) -> str:
    """What the label means."""
    labels = {label.name: label for label in model.of(explanation.task).task.labels}
    return labels[explanation.label].words(language)


def _telling(explanation: Explanation) -> list[Word]:
    """The few words that spoke most for the label, in the order of the text."""
    ranked = sorted((word for word in explanation.words if word.weight > 0), key=lambda word: -word.weight)
    kept = [word for word in ranked[:_MOST_TELLING] if word.weight >= _TELLING * ranked[0].weight]
    return sorted(kept, key=lambda word: word.start)


def _listed(parts: Sequence[str], said: dict[str, str]) -> str:
    """``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return said["and"].join([said["comma"].join(parts[:-1]), parts[-1]])


def _shares(explanation: Explanation, language: str) -> str:
    called = wording(language).sources
    return ", ".join(f"{called.get(source, source)} {share:+.1%}" for source, share in explanation.shares.items())


def _trust(explanation: Explanation, said: dict[str, str]) -> list[str]:
    """How far the words can be trusted, in plain phrases."""
    lines = [] if explanation.sufficed else [said["short"]]
    measured, moved = explanation.faithfulness, explanation.probability - explanation.without_words
    if measured is None:
        return lines
    if abs(moved) < _LITTLE:
        return [said["little"], *lines]
    lost, kept = measured.comprehensiveness / moved, measured.sufficiency / moved
    if lost >= 0.6 and kept <= 0.3:
        return [said["carries"], *lines]
    return [said["part"] if lost >= 0.3 else said["weak"], *lines]


def _what_if(decision: Decision, explanation: Explanation, said: dict[str, str], language: str) -> str:
    """What would have been decided on a text a little different."""
    found = explanation.counterfactual
    if found is None:
        return said["none"]
    told = said["act_if" if decision.kind == "decline" else "if"].format(
        labels=", ".join(found.labels) or "–", kind=wording(language).kinds[found.kind], text=found.text
    )
    stilted = f"; {said['stilted']}" if found.stilted else ""
    return f"{told} ({said['changes']}: {_changes(found, said)}{stilted})"


def _changes(found: Counterfactual, said: dict[str, str]) -> str:
    return ", ".join(
        f"{change.was} → {change.now}" if change.now else said["out"].format(change.was) for change in found.changes
    )


def _shaded(explanation: Explanation, text: str) -> str:
    """The text, each word the darker the more it added: blue for the label, orange against it."""
    most = max((abs(word.weight) for word in explanation.words), default=0.0) or 1.0
    parts, place = [], 0
    for word in explanation.words:
        colour, share = ("blue" if word.weight > 0 else "orange"), round(55 * abs(word.weight) / most)
        shade = f"background:color-mix(in srgb, var(--{colour}) {share}%, transparent);print-color-adjust:exact"
        before = one_line(text[place : word.start], most=10_000)
        parts += [" " if text[place : word.start][:1].isspace() else "", before]
        parts += [" " if text[: word.start][-1:].isspace() and before else ""]
        parts += [
            f'<span title="{word.weight:+.1%}" style="{shade};border-radius:.25rem;padding:.1rem .15rem">'
            f"{one_line(word.text, most=10_000)}</span>"
        ]
        place = word.end
    return "".join([*parts, one_line(text[place:], most=10_000)])


def _rows(heading: str, rows: Sequence[Example], said: dict[str, str], warning: str) -> str:
    """Training rows as a table."""
    columns = [Column("", "wide"), Column(""), Column(said["like"], "number"), Column(said["added"], "number")]
    cells = [
        (
            row.text,
            ", ".join(row.labels),
            f"{row.similarity:.2f}",
            "–" if row.influence is None else f"{row.influence:+.3f}",
        )
        for row in rows
    ]
    return section(heading, table(columns, cells), note=warning)
