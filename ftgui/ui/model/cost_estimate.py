"""Asks the engine what the ticks would cost, whenever something changes on which that depends. No widgets."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from ftgui.protocol import messages as m
from ftgui.ui.engine_client.crash_guard import CrashGuard
from ftgui.ui.engine_client.worker import EngineKind, EngineState
from ftgui.ui.project.workspace import Workspace

WAIT_MILLISECONDS = 50
"""Gathers changes that come together, e.g. a tick and what the engine calls it."""


class CostEstimator(QObject):
    """One per window.

    Args:
        workspace: whose ticks, recipe and images count.
    """

    known = Signal(object)
    """A `CostEstimate`, or None when there is none: no data, nothing ticked, or the engine refused."""
    measuring = Signal()
    """The first cost of a model takes a moment."""
    withheld = Signal(str)
    """Measuring this model ended the engine once, so it is not done by itself: a sentence. `measure_anyway` does it."""

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._asked: object = None
        """What the latest question was about; None: there is none."""
        self._measured = 0
        """The model of which a cost was told; of others it can't be told while they train."""
        self._guard = CrashGuard()
        self._training = False
        self._costed_rows: list[int] = []
        """What learned when the shown cost was told, however it is called."""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MILLISECONDS)
        self._timer.timeout.connect(self._ask)
        for signal in (
            workspace.project_changed,
            workspace.catalog_changed,
            workspace.recipe_changed,
            workspace.engine_changed,
            workspace.model.changed,
            workspace.model.freezing_changed,
        ):
            signal.connect(self._something_changed)
        # Later, so that what it says comes after the general sentence about an engine that ended.
        workspace.engine_changed.connect(self._engine_changed, Qt.ConnectionType.QueuedConnection)
        workspace.client.measuring_cost.connect(self._measuring)
        workspace.training_requests.cost_estimated.connect(self._known)
        workspace.training_requests.cost_refused.connect(self._refused)

    @Slot()
    def _something_changed(self) -> None:
        # Not started anew by each change: the answer is to be there within 100 ms of the first.
        if not self._timer.isActive():
            self._timer.start()

    @Slot()
    def _ask(self) -> None:
        workspace = self._workspace
        if workspace.model.loaded is None or workspace.contents is None:
            self._forget()
        elif workspace.engine.kind is EngineKind.READY:
            self._ask_about(workspace.recipe_editor.ticks)
        elif workspace.engine.kind is EngineKind.TRAINING and workspace.model.freezing is not None:
            # Ticks steer a training, so their cost counts there too, if the engine has measured what it trains.
            same = self._rows() == self._costed_rows
            if workspace.model.loaded.request == self._measured and not same:
                self._ask_about(workspace.model.freezing.layers)

    def _ask_about(self, layers: list[str]) -> None:
        workspace = self._workspace
        assert workspace.model.loaded is not None and workspace.contents is not None
        recipe, counts = workspace.recipe, workspace.contents.counts
        splits = [counts[name] for name in workspace.contents.class_names]
        train, val = (sum(split[which] for split in splits) for which in ("train", "val"))
        wrong = any(
            p.field.startswith(("training", "augmentation")) for p in recipe.validate() if p.severity == "error"
        )
        if not layers or not train or wrong:
            self._forget()
            return
        question = (workspace.model.loaded.request, layers, recipe, train, val)
        if question == self._asked:
            return
        self._asked = question
        if workspace.model.loaded.request != self._measured:
            if self._guard.blames(self._subject()):
                self.withheld.emit(
                    "The engine ended while measuring what an epoch of this model costs, so this is not repeated automatically."
                )
                return
            self.measuring.emit()
        workspace.training_requests.estimate_cost(layers, recipe, train, val)

    def _subject(self) -> str:
        """What is measured: a model on a device."""
        model = self._workspace.model.loaded
        return f"cost of {model.backbone.name} on {model.device}" if model else ""

    @Slot()
    def measure_anyway(self) -> None:
        """The person wants to know, though the engine may end."""
        self._guard.forgive(self._subject())
        self._asked = None
        self._ask()

    @Slot(EngineState)
    def _engine_changed(self, state: EngineState) -> None:
        if state.kind is EngineKind.CRASHED and not self._training:
            if self._guard.died():
                self._workspace.message.emit(
                    "error",
                    "The engine ended unexpectedly while it measured what an epoch of this model costs. Start it again: training "
                    "may still work, and the measurement is not repeated automatically.",
                )
        elif not state.alive or state.busy:
            self._guard.over()  # ended by the person, or in a training, which measuring gives way to
        self._training = state.busy

    def _forget(self) -> None:
        if self._asked is not None:
            self._asked = None
            self.known.emit(None)

    def _rows(self) -> list[int]:
        known = self._workspace.model.freezing or self._workspace.model.loaded
        return known.trainable if known else []

    @Slot(m.MeasuringCost)
    def _measuring(self, event: m.MeasuringCost) -> None:
        """Only from now on is an end of the engine blamed on it: until then it does what was asked for before."""
        if event.going_on:
            self._guard.begins(self._subject())
        else:
            self._guard.over()

    @Slot(m.CostEstimate)
    def _known(self, cost: m.CostEstimate) -> None:
        self._guard.over()
        if self._asked is not None and self._workspace.model.loaded is not None:
            self._measured = self._workspace.model.loaded.request
            self._costed_rows = self._rows()
            self.known.emit(cost)

    @Slot()
    def _refused(self) -> None:
        self._guard.over()
        self._costed_rows = []
        # What was asked is kept, so that it is not asked again until something changes.
        self.known.emit(None)
