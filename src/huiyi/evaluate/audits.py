"""The auditor's record: all that was decided on and why, and whether a model decides it so again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huiyi import __version__
from huiyi.errors import DataError, OptionError
from huiyi.evaluate.graphs import explanation_graph
from huiyi.values import Media, Record, Turn

if TYPE_CHECKING:
    from huiyi.pipeline import Model

_KEYS = ("versions", "model", "input", "record", "about", "method", "seed", "decision")


def audit(
    model: Model, record: Record, about: str | None = None, *, method: str = "chains", seed: int = 0
) -> dict[str, Any]:
    """Decide on a record and explain it, as JSON can hold it and ``replay_audit`` can repeat it.

    A record that has no time is given that of now: rules may ask what day it is.

    Args:
        model: A saved model.
        record: The record. Its pictures and recordings are files.
        about: The label to explain; the one decided on where none is named.
        method: How words are weighed.
        seed: Of random orders.

    Raises:
        OptionError: The model was never saved, so that nothing could be compared with it later.
        DataError: A picture or a recording is no file.
    """
    if not model.sha256:
        raise OptionError("the model was never saved, so its record could not be replayed; expected a saved model")
    record = replace(record, time=record.time or datetime.now().replace(microsecond=0))
    plain = _plain(record)
    return {
        "versions": {"huiyi": __version__, "python": platform.python_version(), **_versions()},
        "model": model.sha256,
        "input": _hash(plain),
        "record": plain,
        "about": about,
        "method": method,
        "seed": seed,
        "decision": _decided(model, record, about, method, seed),
    }


def replay_audit(model: Model, kept: Mapping[str, Any]) -> tuple[str, ...]:
    """Decide and explain anew what an auditor's record holds.

    Returns:
        What differs, one line each; nothing when all is identical.

    Raises:
        DataError: It is no such record, it was changed, it was made by another model, or a file of it was changed.
    """
    if missing := [key for key in _KEYS if key not in kept]:
        raise DataError(
            f"this is no auditor's record: it lacks {', '.join(missing)}. Expected what `huiyi explain DIR TEXT "
            "--for auditor` wrote"
        )
    if kept["model"] != model.sha256:
        raise DataError(
            f"the record was made by another version of the model: {kept['model']}, and this is {model.sha256}. "
            "Replay it with the model of then"
        )
    if _hash(kept["record"]) != kept["input"]:
        raise DataError(
            f"what was decided on was changed since: its SHA-256 is {_hash(kept['record'])}, and the record says "
            f"{kept['input']}. Take the record as it was written"
        )
    record = _record(kept["record"])
    if _plain(record) != kept["record"]:
        raise DataError(
            "a picture or a recording that was decided on is not what it was then. Put the file of then in its place"
        )
    again = _decided(model, record, kept["about"], kept["method"], int(kept["seed"]))
    ours = {**again, "id": ""}
    return tuple(_differences("decision", {**kept["decision"], "id": ""}, ours))


def _decided(model: Model, record: Record, about: str | None, method: str, seed: int) -> dict[str, Any]:
    """The decision with all that explains it, as it looks once it was written and read."""
    decision = model.decide(record, explain=True, prove=model.reasoner is not None)
    explanation = model.explain(record, about, method=method, seed=seed)
    graph = explanation_graph(model, decision.tasks.get(explanation.task, decision), explanation)
    told = {**asdict(replace(decision, explanation=explanation)), "graph": graph.to_dict()}
    plain: dict[str, Any] = json.loads(json.dumps(told, ensure_ascii=False, default=str))
    return plain


def _versions() -> dict[str, str]:
    """Versions of what computes."""
    import numpy as np
    import scipy

    return {"numpy": np.__version__, "scipy": scipy.__version__}


def _plain(record: Record) -> dict[str, Any]:
    """A record as JSON can hold it; media by their place and their SHA-256."""
    plain = {
        "id": record.id,
        "text": record.text,
        "fields": dict(record.fields),
        "history": [[turn.speaker, turn.text] for turn in record.history],
        "answers": dict(record.answers),
        "images": [_media(media) for media in record.images],
        "audios": [_media(media) for media in record.audios],
        "time": record.time.isoformat() if record.time else None,
    }
    again: dict[str, Any] = json.loads(json.dumps(plain, ensure_ascii=False, default=str))
    return again


def _media(media: Media) -> dict[str, str]:
    """Where a file lies, and what it holds."""
    if media.path is None:
        raise DataError("a picture or a recording of the record is no file, so it could not be decided on again")
    try:
        content = media.path.read_bytes()
    except OSError as error:
        raise DataError(f"{media.path} cannot be read ({error.strerror}); expected the file that was sent") from error
    return {"path": str(media.path), "sha256": hashlib.sha256(content).hexdigest()}


def _record(plain: Mapping[str, Any]) -> Record:
    """Take back what ``_plain`` gave."""
    return Record(
        id=plain["id"],
        text=plain["text"],
        fields=plain["fields"],
        history=tuple(Turn(speaker, text) for speaker, text in plain["history"]),
        answers=plain["answers"],
        images=tuple(Media(path=Path(media["path"])) for media in plain["images"]),
        audios=tuple(Media(path=Path(media["path"])) for media in plain["audios"]),
        time=datetime.fromisoformat(plain["time"]) if plain["time"] else None,
    )


def _hash(plain: Mapping[str, Any]) -> str:
    """SHA-256 of JSON, whatever the order of its keys."""
    content = json.dumps(plain, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")
    return hashlib.sha256(content).hexdigest()


def _differences(place: str, then: Any, now: Any) -> Iterator[str]:
    """Yield what differs between two values of JSON, by its place."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*then, *now]):
            yield from _differences(f"{place}.{key}", then.get(key), now.get(key))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _differences(f"{place}[{number}]", one, other)
    elif then != now:
        yield f"{place}: then {json.dumps(then, ensure_ascii=False)}, now {json.dumps(now, ensure_ascii=False)}"
