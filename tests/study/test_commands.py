"""What the commands about logs print, write and refuse."""

import csv
import json
import sys

import numpy as np
import pytest

import huiyi
from huiyi.cli import main


@pytest.fixture
def log(tmp_path):
    rng = np.random.default_rng(2)
    waiting, call = rng.integers(9, size=600), rng.random(600) < 0.5
    solved = rng.random(600) < np.where(call, 0.9 - 0.08 * waiting, 0.1 + 0.08 * waiting)
    with (tmp_path / "log.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["waiting", "reply", "solved", "intent"])
        intents = np.where(rng.random(600) < 0.5, "arrival", "theft")
        rows.writerows(zip(waiting, np.where(call, "call", "mail"), solved.astype(int), intents, strict=True))
    return tmp_path / "log.csv"


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["huiyi", *map(str, arguments)])
    try:
        main()
    except SystemExit as end:
        return end.code or 0
    return 0


ASKED = ("--action", "reply", "--outcome", "solved")


def test_effect_prints_a_table_and_writes_a_page(monkeypatch, capsys, log, tmp_path):
    page = tmp_path / "effect.html"
    options = ("--by", "intent", "--no-attempts", "--report", page)
    assert run(monkeypatch, "effect", log, *ASKED, *options) == 0
    shown = capsys.readouterr().out
    assert "call against mail" in shown.replace("\n", " ") or "mail against call" in shown.replace("\n", " ")
    assert "Held equal: waiting, intent" in shown
    html = page.read_text("utf-8")
    assert (
        "Who gains most" in html
        and html.count("<svg") >= 5
        and "://" not in html.replace("http://www.w3.org/2000/svg", "")
    )


def test_effect_as_json_is_one_object(monkeypatch, capsys, log):
    assert run(monkeypatch, "effect", log, *ASKED, "--json", "--no-attempts") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["strategy"] == "back-door" and told["overall"][0]["estimate"]["low"] is not None


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        ("effect", ("--action", "repl", "--outcome", "solved"), "Did you mean 'reply'"),
        ("effect", ("--action", "reply", "--outcome", "intent"), "Expected a number, or yes or no"),
        ("effect", (*ASKED, "--against", "fax"), "never 'fax'"),
        ("effect", (*ASKED, "--causal-model", "none.yaml"), "no such file"),
        ("policy", (*ASKED, "--explore", "0.9"), "Expected 0 to 0.5"),
        ("policy", (*ASKED, "--explore", "0.1"), "add --into DIR"),
        ("policy", (*ASKED, "--cost", "call=much"), "is no number"),
        ("effect", ("--action", "reply", "--outcome", "reply"), "is named by --action and --outcome"),
        ("effect", (*ASKED, "--no-such-option"), "Try: huiyi effect --help"),
        ("discover", (*ASKED, "--method", "scor"), "Did you mean 'score'"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_code_2(monkeypatch, capsys, log, command, options, said):
    assert run(monkeypatch, command, log, *options) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1


def test_a_policy_enters_a_saved_model(monkeypatch, capsys, log, tmp_path):
    model = huiyi.train([("where is my card", "arrival"), ("my card was stolen", "theft")] * 3)
    model.save(tmp_path / "desk")
    assert run(monkeypatch, "policy", log, *ASKED, "--into", tmp_path / "desk", "--explore", "0.1") == 0
    shown = capsys.readouterr()
    assert "waiting >" in shown.out and "acts by it" in shown.err
    decided = huiyi.load(tmp_path / "desk").decide(
        huiyi.Record(id="7", text="my card was stolen", answers={"intent": "theft"}, fields={"waiting": 8})
    )
    assert decided.propensity == pytest.approx({"mail": 0.95, "call": 0.05}[decided.action])
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_policy_that_is_not_surely_better_changes_nothing(monkeypatch, capsys, tmp_path):
    rng = np.random.default_rng(0)
    rows = [{"reply": "ab"[n % 2], "solved": int(rng.random() < 0.5), "waiting": n % 7} for n in range(300)]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    huiyi.train([("where is my card", "arrival"), ("my card was stolen", "theft")] * 3).save(tmp_path / "desk")
    assert run(monkeypatch, "policy", tmp_path / "log.jsonl", *ASKED, "--into", tmp_path / "desk") == 2
    assert "stays as it was" in capsys.readouterr().err
    assert huiyi.load(tmp_path / "desk").actor is None


def test_a_policy_by_other_intents_enters_no_model(monkeypatch, capsys, tmp_path):
    rng = np.random.default_rng(0)
    rows = [{"reply": "ab"[n % 2], "intent": ("broken", "late")[n % 3 == 0]} for n in range(900)]
    for row in rows:
        row["solved"] = int(rng.random() < (0.9 if (row["reply"] == "a") == (row["intent"] == "late") else 0.1))
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    huiyi.train([("where is my card", "arrival"), ("my card was stolen", "theft")] * 3).save(tmp_path / "desk")
    assert run(monkeypatch, "policy", tmp_path / "log.jsonl", *ASKED, "--into", tmp_path / "desk") == 2
    assert "the model tells none of them" in capsys.readouterr().err
    assert huiyi.load(tmp_path / "desk").actor is None


def test_rows_that_cannot_be_read_are_left_out_where_that_is_asked(monkeypatch, capsys, log):
    with log.open("a") as stream:
        stream.write("1,2,3,4,5,6\n")
    assert run(monkeypatch, "effect", log, *ASKED, "--no-attempts") == 2
    assert "--skip-bad" in capsys.readouterr().err
    assert run(monkeypatch, "effect", log, *ASKED, "--no-attempts", "--skip-bad") == 0
    assert "skipped" in capsys.readouterr().err


def test_discover_writes_a_graph_that_effect_reads(monkeypatch, capsys, log, tmp_path):
    graph = tmp_path / "graph.yaml"
    options = ("--out", graph, "--svg", tmp_path / "graph.svg", "--resamples", "3")
    assert run(monkeypatch, "discover", log, *ASKED, *options) == 0
    assert "no more than that" in capsys.readouterr().out
    assert (tmp_path / "graph.svg").read_text("utf-8").startswith("<svg")
    assert run(monkeypatch, "effect", log, *ASKED, "--causal-model", graph, "--no-attempts") == 0
    graph.write_text(graph.read_text("utf-8") + "# seen by a doctor\n", "utf-8")
    assert run(monkeypatch, "discover", log, *ASKED, "--out", graph, "--resamples", "3") == 2
    assert "exists already" in capsys.readouterr().err
    assert graph.read_text("utf-8").endswith("# seen by a doctor\n")
