"""Slips: names in which something is mistyped.

An English word that no name has is taken for one that some name has, where they
differ in one letter, or in two if long. In Chinese a character may stand for
another that sounds alike (头云 for 头晕), and in a longer name for any other.
What makes sense as it stands is no slip: a word of names, and a character that
some name has beside the same neighbour.

Source:
    Words less one letter as keys of the words they may be meant for: Garbe, "SymSpell", 2012, after Bocek, Hunt and
    Stiller, "Fast Similarity Search in Large Dictionaries", University of Zurich, 2007. The order of characters by
    sound: GB 2312-80, level 1.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations, pairwise

_WORD = re.compile(r"[a-z]+")
_VOWELS = frozenset("aeiouy")
_WORDS = (5, 30)  # letters of a word in which a mistake is seen through
_LONG_WORD = 9  # letters, from which on two mistakes are seen through
_HEARD = (2, 8)  # characters of a name that may be written as it sounds
_MENDED = (4, 10)  # characters of a name in which any one may be wrong
_NEVER_SLIPS = frozenset(
    "是有没不的了得地着过我你他她它们这那也都就还又再很太真好吃喝要想会能在到去来从把被让说和跟但可因所以个一二三四五六七八九十"
    "天月年时分医生请问吗么呢吧啊上下左右前后里外大小多少急快慢高低轻重男女老新旧冷热干湿红黄白黑青紫早晚"
)
# Where one of these stands for another, something else is meant, unless they sound alike.
_PLACES = frozenset("头脑面眼耳鼻口唇舌牙喉咽颈胸乳心肺肝胆胃肠脾肾腹腰背肩肘腕手指膝足脚趾腿骨皮肤血尿便痰汗泪")
# GB 2312 has its common characters in the order of their pinyin. These are the first of each of the 396 syllables.
_FIRST_OF_SYLLABLE = (
    "啊埃鞍肮凹芭白斑邦苞杯奔崩逼鞭标鳖彬兵玻捕擦猜餐苍操厕层插拆搀昌超车郴撑吃充抽初揣川疮吹春戳疵聪"
    "凑粗蹿摧村磋搭呆耽当刀德蹬堤颠碉跌丁丢东兜督端堆墩掇蛾恩而发藩坊菲芬丰佛否夫噶该干冈篙哥给根耕工"
    "钩辜刮乖棺光瑰辊锅哈骸酣夯壕呵嘿痕哼轰喉呼花槐欢荒灰荤豁击嘉歼僵蕉揭巾荆炯揪鞠捐撅均喀开刊康考坷"
    "肯坑空抠枯夸块宽匡亏坤括垃莱蓝琅捞勒雷棱厘俩联粮撩列琳玲溜龙楼芦驴峦掠抡萝妈埋瞒芒猫么玫门萌眯棉"
    "苗蔑民明谬摸谋拇拿氖南囊挠呢馁嫩能妮蔫娘鸟捏您柠牛脓奴女暖虐挪哦欧啪拍攀乓抛呸喷砰坯篇飘撇拼乒坡"
    "扑期掐牵枪橇切钦青琼秋趋圈缺裙然瓤饶惹壬扔日戎揉茹软蕊闰若撒腮三桑搔瑟森僧莎筛珊墒梢奢砷声师收蔬"
    "刷摔栓霜谁吮说斯松搜苏酸虽孙蓑塌胎坍汤掏特藤梯天挑贴厅通偷凸湍推吞拖挖歪豌汪威瘟嗡挝巫昔瞎掀相萧"
    "楔薪星兄休墟轩靴勋压焉殃邀椰一茵英哟拥幽迂鸳曰耘匝栽咱赃遭责贼怎增扎摘瞻樟招遮珍蒸芝中舟珠抓拽专"
    "桩椎谆捉兹鬃邹租钻嘴尊昨"
)
_STARTS = [first.encode("gb2312") for first in _FIRST_OF_SYLLABLE]
_COMMON_END = b"\xd7\xf9"


@lru_cache(maxsize=1 << 14)
def sound(char: str) -> int:
    """The syllable of a common Chinese character, whatever the tone, as a number; -1 for any other character.

    Example:
        >>> sound("晕") == sound("云"), sound("晕") == sound("头"), sound("a")
        (True, False, -1)
    """
    try:
        code = char.encode("gb2312")
    except UnicodeEncodeError:
        return -1
    return -1 if code < _STARTS[0] or code > _COMMON_END else bisect_right(_STARTS, code) - 1


class Slips:
    """Finds names with a mistake in them.

    Args:
        names: The names, in small letters.
        own: Which of them may have any character wrong.
        keys: Gives the tokens of an English word.
        known: The tokens that names are made of.
    """

    def __init__(
        self, names: Sequence[str], own: Sequence[bool], keys: Callable[[str], tuple[str, ...]], known: set[str]
    ) -> None:
        self._keys, self._known = keys, known
        self._pairs: set[str] = set()
        self._heard: dict[tuple[int, ...], list[int]] = {}
        self._halves: dict[tuple[int, bool, str], list[int]] = {}
        self._less: dict[str, list[str]] = {}
        self._names = names
        words: set[str] = set()
        for number, (name, is_own) in enumerate(zip(names, own, strict=True)):
            if name.isascii():
                words.update(word for word in _WORD.findall(name) if _WORDS[0] <= len(word) <= _WORDS[1])
                continue
            self._pairs.update(left + right for left, right in pairwise(name))
            sounds = tuple(map(sound, name))
            if _HEARD[0] <= len(name) <= _HEARD[1] and -1 not in sounds:
                self._heard.setdefault(sounds, []).append(number)
            if is_own and _MENDED[0] <= len(name) <= _MENDED[1]:
                self._halves.setdefault((len(name), True, name[:2]), []).append(number)
                self._halves.setdefault((len(name), False, name[-2:]), []).append(number)
        for word in words:
            for less in _with_less(word):
                self._less.setdefault(less, []).append(word)
        self.mend = lru_cache(maxsize=1 << 16)(self._mend)

    def find(self, run: str) -> Iterator[tuple[int, int, int]]:
        """Chinese names with a slip in a run of characters: where each begins and ends, and its number."""
        sounds = list(map(sound, run))
        for start in range(len(run) - 1):
            for size in range(_HEARD[0], min(_HEARD[1], len(run) - start) + 1):
                for name in self._heard.get(tuple(sounds[start : start + size]), ()):
                    if self._slipped(run, start, self._names[name], most=1 if size < 4 else 2):
                        yield start, start + size, name
            for size in range(_MENDED[0], _MENDED[1] + 1):
                for of, is_head in ((start, True), (start + 2 - size, False)):
                    if of >= 0 and of + size <= len(run):
                        for name in self._halves.get((size, is_head, run[start : start + 2]), ()):
                            if self._slipped(run, of, self._names[name], most=1):
                                yield of, of + size, name

    def _slipped(self, run: str, start: int, name: str, *, most: int) -> bool:
        """Whether a name stands at a place but for some characters, which make no sense there."""
        said = run[start : start + len(name)]
        wrong = [place for place, char in enumerate(name) if char != said[place]]
        if not 1 <= len(wrong) <= most:
            return False
        return not any(
            said[place] in _NEVER_SLIPS
            or ({said[place], name[place]} <= _PLACES and sound(said[place]) != sound(name[place]))
            or said[max(place - 1, 0) : place + 1] in self._pairs
            or said[place : place + 2] in self._pairs
            for place in wrong
        )

    def _mend(self, word: str) -> str | None:
        """The word of a name that an English word was meant to be, or nothing."""
        if (
            not _WORDS[0] <= len(word) <= _WORDS[1]
            or not _WORD.fullmatch(word)
            or all(key in self._known for key in self._keys(word))
        ):
            return None
        near = {meant for less in (word, *_with_less(word)) for meant in self._less.get(less, ())}
        ranked = sorted((cost, meant) for meant in near if (cost := _cost(word, meant)) is not None)
        if not ranked:
            return None
        nearest = [meant for cost, meant in ranked if cost == ranked[0][0]]
        return nearest[0] if len(set(map(self._keys, nearest))) == 1 else None


def _with_less(word: str) -> set[str]:
    """A word, and it without one letter, or without two if it is long."""
    found = {word}
    for count in range(1, 3 if len(word) >= _LONG_WORD else 2):
        for gone in combinations(range(len(word)), count):
            found.add("".join(letter for place, letter in enumerate(word) if place not in gone))
    return found


def _cost(word: str, meant: str) -> int | None:
    """How far a word is from the one it may be meant for, and nothing where both are likelier to be words.

    Short words must begin alike, and may have letters changed places, doubled, or one left out or put in; a
    letter in the place of another counts in longer ones, or where both are vowels.
    """
    if word[0] != meant[0]:
        return None
    cost = _edits(word, meant)
    least = min(len(word), len(meant))
    if cost == 2:
        return 2 if least >= _LONG_WORD else None
    if cost != 1:
        return None
    if len(word) == len(meant):
        places = [place for place in range(len(word)) if word[place] != meant[place]]
        vowels = len(places) == 1 and {word[places[0]], meant[places[0]]} <= _VOWELS
        return 1 if len(places) == 2 or len(word) >= 7 or (vowels and len(word) >= 6) else None
    longer, shorter = (word, meant) if len(word) > len(meant) else (meant, word)
    doubled = any(
        longer[:place] + longer[place + 1 :] == shorter and longer[place] == longer[place - 1]
        for place in range(1, len(longer))
    )
    return 1 if doubled or len(longer) >= 6 else None


def _edits(one: str, other: str) -> int:
    """Letters put in, left out, changed, or swapped with the next one, to make one word of another; 3 is many."""
    if abs(len(one) - len(other)) > 2:
        return 3
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        line = [row]
        for column, right in enumerate(other, 1):
            best = min(last[column] + 1, line[-1] + 1, last[column - 1] + (left != right))
            if row > 1 and column > 1 and left == other[column - 2] and one[row - 2] == right:
                best = min(best, before[column - 2] + 1)
            line.append(best)
        before, last = last, line
    return min(last[-1], 3)
