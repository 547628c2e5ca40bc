"""Polarity: whether what a text mentions is there, is not, may be, or is somebody else's or over.

Cue words act on the mentions around them: most on those behind (``no fever``,
没有发烧), some on those before (``fever: none``, 发烧倒没有). How far they reach is
what may stand between a cue and a mention: other mentions and the words that
list them, and few other words; ``but``, 但是, 就是 and their like, and the end of the sentence,
stop it. Words that only look like cues (``not only``, 不止, 不得不, ``can't stop``) are
taken away first, and so are mentions themselves, which may hold some (没精神, 消化不良).

Source:
    English: NegEx, Chapman et al., "A simple algorithm for identifying negated findings and diseases in discharge
    summaries", Journal of Biomedical Informatics 34(5), 2001; and ConText for what is past or somebody else's,
    Harkema et al., "ConText: An algorithm for determining negation, experiencer, and temporal status from clinical
    reports", Journal of Biomedical Informatics 42(5), 2009. The lists are shorter, and made for what people say of
    themselves. Chinese has the same parts with cues and scopes of its own.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from typing import Literal

Polarity = Literal["present", "absent", "uncertain", "other"]
Pieces = tuple[tuple[int, int], ...]
"""Where the pieces of a mention begin and end; what lies between two of them is not its own."""

_MENTION, _NEUTRAL = "\ue000", "\ue001"  # stand for a character of a mention, and of what only looks like a cue
_REACH = 80  # characters to either side beyond which nothing acts
_PASSED_ZH, _PASSED_EN, _PASSED_NEAR_EN = 3, 3, 2  # characters, or words, besides the usual ones that a denial passes
_SENTENCE = re.compile(r"[。!?;\n\r…]|\.(?=\s|$)")
_CUES = tomllib.loads(resources.files("huiyi.reason").joinpath("words", "cues.toml").read_text("utf-8"))


def _zh(name: str) -> str:
    """Chinese cues as alternatives."""
    return f"(?:{'|'.join(_CUES['zh'][name])})"


def _en(name: str) -> str:
    """English cues as alternatives, whole words each."""
    return rf"(?<![a-z0-9'])(?:{'|'.join(_CUES['en'][name])})(?![a-z0-9'])"


_LOOKALIKES = re.compile(f"{_zh('lookalikes')}|{_en('lookalikes')}")

_DENIES_ZH = re.compile(f"(?P<list>{_zh('denies_list')})|(?P<some>{_zh('denies')})|(?P<near>{_zh('denies_near')})")
_PASSES_ZH = re.compile(rf"(?:{_zh('passes')}|[、/\s{_NEUTRAL}{_MENTION}])+")
_STOPS_ZH = re.compile(_zh("stops"))
_DENIES_AFTER_ZH = re.compile(
    f"(?:{_MENTION}|{_zh('denies_after_before')})*+{_zh('denies_after')}{_zh('denies_after_behind')}*+"
    r"(?=$|[,.。!?;:、\n])"
)
_OVER_AFTER_ZH = re.compile(rf"[{_MENTION}、和]*+[^,。;!?\n没不未{_NEUTRAL}]{{0,8}}?{_zh('over_after')}")
_DOUBTS_ZH, _STOPS_DOUBT_ZH = re.compile(_zh("doubts")), re.compile(_zh("stops_doubt"))
_DOUBTS_AFTER_ZH = re.compile(f"[{_MENTION}、和或]*+{_zh('doubts_after')}")
_EACH_TIME_ZH = re.compile("(?:(?<![第唯万])一|只要一?|每次|一到)$")  # 一咳嗽腰就痛: what brings it on is no complaint
_THEN = 10  # characters before which what is brought on begins
_ASKED_ZH = re.compile(_zh("asked"))
_BEFORE_ZH, _BEFORE_ALONE_ZH = re.compile(_zh("before")), re.compile(_zh("before_alone"))
_HAD_ZH, _GOES_ON_ZH = re.compile(_zh("had")), re.compile(_zh("goes_on"))
_KIN_ZH = re.compile(f"(?P<kin>{_zh('kin')})|(?P<far>{_zh('far')})")
_SELF_ZH = re.compile(f"{_zh('self')}(?!{_zh('not_self')})")

_DENIES_EN = re.compile(f"(?P<list>{_en('denies_list')})|(?P<near>{_en('denies_near')})")
_PASSES_EN = re.compile(_en("passes"))
_STOPS_EN = re.compile(f"{_en('stops')}|[;:]")
_DENIES_AFTER_EN = re.compile(
    rf"(?:[\s,{_MENTION}]|\bor\b|\band\b)*+(?:{_en('denies_after')}|[:\-]\s*(?:no|none|absent|negative|denied)\b)"
)
_LIST_ENDS_EN = re.compile(r"\b(?:or|nor|and)\s*$")
_LIST_GOES_ON_EN = re.compile(
    rf"[\s,{_MENTION}]*+(?:or|nor|and)\s+(?:[a-z]+\s+)?{_MENTION}|\s*(?:[.!]|$)|\s*,\s*{_MENTION}"
)
_OVER_AFTER_EN = re.compile(
    rf"[\s{_MENTION}]*+(?:[a-z]+\s+){{0,5}}?(?:has|have|had|is|are|was|were|'s)?\s*"
    rf"(?:(?:already|now|all|completely|finally|since)\s+)*{_en('over_after')}"
)
_DOUBTS_EN = re.compile(_en("doubts"))
_STOPS_DOUBT_EN = re.compile(rf"[.;!?\n]|,\s*(?:and|but|i|my)\b|{_en('stops_doubt')}")
_BEFORE_EN, _AGO_EN = re.compile(f"{_en('before')}|{_en('ago')}"), re.compile(_en("ago"))
_GOES_ON_EN = re.compile(_en("goes_on"))
_KIN_EN = re.compile(
    rf"\b(?:my|his|her|our|the|their) (?:older |younger |late |little |big )?(?P<kin>{_en('kin')})"
    rf"|(?P<far>{_en('far')})"
)
_SELF_EN = re.compile(_en("self"))
_CHILD = re.compile(f"{_zh('child')}|{_en('child')}")
_OWNS = re.compile(f"{_zh('owns')}|(?:{_CUES['en']['owns'][0]})")
_KIN_ENDS = (
    re.compile("[。;!?\n]"),
    re.compile(r"\.(?=\s|$)"),
    _SELF_ZH,
    _SELF_EN,
    re.compile(_zh("now")),
    re.compile(r"\bmy\b"),
)


@dataclass(frozen=True, slots=True)
class _Sentence:
    """Where a mention stands.

    Attributes:
        before: Its sentence up to it, mentions and lookalikes of cues covered.
        after: The rest of its sentence with the mark at its end.
        whole: The same without covers, to the mention's beginning.
        inside: What lies between its pieces.
    """

    before: str
    after: str
    whole: str
    inside: str


def polarities(text: str, mentions: Sequence[Pieces]) -> list[Polarity]:
    """Whether each mention of a text is there.

    Args:
        text: The text, as ``forms.normal`` gives it.
        mentions: The pieces of each.

    Example:
        >>> text = "no fever or chills, but my dad has a cough; 没有头晕、恶心,可能发烧"
        >>> names = ("fever", "chills", "cough", "头晕", "恶心", "发烧")
        >>> spans = [((text.index(name), text.index(name) + len(name)),) for name in names]
        >>> polarities(text, spans)
        ['absent', 'absent', 'other', 'absent', 'absent', 'uncertain']
    """
    if not mentions:
        return []
    covered = list(text)
    for pieces in mentions:
        for start, end in pieces:
            covered[start:end] = _MENTION * (end - start)
    hidden = _LOOKALIKES.sub(lambda found: _NEUTRAL * len(found[0]), "".join(covered))
    kin = _Kin(hidden, len(mentions))
    return [_polarity(_sentence(text, hidden, pieces), kin, pieces[0][0]) for pieces in mentions]


def _sentence(text: str, hidden: str, pieces: Pieces) -> _Sentence:
    start, end = pieces[0][0], pieces[-1][1]
    floor, roof = max(0, start - _REACH), min(len(text), end + _REACH)
    if marks := list(_SENTENCE.finditer(text, floor, start)):
        floor = marks[-1].end()
    if mark := _SENTENCE.search(text, end, roof):
        roof = mark.end()
    inside = "".join(hidden[left[1] : right[0]] for left, right in pairwise(pieces))
    return _Sentence(hidden[floor:start], hidden[end:roof], text[floor:start], inside)


def _polarity(at: _Sentence, kin: _Kin, place: int) -> Polarity:
    """The cues around one mention, the strongest first: whose it is, whether it is doubted, denied, or over."""
    if kin.others(place):
        return "other"
    if _doubted(at):
        return "uncertain"
    if _denied(at):
        return "absent"
    return "other" if _over(at) else "present"


def _last(cues: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The last cue in a text."""
    found = list(cues.finditer(text))
    return found[-1] if found else None


def _denied(at: _Sentence) -> bool:
    """Whether a denial reaches a mention."""
    if at.inside and (re.search("[没不]", at.inside) or _denied_between(at.inside)):
        return True
    if _DENIES_AFTER_ZH.match(at.after) or _DENIES_AFTER_EN.match(at.after):
        return True
    if (cue := _last(_DENIES_ZH, at.before)) and _passes_zh(at.before[cue.end() :], str(cue.lastgroup)):
        return True
    cue = _last(_DENIES_EN, at.before)
    return cue is not None and _passes_en(at.before[cue.end() :], at.after, str(cue.lastgroup))


def _denied_between(inside: str) -> bool:
    """Whether English words between the pieces of a mention deny it."""
    return any(cue.lastgroup == "near" or cue[0] in ("no", "never") for cue in _DENIES_EN.finditer(inside))


def _passes_zh(gap: str, strength: str) -> bool:
    """Whether a Chinese denial comes through what stands between it and a mention."""
    if strength != "list" and "," in gap:
        return False
    pieces = gap.split(",")
    if any(_STOPS_ZH.search(piece) for piece in pieces):
        return False
    left = sum(len(_PASSES_ZH.sub("", piece)) for piece in pieces)
    return left <= (0 if strength == "near" else _PASSED_ZH)


def _passes_en(gap: str, after: str, strength: str) -> bool:
    """Whether an English denial comes through what stands between it and a mention.

    It comes through a comma where a list goes on, up to ``or`` or ``and``.
    """
    if _STOPS_EN.search(gap):
        return False
    if len(_unusual(gap)) > (_PASSED_EN if strength == "list" else _PASSED_NEAR_EN):
        return False
    if "," not in gap:
        return True
    listed = not any(_unusual(piece) for piece in gap.split(",")[1:])
    return listed and bool(_LIST_ENDS_EN.search(gap) or _LIST_GOES_ON_EN.match(after))


def _unusual(gap: str) -> list[str]:
    """The words of a gap that are neither mentions nor usual there."""
    return [word for word in re.findall(r"[a-z']+", gap) if not _PASSES_EN.fullmatch(word)]


def _doubted(at: _Sentence) -> bool:
    """Whether a mention is only supposed, asked for or made a condition."""
    if re.search("好像|似乎|可能|仿佛", at.inside) or (_EACH_TIME_ZH.search(at.before) and "就" in at.after[:_THEN]):
        return True
    if (cue := _last(_DOUBTS_ZH, at.whole)) and not _STOPS_DOUBT_ZH.search(at.whole, cue.end()):
        return True
    if (cue := _last(_DOUBTS_EN, at.whole)) and not _STOPS_DOUBT_EN.search(at.whole, cue.end()):
        return True
    clause = at.before.rsplit(",", 1)[-1]
    asked = _DOUBTS_AFTER_ZH.match(at.after)
    return asked is not None and not _ASKED_ZH.search(clause)


def _over(at: _Sentence) -> bool:
    """Whether a mention is of the past."""
    if _OVER_AFTER_ZH.match(at.after) or _OVER_AFTER_EN.match(at.after):
        return True
    clause = at.before.rsplit(",", 1)[-1]
    rest = re.split("[,。]", at.after, maxsplit=1)[0]
    if cue := _last(_BEFORE_ZH, clause):
        gap = clause[cue.end() :]
        return not _GOES_ON_ZH.search(gap) and bool(
            _BEFORE_ALONE_ZH.match(cue[0]) or _HAD_ZH.search(gap + at.inside + rest)
        )
    if cue := _last(_BEFORE_EN, clause):
        return not _STOPS_EN.search(clause, cue.end())
    return bool(_AGO_EN.search(rest)) and not _GOES_ON_EN.search(clause + rest)


class _Kin:
    """Which mentions are of somebody else.

    Who is spoken of first, with no word of the speaker, is the patient.

    Args:
        text: The covered text.
        count: How many mentions there are.
    """

    def __init__(self, text: str, count: int) -> None:
        self._text = text
        self._spans: list[tuple[int, int]] = []
        self._patient = ""
        speaks = bool(_SELF_ZH.search(text) or _SELF_EN.search(text))
        for cues in (_KIN_ZH, _KIN_EN):
            for cue in cues.finditer(text):
                if cue["kin"] and not self._spans and not self._patient and self._is_patient(cue, speaks, count):
                    self._patient = cue["kin"]
                elif cue["kin"] is None or cue["kin"] != self._patient:
                    self._spans.append((cue.end(), self._end(cue.end())))
        self._spans.sort()

    def _is_patient(self, cue: re.Match[str], speaks: bool, count: int) -> bool:
        """Whether the text is about this one: no word of another before, and not merely that they have something."""
        if _MENTION in self._text[: cue.start()]:
            return False
        if _CHILD.fullmatch(cue["kin"]):
            return True
        gap = self._text[cue.end() :].split(_MENTION, 1)[0]
        return not speaks and (count > 1 or not _OWNS.fullmatch(gap))

    def _end(self, start: int) -> int:
        """Where what is said of somebody ends: with the sentence, or where the speaker or the present comes in."""
        roof = min(len(self._text), start + _REACH)
        found = [end.start() for ends in _KIN_ENDS if (end := ends.search(self._text, start, roof))]
        return min(found, default=roof)

    def others(self, place: int) -> bool:
        """Whether what is mentioned at a place is somebody else's."""
        first = bisect_left(self._spans, (place - _REACH, 0))
        return any(
            start <= place < end
            for start, end in self._spans[first : bisect_right(self._spans, (place, len(self._text)))]
        )
