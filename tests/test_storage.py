"""A folder is whole and unchanged, or refused; and nothing is left of one that could not be written."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError

from huiyi.errors import ModelFolderError, OutputError
from huiyi.storage import FORMAT, MANIFEST, check_free, read_folder, signed, write_folder

ARRAYS = {"rows": np.arange(12, dtype=np.float32).reshape(3, 4).T, "ends": np.array([0, 2], dtype=np.int32)}
DOCUMENTS = {"config.json": {"terms": ["卡", "card"], "n": 3}, "examples.json": []}


def write(folder: Path) -> str:
    return write_folder(folder, arrays=ARRAYS, documents=DOCUMENTS, manifest={"tasks": ["intent"]})


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("storage") / "model"
    write(folder)
    return folder


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "copy"))


@contextmanager
def holding(path: Path, content: bytes) -> Iterator[None]:
    """The file with other content, for a while."""
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


def refusal(folder: Path) -> str:
    with pytest.raises(ModelFolderError) as caught:
        read_folder(folder)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def edited(folder: Path, **changes: Any) -> None:
    """Change entries of the manifest."""
    path = folder / MANIFEST
    path.write_bytes(signed({**json.loads(path.read_text("utf-8")), **changes}))


# Reading


def test_what_is_written_is_read(tmp_path: Path) -> None:
    sha256 = write(tmp_path / "deep" / "model")
    arrays, documents, again = read_folder(tmp_path / "deep" / "model")
    assert again == sha256
    assert {name: document for name, document in documents.items() if name != MANIFEST} == DOCUMENTS
    assert documents[MANIFEST]["tasks"] == ["intent"]
    assert documents[MANIFEST]["format"] == FORMAT
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["model"]


def test_same_content_same_files(written: Path, tmp_path: Path) -> None:
    write(tmp_path / "again")
    for path in written.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


@given(data=st.data())
@pytest.mark.parametrize("name", ["arrays.safetensors", "config.json", "examples.json"])
def test_a_byte_changed(name: str, written: Path, data: st.DataObject) -> None:
    content = bytearray((written / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with holding(written / name, bytes(content)):
        message = refusal(written)
    assert str(written / name) in message
    assert "was changed" in message


def test_any_byte_of_the_manifest_changed(written: Path) -> None:
    content = (written / MANIFEST).read_bytes()
    for place in range(len(content)):
        with holding(written / MANIFEST, content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]):
            refusal(written)


@given(data=st.data())
@pytest.mark.parametrize("name", [MANIFEST, "arrays.safetensors", "config.json", "examples.json"])
def test_a_file_cut_short(name: str, written: Path, data: st.DataObject) -> None:
    content = (written / name).read_bytes()
    kept = content[: data.draw(st.integers(0, len(content) - 2))]  # the last byte of the manifest is a line break
    with holding(written / name, kept):
        assert str(written / name) in refusal(written)


@pytest.mark.parametrize("name", [MANIFEST, "arrays.safetensors", "config.json", "examples.json"])
def test_a_missing_file(name: str, copy: Path) -> None:
    (copy / name).unlink()
    assert name in refusal(copy)


def test_a_newer_format(copy: Path) -> None:
    edited(copy, format=FORMAT + 1)
    message = refusal(copy)
    assert f"has format {FORMAT + 1}" in message
    assert "Upgrade huiyi" in message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b'{"format": null, "files": {}}',
        b'{"format": 1, "files": [1]}',
        b'{"format": 1}',
        b'{"format": 1, "files": {}}',
        b'{"format": 1e999, "files": {}}',
    ],
)
def test_a_manifest_that_is_none(content: bytes, copy: Path) -> None:
    (copy / MANIFEST).write_bytes(content)
    assert "damaged" in refusal(copy)


@pytest.mark.parametrize("name", ["../secret.json", "/etc/hostname", "sub/inner.json", "..", "", "."])
def test_names_that_lead_elsewhere(name: str, copy: Path) -> None:
    (copy.parent / "secret.json").write_text("{}", "utf-8")
    (copy / "sub").mkdir()
    (copy / "sub" / "inner.json").write_text("{}", "utf-8")
    files = json.loads((copy / MANIFEST).read_text("utf-8"))["files"]
    edited(copy, files={**files, name: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"})
    assert "lacks" in refusal(copy)


def test_places_that_are_no_model(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is not there" in refusal(tmp_path / "nowhere")
    assert f"has no {MANIFEST}" in refusal(tmp_path)
    assert "no model" in refusal(tmp_path / "file")
    assert "no model" in refusal(tmp_path / "file" / "below")


def test_a_name_too_long_to_be_a_model() -> None:
    assert "no model" in refusal(Path("x" * 300))


# Writing


def output_refusal(folder: Path) -> str:
    with pytest.raises(OutputError) as caught:
        write(folder)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_place_that_exists(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    for place in (tmp_path, tmp_path / "notes.txt"):
        assert "exists already" in output_refusal(place)
        with pytest.raises(OutputError):
            check_free(place)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert (tmp_path / "notes.txt").read_text("utf-8") == "mine"


def test_below_a_regular_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "model", tmp_path / "file" / "deep" / "model"):
        assert "not a folder that you may write to" in output_refusal(place)


def test_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    for place in (tmp_path / "model", tmp_path / "deep" / "model"):
        assert f"{tmp_path} is not a folder that you may write to" in output_refusal(place)
    assert not list(tmp_path.iterdir())


def test_a_free_place_stays_free(tmp_path: Path) -> None:
    check_free(tmp_path / "deep" / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_name_that_cannot_be(name: str, tmp_path: Path) -> None:
    output_refusal(tmp_path / name)


@pytest.fixture(params=[1, 2, 3, 4])
def failing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let writing the first, second, third or last file end in an error."""

    def fail_with(error: BaseException) -> None:
        left = [request.param]
        really = os.fsync

        def fsync(number: int) -> None:
            left[0] -= 1
            if not left[0]:
                raise error
            really(number)

        monkeypatch.setattr(os, "fsync", fsync)

    return fail_with


def test_a_full_disk(tmp_path: Path, failing: Any) -> None:
    failing(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    message = output_refusal(tmp_path / "model")
    assert "No space left on device" in message
    assert "Nothing was left behind" in message
    assert not list(tmp_path.iterdir())


def test_interrupted(tmp_path: Path, failing: Any) -> None:
    failing(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_no_folders_above(tmp_path: Path, failing: Any) -> None:
    failing(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    output_refusal(tmp_path / "deep" / "deeper" / "model")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_goes_when_the_next_is_whole(tmp_path: Path) -> None:
    left, others = tmp_path / ".model.partial-1", [tmp_path / ".model.run", tmp_path / ".models.partial-1"]
    for folder in (left, *others):
        folder.mkdir()
    write(tmp_path / "model")
    assert not left.exists() and all(other.exists() for other in others)


def test_a_place_taken_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trainings with the same output: the second one must not mix its files into the first's."""
    really = os.fsync

    def fsync(number: int) -> None:
        really(number)
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / MANIFEST).write_text("theirs", "utf-8")

    monkeypatch.setattr(os, "fsync", fsync)
    output_refusal(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert [path.read_text("utf-8") for path in (tmp_path / "model").iterdir()] == ["theirs"]


def test_nothing_is_pickled(written: Path) -> None:
    assert {path.suffix for path in written.iterdir()} == {".safetensors", ".json"}
    with pytest.raises(SafetensorError, match="object"):  # an array that only pickle could hold
        write_folder(
            written.parent / "other",
            arrays={"a": np.array([object()])},
            documents={},
            manifest={},
        )
    assert [path.name for path in written.parent.iterdir()] == [written.name]
