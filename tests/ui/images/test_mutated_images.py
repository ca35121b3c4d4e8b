"""Hundreds of files that have gone wrong in random ways, browsed in the real window: nothing falls over, no bad one is
unnamed. (A warning of Qt's fails any test here.)"""

from __future__ import annotations

from html import escape
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTreeWidgetItem

from ftgui.data.catalog.problem_kinds import KINDS
from ftgui.data.catalog.query import Query
from ftgui.ui.shell.main_window import MainWindow
from tests.mutants import bad_files, make_mutants
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project

COUNT = 300

pytestmark = [pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.*"), pytest.mark.slow]


@pytest.fixture(scope="module")
def mutants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_mutants(tmp_path_factory.mktemp("mutants") / "pictures", COUNT)


@pytest.mark.timeout(120)
def test_all_are_browsed_and_every_bad_one_is_named(qtbot, window: MainWindow, fake: FakeEngine, mutants: Path) -> None:
    open_project(qtbot, window, fake, mutants)
    page, bad = window.data_page, bad_files(mutants)
    grid, catalog = page.grid, window.workspace.catalog
    assert COUNT / 5 < len(bad) < COUNT * 4 / 5, "a mix"
    qtbot.waitUntil(lambda: len(grid.images.ids) == COUNT)

    # Through all of the grid, page by page, each painted with its thumbnails or the words in their place.
    seen: dict[str, bool] = {}
    bar = grid.verticalScrollBar()
    assert bar.maximum() > 5 * bar.pageStep()
    for position in [*range(0, bar.maximum(), bar.pageStep() // 2), bar.maximum()]:
        bar.setValue(position)
        grid.viewport().repaint()
        shown = [place for place in range(COUNT) if grid.visualRect(grid.images.index(place)).intersects(grid.rect())]
        rows = catalog.rows([grid.images.ids[place] for place in shown])
        files = {row.path: (mutants / row.path, row.mtime) for row in rows}
        qtbot.waitUntil(lambda files=files: all(grid.thumbnails.get(*file) is not None for file in files.values()))
        seen |= {path: not grid.thumbnails.get(*file).isNull() for path, file in files.items()}
    assert len(seen) == COUNT and {path for path, picture in seen.items() if not picture} == bad

    # Each bad one is named under the problem it has, and a click on its name shows it, with the reason.
    named: dict[str, QTreeWidgetItem] = {}
    tree = page.problems.tree
    for place in range(tree.topLevelItemCount()):
        top = tree.topLevelItem(place)
        kind = top.data(0, Qt.ItemDataRole.UserRole)
        if KINDS[kind].severity == "error":
            ids = catalog.find(Query(kind=kind))
            assert top.childCount() == len(ids)
            named |= {top.child(child).text(0): top.child(child) for child in range(top.childCount())}
    assert named.keys() == bad
    canvas = page.viewer.canvas
    for path, item in named.items():
        tree.itemClicked.emit(item, 0)
        qtbot.waitUntil(lambda path=path: page.viewer.isVisible() and page.viewer.name.full == path)
        qtbot.waitUntil(lambda: canvas.text != "…")
        assert not canvas.shown and canvas.text.endswith("."), path
        assert escape(canvas.text) in page.viewer.facts.text()
        canvas.repaint()
    QTest.keyClick(page.viewer, Qt.Key.Key_Escape)
    assert not page.viewer.isVisible()
