"""Graphs: what goes in comes out, hostile names are only names, and a broken file adds nothing."""

from __future__ import annotations

import gzip
import os
import sys
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huiyi.errors import DataError, MissingExtraError, OptionError, OutputError
from huiyi.reason import Fact, Given, Knowledge, Rules, close, prove, replay
from huiyi.reason.facts import LARGEST_TEXT
from huiyi.reason.names import iri_of, name_of

DATA = Path(os.environ.get("HUIYI_DATA", Path(__file__).parents[3] / "shared" / "data"))
HOSTILE = [
    "> . <x> <y> <z>",
    '" . <x> <y> "z',
    'it\'s "quoted"',
    "two\nlines",
    "tab\there",
    "\r",
    " spaces ",
    "服务对象",
    "é\u0301",
    "%3E",
    "http://a.b/c?d=%zz",
    "http://a b",
    "urn:huiyi:x",
    "a,b;c|d",
    "'; DROP ALL; #",
    "}} DELETE WHERE { ?s ?p ?o",
    "\\u003e",
    "<b>&amp;</b>",
    "\0",
    "007",
    "1.50",
    "_:b0",
    "😀",
]
FORMATS = (".nt", ".nq", ".ttl", ".trig", ".rdf", ".jsonld", ".csv")


def facts(knowledge: Knowledge) -> set[Fact]:
    return {fact for fact, _ in knowledge.facts()}


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def refusal(path: Path, knowledge: Knowledge | None = None) -> str:
    """The one line with which a file is refused; nothing is added then, to a graph with or without facts."""
    messages = set()
    for graph in (Knowledge(), knowledge or some_knowledge()):
        before = facts(graph), len(graph)
        with pytest.raises(DataError) as caught:
            graph.read(path)
        assert (facts(graph), len(graph)) == before
        messages.add(str(caught.value))
    (message,) = messages
    assert len(message.splitlines()) == 1
    return message


def some_knowledge() -> Knowledge:
    knowledge = Knowledge()
    knowledge.add([Fact("order", ("o1",))])
    return knowledge


# Names


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_a_name(name: str, tmp_path: Path) -> None:
    knowledge = Knowledge()
    knowledge.add([Fact(name, (name, name)), Fact("kind", (name,))])
    assert len(knowledge) == 2
    assert knowledge.holds(Fact(name, (name, name)))
    for ending in FORMATS:
        if ending == ".rdf" and not name.isidentifier():
            continue  # in RDF/XML a relation is the name of a tag, which not every address can be
        if ending == ".jsonld" and name == "\0":
            continue
        knowledge.write(tmp_path / f"g{ending}")
        again = Knowledge()
        again.read(tmp_path / f"g{ending}")
        assert facts(again) == facts(knowledge), ending


@given(st.text(min_size=1, max_size=30))
def test_names_and_addresses_are_one_to_one(name: str) -> None:
    if any("\ud800" <= char <= "\udfff" for char in name):
        with pytest.raises(DataError, match="half a character"):
            iri_of(name)
    else:
        assert name_of(iri_of(name)) == name
        import pyoxigraph

        pyoxigraph.NamedNode(iri_of(name))


def test_a_hostile_value_cannot_leave_its_place_in_a_query() -> None:
    knowledge = some_knowledge()
    for name in HOSTILE:
        assert knowledge.select("SELECT ?kind { ?thing a ?kind }", {"thing": name}) == []
    with pytest.raises(OptionError):
        knowledge.ask("ASK { ?s ?p ?o }", {"s } DELETE": "x"})
    assert len(knowledge) == 1


# Formats

TURTLE = """@prefix : <urn:huiyi:> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
:o1 a :order ; :placed_on "2026-01-31"^^xsd:date ; :costs 12.5 , 7 ; :said "back"@en , "退"@zh ; :by [ :named "Ada" ] .
<http://shop.example/o2> :part_of :o1 ."""


@pytest.mark.parametrize("ending", [*FORMATS, ".nt.gz", ".csv.gz", ".tsv.gz"])
def test_what_is_written_is_read_again(ending: str, tmp_path: Path) -> None:
    knowledge = Knowledge()
    knowledge.read(put(tmp_path, "in.ttl", TURTLE))
    knowledge.write(tmp_path / f"out{ending}")
    again = Knowledge()
    assert again.read(tmp_path / f"out{ending}") == len(knowledge) == 9
    assert len(again) == len(knowledge)
    assert {f for f in facts(again) if "_:" not in str(f)} >= {
        Fact("placed_on", ("o1", date(2026, 1, 31))),
        Fact("costs", ("o1", 12.5)),
        Fact("costs", ("o1", 7)),
        Fact("said", ("o1", "退")),
        Fact("part_of", ("http://shop.example/o2", "o1")),
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.ttl", f"out{ending}"]


@settings(max_examples=30)
@given(
    st.lists(
        st.builds(
            Given,
            st.builds(lambda r, x, y: Fact(r, (x, y)), *[st.sampled_from([*HOSTILE, "a", "b"])] * 3),
            st.sampled_from([1.0, 0.5, 0.1]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_weights_and_names_survive_tables_and_quads(
    tmp_path_factory: pytest.TempPathFactory, some: list[Given]
) -> None:
    folder = tmp_path_factory.mktemp("graphs")
    knowledge = Knowledge()
    knowledge.add(some)
    expected = {fact: max(g.weight for g in some if g.fact == fact) for fact in (g.fact for g in some)}
    for name in ("g.nq", "g.csv", "g.trig"):
        knowledge.write(folder / name)
        again = Knowledge()
        again.read(folder / name)
        found: dict[Fact, float] = {}
        for fact, weight in again.facts():
            found[fact] = max(weight, found.get(fact, 0))
        assert {Fact(f.relation, f.arguments): w for f, w in found.items()} == {
            _normal(f): w for f, w in expected.items()
        }


def _normal(fact: Fact) -> Fact:
    from huiyi.reason.facts import normal

    return normal(fact)


def test_formats_without_weights_refuse_them(tmp_path: Path) -> None:
    knowledge = Knowledge()
    knowledge.add([Given(Fact("r", ("a", "b")), 0.5)])
    with pytest.raises(OutputError, match=r"some facts have weights, which .ttl cannot hold"):
        knowledge.write(tmp_path / "g.ttl")
    knowledge.add([Fact("r", ("tab\t", "b"))])
    with pytest.raises(OutputError, match="holds a tab or a line break"):
        knowledge.write(tmp_path / "g.tsv")
    (tmp_path / "g.nq").touch()
    with pytest.raises(OutputError, match="exists already"):
        knowledge.write(tmp_path / "g.nq")
    with pytest.raises(OutputError, match="no known format"):
        knowledge.write(tmp_path / "g.doc")
    with pytest.raises(OutputError, match="could not be written"):
        knowledge.write(tmp_path / "nowhere" / "g.nq")
    assert [path.name for path in tmp_path.iterdir()] == ["g.nq"]


def test_tables_of_triples(tmp_path: Path) -> None:
    knowledge = Knowledge()
    path = put(
        tmp_path, "t.tsv", 'head\trelation\ttail\tweight\nf "x"\thas symptom\t头痛\t0.5\n\nf\trdf:type\tdrug\t\n'
    )
    assert knowledge.read(path) == 2
    assert list(knowledge.facts({("has symptom", 2)})) == [(Fact("has symptom", ('f "x"', "头痛")), 0.5)]
    assert knowledge.sources(Fact("has symptom", ('f "x"', "头痛"))) == ("t.tsv, line 2",)
    assert knowledge.sources(Fact("drug", ("f",))) == ("t.tsv, line 4",)
    assert knowledge.weight(Fact("drug", ("f",))) == 1.0
    assert knowledge.weight(Fact("drug", ("g",))) == 0.0
    assert knowledge.relations() == {"has symptom": {2}, "rdf:type": {2}, "drug": {1}}


def test_tables_of_properties(tmp_path: Path) -> None:
    knowledge = Knowledge()
    content = 'price,id,placed on,note\n12.50,o1,2026-01-31,"two\nlines"\n7,o2,,\n'
    assert knowledge.read(put(tmp_path, "p.csv", content)) == 4
    assert knowledge.holds(Fact("placed on", ("o1", date(2026, 1, 31))))
    assert knowledge.holds(Fact("price", ("o2", 7)))
    assert knowledge.sources(Fact("price", ("o2", 7))) == ("p.csv, line 4",)
    assert knowledge.holds(Fact("note", ("o1", "two\nlines")))


def test_a_fact_keeps_all_its_sources_and_its_highest_weight(tmp_path: Path) -> None:
    fact = Fact("r", ("a", "b"))
    for name, weight in (("a.csv", "0.5"), ("b.csv", "0.7")):
        put(tmp_path, name, f"head,relation,tail,weight\na,r,b,{weight}\nc,r,d,{weight}\n")
    knowledge = Knowledge()
    knowledge.read(tmp_path / "a.csv")
    knowledge.read(tmp_path / "b.csv")
    assert knowledge.sources(fact) == ("a.csv, line 2", "b.csv, line 2")
    assert knowledge.weight(fact) == 0.7
    knowledge.read(put(tmp_path, "g.nq", "<urn:huiyi:a> <urn:huiyi:r> <urn:huiyi:b> <urn:huiyi:prices> ."))
    assert knowledge.weight(fact) == 1.0
    assert "g.nq, graph prices" in str(knowledge.sources(fact))
    assert dict(knowledge.facts())[Fact("r", ("c", "d"))] == 0.7


def test_things_without_names_of_two_files_stay_apart(tmp_path: Path) -> None:
    knowledge = Knowledge()
    for name in ("a.nt", "b.nt"):
        knowledge.read(put(tmp_path, name, "_:x <urn:huiyi:r> <urn:huiyi:y> ."))
    assert len(facts(knowledge)) == 2


def test_a_graph_of_its_own(tmp_path: Path) -> None:
    knowledge = Knowledge()
    knowledge.read(put(tmp_path, "a.csv", "head,relation,tail\na,r,b\n"), graph="shop")
    assert knowledge.sources(Fact("r", ("a", "b"))) == ("a.csv, line 2, graph shop",)
    assert knowledge.ask("ASK { GRAPH :shop { :a :r :b } }")


def test_kinds_as_relations_of_one_argument_and_as_things() -> None:
    knowledge = some_knowledge()
    knowledge.add([Fact("replaces", ("order", "note"))])
    assert list(knowledge.facts({("order", 1)})) == [(Fact("order", ("o1",)), 1.0)]
    assert list(knowledge.facts({("rdf:type", 2)})) == [(Fact("rdf:type", ("o1", "order")), 1.0)]
    rules = Rules.parse("like(?x, ?other) :- rdf:type(?x, ?kind), replaces(?kind, ?other).")
    proof = prove(close(knowledge, rules), Fact("like", ("o1", "note")))
    assert replay(proof, knowledge, rules) == ()
    assert proof.steps[0].sources == ("given",)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """Ten entities, each ten times the one before."""
    entities = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    bomb = (
        f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "{"x" * 10}">{entities}]>'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:x="http://x/">'
        '<rdf:Description rdf:about="http://a"><x:p>&j;</x:p></rdf:Description></rdf:RDF>'
    )
    message = refusal(put(tmp_path, "bomb.rdf", bomb))
    assert message.startswith("bomb.rdf declares '<!ENTITY b")
    far = bomb.replace("<rdf:RDF", f"{' ' * (1 << 20)}<rdf:RDF").replace(
        "<!DOCTYPE", f"{' ' * ((1 << 20) - 70)}<!DOCTYPE"
    )
    assert "declares '<!ENTITY b" in refusal(put(tmp_path, "bomb.rdf.gz", far))
    short = bomb[: bomb.index("<!ENTITY b")] + "]>" + bomb[bomb.index("<rdf:RDF") :].replace("&j;", "&a;&a;")
    knowledge = Knowledge()
    knowledge.read(put(tmp_path, "short.owl", short))
    assert facts(knowledge) == {Fact("http://x/p", ("http://a", "x" * 20))}


# What cannot be read


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.nt", "<a:a> <b:b> <c:c> .\n<a:a> b .\n", "t.nt, line 2 is not N-TRIPLES"),
        ("t.ttl", "@prefix : <urn:x:> .\n:a :b :c .\n:a :b", "t.ttl, line 3 is not TURTLE"),
        ("t.ttl", "<a> <b> <c> .", "t.ttl, line 1 is not TURTLE"),
        ("t.jsonld", '{"@id": "http://a",\n "b": [}', "t.jsonld, line 2 is not JSON-LD"),
        ("t.jsonld", '{"@context": "http://127.0.0.1/c", "@id": "http://a"}', "is not JSON-LD"),
        ("t.rdf", "<rdf>", "t.rdf is not RDF-XML"),
        ("t.nt.gz", b"<a:a> <b:b", "t.nt.gz, line 1 is not N-TRIPLES"),
        ("t.csv", "", "t.csv is empty"),
        ("t.csv", "head,relation,tail\na,r,b\na,r\n", "t.csv, line 3 has 2 cells, but the header has 3"),
        ("t.csv", "head,relation,tail\na,r,b\na,,c\n", "t.csv, line 3, column 'relation': A name is empty"),
        ("t.csv", "head,relation,tail,weight\na,r,b,1.5\n", "t.csv, line 2 has the weight '1.5'"),
        ("t.csv", "head,relation,tail,weight\na,r,b,nan\n", "t.csv, line 2 has the weight 'nan'"),
        ("t.csv", "head,relation,tail,note\na,r,b,x\n", "t.csv, line 1 has a column 'note' beside"),
        ("t.csv", "head,relation,object\na,r,b\n", "t.csv, line 1 has head, relation but not tail"),
        ("t.csv", "id,a,a\nx,1,2\n", "t.csv, line 1 has the column 'a' twice"),
        ("t.csv", "id,,b\nx,1,2\n", "t.csv, line 1 has a column without a name"),
        ("t.csv", "id\nx\n", "t.csv, line 1 has one column only"),
        ("t.csv", "id,label@1_\nx,y\n", "t.csv, line 1: '1_' in 'label@1_' is no language"),
        ("t.csv", 'head,relation,tail\na,r,"b\n', "t.csv, line 2 cannot be split into cells"),
        ("t.csv", b"head,relation,tail\na,r,b\na,r,\xff\n", "t.csv, line 3 is not UTF-8"),
        ("t.csv", "head,relation,tail\na,r," + "x" * (LARGEST_TEXT + 1), "A name has 100,001 characters"),
        ("t.csv", "id,note\na," + "x" * (LARGEST_TEXT + 1), "a text of the column 'note' has 100,001 characters"),
        ("t.csv", "id,note\na," + "x" * 140_000, "cannot be split into cells: field larger than field limit"),
        ("t.nt", f'<a:a> <b:b> "{"x" * (LARGEST_TEXT + 1)}" .', "has 100,001 characters. Expected at most 100,000"),
        ("t.csv.gz", b"head,relation,tail\n" + b"x" * 12_000_001, "t.csv.gz, line 2 has more than 10,000,000 bytes"),
        ("t.doc", "", "t.doc: its name tells no known format"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    assert message in refusal(put(tmp_path, name, content))


def test_a_file_that_is_not_there_or_not_whole(tmp_path: Path) -> None:
    put(tmp_path, "facts.csv", "head,relation,tail\n")
    assert "Did you mean 'facts.csv'?" in refusal(tmp_path / "fact.csv")
    assert "There is no folder" in refusal(tmp_path / "no" / "fact.csv")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"head,relation,tail\na,r,b\n" * 9)[:-12])
    assert "cut.csv.gz is not a whole gzip file" in refusal(tmp_path / "cut.csv.gz")


def test_facts_that_are_none() -> None:
    knowledge = some_knowledge()
    for fact, message in (
        (Fact("r", ("a", "b", "c")), "has 3 arguments. A graph takes facts of one or two"),
        (Fact("r", ()), "is no fact"),
        (Fact("r", ("a", True)), "True in a fact of 'r' is no value"),
        (Fact("r", ("a", float("nan"))), "nan in a fact of 'r' is no value"),
        (Fact("r", ("", "a")), "has an empty value"),
        (Fact("r", ("a", "x" * (LARGEST_TEXT + 1))), "has 100,001 characters"),
    ):
        with pytest.raises(DataError, match=message):
            knowledge.add([Fact("order", ("o2",)), fact])
    with pytest.raises(DataError, match=r"has the weight 2. Expected"):
        knowledge.add([Given(Fact("order", ("o2",)), 2)])
    assert len(knowledge) == 1


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyoxigraph", None)
    with pytest.raises(MissingExtraError, match=r'pip install "huiyi\[reason\]"'):
        Knowledge()


# Queries


def test_queries() -> None:
    knowledge = some_knowledge()
    knowledge.add([Fact("costs", ("o1", 30)), Fact("placed_on", ("o1", date(2026, 1, 31)))])
    assert knowledge.select(
        "SELECT ?price ?day ?no { ?o :costs ?price ; :placed_on ?day OPTIONAL { ?o :no ?no } }"
    ) == [{"price": 30, "day": date(2026, 1, 31)}]
    assert not knowledge.ask("ASK { :o1 a :refund }")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT ?x {", "cannot be read"),
        ("ASK { ?s ?p ?o }", "is no SELECT"),
        ("DELETE WHERE { ?s ?p ?o }", "cannot be read"),
        ("SELECT * { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }", "asks another server"),
        ("SELECT * { #\n service SILENT ?x { ?s ?p ?o } }", "asks another server"),
    ],
)
def test_queries_that_are_refused(query: str, message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        some_knowledge().select(query)
    assert len(str(caught.value).splitlines()) == 1
    assert some_knowledge().select('SELECT ?x { ?x ?p "SERVICE" . ?x ?y <urn:service:x> }') == []


# On disk


def test_on_disk(tmp_path: Path) -> None:
    table = put(tmp_path, "t.csv", "head,relation,tail,weight\na,r,b,0.5\n")
    with Knowledge(tmp_path / "graph") as knowledge:
        knowledge.read(table)
        with pytest.raises(DataError, match="no other process has open"):
            Knowledge(tmp_path / "graph")
    with Knowledge(tmp_path / "graph") as knowledge:
        knowledge.add([Fact("order", ("o1",))], source="the form")
    with Knowledge(tmp_path / "graph") as knowledge:
        assert dict(knowledge.facts()) == {Fact("r", ("a", "b")): 0.5, Fact("order", ("o1",)): 1.0}
        assert knowledge.sources(Fact("r", ("a", "b"))) == ("t.csv, line 2",)
        assert knowledge.sources(Fact("order", ("o1",))) == ("the form",)
        refusal(put(tmp_path, "bad.csv", "head,relation,tail\na,r\n"), knowledge)
    with pytest.raises(DataError, match="holds something other"):
        Knowledge(tmp_path)
    (tmp_path / "graph" / "unfinished").touch()
    with pytest.raises(DataError, match="was left while facts were being loaded"):
        Knowledge(tmp_path / "graph")


def test_a_bad_file_leaves_an_empty_folder_empty(tmp_path: Path) -> None:
    with Knowledge(tmp_path / "graph") as knowledge:
        with pytest.raises(DataError):
            knowledge.read(put(tmp_path, "bad.nt", "<a:a> <b:b> <c:c> .\n" * 2000 + "<a:a> b"))
        assert len(knowledge) == 0
    with Knowledge(tmp_path / "graph") as knowledge:
        assert len(knowledge) == 0


def test_lines_of_a_large_table_keep_their_numbers(tmp_path: Path) -> None:
    """It is read in pieces of a megabyte, which end anywhere: within a character, too."""
    lines = [f"头痛{'痛' * (n % 50)}\tr\tx{n}" for n in range(30_000)]
    path = put(tmp_path, "t.tsv", "\ufeffhead\trelation\ttail\r\n" + "\n".join(lines))
    assert path.stat().st_size > 2 << 20
    knowledge = Knowledge()
    assert knowledge.read(path) == 30_000
    for n in (0, 1, 12_345, 29_999):
        head, relation, tail = lines[n].split("\t")
        assert knowledge.sources(Fact(relation, (head, tail))) == (f"t.tsv, line {n + 2}",)
    path.write_bytes(path.read_bytes().replace(b"\tx20000\n", b"\tx\xff\n"))
    assert "t.tsv, line 20002 is not UTF-8" in refusal(path)


# Real graphs


@pytest.mark.skipif(not (DATA / "kg_gov_services_zh").is_dir(), reason="the data are not here")
def test_government_services() -> None:
    knowledge = Knowledge()
    read = sum(knowledge.read(DATA / f"kg_gov_services_zh/{part}.tsv.gz") for part in ("train", "valid", "test"))
    assert read == len(knowledge) == 24_832
    fact = Fact("服务对象", ("民用机场电磁环境保护区域划定", "行政机关"))
    assert knowledge.holds(fact)
    assert knowledge.sources(fact) == ("test.tsv.gz, line 2",)


@pytest.mark.skipif(not (DATA / "kg_disease_symptom").is_dir(), reason="the data are not here")
def test_diseases_and_symptoms() -> None:
    knowledge = Knowledge()
    assert knowledge.read(DATA / "kg_disease_symptom/triples.tsv.gz") == len(knowledge) == 483
    assert knowledge.holds(Fact("has_precaution", ("(vertigo) Paroymsal  Positional Vertigo", "lie down")))
    knowledge.read(DATA / "kg_disease_symptom/diseases.csv.gz")
    knowledge.read(DATA / "kg_disease_symptom/symptom_severity.csv.gz")
