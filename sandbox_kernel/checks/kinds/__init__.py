"""What can be checked: one class for each kind, which reads its keys and says what is amiss.

A condition says what it has to know (variables, a call), which errors of a cell it takes for right, and,
of the evidence, why it is not met. Its words never tell what was expected: `expected` does, for those
who may know.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sandbox_kernel.checks.kinds.calls import FunctionCall
from sandbox_kernel.checks.kinds.condition import Call, Condition
from sandbox_kernel.checks.kinds.frames import FrameEquals
from sandbox_kernel.checks.kinds.outputs import CellError, Figure, Output
from sandbox_kernel.checks.kinds.variables import Exists, HasType, HasValue, ListContains, ListLength

KINDS: Final[Mapping[str, type[Condition]]] = MappingProxyType(
    {
        "output": Output,
        "variable_exists": Exists,
        "variable_type": HasType,
        "variable_value": HasValue,
        "function_call": FunctionCall,
        "list_contains": ListContains,
        "list_length": ListLength,
        "dataframe": FrameEquals,
        "figure": Figure,
        "cell_error": CellError,
    }
)
"""The word after `kind:` → what it means."""

__all__ = ["KINDS", "Call", "Condition"]
