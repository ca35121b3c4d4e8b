"""The papers name what is there: README, resources/docs and CONTRIBUTING, their paths and their links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAPERS = sorted([ROOT / "README.md", ROOT / ".github" / "CONTRIBUTING.md", *(ROOT / "resources/docs").rglob("*.md")])
MOST_LINES = 200
"""Of the README, less one."""

_TOP_FOLDERS = "ftgui|tests|packaging|resources|.github|.ci"
_PATH = re.compile(rf"(?<![\w./~-])(?:{_TOP_FOLDERS.replace('.', '[.]')})/[\w./-]*(?:::\w+)?")
_ROOT_FILE = re.compile(r"`([\w.-]+[.](?:toml|md|txt))`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FILES_OF_RUNS = {"recipe.toml"}
"""Files that ftgui makes; they have no place in the repository."""


def missing(text: str, folder: Path) -> list[str]:
    """What a paper names that is not in the tree.

    Args:
        text: of the paper, code blocks included.
        folder: that it lies in; its links are relative to that.
    """
    wrong = []
    for found in _PATH.findall(text):
        path, _, test = found.rstrip(".-").partition("::")
        there = (ROOT / path).exists()
        if not there or (test and f"def {test}(" not in (ROOT / path).read_text(encoding="utf-8")):
            wrong.append(found)
    for link in _LINK.findall(text):
        target = link.partition("#")[0]
        if target and "://" not in target and not (folder / target).exists():
            wrong.append(link)
    wrong += [name for name in _ROOT_FILE.findall(text) if name not in _FILES_OF_RUNS and not (ROOT / name).exists()]
    return wrong


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.relative_to(ROOT).as_posix())
def test_what_a_paper_names_is_there(paper: Path) -> None:
    assert missing(paper.read_text(encoding="utf-8"), paper.parent) == []


@pytest.mark.parametrize(
    "planted",
    [
        "The loop is in `ftgui/engine/loops.py`.",
        "python3 packaging/begin.py",
        "`tests/test_papers.py::test_that_nobody_wrote`",
        "See [the loop](resources/docs/loop.md).",
        "![a page](resources/screenshots/none.png)",
        "The pins are in `requirements.txt`.",
    ],
)
def test_a_wrong_path_would_be_found(planted: str) -> None:
    assert len(set(missing(planted, ROOT))) == 1


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < MOST_LINES


def test_every_bench_is_described() -> None:
    measuring = (ROOT / "resources/docs/measuring.md").read_text(encoding="utf-8")
    benches = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests/bench").glob("bench_*.py")}
    assert {bench for bench in benches if bench not in measuring} == set()


def test_the_architecture_names_every_package() -> None:
    architecture = (ROOT / "resources/docs/architecture.md").read_text(encoding="utf-8")
    packages = {path.parent.relative_to(ROOT).as_posix() + "/" for path in (ROOT / "ftgui").rglob("__init__.py")}
    assert {package for package in packages - {"ftgui/"} if f"`{package}`" not in architecture} == set()


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "resources/docs/decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
