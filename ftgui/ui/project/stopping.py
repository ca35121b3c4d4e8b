"""Stopping a training that does not stop, where the person may end the engine, and what its end leaves. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from ftgui.runs.model_folder import has_model
from ftgui.runs.run_folders import continuable, run_number
from ftgui.ui.engine_client import engine_end
from ftgui.ui.engine_client.worker import EngineKind, EngineState
from ftgui.ui.toolkit.task_queue import TaskQueue

PATIENCE_MILLISECONDS = 10_000
"""A step of a large model on a CPU takes seconds, and writing its weights does too."""


class Stopping(QObject):
    """Follows the engine's state.

    Args:
        kill: ends the engine's process.
        parent: owner.
    """

    changed = Signal()
    """`takes_long`."""

    def __init__(self, kill: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self._kill = kill
        self.takes_long = False
        """Stop was asked for a while ago, and the engine has not come to it."""
        self.patience = QTimer(self)
        """How long a stop may take before the engine can be ended."""
        self.patience.setSingleShot(True)
        self.patience.setInterval(PATIENCE_MILLISECONDS)
        self.patience.timeout.connect(self._over)

    def engine(self, state: EngineState) -> None:
        """The engine is in another state."""
        if state.kind is EngineKind.STOPPING:
            self.patience.start()
            return
        self.patience.stop()
        self._set(False)

    @Slot()
    def _over(self) -> None:
        self._set(True)

    def _set(self, takes_long: bool) -> None:
        if takes_long != self.takes_long:
            self.takes_long = takes_long
            self.changed.emit()

    @Slot()
    def end_engine(self) -> None:
        """Kill it, if it has been asked long enough; a new one is started."""
        if self.takes_long:
            self._kill()


class EngineEnd(QObject):
    """Says that the engine is gone, and what that leaves.

    Args:
        disk_tasks: look at the disk.
        parent: owner.
    """

    said = Signal(str, str)
    """Severity, sentence."""

    def __init__(self, disk_tasks: TaskQueue, parent: QObject) -> None:
        super().__init__(parent)
        self._disk_tasks = disk_tasks

    def say(self, state: EngineState, run: Path | None) -> None:
        """The engine is in another state; `said` follows if that is its end.

        Args:
            state: of the engine.
            run: that was going on.
        """
        if state.kind is EngineKind.NOT_STARTED:
            self._tell("warning", "The engine was ended.", run, "")
        elif state.kind is EngineKind.CRASHED:
            self._tell("error", engine_end.sentence(state), run, "Nothing in the project is lost.")

    def _tell(self, severity: str, sentence: str, run: Path | None, otherwise: str) -> None:
        def tell(left: str) -> None:
            self.said.emit(severity, f"{sentence} {left or otherwise}".rstrip())

        if run is None:
            tell("")
        else:
            self._disk_tasks.do(partial(what_is_left, run), tell)


def what_is_left(run_folder: Path) -> str:
    """What a run has on disk whose engine is gone, in sentences. Reads small files."""
    number, run = run_number(run_folder), continuable(run_folder)
    model = (
        f"The best weights of run {number} so far are in its folder."
        if has_model(run_folder)
        else f"Run {number} left no model."
    )
    return f"{model} It can be continued from step {run.step:,}." if run is not None else model
