from hypothesis import given
from hypothesis import strategies as st

from huiyi.perceive import WordsPerceiver, terms
from huiyi.perceive.words import RARE_FROM
from huiyi.values import Record

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


def fitted(*texts: str) -> WordsPerceiver:
    perceiver = WordsPerceiver()
    perceiver.fit([Record(text=text) for text in texts])
    return perceiver


@given(st.lists(ANY_TEXT, max_size=5))
def test_rows_have_length_one_or_are_absent(texts: list[str]) -> None:
    perceiver = fitted(*texts)
    signals, present = perceiver.perceive([Record(text=text) for text in texts])
    lengths = (signals["words"].multiply(signals["words"])).sum(axis=1)
    for length, there in zip(lengths, present, strict=True):
        assert abs(length - there) < 1e-5


def test_spelling_variants_meet() -> None:
    assert [list(part) for part in terms("ＣＡＲＤ")] == [list(part) for part in terms("card")]
    words, _ = terms("don't")
    assert list(words) == ["don't"]


def test_a_typo_costs_little() -> None:
    texts = ("my ticket to snowridge", "my tikcet to snowridge", "卡丢了怎么办")
    rows = fitted(*texts).perceive([Record(text=text) for text in texts])[0]["words"].toarray()
    assert rows[0] @ rows[1] > 0.4 > rows[0] @ rows[2]


def test_unknown_words_are_absent() -> None:
    _, present = fitted("card").perceive([Record(text="卡"), Record(text="card"), Record()])
    assert present.tolist() == [False, True, False]


def test_terms_of_one_text_are_left_out_of_many() -> None:
    few = fitted("zebra", "card")
    many = fitted("zebra", *(f"card {i}" for i in range(RARE_FROM + 1)))
    assert "\tzebra" in few.vocabulary
    assert "\tzebra" not in many.vocabulary
    assert "\tcard" in many.vocabulary


def test_idf_counts_rare_words_more() -> None:
    perceiver = fitted("card lost", "card late", "card new")
    row = perceiver.perceive([Record(text="card lost")])[0]["words"].toarray()[0]
    assert row[perceiver.vocabulary["\tlost"]] > row[perceiver.vocabulary["\tcard"]] > 0
