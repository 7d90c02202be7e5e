"""What kernels are compiled with, and what several packages' kernels call."""

from oodretrieval.compilation.machine_code import compiled, compiled_in_any_order, inlined
from oodretrieval.compilation.union_find import root

__all__ = ["compiled", "compiled_in_any_order", "inlined", "root"]
