"""G = k(I, C): which action makes it better, and how sure that is."""

from huiyi.cause.explore import Choices as Choices
from huiyi.cause.explore import Exploration as Exploration
from huiyi.cause.learning import LearnConfig as LearnConfig
from huiyi.cause.learning import Learned as Learned
from huiyi.cause.learning import learn as learn
from huiyi.cause.log import Categories as Categories
from huiyi.cause.log import Log as Log
from huiyi.cause.offpolicy import METHODS as METHODS
from huiyi.cause.offpolicy import Logged as Logged
from huiyi.cause.offpolicy import Value as Value
from huiyi.cause.offpolicy import ValueConfig as ValueConfig
from huiyi.cause.offpolicy import value as value
from huiyi.cause.policy import Condition as Condition
from huiyi.cause.policy import Policy as Policy
from huiyi.cause.policy import Rule as Rule
