"""Formulas made of probabilities that a log can tell: as text, and as a number once the probabilities are known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import TypeAlias

import numpy as np

from huiyi.cause.log import Numbers


@dataclass(frozen=True)
class Chance:
    """The probability of some variables, given others."""

    of: frozenset[str]
    given: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Product:
    """Formulas times each other; 1 where there are none."""

    factors: tuple[Formula, ...] = ()


@dataclass(frozen=True)
class Total:
    """A formula summed over all values of some variables."""

    over: frozenset[str]
    of: Formula


@dataclass(frozen=True)
class Ratio:
    """A formula divided by another."""

    upper: Formula
    lower: Formula


Formula: TypeAlias = Chance | Product | Total | Ratio


def free(formula: Formula) -> frozenset[str]:
    """The variables on whose values a formula depends."""
    match formula:
        case Chance(of, given):
            return of | given
        case Product(factors):
            return frozenset[str]().union(*map(free, factors))
        case Total(over, of):
            return free(of) - over
        case Ratio(upper, lower):
            return free(upper) | free(lower)


def product(factors: Iterable[Formula]) -> Formula:
    """Formulas times each other, without a product in a product."""
    flat: list[Formula] = []
    for factor in factors:
        flat += factor.factors if isinstance(factor, Product) else (factor,)
    flat = [factor for factor in flat if not (isinstance(factor, Chance) and not factor.of)]
    flat.sort(key=lambda factor: isinstance(factor, Total))  # sums come last, as one writes them
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def total(over: Collection[str], formula: Formula) -> Formula:
    """A formula summed over some variables: without sums that are 1, and what does not depend on them before it."""
    left = frozenset(over) & free(formula)
    factors = list(formula.factors) if isinstance(formula, Product) else [formula]
    while done := next((found for name in sorted(left) if (found := _sums_to_one(name, factors)) is not None), None):
        name, place = done
        chance = factors[place]
        assert isinstance(chance, Chance)
        factors[place : place + 1] = [Chance(chance.of - {name}, chance.given)] if len(chance.of) > 1 else []
        left -= {name}
    left &= frozenset[str]().union(*map(free, factors))
    if not left:
        return product(factors)
    if len(factors) == 1 and isinstance(factors[0], Total) and not factors[0].over & left:
        return Total(factors[0].over | left, factors[0].of)
    outside = [factor for factor in factors if not free(factor) & left]
    inside = [factor for factor in factors if free(factor) & left]
    return product([*outside, Total(left, product(inside))])


def ratio(upper: Formula, lower: Formula) -> Formula:
    """A formula divided by another, without what stands in both."""
    above: list[Formula] = [*upper.factors] if isinstance(upper, Product) else [upper]
    below: list[Formula] = [*lower.factors] if isinstance(lower, Product) else [lower]
    for factor in list(below):
        if factor in above:
            above.remove(factor)
            below.remove(factor)
    if not below:
        return product(above)
    if len(above) == len(below) == 1 and isinstance(above[0], Chance) and isinstance(below[0], Chance):
        one, other = above[0], below[0]
        if other.of < one.of and one.given == other.given:
            return Chance(one.of - other.of, one.given | other.of)
    return Ratio(product(above), product(below))


def _sums_to_one(name: str, factors: Sequence[Formula]) -> tuple[str, int] | None:
    """The place of the only factor in which a variable stands, if it is what the probability is of."""
    places = [place for place, factor in enumerate(factors) if name in free(factor)]
    if len(places) == 1:
        factor = factors[places[0]]
        if isinstance(factor, Chance) and name in factor.of:
            return name, places[0]
    return None


def text(formula: Formula, order: Sequence[str]) -> str:
    """A formula as people write it; a variable that is summed over while it has a value outside gets a dash.

    Args:
        formula: The formula.
        order: All variables, in the order in which they are to stand.

    Example:
        >>> known = Chance(frozenset("y"), frozenset("xz"))
        >>> text(total("z", product([known, Chance(frozenset("z"))])), "xyz")
        'Σ_z P(y | x, z) P(z)'
    """
    return _text(formula, list(order), {name: name for name in order}, frozenset(free(formula)))


def _text(formula: Formula, order: list[str], spelt: Mapping[str, str], outside: frozenset[str]) -> str:
    def listed(names: Collection[str]) -> str:
        return ", ".join(spelt[name] for name in order if name in names)

    match formula:
        case Chance(of, given):
            return f"P({listed(of)} | {listed(given)})" if given else f"P({listed(of)})"
        case Product(factors):
            parts = [
                f"[{_text(factor, order, spelt, outside)}]"
                if isinstance(factor, Ratio) or (isinstance(factor, Total) and place < len(factors) - 1)
                else _text(factor, order, spelt, outside)
                for place, factor in enumerate(factors)
            ]
            return " ".join(parts) or "1"
        case Total(over, of):
            inner = {name: f"{spelt[name]}′" if name in over & outside else spelt[name] for name in spelt}
            names = ",".join(inner[name] for name in order if name in over)
            names = names if len(over) == 1 and names.rstrip("′").isidentifier() else f"{{{names}}}"
            return f"Σ_{names} {_text(of, order, inner, outside | over)}"
        case Ratio(upper, lower):
            return f"({_text(upper, order, spelt, outside)}) / ({_text(lower, order, spelt, outside)})"


def value(formula: Formula, chances: Numbers, names: Sequence[str]) -> Numbers:
    """What a formula comes to.

    Args:
        formula: The formula.
        chances: The probability of each combination of values: an axis for each variable.
        names: Of the variables, in the order of the axes.

    Returns:
        A number for each value of the variables that are free: as many axes, of length 1 for the others.
        Zero where nothing is known of a condition.

    Example:
        >>> chances = np.array([[0.1, 0.4], [0.3, 0.2]])
        >>> value(Chance(frozenset("y"), frozenset("x")), chances, "xy").tolist()
        [[0.2, 0.8], [0.6, 0.4]]
    """
    match formula:
        case Chance(of, given):
            return _divided(_kept(chances, names, of | given), _kept(chances, names, given))
        case Product(factors):
            return reduce(mul, (value(factor, chances, names) for factor in factors), np.ones((1,) * len(names)))
        case Total(over, of):
            inner = value(of, chances, names)
            axes = tuple(place for place, name in enumerate(names) if name in over)
            return np.asarray(np.sum(inner, axis=axes, keepdims=True))
        case Ratio(upper, lower):
            return _divided(value(upper, chances, names), value(lower, chances, names))


def _kept(chances: Numbers, names: Sequence[str], kept: Collection[str]) -> Numbers:
    axes = tuple(place for place, name in enumerate(names) if name not in kept)
    return np.asarray(chances.sum(axis=axes, keepdims=True))


def _divided(upper: Numbers, lower: Numbers) -> Numbers:
    upper, lower = np.broadcast_arrays(upper, lower)
    return np.divide(upper, lower, out=np.zeros_like(upper), where=lower > 0)
