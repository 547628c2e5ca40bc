"""G = k(I, C): which action makes it better, and how sure that is."""

from huiyi.cause.log import Categories as Categories
from huiyi.cause.log import Log as Log
