"""Causal models as YAML, for people to read and to edit, and as plain data.

    nodes:
      difficulty: context
      reply: action
      solved: outcome
      mood: hidden
    edges:
      - difficulty -> reply
      - difficulty -> solved
      - reply -> solved
      - mood <-> solved
    assumptions:
      - Whatever led to both reply and solved is difficulty.

Nodes may be left out where their edges name them, and may be a list where none has a role. DOT and dagitty are read by
``dot.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml

from huiyi.cause.dot import parse_dagitty, parse_dot
from huiyi.cause.model import CausalModel, Role, parsed_edge
from huiyi.errors import DataError, did_you_mean

_KEYS = ("nodes", "edges", "assumptions")
_YAML = (".yaml", ".yml", ".json")
_DOT = (".dot", ".gv")
_DAGITTY = (".dagitty", ".dag", ".txt")

_Item: TypeAlias = tuple[str, str, int]
"""A name, what stands beside it, and its line."""


def read_model(path: Path) -> CausalModel:
    """The causal model in a file: ``.yaml``, ``.dot`` or ``.gv``, ``.dagitty`` or ``.txt``.

    Raises:
        DataError: There is no such file, it is of no such kind, or it holds no causal model; the message names the
            line.
    """
    readers = {**dict.fromkeys(_YAML, parse_yaml), **dict.fromkeys(_DOT, parse_dot)}
    readers |= dict.fromkeys(_DAGITTY, parse_dagitty)
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: a causal model ends in {', '.join(readers)}. Expected one of these: rename it")
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file. Expected a causal model") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}). Expected a causal model in UTF-8") from error
    return reader(text, source=path.name)


def parse_yaml(text: str, *, source: str = "the causal model") -> CausalModel:
    r"""The causal model that a text in YAML describes.

    Args:
        text: See the top of this page.
        source: What to call it in messages.

    Raises:
        DataError: It describes none; the message names the line.

    Example:
        >>> model = parse_yaml("nodes: {reply: action}\nedges: [age -> reply -> solved, age -> solved]")
        >>> model.roles["age"], model.graph.parents["solved"] == {"age", "reply"}
        ('measured', True)
        >>> parse_yaml("nodes:\n  reply: actoin\nedges: [reply -> solved]")
        Traceback (most recent call last):
        huiyi.errors.DataError: the causal model line 2: 'reply' has the role 'actoin'. Did you mean 'action'? ...
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DataError(
            f"{source} line {line}: this is no YAML ({error.problem}). Expected 'nodes' and 'edges'"
        ) from None
    except yaml.YAMLError as error:
        raise DataError(f"{source}: this is no YAML ({' '.join(str(error).split())}). Expected text") from None
    if not isinstance(root, yaml.MappingNode):
        raise DataError(f"{source} line 1: there is no causal model. Expected the keys {', '.join(_KEYS)}")
    parts: dict[str, yaml.Node] = {}
    for key, value in root.value:
        name = str(key.value)
        if name not in _KEYS:
            raise DataError(
                f"{source} line {_line(key)}: there is no key {name!r}.{did_you_mean(name, _KEYS)} Expected one of: "
                f"{', '.join(_KEYS)}"
            )
        parts[name] = value
    edges = list(_items(parts.get("edges"), "edges", source))
    for edge, _, line in edges:
        parsed_edge(edge, f"{source} line {line}")
    roles: dict[str, Role] = {}
    for name, role, line in _items(parts.get("nodes"), "nodes", source):
        if name in roles:
            raise DataError(f"{source} line {line}: the node {name!r} is there twice. Take one of them out")
        CausalModel.of(roles={name: cast(Role, role or "measured")}, source=f"{source} line {line}")
        roles[name] = cast(Role, role or "measured")
    said = [sentence for sentence, _, _ in _items(parts.get("assumptions"), "assumptions", source)]
    if not roles and not edges:
        raise DataError(f"{source}: there are no nodes and no edges. Expected some: write what causes what")
    return CausalModel.of(*(edge for edge, _, _ in edges), roles=roles, assumptions=said, source=source)


def as_yaml(model: CausalModel) -> str:
    """A model as a text that ``parse_yaml`` reads.

    Example:
        >>> print(as_yaml(CausalModel.of("age -> reply", roles={"reply": "action"})), end="")
        nodes:
          reply: action
          age: measured
        edges:
        - age -> reply
    """
    return yaml.safe_dump(to_json(model), allow_unicode=True, sort_keys=False, width=120)


def to_json(model: CausalModel) -> dict[str, Any]:
    """A model as plain data."""
    plain: dict[str, Any] = {"nodes": dict(model.roles)}
    edges = [f"{cause} -> {effect}" for cause, effect in model.arrows]
    edges += [f"{one} <-> {other}" for one, other in model.arcs]
    if edges:
        plain["edges"] = edges
    if model.assumptions:
        plain["assumptions"] = list(model.assumptions)
    return plain


def from_json(plain: Mapping[str, Any], *, source: str = "the causal model") -> CausalModel:
    """The model of such data.

    Raises:
        DataError: It is none.

    Example:
        >>> model = CausalModel.of("age -> reply")
        >>> from_json(to_json(model)) == model
        True
    """
    return parse_yaml(yaml.safe_dump(dict(plain), allow_unicode=True, sort_keys=False), source=source)


def _items(node: yaml.Node | None, key: str, source: str) -> Iterator[_Item]:
    """The texts of a list, or the pairs of a mapping, with their lines."""
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        return
    if isinstance(node, yaml.MappingNode) and key == "nodes":
        for name, role in node.value:
            _check_text(name, key, source)
            _check_text(role, key, source)
            yield str(name.value), str(role.value), _line(name)
        return
    if not isinstance(node, yaml.SequenceNode):
        raise DataError(f"{source} line {_line(node)}: {key!r} is no list. Expected '- ' before each of them")
    for item in node.value:
        _check_text(item, key, source)
        yield str(item.value).strip(), "", _line(item)


def _check_text(node: yaml.Node, key: str, source: str) -> None:
    if not isinstance(node, yaml.ScalarNode):
        raise DataError(
            f"{source} line {_line(node)}: something in {key!r} is no text. Expected texts: put it in quotes if it "
            "holds a colon or brackets"
        )


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
