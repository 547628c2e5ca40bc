from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huiyi.cause.dot import as_dagitty, as_dot, parse_dagitty, parse_dot
from huiyi.cause.model import ROLES, CausalModel
from huiyi.cause.notation import as_yaml, from_json, parse_yaml, read_model, to_json
from huiyi.errors import DataError

NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=6) | st.sampled_from(
    [
        "node",
        "dag",
        "首次 回复",
        "first-reply",
        "1",
        "yes",
        "null",
        'say "hi"',
        "a\\b",
        "v1.2",
        "x y",
        "# no",
        "role",
        "3.0",
    ]
)


@st.composite
def models(draw: st.DrawFn) -> CausalModel:
    named = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    named = [name for name in named if not any(sign in name for sign in ("->", "<-", "--", "<", ">"))] or ["a"]
    pairs = [(one, other) for i, one in enumerate(named) for other in named[i + 1 :]]
    arrows = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    arcs = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    roles = {name: draw(st.sampled_from([r for r in ROLES if r not in ("action", "mediator")])) for name in named}
    said = draw(
        st.lists(st.sampled_from(["Nobody knew it.", "it's: so", "谁都不知道。", 'He said "no".']), unique=True)
    )
    return CausalModel(roles, tuple(arrows), tuple(arcs), tuple(said))


ROUND: list[tuple[Callable[[CausalModel], str], Callable[[str], CausalModel]]] = [
    (as_yaml, parse_yaml),
    (as_dot, parse_dot),
    (as_dagitty, parse_dagitty),
]


@pytest.mark.parametrize(("write", "read"), ROUND)
def test_each_round_trip_gives_the_same_model(
    write: Callable[[CausalModel], str], read: Callable[[str], CausalModel]
) -> None:
    @settings(max_examples=60)
    @given(models())
    def same(model: CausalModel) -> None:
        again = read(write(model))
        assert again == model
        assert list(again.roles) == list(model.roles)

    same()


@settings(max_examples=30)
@given(models())
def test_plain_data_give_the_same_model(model: CausalModel) -> None:
    assert from_json(to_json(model)) == model


def test_the_three_ways_to_write_one_model() -> None:
    yaml = """
nodes: {reply: action, solved: outcome, mood: hidden, age: measured}
edges: [mood -> reply, mood -> solved, age -> reply -> solved, age <-> solved]
"""
    dot = """
/* a comment */ strict digraph desk {
  rankdir=LR; node [shape=box];
  reply [role=action, color="red"]; solved [role="outcome"]; // looks do not matter
  mood [role=hidden]; age
  mood -> { reply solved }
  age -> reply -> solved;  age -> solved [dir=both];
}"""
    dagitty = """
dag desk {
  bb="0,0,1,1"
  reply [exposure,pos="0.1,0.2"]
  solved [outcome,pos="1,1"]
  mood [latent]
  age
  mood -> {reply solved}
  solved <- reply <- age
  age <-> solved
}"""
    first = parse_yaml(yaml)
    for other in (parse_dot(dot), parse_dagitty(dagitty)):
        assert (other.roles, set(other.arrows), other.arcs) == (first.roles, set(first.arrows), first.arcs)


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (parse_yaml, "edges:\n- a -> b\n- b => c\n", "m line 3: 'b => c' is no edge"),
        (
            parse_yaml,
            "nodes:\n  a: context\n  b: contxt\n",
            r"m line 3: 'b' has the role 'contxt'. Did you mean 'context'",
        ),
        (
            parse_yaml,
            "nodes: {a: action}\nedgs: [a -> b]\n",
            r"m line 2: there is no key 'edgs'. Did you mean 'edges'\?",
        ),
        (parse_yaml, "nodes:\n- a\n- a\n", "m line 3: the node 'a' is there twice"),
        (parse_yaml, "edges:\n- [a, b]\n", "m line 2: something in 'edges' is no text"),
        (parse_yaml, "edges: a -> b\n", "m line 1: 'edges' is no list"),
        (parse_yaml, "edges:\n- a: [\n", "m line 3: this is no YAML"),
        (parse_yaml, "a\0b", "m: this is no YAML"),
        (parse_yaml, "- a\n", "m line 1: there is no causal model"),
        (parse_yaml, "", "m line 1: there is no causal model"),
        (parse_yaml, "nodes:\nedges:\n", "m: there are no nodes and no edges"),
        (parse_yaml, "edges: [a -> b, b -> a]", "m: a -> b -> a is a circle"),
        (parse_dot, "digraph {\n a -> b;\n b -- c\n}", "m line 3: '--' says no direction"),
        (parse_dot, "digraph {\n a -> ;\n}", "m line 2: ';' is no node. Expected a name"),
        (parse_dot, "digraph {\n a -> b\n", "m line 2: the graph does not end"),
        (parse_dot, "digraph {\n a [role=x]\n}", "m line 2: 'a' has the role 'x'"),
        (parse_dot, "graph { a }", "m line 1: this is no digraph"),
        (parse_dot, "digraph { a } b", "m line 1: 'b' comes after the graph"),
        (parse_dot, "digraph { a > b }", "m line 1: '>' cannot stand here"),
        (parse_dot, "", "m line 1: this is no digraph"),
        (parse_dagitty, "dag {\n a [exposure\n", "m line 2: a bracket does not end"),
        (parse_dagitty, "digraph { a }", "m line 1: this is no dag"),
        (parse_dagitty, "dag { a -> b -> a }", "m: a -> b -> a is a circle"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(read: Callable[..., CausalModel], text: str, said: str) -> None:
    with pytest.raises(DataError, match=f"^{said}"):
        read(text, source="m")


@settings(max_examples=150)
@given(st.text(alphabet='ab{}[];=->< "\n#/*,dag igrph', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (parse_dot, parse_dagitty, parse_yaml):
        for whole in (text, f"digraph {{{text}}}", f"dag {{{text}}}"):
            try:
                read(whole)
            except DataError as error:
                assert "\n" not in str(error)


def test_files_are_read_by_their_endings(tmp_path: Path) -> None:
    model = CausalModel.of("age -> reply -> solved", roles={"reply": "action"})
    for name, write in (("m.yaml", as_yaml), ("m.dot", as_dot), ("m.txt", as_dagitty)):
        (tmp_path / name).write_text(write(model), encoding="utf-8")
        assert read_model(tmp_path / name) == model
        assert read_model(tmp_path / name).source == name
    for name, said in (("m.png", "a causal model ends in .yaml"), ("none.yaml", "there is no such file")):
        with pytest.raises(DataError, match=said):
            read_model(tmp_path / name)
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        read_model(tmp_path / "bad.yaml")


@pytest.mark.parametrize("name", [";", "->", "subgraph", "=", "]", "{", "node", '"', "a b"])
def test_a_name_in_quotes_is_no_sign(name):
    model = CausalModel.of(roles={name: "context", "solved": "outcome"})
    assert parse_dot(as_dot(model)).roles == parse_dagitty(as_dagitty(model)).roles == model.roles
