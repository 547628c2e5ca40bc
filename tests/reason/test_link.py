"""What texts mention: names in all their forms, where exactly, and whether they are there."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from huiyi.errors import DataError, OptionError
from huiyi.reason import Evidence, Fact, Given, Link, LinkConfig, Linker, Statements, answers, everyday
from huiyi.reason.findings import Findings
from huiyi.reason.slips import sound

ENGLISH = Linker.of(
    [
        *("headache", "fever", "cough", "chest pain", "shortness of breath", "nausea", "vomiting", "diarrhea", "rash"),
        *("stomach pain", "asthma", "diabetes", "dizziness", "sore throat", "back pain", "weight loss", "pneumonia"),
        *("flu", "night sweats", "chills", "MS", "swollen ankles"),
    ]
)
CHINESE = Linker.of(
    [
        *(
            "发烧",
            "咳嗽",
            "胸痛",
            "头痛",
            "头晕",
            "腹痛",
            "恶心",
            "呕吐",
            "高血压",
            "糖尿病",
            "没精神",
            "消化不良",
            "肺炎",
            "流鼻涕",
        ),
        *("乏力", "关节疼痛", "食欲不振", "皮疹", "哮喘", "感冒", "盗汗", "中风", "慢性胃炎", "皮肤瘙痒"),
    ]
)
SIGNS = {"present": "+", "absent": "-", "uncertain": "?", "other": "o"}


def found(linker: Linker, text: str) -> str:
    """The links of a text in short: each entity with the sign of its polarity."""
    (links,) = linker.link([text])
    for link in links:
        assert text[link.start : link.end] == link.quote
        assert 0 < link.score <= 1
    return ", ".join(link.entity + SIGNS[link.polarity] for link in links)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("headaches, and I keep coughing", "headache+, cough+"),
        ("My head hurts; pain in my stomach; my ankles are swollen", "headache+, stomach pain+, swollen ankles+"),
        ("my chest really hurts, I'm short of breath", "chest pain+, shortness of breath+"),
        ("vomited twice, so dizzy", "vomiting+, dizziness+"),
        ("diarhea, stomache ache, hedache", "diarrhea+, stomach pain+, headache+"),
        ("the couch, a coach and a bush", ""),
        ("MS runs ms", "MS+"),
        ("ＦＥＶＥＲ and Ｃough", "fever+, cough+"),
        ("some cough medicine", ""),
        ("feverishly covering chestnuts", ""),
    ],
)
def test_english_names_are_found_in_their_forms(text: str, wanted: str) -> None:
    assert found(ENGLISH, text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("头很疼", "头痛+"),
        ("头有点晕，头又晕又痛", "头晕+, 头晕+, 头痛+"),
        ("关节总是特别疼", "关节疼痛+"),
        ("老是头云，食欲不阵", "头晕+, 食欲不振+"),
        ("慢性味炎", "慢性胃炎+"),
        ("慢性肠炎", ""),
        ("吃了感冒药", ""),
        ("麻烦您了，这事很头大", ""),
        ("胸闷，不痛", "胸痛-"),
        ("不痛", ""),
        ("头好一点，还是有点痛", "头痛+"),
    ],
)
def test_chinese_names_are_found_without_spaces(text: str, wanted: str) -> None:
    assert found(CHINESE, text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("No fever, cough or chest pain.", "fever-, cough-, chest pain-"),
        ("no fever but a cough", "fever-, cough+"),
        ("No fever, cough for three days", "fever-, cough+"),
        ("denies fever, cough, and chest pain.", "fever-, cough-, chest pain-"),
        ("I don't have a fever or chills", "fever-, chills-"),
        ("throat is not sore, fever: no", "sore throat-, fever-"),
        ("not only fever but also chills", "fever+, chills+"),
        ("I can't stop coughing, and the rash won't go away", "cough+, rash+"),
        ("maybe a rash; is it pneumonia?", "rash?, pneumonia?"),
        ("if I get a fever, what then", "fever?"),
        ("My mother has diabetes. I have a cough.", "diabeteso, cough+"),
        ("My son has a fever and a cough", "fever+, cough+"),
        ("history of asthma, had pneumonia last year", "asthmao, pneumoniao"),
        ("the fever has gone, but still a cough", "fevero, cough+"),
        ("cough since last week", "cough+"),
        ("everyone at work has the flu and now I have chills", "fluo, chills+"),
    ],
)
def test_english_cues(text: str, wanted: str) -> None:
    assert found(ENGLISH, text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("没有发烧、咳嗽和胸痛", "发烧-, 咳嗽-, 胸痛-"),
        ("没有发烧，咳嗽三天了", "发烧-, 咳嗽+"),
        ("否认发烧，咳嗽，胸痛", "发烧-, 咳嗽-, 胸痛-"),
        ("发烧没有，咳嗽倒没有，就是头疼", "发烧-, 咳嗽-, 头痛+"),
        ("发烧、咳嗽都没有", "发烧-, 咳嗽-"),
        ("不发烧但是咳嗽", "发烧-, 咳嗽+"),
        ("头一点都不痛", "头痛-"),
        ("没有头晕，也没有恶心，只是乏力", "头晕-, 恶心-, 乏力+"),
        ("不止发烧，不得不说头痛得厉害", "发烧+, 头痛+"),
        ("没精神，消化不良", "没精神+, 消化不良+"),
        ("不是没有头痛", "头痛+"),
        ("发烧不退，没有吃药头就痛", "发烧+, 头痛+"),
        ("咳嗽没有好转", "咳嗽+"),
        ("是不是发烧了？好像有点咳嗽", "发烧?, 咳嗽?"),
        ("这是肺炎吗？咳嗽吃什么药？", "肺炎?, 咳嗽+"),
        ("如果发烧怎么办", "发烧?"),
        ("不排除肺炎，担心是哮喘", "肺炎?, 哮喘?"),
        ("我妈有高血压", "高血压o"),
        ("我妈最近头晕恶心", "头晕+, 恶心+"),
        ("孩子发烧三天了，咳嗽", "发烧+, 咳嗽+"),
        ("我头晕，我妈有高血压", "头晕+, 高血压o"),
        ("同事感冒了，我今天也咳嗽", "感冒o, 咳嗽+"),
        ("发烧已经退了，现在咳嗽", "发烧o, 咳嗽+"),
        ("以前得过肺炎，五年前得过哮喘", "肺炎o, 哮喘o"),
        ("三天前开始发烧，头痛好了很多", "发烧+, 头痛+"),
        ("一咳嗽就胸痛", "咳嗽?, 胸痛+"),
    ],
)
def test_chinese_cues(text: str, wanted: str) -> None:
    assert found(CHINESE, text) == wanted


def test_offsets_are_those_of_the_text_as_it_was_written() -> None:
    text = "😀Ｉ　have \u0000 a ＦＥＶＥＲ！\ud800 头　有点 晕\n"
    fever, dizzy = Linker.of(["fever", "头晕"]).link([text])[0]
    assert (text[fever.start : fever.end], text[dizzy.start : dizzy.end]) == ("ＦＥＶＥＲ", "头　有点 晕")


def test_each_entity_has_its_own_names_in_all_languages() -> None:
    facts = [
        Fact("rdfs:label", ("S1", "Fever")),
        Fact("rdfs:label", ("S1", "发热")),
        Fact("skos:altLabel", ("S1", "high temperature")),
        Fact("rdfs:label", ("S2", "Rash")),
    ]
    linker = Linker.of(Statements(facts))
    (links,) = linker.link(["a high temperature, 发热, rash"])
    assert [link.entity for link in links] == ["S1", "S1", "S2"]
    assert [link.entity for link in Linker.of(Statements(facts), ["S2"]).link(["fever, rash"])[0]] == ["S2"]


def test_a_mention_of_two_entities_has_both() -> None:
    facts = [Fact("rdfs:label", ("a cold", "cold")), Fact("rdfs:label", ("being cold", "cold"))]
    (links,) = Linker.of(Statements(facts)).link(["cold"])
    assert [(link.entity, link.score) for link in links] == [("a cold", 1.0), ("being cold", 1.0)]


def test_everyday_words_are_said_for_entities_at_a_lower_score() -> None:
    linker = Linker.of(["腹泻", "腹痛", "发烧", "咽痛", "diarrhea"], background=[everyday()])
    text = "拉了三天肚子，肚子不疼，嗓子疼，the runs"
    assert found(linker, text) == "腹泻+, 腹痛-, 咽痛+, diarrhea+"
    (links,) = linker.link([text])
    assert links[0].score < 1
    assert found(linker, "不拉，没吐") == "腹泻-"
    assert found(linker, "拉着手走") == ""
    assert found(linker, "a run, two runs") == ""
    assert found(Linker.of(["腹泻"]), text) == ""


def test_a_background_counts_by_its_relations_and_weights() -> None:
    graph = Statements([Given(Fact("Synonym", ("fever", "pyrexia")), 0.5), Fact("IsA", ("measles", "rash"))])
    linker = Linker.of(["fever", "rash", "measles"], background=[graph])
    (links,) = linker.link(["pyrexia and measles"])
    assert [(link.entity, link.score) for link in links] == [("fever", 0.45), ("measles", 1.0)]
    none = Linker.of(["fever"], background=[graph], config=LinkConfig(synonyms={}))
    assert none.link(["pyrexia"]) == [()]


def encode(texts: list[str]) -> np.ndarray:
    """Texts that speak of water lie near each other."""
    wet = np.array([float("water" in text or "水" in text) for text in texts])
    return np.stack([wet, 1 - wet], axis=1)


def test_near_names_are_the_last_resort() -> None:
    linker = Linker.of(["thirst for water", "fever"], encode=lambda texts: encode(list(texts)))
    (links,) = linker.link(["I drink 水 all day, fever"])
    assert [(link.entity, link.quote, link.score) for link in links] == [
        ("thirst for water", "I drink 水 all day", 1.0),
        ("fever", "fever", 1.0),
    ]
    assert linker.link(["I do not drink water"]) == [()]  # what is denied is not guessed at


def test_it_is_kept_as_arrays_and_json() -> None:
    linker = Linker.of(["腹泻", "fever"], background=[everyday()], encode=lambda texts: encode(list(texts)))
    arrays, document = linker.to_arrays()
    again = Linker.from_arrays(arrays, json.loads(json.dumps(document)), encode=linker.encode)
    texts = ["拉肚子，没有 fever", "水", "nothing"]
    assert again.link(texts) == linker.link(texts)
    assert Linker.from_arrays(arrays, document).link(texts)[0] == linker.link(texts)[0]


def test_links_become_findings() -> None:
    def link(entity: str, polarity: str) -> Link:
        return Link(entity, 0, 1, "x", 1.0, polarity)  # type: ignore[arg-type]

    said = [
        *(link("fever", "present"), link("fever", "uncertain"), link("cough", "absent"), link("rash", "uncertain")),
        *(link("pain", "present"), link("pain", "absent"), link("asthma", "other")),
    ]
    assert answers(said) == {"fever": True, "cough": False, "rash": None, "pain": None}


def test_what_presupposes_something_absent_does_not_contradict_it() -> None:
    findings = Findings.of({"ache", "where"}, presupposes=[("where", "ache")], values=[], nones=[])
    said = [Link("ache", 0, 4, "ache", 1.0, "absent"), Link("where", 5, 10, "where", 1.0, "present")]
    result = answers([*said, Link("unknown", 0, 1, "x", 1.0, "present")], findings)
    assert result == {"ache": None, "where": True}
    findings.observe([result])


def test_links_revise_candidates() -> None:
    facts = [Fact("has_symptom", pair) for pair in (("flu", "fever"), ("flu", "cough"), ("cold", "cough"))]
    evidence = Evidence.of(Statements(facts), ["cold", "flu"])
    linker = Linker.of(evidence.findings.names)
    records = [
        answers(links, evidence.findings) for links in linker.link(["feverish? no: fever!", "no fever, coughing"])
    ]
    revised = evidence.revise(np.full((2, 2), 0.5), evidence.findings.observe(records))
    assert revised.argmax(axis=1).tolist() == [1, 0]


def test_names_within_names_are_broader() -> None:
    linker = Linker.of(["阵发性腹痛", "腹痛", "腹部疼痛", "fever"])
    kinds = {given.fact.arguments: given.weight for given in linker.kinds()}
    assert kinds["阵发性腹痛", "腹痛"] == 0.8
    assert kinds["腹部疼痛", "腹痛"] == kinds["腹痛", "腹部疼痛"] == 1.0
    assert ("腹痛", "阵发性腹痛") not in kinds


def test_sounds_are_those_of_the_standard() -> None:
    assert sound("痒") == sound("养") != sound("样") + 1
    assert len({sound(char) for char in "晕云运孕"}) == 1
    assert sound("座") == sound("昨") == 395
    assert sound("龘") == sound("😀") == sound("x") == -1


@pytest.mark.parametrize("text", ["", "\0" * 50, "😀", "\ud800头痛\udfff", " \n\t", "(((.*", "，。！？", "́" * 9])
def test_strange_texts_do_no_harm(text: str) -> None:
    for linker in (ENGLISH, CHINESE):
        assert all(text[link.start : link.end] == link.quote for link in linker.link([text])[0])


def test_names_are_only_names() -> None:
    names = [
        ".*",
        "(((",
        "a|b",
        "x" * 5_000,
        "\0",
        "",
        " ",
        "the",
        "'; DROP TABLE",
        "很很很很",
        "[头]",
        "\ud800",
        "头痛\n",
    ]
    linker = Linker.of(names)
    assert found(linker, "anything at all (with brackets), 头痛") == "头痛\n+"
    assert found(linker, "a b; drop table") == "a|b+, '; DROP TABLE+"


@pytest.mark.parametrize(
    "piece",
    [
        "发烧一点也一点也",
        "no fever, ",
        "not a fever or ",
        "我妈发烧",
        "a",
        "很",
        "stomach pain ",
        "咳嗽，",
        "head hurts ",
    ],
)
def test_ten_million_characters_take_little_time(piece: str) -> None:
    text = piece * (10_000_000 // len(piece))
    started = time.process_time()
    linker = CHINESE if "发" in piece or "咳" in piece or "很" in piece else ENGLISH
    (links,) = linker.link([text])
    assert time.process_time() - started < 10
    assert not links or max(link.end for link in links) <= 20_000


def test_nothing_to_look_for_is_an_error() -> None:
    with pytest.raises(DataError, match="nothing to look for"):
        Linker.of(Statements([Fact("has", ("a", "b"))]))
    with pytest.raises(OptionError, match="typo = 2"):
        LinkConfig(typo=2)


def test_everyday_words_are_rows_that_can_be_read() -> None:
    import huiyi.reason

    file = Path(huiyi.reason.__file__).parent / "words" / "everyday.csv"
    for line in file.read_text("utf-8").splitlines()[1:]:
        heads, relation, tails = line.split(",")
        assert relation in {"Synonym", "SaidFor", "IsA", "SameWord"}, line
        assert all(word == word.strip() != "" for word in (*heads.split("|"), *tails.split("|"))), line


@pytest.mark.parametrize(("name", "text"), [("saver_ticket", "my saver ticket"), ("two-day pass", "a Two-Day Pass")])
def test_a_name_that_is_said_as_it_is_spelt_fits_wholly(name: str, text: str) -> None:
    (links,) = Linker.of([name]).link([text])
    assert [link.score for link in links] == [1.0]


@pytest.mark.parametrize(
    ("text", "found"), [("明天的灵活票要退", ["明天"]), ("感冒灵还有吗", []), ("感冒药还有吗", [])]
)
def test_what_makes_another_thing_of_a_name(text: str, found: list[str]) -> None:
    (links,) = Linker.of(["明天", "感冒"]).link([text])
    assert [link.entity for link in links] == found


def test_an_end_stands_for_no_name_of_a_background() -> None:
    said = Statements([Fact("SaidFor", ("肉痛", "肌痛"))])
    linker = Linker.of(["肌痛", "胸痛"], background=[said])
    assert [link.entity for link in linker.link(["胸口闷，不痛，肉痛"])[0]] == ["胸痛", "肌痛"]
    assert linker.link(["几个小肉粒，不痛"]) == [()]


def test_of_what_a_word_is_said_for_the_likeliest_is_kept() -> None:
    said = Statements(
        [Given(Fact("SaidFor", ("没劲儿", name)), weight) for name, weight in (("乏力", 1.0), ("疲劳", 0.9))]
    )
    linker = Linker.of(["乏力", "疲劳"], background=[said])
    assert [name.text for name in linker.names] == ["乏力", "没劲儿", "疲劳"]
