"""Reading examples, naming their columns, splitting them."""

from huiyi.data.columns import Columns
from huiyi.data.reading import read
from huiyi.data.split import split
from huiyi.data.tables import Table

__all__ = ["Columns", "Table", "read", "split"]
