import inspect

import pytest

from huiyi import errors
from huiyi.errors import ExportError, HuiyiError, InputError, MissingExtraError, did_you_mean

ALL = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, Exception)]


def test_the_tree_at_the_top_is_the_tree() -> None:
    """Each error stands in the page's drawing, one level below its base."""
    assert errors.__doc__ is not None
    names = {kind.__name__ for kind in ALL}
    lines = errors.__doc__.splitlines()
    drawn = {name: line.index(name) for line in lines for name in names.intersection(line.split())}
    assert set(drawn) == names
    for kind in ALL:
        base = kind.__base__
        assert base is Exception if kind is HuiyiError else drawn[kind.__name__] == drawn[base.__name__] + 4


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind is not MissingExtraError])
def test_all_but_a_failed_export_are_the_users_to_mend(kind: type[HuiyiError]) -> None:
    """The command line exits with 2 for what the user can mend, with 1 for what only we can."""
    assert issubclass(kind, InputError) == (kind not in (HuiyiError, ExportError))
    assert str(kind("what happened")) == "what happened"


def test_a_missing_extra_names_its_command() -> None:
    error = MissingExtraError("Spans", extra="tune")
    assert isinstance(error, InputError)
    assert error.extra == "tune"
    assert 'pip install "huiyi[tune]"' in str(error)


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("Text", ["text", "intent"], " Did you mean 'text'?"),
        ("intnet", ["Intent"], " Did you mean 'Intent'?"),
        ("zebra", ["text"], ""),
        ("text", [], ""),
    ],
)
def test_did_you_mean(name: str, known: list[str], hint: str) -> None:
    assert did_you_mean(name, known) == hint
