"""What the documents show is what happens."""

import inspect
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

import huiyi
from huiyi import Model
from huiyi.align import HEADS
from huiyi.cli import main
from huiyi.data.desk import desk
from huiyi.perceive import PERCEIVERS
from huiyi.storage import MANIFEST

ROOT = Path(__file__).parents[1]
PAGES = [path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if path.is_file()]
_BLOCK = re.compile(r"(<!-- not run -->\n)?^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str, pages: list[Path] = PAGES) -> dict[str, str]:
    """Code to run, each block once, by a name to call it: the page and the line."""
    found: dict[str, str] = {}
    for page in sorted(pages):
        content = page.read_text("utf-8")
        for block in _BLOCK.finditer(content):
            skipped, of, code = block.groups()
            if of == language and not skipped and code not in found.values():
                found[f"{page.name}:{content.count(chr(10), 0, block.start()) + 1}"] = code
    return found


PYTHON, COMMANDS = blocks("python"), blocks("sh")


def test_there_is_something_to_run() -> None:
    assert PYTHON
    assert any("huiyi train" in code for code in COMMANDS.values())


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in PYTHON])
def test_python_blocks_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(PYTHON[name], name, "exec"), {"__name__": "__main__"})


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, code in COMMANDS.items() if "huiyi " in code])
def test_commands_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    for line in COMMANDS[name].splitlines():
        if line.startswith("huiyi "):
            monkeypatch.setattr(sys, "argv", shlex.split(line, comments=True))
            try:
                main()
            except SystemExit as end:
                assert not end.code, line


@pytest.mark.parametrize("name", huiyi.__all__)
def test_public_names_resolve_and_say_what_they_are_for(name: str) -> None:
    public = getattr(huiyi, name)
    if name != "__version__":
        assert inspect.getdoc(public)
    if inspect.isclass(public):
        for method_name, method in inspect.getmembers(public, inspect.isfunction):
            if not method_name.startswith("_"):
                assert inspect.getdoc(method), method_name


def test_pages_link_to_what_is_there() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def same_shape(shown: Any, real: Any, place: str) -> None:
    """Hold that two JSON values have the same keys, and values of the same types."""
    assert type(shown) is type(real), place
    if isinstance(shown, dict):
        assert list(shown) == list(real), place
        for key in shown:
            same_shape(shown[key], real[key], f"{place}.{key}")
    elif isinstance(shown, list) and shown and real:
        same_shape(shown[0], real[0], f"{place}[0]")


@pytest.fixture(scope="module")
def shown() -> list[Any]:
    return [json.loads(code) for code in blocks("json", [ROOT / "docs" / "formats.md"]).values()]


def test_the_manifest_shown_is_one(shown: list[Any], saved: Path) -> None:
    (manifest,) = (document for document in shown if "files" in document)
    real = json.loads((saved / MANIFEST).read_text("utf-8"))
    for document in (manifest, real):  # which heads count depends on the rows
        weights = document["tasks"]["intent"].pop("weights")
        for name in weights:
            signal, _, technique = name.partition("/")
            assert signal in {"phrases", *PERCEIVERS} and technique in HEADS
        assert all(isinstance(weight, float) for weight in weights.values())
    same_shape(manifest, real, "manifest")


def test_the_decision_shown_is_one(
    shown: list[Any], model: Model, capsys: pytest.CaptureFixture[str], saved: Path
) -> None:
    (decision,) = (document for document in shown if "record_id" in document)
    said = next(
        record.text for record in desk("test").records if record.text and model.decide(record).kind == decision["kind"]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["huiyi", "decide", str(saved), said, "--json"])
        main()
    same_shape(decision, json.loads(capsys.readouterr().out), "decision")
    assert decision["version"] == huiyi.__version__
