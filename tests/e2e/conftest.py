"""The program's own main(), with a script at its controls."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from PySide6.QtWidgets import QApplication

from ftgui.cli import main
from tests.e2e.driver import Driver, Script


@pytest.fixture
def run_window(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """``run_window(script, *arguments)``: the program's main() with a script at its controls; returns its exit status."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def run(script: Script, *arguments: str) -> int:
        driver = Driver(script)
        status = main.main(list(arguments))
        assert not driver.failure, driver.failure
        assert driver.finished
        return status

    return run
