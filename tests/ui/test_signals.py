"""Signals that carry a value are not wired to slots that would take it for something else.

`valueChanged` connected to `QTimer.start` once gave the timer the value as its milliseconds; `clicked`, which says whether
a button is checked, would do the same to any method with an optional parameter.
"""

from __future__ import annotations

import ast
from pathlib import Path

import ftgui.ui

CARRIES_A_BOOL = {"clicked", "triggered", "toggled"}
CARRIES_A_VALUE = CARRIES_A_BOOL | {"valueChanged", "textChanged", "textEdited", "activated", "currentIndexChanged"}
OF_QT = {"start", "singleShot", "setInterval", "adjustSize", "update", "repaint", "setFixedSize"}
"""Methods with overloads, one of which takes a value."""


def sources() -> list[Path]:
    return sorted(Path(ftgui.ui.__file__).parent.rglob("*.py"))


def optional_parameters() -> dict[str, list[str]]:
    """Method name -> where one of that name has a parameter that need not be given."""
    found: dict[str, list[str]] = {}
    for path in sources():
        for definition in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(definition, ast.FunctionDef) and definition.args.defaults:
                bare = any(
                    isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "Slot" and not mark.args
                    for mark in definition.decorator_list
                )
                if not bare:  # `@Slot()` takes no argument of any signal
                    found.setdefault(definition.name, []).append(f"{path.name}:{definition.lineno}")
    return found


def wrong_connections(source: str, optional: dict[str, list[str]], name: str = "") -> list[str]:
    """Lines that wire a signal with a value to a slot that may take it for something else."""
    wrong = []
    for call in ast.walk(ast.parse(source)):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "connect"):
            continue
        signal, slot = call.func.value, call.args[0]
        if not (isinstance(signal, ast.Attribute) and isinstance(slot, ast.Attribute)):
            continue
        carries = signal.attr in CARRIES_A_VALUE
        takes = slot.attr in OF_QT or (signal.attr in CARRIES_A_BOOL and slot.attr in optional)
        if carries and takes:
            wrong.append(f"{name}:{call.lineno}: {ast.unparse(call)}")
    return wrong


def test_no_signal_gives_its_value_to_a_slot_that_means_something_else() -> None:
    optional = optional_parameters()
    wrong = [
        line for path in sources() for line in wrong_connections(path.read_text(encoding="utf-8"), optional, path.name)
    ]
    assert not wrong, "\n".join(wrong)


def test_such_a_connection_is_found() -> None:
    assert wrong_connections("self.box.valueChanged.connect(self._timer.start)", {})
    assert wrong_connections("self.go.clicked.connect(self.train)", {"train": ["workspace.py:1"]})
    assert not wrong_connections("self.go.clicked.connect(self.train)", {})
    assert not wrong_connections("self.timer.timeout.connect(self.train)", {"train": ["workspace.py:1"]})
