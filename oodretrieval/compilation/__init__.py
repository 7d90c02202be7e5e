"""What kernels are compiled with, and what several packages' kernels call."""

from oodretrieval.compilation.machine_code import compiled, inlined
from oodretrieval.compilation.union_find import root

__all__ = ["compiled", "inlined", "root"]
