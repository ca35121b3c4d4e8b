"""No module imports, over however many others, itself: also not inside a function or for the type checker only.

import-linter holds the layers; it neither looks into functions nor at modules of one layer.
"""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def imports_of(package: Path) -> dict[str, set[str]]:
    """Every module of a package with the modules of it that it imports, wherever in its text."""
    files = {_name(file, package): file for file in sorted(package.rglob("*.py"))}
    return {name: _imported(file, files) - {name} for name, file in files.items()}


def _name(file: Path, package: Path) -> str:
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(file: Path, modules: dict[str, Path]) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{file}: imports are absolute here"
            found |= {
                whole if (whole := f"{node.module}.{alias.name}") in modules else node.module for alias in node.names
            }
    return found & modules.keys()


def test_nothing_imports_itself_in_a_circle() -> None:
    modules = imports_of(ROOT / "ftgui")
    assert len(modules) > 200
    graphlib.TopologicalSorter(modules).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize(
    "back",
    [
        "from ftgui.b import thing",
        "from ftgui import b",
        "import ftgui.b",
        "def late():\n    from ftgui.b import thing",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ftgui.b import thing",
    ],
)
def test_a_planted_circle_is_found(tmp_path: Path, back: str) -> None:
    package = tmp_path / "ftgui"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "a.py").write_text(back, encoding="utf-8")
    (package / "b.py").write_text("from ftgui import c\nthing = c", encoding="utf-8")
    (package / "c.py").write_text("from ftgui.a import late", encoding="utf-8")
    with pytest.raises(graphlib.CycleError) as circle:
        graphlib.TopologicalSorter(imports_of(package)).prepare()
    assert {"ftgui.a", "ftgui.b", "ftgui.c"} <= set(circle.value.args[1])
