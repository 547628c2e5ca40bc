"""A folder on disk that is either whole and unchanged, or refused.

It is written under a temporary name beside its place and renamed when all of
it is there, so neither Ctrl-C nor a full disk leaves half of one. Its manifest
holds the SHA-256 of every file. Nothing in it is pickled.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huiyi.errors import ModelFolderError, OutputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
"""Number of the folder's format. A newer one is refused; an older one is read."""

MANIFEST = "manifest.json"
_ARRAYS = "arrays.safetensors"
_UNSIGNED = "0" * 64  # stands where the manifest's own hash will stand, while that is computed


def check_free(folder: Path) -> None:
    """Refuse a place that exists or cannot be written, before work starts.

    Raises:
        OutputError: The message says which, and what to do.
    """
    if "\0" in str(folder):
        raise OutputError(f"{str(folder)!r} is no path: it holds a NUL. Choose another --out")
    if os.path.lexists(folder):
        raise OutputError(
            f"{folder} exists already, and a model is never written over. Choose another --out, or move it"
        )
    above = folder.absolute().parent
    while not os.path.exists(above):  # noqa: PTH110  (Path.exists raises for a name that is too long)
        above = above.parent
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise OutputError(
            f"{folder} cannot be written: {above} is not a folder that you may write to. Choose another --out"
        )


def write_folder(
    folder: Path, *, arrays: Mapping[str, NDArray[Any]], documents: Mapping[str, Any], manifest: Mapping[str, Any]
) -> str:
    """Write ``arrays.safetensors``, one JSON file a document, and the manifest.

    An array of bytes whose name has an ending, such as ``…/backbone.onnx``, is
    what a file of its own holds, so that other tools can read it.

    Returns:
        The SHA-256 of the manifest.

    Raises:
        OutputError: The place exists or cannot be written, or the disk is full.
    """
    check_free(folder)
    partial: Path | None = None
    made = [above for above in folder.absolute().parents if not os.path.exists(above)]  # noqa: PTH110
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
        own = {name: array for name, array in arrays.items() if _is_file(name, array)}
        named = {".".join(name.split("/")[-2:]): name for name in own}
        assert len(named) == len(own), "two arrays would be files of one name"
        for file, name in named.items():
            _write(partial / file, own[name].tobytes())
        _write(partial / _ARRAYS, _packed({name: array for name, array in arrays.items() if name not in own}))
        for name, document in documents.items():
            _write(partial / name, _json(document))
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(partial.iterdir())}
        content = signed({"format": FORMAT, **manifest, "arrays": named, "files": files})
        _write(partial / MANIFEST, content)
        partial.chmod(0o755)
        partial.rename(folder)
        for left in folder.parent.glob(f".{glob.escape(folder.name)}.partial-*"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"{folder} could not be written: {error.strerror}. Nothing was left behind") from error
    finally:
        if partial is not None and partial.exists():
            shutil.rmtree(partial, ignore_errors=True)
        if not os.path.lexists(folder):
            for above in made:
                with suppress(OSError):  # somebody else put something there meanwhile
                    above.rmdir()
    return hashlib.sha256(content).hexdigest()


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give a new place beside a folder; what is written there then takes the folder's place.

    Until the end the folder stays as it was, and after an error too.

    Raises:
        OutputError: The folder cannot be moved.

    Example:
        >>> with tempfile.TemporaryDirectory() as place:
        ...     old = Path(place, "model")
        ...     old.mkdir()
        ...     with replacing(old) as new:
        ...         new.mkdir()
        ...         _ = (new / "note").write_text("new")
        ...     (old / "note").read_text(), [path.name for path in Path(place).iterdir()]
        ('new', ['model'])
    """
    folder = folder.resolve()
    with tempfile.TemporaryDirectory(
        prefix=f".{folder.name}.", dir=folder.parent, ignore_cleanup_errors=True
    ) as beside:
        new, old = Path(beside, "new"), Path(beside, "old")
        yield new
        try:
            folder.rename(old)
            new.rename(folder)
        except OSError as error:
            if old.exists() and not folder.exists():
                old.rename(folder)
            raise OutputError(f"{folder} cannot be replaced: {error}. It is as it was: make it writable") from error


def read_folder(folder: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any], str]:
    """Read what ``write_folder`` wrote, after checking every file.

    Returns:
        The arrays, the documents by file name (the manifest among them), and the SHA-256 of the manifest.

    Raises:
        ModelFolderError: It is not a model, not whole, was changed, or is of a newer format.
    """
    import numpy as np
    import safetensors.numpy

    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        there = os.path.lexists(folder)
        what = f"has no {MANIFEST}" if there else "is not there"
        raise ModelFolderError(
            f"{folder} {what}, so it is no model. Expected a folder that `huiyi train --out` wrote"
        ) from error
    try:
        manifest = json.loads(content)
        version, own, files = int(manifest["format"]), str(manifest["sha256"]), dict(manifest["files"])
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise ModelFolderError(f"{path} is damaged. Copy the model again, or train it again") from error
    if version > FORMAT:
        raise ModelFolderError(
            f"{folder} has format {version}, but this version of huiyi reads up to {FORMAT}. Upgrade huiyi to use it"
        )
    if hashlib.sha256(content.replace(own.encode(), _UNSIGNED.encode(), 1)).hexdigest() != own:
        raise ModelFolderError(_changed(path))
    documents: dict[str, Any] = {MANIFEST: manifest}
    arrays: dict[str, NDArray[Any]] = {}
    as_arrays = dict(manifest.get("arrays", {}))
    for name, expected in files.items():
        file = folder / name
        if Path(name).name != name or not file.is_file():
            raise ModelFolderError(f"{folder} lacks {name}. Copy the model again, or train it again")
        data = file.read_bytes()
        if hashlib.sha256(data).hexdigest() != expected:
            raise ModelFolderError(_changed(file))
        if name in as_arrays:
            arrays[as_arrays[name]] = np.frombuffer(data, dtype=np.uint8)
        elif name == _ARRAYS:
            arrays |= safetensors.numpy.load(data)
        else:
            documents[name] = json.loads(data)
    return arrays, documents, hashlib.sha256(content).hexdigest()


def signed(manifest: Mapping[str, Any]) -> bytes:
    """A manifest as JSON with the SHA-256 of itself, so that no byte of it can change unseen."""
    unsigned = _json({**manifest, "sha256": _UNSIGNED})
    return unsigned.replace(_UNSIGNED.encode(), hashlib.sha256(unsigned).hexdigest().encode(), 1)


def write_page(path: Path, page: str, *, what: str) -> None:
    """Write a text beside its place, then move it there, so that no half of it is ever seen.

    Args:
        path: Its place. An existing file is replaced.
        page: The text.
        what: What errors call it.

    Raises:
        OutputError: It cannot be written there.
    """
    if path.exists() and not path.is_file():  # the move would replace /dev/null, too
        raise OutputError(f"{path}: {what} cannot be written here (not a file). Name a file that may be replaced.")
    part = path.parent / f".{path.name}.{os.getpid()}.part"
    try:
        part.write_text(page, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path}: {what} cannot be written here ({error.strerror}). "
            "Name a file in a folder that exists and that you may write to."
        ) from error
    finally:
        with suppress(OSError):  # once moved, it is gone
            part.unlink()


def _changed(file: Path) -> str:
    """What to say of a file that is not as it was saved."""
    return (
        f"{file} was changed since the model was saved: its SHA-256 is not that of the manifest. "
        "Copy the model again, or train it again"
    )


def _is_file(name: str, array: NDArray[Any]) -> bool:
    """Whether an array is what a file of its own holds."""
    return array.dtype.kind == "u" and array.itemsize == 1 and bool(Path(name).suffix)


def _packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays in the safetensors format, which holds only contiguous ones."""
    import numpy as np
    import safetensors.numpy

    return safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def _json(document: Any) -> bytes:
    """A document as readable JSON."""
    return (json.dumps(document, ensure_ascii=False, indent=1, default=str) + "\n").encode("utf-8", "replace")


def _write(path: Path, content: bytes) -> None:
    """Write and make sure it is on the disk."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
