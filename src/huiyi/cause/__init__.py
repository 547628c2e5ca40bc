"""G = k(I, C): which action makes it better, and how sure that is."""

from huiyi.cause.discover import Knowledge as Knowledge
from huiyi.cause.discover import SuggestedEdge as SuggestedEdge
from huiyi.cause.discover import Suggestion as Suggestion
from huiyi.cause.discover import discover as discover
from huiyi.cause.drawing import draw as draw
from huiyi.cause.identify import Identification as Identification
from huiyi.cause.identify import identify as identify
from huiyi.cause.identify import mediated as mediated
from huiyi.cause.identify import strategies as strategies
from huiyi.cause.independences import Agreement as Agreement
from huiyi.cause.independences import Independence as Independence
from huiyi.cause.independences import agreements as agreements
from huiyi.cause.independences import implied as implied
from huiyi.cause.instrument import instrument_effect as instrument_effect
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
