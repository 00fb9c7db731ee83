"""The house rule that no format imports another: what they share stands beside them."""

from __future__ import annotations

import pkgutil

import grimp

from tfjs import formats


def test_a_format_is_imported_only_by_itself() -> None:
    graph = grimp.build_graph("tfjs", cache_dir=None)
    packages = [
        f"tfjs.formats.{module.name}"
        for module in pkgutil.iter_modules(formats.__path__)
        if module.ispkg
    ]
    assert "tfjs.formats.tfjs_layers" in packages
    imports = [
        f"{importer} imports {imported}"
        for package in packages
        for imported in {package, *graph.find_descendants(package)}
        for importer in graph.find_modules_that_directly_import(imported)
        if importer.startswith("tfjs.formats.") and not f"{importer}.".startswith(f"{package}.")
    ]
    assert imports == []
