"""Every layer and operation of Keras that tfjs knows, one declaration each."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

# Importing a module registers its declarations: adding a layer touches one file.
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
