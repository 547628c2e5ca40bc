"""Parquet files, and folders that the ``datasets`` library of Hugging Face saved to disk."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from huiyi.data.columns import column_names, listed
from huiyi.data.sheet import Sheet
from huiyi.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow

    from huiyi.data.notices import Notices


def read_parquet(path: Path, source: str, notices: Notices) -> Sheet:
    """Read a Parquet file."""
    del notices  # such a file leaves nothing to guess
    with _explained(source, "Parquet files"):
        from pyarrow.parquet import ParquetFile

        with ParquetFile(path) as file:
            table = file.read()
        written_by = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
        return _sheet(table, written_by.get("info", {}), source, path.parent)


def is_dataset_folder(folder: Path) -> bool:
    """Whether ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk`` wrote it."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def read_dataset_folder(folder: Path, source: str, notices: Notices) -> Sheet:
    """Read a dataset, of several splits the one called ``train``.

    Raises:
        DataError: There are several splits and none is called so.
    """
    with _explained(source, "Hugging Face dataset folders"):
        import pyarrow

        if (folder / "dataset_dict.json").is_file():
            folder = _train_split(folder, source, notices)
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        info = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
        tables = []
        for file in state["_data_files"]:
            with pyarrow.OSFile(str(folder / file["filename"])) as stream:
                tables.append(pyarrow.ipc.open_stream(stream).read_all())
        return _sheet(pyarrow.concat_tables(tables), info, source, folder)


def _train_split(folder: Path, source: str, notices: Notices) -> Path:
    splits = json.loads((folder / "dataset_dict.json").read_text(encoding="utf-8"))["splits"]
    if "train" not in splits:
        raise DataError(
            f"{source} is a dataset of the splits {listed(splits)}, none of them 'train'. "
            f"Name the folder of the one to read, such as {str(folder / splits[0])!r}."
        )
    if len(splits) > 1:
        others = [name for name in splits if name != "train"]
        notices.say(f"{source}: read the split 'train', not {listed(others)}.")
    return folder / "train"


def _sheet(table: pyarrow.Table, info: Mapping[str, Any], source: str, folder: Path) -> Sheet:
    features = info.get("features") or {}
    names = column_names(table.column_names, source)
    columns = {}
    for raw_name, name, column in zip(table.column_names, names, table.columns, strict=True):
        classes = _classes(features.get(raw_name))
        cells = column.to_pylist()
        columns[name] = [_named(cell, classes) for cell in cells] if classes else cells
    return Sheet(source, folder, columns, range(1, table.num_rows + 1))


def _classes(feature: Any) -> list[str] | None:
    """The names that stand behind the integers of a column, or of the lists in it."""
    if isinstance(feature, list):  # how some versions write a list
        return _classes(feature[0])
    if not isinstance(feature, dict):
        return None
    return feature.get("names") if feature.get("_type") == "ClassLabel" else _classes(feature.get("feature"))


def _named(cell: Any, classes: list[str]) -> Any:
    if isinstance(cell, list):
        return [_named(item, classes) for item in cell]
    return None if cell is None or cell < 0 else classes[cell]  # -1 stands for "not known"


@contextmanager
def _explained(source: str, what: str) -> Iterator[None]:
    """Say in one line what of Arrow is missing or broken."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(what, extra="tables") from error
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, IndexError) as error:  # Arrow's own errors are of these too
        reason = str(error).partition("\n")[0]
        raise DataError(f"{source} is broken ({reason}). {what} must be whole: save it again.") from error
