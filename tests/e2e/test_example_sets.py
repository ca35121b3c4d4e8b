"""An example set through the real window and the real engine, from a server on this machine."""

from __future__ import annotations

import hashlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton

from ftgui.data.example_sets import find
from ftgui.ui.data.example_sets_dialog import ExampleDialog
from ftgui.ui.engine_client import worker
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.shell.main_window import MainWindow
from tests.engine.mirror import Mirror, serving
from tests.engine.tiny_sets import TEXTURES, textures

pytestmark = pytest.mark.slow

Steps = Iterator[Callable[[], bool]]

ENGINE = """
    import sys
    from ftgui.engine import process as child; from ftgui.engine.downloads import downloader as downloads
    from torchvision import datasets

    address, datasets.DTD._MD5 = sys.argv[1:3]
    really = downloads._open
    downloads._open = lambda url, start, headers: really(address + "/" + url.split("/", 3)[3], start, headers)
    sys.exit(child.main())
"""


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Mirror]:
    """Has the textures, and the engine takes every server for it."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    program = tmp_path / "engine.py"
    program.write_text(textwrap.dedent(ENGINE), encoding="utf-8")
    with serving() as made:
        made.files = textures(3_000_000).files
        md5 = hashlib.md5(made.files[TEXTURES]).hexdigest()
        command = [sys.executable, "-P", str(program), made.address, md5]
        monkeypatch.setattr(worker, "engine_command", lambda: command)
        yield made


def choose(window: MainWindow) -> None:
    """With the keyboard."""
    next(each for each in window.findChildren(QAbstractButton) if each.text() == "Example sets…").click()
    dialog = window.findChildren(ExampleDialog)[-1]
    QTest.keyClicks(dialog.search, "textures")
    QTest.keyClick(dialog.search, Qt.Key.Key_Return)


@pytest.mark.timeout(600)
def test_choose_cancel_choose_again_and_it_opens(run_window, mirror: Mirror) -> None:
    mirror.hold_after = 1_000_000

    def script(window: MainWindow) -> Steps:
        status, workspace = window.status, window.workspace
        yield lambda: workspace.engine.kind is EngineKind.READY and workspace.model.loaded is not None
        choose(window)
        yield lambda: status.left.text().endswith("of 3.0 MB") and status.cancel.isVisible()
        status.cancel.click()
        mirror.go_on.set()
        yield lambda: "was cancelled" in status.text.text()
        assert not status.cancel.isVisible() and workspace.project is None and not find("DTD").is_here

        mirror.hold_after = 0
        choose(window)
        yield lambda: workspace.contents is not None and not workspace.checking
        assert window.top.summary.text() == "2 classes, 6 images"
        assert workspace.contents.split_from_folders and not status.cancel.isVisible()
        assert workspace.catalog.root == find("DTD").folder

    assert run_window(script) == 0
    assert [bool(wanted) for _, _, wanted in mirror.asked] == [False, True], "the second went on where the first ended"
