"""G = k(I, C): which action makes it better, and how sure that is."""

from huiyi.cause.evalue import EValue as EValue
from huiyi.cause.evalue import e_value as e_value
from huiyi.cause.log import Categories as Categories
from huiyi.cause.log import Log as Log
from huiyi.cause.offpolicy import Logged as Logged
from huiyi.cause.offpolicy import Value as Value
from huiyi.cause.offpolicy import ValueConfig as ValueConfig
from huiyi.cause.offpolicy import value as value
from huiyi.cause.refute import Refutation as Refutation
from huiyi.cause.refute import refute as refute
from huiyi.cause.sensitivity import Sensitivity as Sensitivity
from huiyi.cause.sensitivity import Strength as Strength
from huiyi.cause.sensitivity import sensitivity as sensitivity
from huiyi.cause.uplift import Uplift as Uplift
from huiyi.cause.uplift import uplift as uplift
from huiyi.cause.whatif import StructuralModel as StructuralModel
from huiyi.cause.whatif import WhatIf as WhatIf
