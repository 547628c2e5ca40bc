"""Explanations for people: a sentence for whom it concerns, a panel for whoever answers for it, and a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from huiyi.evaluate.graph_drawing import SAID as OF_GRAPHS
from huiyi.evaluate.graph_drawing import draw_graph, graph_in_words
from huiyi.evaluate.graphs import explanation_graph
from huiyi.evaluate.heat import NAMED, heated_picture, heated_sound, moment, place, telling
from huiyi.evaluate.markup import Column, isolated, one_line, section, table
from huiyi.evaluate.phrases import SAID
from huiyi.evaluate.relabellings import relabelling_in_words, relabelling_on_page
from huiyi.evaluate.wording import wording
from huiyi.storage import write_page

if TYPE_CHECKING:
    from huiyi.explanation import Counterfactual, Example, Explanation, Faithfulness, Weighed, Word
    from huiyi.pipeline import Model
    from huiyi.values import Decision, Record

_TEMPLATE = Path(__file__).with_name("page.html")
_MOST_WORDS = 12
_TELLING = 0.25  # of the weight of the first word: words of less are not named to whom it concerns
_MOST_TELLING = 3
_LITTLE = 0.05  # a probability that all words together move by less
_SOURCES = {"fields": "fields", "image": "regions"}  # of which a part may be named to whom it concerns


def for_person(model: Model, decision: Decision, explanation: Explanation, language: str) -> str:
    """One sentence, without numbers, for the person whom a decision concerns.

    Args:
        model: That decided.
        decision: What was decided.
        explanation: Of its label, or of another one that was asked about.
        language: ``en`` or ``zh``.
    """
    said, label = SAID[language], _label(model, explanation, language)
    words = _listed([said["quote"].format(word.text) for word in _telling(explanation)], said)
    others = {source: share for source, share in explanation.shares.items() if source != "text" and share > 0}
    first = max(others, key=lambda name: others[name]) if others else None
    if first is not None and (not words or others[first] > explanation.shares.get("text", 0.0)):
        words = _listed([_source(first, explanation, language), *([words] if words else [])], said)
    if explanation.label not in (decision.label, *decision.labels):
        return said["for"].format(label=label, words=words) if words else said["nothing"].format(label=label)
    if decision.kind == "decline":
        return said["decline"]
    why = said["because"].format(words=words) if words else ""
    asked = decision.question
    if asked is not None and model.reasoner is not None and asked.about in model.reasoner.domain.questions:
        return said["lacking"].format(label=label, why=why, question=asked.text)  # what is meant is clear
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
    said = SAID[language]
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
    lines += [f"  {line}" for line in _trust_in_words(explanation, said)]
    for kind, weighed, named in _beside_words(explanation, language):
        told = ", ".join(f"{name} {weight:+.1%}" for name, weight in named)
        trust = _trust_in(kind, explanation, weighed, said)
        lines += [f"  {line}" for line in (*([said[f"of_{kind}"] + told] if named else []), *trust)]
    rows = graph_in_words(explanation_graph(model, decision, explanation, language), language)
    lines += [f"  {OF_GRAPHS[language]['title']}:", *(f"    {row}" for row in rows[1:] if explanation.words)]
    if explanation.nearest:
        lines.append(f"  {said['near']}:")
        lines += [f"    {', '.join(row.labels)}: “{' '.join(row.text.split())}”" for row in explanation.nearest]
    if explanation.is_disputed:
        lines.append(f"    {said['disputed']}")
    if explanation.words:
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
    record: Record | None = None,
) -> None:
    """Write an explanation as a self-contained HTML page: words, pictures and recordings tinted by what they added.

    It asks the network for nothing and runs no script. An existing file is replaced only once the new one is whole.

    Args:
        model: That decided.
        decision: What was decided.
        explanation: Of its label, or of another one that was asked about.
        text: What was explained.
        path: The file to write.
        language: ``en`` or ``zh``.
        proofs: Why facts and rules have a part in it, in words.
        record: Whose pictures and recordings are shown; none are without it.

    Raises:
        OutputError: The file cannot be written there.
    """
    said = SAID[language]
    title = said["title"].format(label=_label(model, explanation, language))
    body = [f"<article><h1>{isolated(title)}</h1>"]
    body.append(f"<p>{isolated(for_person(model, decision, explanation, language), most=1000)}</p>")
    if explanation.words:
        body.append('<section class="panel">')
        body.append(f'<p style="font-size:1.15rem;line-height:2">{_shaded(explanation, text)}</p>')
        notes = [said["legend"], said["without"].format(explanation.without_words)]
        body += [f'<p class="soft">{one_line(note)}</p>' for note in (*notes, *_trust_in_words(explanation, said))]
        body.append("</section>")
    weights = sorted(explanation.words, key=lambda word: -abs(word.weight))[:_MOST_WORDS]
    rows = [(word.text, f"{word.weight:+.1%}") for word in weights]
    added = table([Column(said["word"], "wide"), Column(said["weight"], "number")], rows) if rows else ""
    body.append(section(said["why"].format(
        label=one_line(explanation.label), words=one_line(_label(model, explanation, language)),
        probability=explanation.probability,
    ), added))  # fmt: skip
    if len(explanation.shares) > 1:
        body.append(f"<p>{one_line(said['shares'] + _shares(explanation, language))}</p>")
    picture = draw_graph(explanation_graph(model, decision, explanation, language), language)
    body.append(section(OF_GRAPHS[language]["title"], picture, style="graph"))
    body += _fields(explanation, said)
    body += _pictures(explanation, record, language)
    body += _recordings(explanation, record, decision, said)
    warning = said["disputed"] if explanation.is_disputed else ""
    body += [_rows(said["near"], explanation.nearest, said, warning)] if explanation.nearest else []
    body += [_rows(said["influential"], explanation.influential, said, "")] if explanation.influential else []
    body.append(relabelling_on_page(explanation, language))
    if explanation.words:
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


def _source(source: str, explanation: Explanation, language: str) -> str:
    """A source for whom it concerns, with the part of it that spoke most for the label."""
    said, name = SAID[language], wording(language).sources.get(source, source)
    for kind, _, named in _beside_words(explanation, language):
        part, weight = named[0] if named else ("", 0.0)
        if kind == _SOURCES.get(source) and weight > 0 and not any(map(str.isdigit, part)):
            return said["detail"].format(name, part)
    return name


def _beside_words(
    explanation: Explanation, language: str
) -> Iterator[tuple[str, Weighed[Any], list[tuple[str, float]]]]:
    """Yield kinds of parts beside words, how they were weighed, and the name and weight of the few that count most.

    Regions are told together by where in the picture they lie. None are named where none could be told apart.
    """
    if (fields := explanation.fields) is not None:
        yield "fields", fields, _ranked(fields, lambda entry: entry.name)
    if (regions := explanation.regions) is not None:
        yield "regions", regions, _ranked(regions, lambda one: _numbered(one.picture, place(one, language)))
    if (stretches := explanation.stretches) is not None:
        yield "stretches", stretches, _ranked(stretches, lambda one: _numbered(one.recording, moment(one)))


def _ranked(weighed: Weighed[Any], named: Callable[[Any], str]) -> list[tuple[str, float]]:
    """The names that count most: those that speak for the label, the strongest first, then those against it."""
    if not weighed.sufficed and len({part.weight for part in weighed.parts}) == 1:
        return []
    told: dict[str, float] = {}
    for part in weighed.parts:
        told[named(part)] = told.get(named(part), 0.0) + part.weight
    counting = sorted(told.items(), key=lambda one: -abs(one[1]))[:NAMED]
    return sorted(counting, key=lambda one: -one[1])


def _numbered(number: int, name: str) -> str:
    """What a part of the second picture or recording, or of a later one, is called."""
    return f"{number + 1}: {name}" if number else name


def _trust_in_words(explanation: Explanation, said: dict[str, str]) -> list[str]:
    """How far the words can be trusted, in plain phrases."""
    moved = explanation.probability - explanation.without_words
    return _trust("words", explanation.faithfulness, moved, explanation.sufficed, said)


def _trust_in(kind: str, explanation: Explanation, weighed: Weighed[Any], said: dict[str, str]) -> list[str]:
    """How far other parts can be trusted."""
    return _trust(kind, weighed.faithfulness, explanation.probability - weighed.without, weighed.sufficed, said)


def _trust(kind: str, measured: Faithfulness | None, moved: float, sufficed: bool, said: dict[str, str]) -> list[str]:
    """How far parts of a kind can be trusted, which together moved the probability by so much."""
    lines = [] if sufficed else ["short"]
    if measured is not None:
        lines = [_trusted(measured, moved), *lines]
    return [said[line].format(parts=said[f"these_{kind}"]) for line in lines]


def _trusted(measured: Faithfulness, moved: float) -> str:
    """Which phrase says how far."""
    if abs(moved) < _LITTLE:
        return "little"
    if moved < 0:
        return "against"
    lost, kept = measured.comprehensiveness / moved, measured.sufficiency / moved
    if lost >= 0.6 and kept <= 0.3:
        return "carries"
    return "part" if lost >= 0.3 else "weak"


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


def _fields(explanation: Explanation, said: dict[str, str]) -> list[str]:
    """The form, with what each field added."""
    weighed = explanation.fields
    if weighed is None:
        return []
    rows = [
        (entry.name, entry.value, f"{entry.weight:+.1%}")
        for entry in sorted(weighed.parts, key=lambda entry: -entry.weight)
    ]
    columns = [Column(said["field"]), Column(said["value"]), Column(said["weight"], "number")]
    return [table(columns, rows), *_notes("fields", explanation, weighed, said)]


def _pictures(explanation: Explanation, record: Record | None, language: str) -> list[str]:
    """The pictures, tinted, and their regions that count most."""
    weighed, said = explanation.regions, SAID[language]
    if weighed is None or record is None:
        return []
    parts = [f"<h2>{said['pictures']}</h2>"]
    columns = [Column(""), Column(said["where"], "wide"), Column(said["weight"], "number")]
    for number, media in enumerate(record.images):
        own = [one for one in weighed.parts if one.picture == number]
        named = telling(own)
        parts.append(heated_picture(media, own, named))
        rows = [(f"{rank}", place(one, language), f"{one.weight:+.1%}") for rank, one in enumerate(named, start=1)]
        parts += [table(columns, rows)] if rows else []
    return [*parts, *_notes("regions", explanation, weighed, said)]


def _recordings(explanation: Explanation, record: Record | None, decision: Decision, said: dict[str, str]) -> list[str]:
    """The recordings as strips, tinted, what was heard in them, and what each stretch added."""
    weighed = explanation.stretches
    if weighed is None or record is None:
        return []
    parts = [f"<h2>{said['recordings']}</h2>"]
    columns = [Column(said["when"], "wide"), Column(said["weight"], "number")]
    for number, media in enumerate(record.audios):
        own = [one for one in weighed.parts if one.recording == number]
        parts.append(heated_sound(media, own))
        parts.append(table(columns, [(moment(one), f"{one.weight:+.1%}") for one in own]))
    if (heard := decision.readings.get("speech")) is not None:
        parts.append(f"<p>{isolated(said['quote'].format(heard.text), most=1000)}</p>")
    return [*parts, *_notes("stretches", explanation, weighed, said)]


def _notes(kind: str, explanation: Explanation, weighed: Weighed[Any], said: dict[str, str]) -> list[str]:
    """What stands under parts of a kind."""
    notes = [said["legend"]] if kind != "fields" else []
    notes += [said[f"without_{kind}"].format(weighed.without), *_trust_in(kind, explanation, weighed, said)]
    return [f'<p class="soft">{one_line(note)}</p>' for note in notes]
