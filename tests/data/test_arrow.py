"""Parquet files and Hugging Face folders."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from huiyi.data import Columns, read
from huiyi.errors import DataError, MissingExtraError
from huiyi.values import Span

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

COLUMNS: dict[str, list[Any]] = {
    "text": ["to London", "hello", "bye"],
    "label": [1, 0, -1],
    "tokens": [["to", "London"], ["hello"], ["bye"]],
    "ner_tags": [[0, 1], [0], [0]],
    "when": [datetime(2024, 5, 1), None, None],
}
CLASSES = {"names": ["greet", "travel"], "_type": "ClassLabel"}
TAGS = {"names": ["O", "B-city"], "_type": "ClassLabel"}


def save_dataset(folder: Path, *, tags: Any) -> Path:
    """Write what ``Dataset.save_to_disk`` writes, in two shards."""
    folder.mkdir(parents=True)
    table = pyarrow.table(COLUMNS)
    files = []
    for number, shard in enumerate((table.slice(0, 2), table.slice(2))):
        files.append({"filename": f"data-0000{number}-of-00002.arrow"})
        with (
            pyarrow.OSFile(str(folder / files[-1]["filename"]), "wb") as stream,
            pyarrow.ipc.new_stream(stream, table.schema) as writer,
        ):
            writer.write_table(shard)
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": CLASSES, "ner_tags": tags}
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    (folder / "state.json").write_text(json.dumps({"_data_files": files}))
    return folder


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table({"text": ["a", "b"], "intents": [["x"], []], "time": COLUMNS["when"][:2]}), path)
    table = read(path)
    assert [record.labels for record in table.records] == [{"intents": ("x",)}, {"intents": ()}]
    assert [record.time for record in table.records] == [datetime(2024, 5, 1), None]
    assert (table.source, table.kind, table.rows, table.notices) == ("t.parquet", "several", (1, 2), ())


def test_parquet_knows_its_class_names(tmp_path: Path) -> None:
    info = json.dumps({"info": {"features": {"label": CLASSES}}})
    parquet.write_table(pyarrow.table(COLUMNS).replace_schema_metadata({"huggingface": info}), tmp_path / "t.parquet")
    table = read(tmp_path / "t.parquet", Columns(label="label"))
    assert [dict(record.labels) for record in table.records] == [{"label": "travel"}, {"label": "greet"}, {}]


def test_broken_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table({"text": ["a"] * 1000}), path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"t\.parquet is broken \(.*\)\. Parquet files must be whole: save it again\."):
        read(path)


@pytest.mark.parametrize("tags", [{"feature": TAGS, "_type": "Sequence"}, {"feature": TAGS, "_type": "List"}, [TAGS]])
def test_dataset_folder(tmp_path: Path, tags: Any) -> None:
    folder = save_dataset(tmp_path / "tickets", tags=tags)
    table = read(folder, Columns(label="label"))
    assert [dict(record.labels) for record in table.records] == [{"label": "travel"}, {"label": "greet"}, {}]
    assert (table.source, table.rows, table.left_out) == ("tickets", (1, 2, 3), ("tokens", "ner_tags", "when"))
    tagged = read(folder, Columns(label="ner_tags"))
    assert [record.labels["ner_tags"] for record in tagged.records] == [(Span("city", 3, 9),), (), ()]


def test_of_several_splits_train_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "tickets"
    save_dataset(folder / "train", tags=TAGS)
    (folder / "dataset_dict.json").write_text('{"splits": ["test", "train"]}')
    table = read(folder)
    assert len(table.records) == 3
    assert table.notices == ("tickets: read the split 'train', not 'test'.",)
    (folder / "dataset_dict.json").write_text('{"splits": ["test", "dev"]}')
    with pytest.raises(DataError, match=r"splits 'test', 'dev', none of them 'train'\. Name the folder .*tickets/test"):
        read(folder)


def test_broken_dataset_folder(tmp_path: Path) -> None:
    folder = save_dataset(tmp_path / "tickets", tags=TAGS)
    shard = folder / "data-00000-of-00002.arrow"
    shard.write_bytes(shard.read_bytes()[:400])
    with pytest.raises(DataError, match=r"tickets is broken \(.*\)\. Hugging Face dataset folders must be whole"):
        read(folder)
    (folder / "dataset_info.json").unlink()
    with pytest.raises(DataError, match=r"tickets is broken \(.*dataset_info\.json'\)\."):
        read(folder)


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_dataset(tmp_path / "tickets", tags=TAGS)
    parquet.write_table(pyarrow.table({"text": ["a"]}), tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for source, what in ((tmp_path / "t.parquet", "Parquet files"), (folder, "Hugging Face dataset folders")):
        with pytest.raises(
            MissingExtraError, match=rf'{what} need the extra "tables"\. .*pip install "huiyi\[tables\]"'
        ):
            read(source)
