"""G = k(I, C): which action makes it better, and how sure that is. Names are loaded when first used.

Functions that are called like their file are imported from it: ``from huiyi.cause.effect import effect``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huiyi.cause.actor import Actor as Actor
    from huiyi.cause.discover import Knowledge as Knowledge
    from huiyi.cause.discover import SuggestedEdge as SuggestedEdge
    from huiyi.cause.discover import Suggestion as Suggestion
    from huiyi.cause.drawing import draw as draw
    from huiyi.cause.evalue import EValue as EValue
    from huiyi.cause.evalue import e_value as e_value
    from huiyi.cause.explore import Choices as Choices
    from huiyi.cause.explore import Exploration as Exploration
    from huiyi.cause.identify import Identification as Identification
    from huiyi.cause.identify import mediated as mediated
    from huiyi.cause.identify import strategies as strategies
    from huiyi.cause.independences import Agreement as Agreement
    from huiyi.cause.independences import Independence as Independence
    from huiyi.cause.independences import agreements as agreements
    from huiyi.cause.independences import implied as implied
    from huiyi.cause.instrument import instrument_effect as instrument_effect
    from huiyi.cause.learning import LearnConfig as LearnConfig
    from huiyi.cause.learning import Learned as Learned
    from huiyi.cause.learning import learn as learn
    from huiyi.cause.log import Categories as Categories
    from huiyi.cause.log import Log as Log
    from huiyi.cause.mediators import Mediation as Mediation
    from huiyi.cause.mediators import front_door_effect as front_door_effect
    from huiyi.cause.mediators import mediation_effects as mediation_effects
    from huiyi.cause.model import CausalModel as CausalModel
    from huiyi.cause.model import assumed as assumed
    from huiyi.cause.model import fitted_to as fitted_to
    from huiyi.cause.model import mismatch as mismatch
    from huiyi.cause.notation import as_yaml as as_yaml
    from huiyi.cause.notation import parse_yaml as parse_yaml
    from huiyi.cause.notation import read_model as read_model
    from huiyi.cause.offpolicy import Logged as Logged
    from huiyi.cause.offpolicy import Value as Value
    from huiyi.cause.offpolicy import ValueConfig as ValueConfig
    from huiyi.cause.offpolicy import value as value
    from huiyi.cause.policy import Condition as Condition
    from huiyi.cause.policy import Policy as Policy
    from huiyi.cause.policy import Rule as Rule
    from huiyi.cause.refute import Refutation as Refutation
    from huiyi.cause.sensitivity import Sensitivity as Sensitivity
    from huiyi.cause.sensitivity import Strength as Strength
    from huiyi.cause.uplift import Uplift as Uplift
    from huiyi.cause.whatif import StructuralModel as StructuralModel
    from huiyi.cause.whatif import WhatIf as WhatIf

_HOMES = {
    "Actor": "actor",
    "Agreement": "independences",
    "Categories": "log",
    "CausalModel": "model",
    "Choices": "explore",
    "Condition": "policy",
    "EValue": "evalue",
    "Exploration": "explore",
    "Identification": "identify",
    "Independence": "independences",
    "Knowledge": "discover",
    "LearnConfig": "learning",
    "Learned": "learning",
    "Log": "log",
    "Logged": "offpolicy",
    "Mediation": "mediators",
    "Policy": "policy",
    "Refutation": "refute",
    "Rule": "policy",
    "Sensitivity": "sensitivity",
    "Strength": "sensitivity",
    "StructuralModel": "whatif",
    "SuggestedEdge": "discover",
    "Suggestion": "discover",
    "Uplift": "uplift",
    "Value": "offpolicy",
    "ValueConfig": "offpolicy",
    "WhatIf": "whatif",
    "agreements": "independences",
    "as_yaml": "notation",
    "assumed": "model",
    "draw": "drawing",
    "e_value": "evalue",
    "fitted_to": "model",
    "front_door_effect": "mediators",
    "implied": "independences",
    "instrument_effect": "instrument",
    "learn": "learning",
    "mediated": "identify",
    "mediation_effects": "mediators",
    "mismatch": "model",
    "parse_yaml": "notation",
    "read_model": "notation",
    "strategies": "identify",
    "value": "offpolicy",
}

__all__ = [*sorted(_HOMES)]  # noqa: PLE0604  (the names are strings; ruff cannot see it)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'huiyi.cause' has no attribute {name!r}")
    return getattr(import_module(f"huiyi.cause.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
