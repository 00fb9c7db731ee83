"""One table of cases of TensorFlow's operations, for all that runs them.

Each module has the cases of the module of the same name in `tfjs.ops`, in `CASES`.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tests.support.op_cases.case import Case, case

__all__ = ["Case", "all_cases", "case", "cases_of"]


def cases_of(module: str) -> list[Case]:
    """The cases of one module."""
    found: list[Case] = import_module(f"{__name__}.{module}").CASES
    return found


def all_cases() -> list[Case]:
    """Every case."""
    names = [module.name for module in iter_modules(__path__) if module.name != "case"]
    return [case for name in names for case in cases_of(name)]
