"""The right side of the window: layers above, recipe below, and what the engine and a training change in them."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from ftgui.protocol import messages as m
from ftgui.ui.engine_client.worker import EngineKind, EngineState
from ftgui.ui.model.cost_estimate import CostEstimator
from ftgui.ui.model.layer_panel import LayerPanel
from ftgui.ui.project.access import LOOK_ONLY
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.recipe.recipe_panel import TRAINING_RUNS, RecipePanel

_WIDTH = 380
"""Pixels."""


class SidePanel(QWidget):
    """Keeps both parts true to the workspace.

    Args:
        workspace: whose model and recipe they show.
        layers: shown above.
        recipe: shown below.
    """

    def __init__(self, workspace: Workspace, layers: LayerPanel, recipe: RecipePanel) -> None:
        super().__init__()
        self._workspace = workspace
        self._layers = layers
        self._recipe = recipe
        self._cost_estimator = CostEstimator(workspace, self)
        self.setFixedWidth(_WIDTH)  # here, because a splitter would set its own limits anew
        split = QSplitter(Qt.Orientation.Vertical)
        split.setAccessibleName("Layers above, recipe below")
        split.setChildrenCollapsible(False)
        split.setHandleWidth(10)
        split.addWidget(layers)
        split.addWidget(recipe)
        split.setSizes([540, 460])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(split)
        self._connect()
        self._show_ticks()

    def _connect(self) -> None:
        workspace, layers, costs = self._workspace, self._layers, self._cost_estimator
        layers.ticks_wanted.connect(workspace.layer_ticks.tick)
        layers.cost.linkActivated.connect(costs.measure_anyway)
        costs.known.connect(layers.show_cost)
        costs.measuring.connect(layers.show_measuring)
        costs.withheld.connect(layers.show_withheld)
        workspace.training_requests.learning.connect(layers.show_learning)
        workspace.project_changed.connect(self._project_changed)
        workspace.recipe_changed.connect(self._show_ticks)
        workspace.layer_ticks.changed.connect(self._show_ticks)
        workspace.access.changed.connect(self._lock_recipe)
        workspace.engine_changed.connect(self._engine_changed)
        workspace.model.changed.connect(self._model_changed)
        workspace.model.failed.connect(self._model_failed)
        workspace.model.freezing_changed.connect(layers.show_freezing)
        workspace.training.event_arrived.connect(self._training_event)

    @Slot()
    def _project_changed(self) -> None:
        self._recipe.show_running(None)

    @Slot()
    def _show_ticks(self) -> None:
        """Of the selected phase, but of the running one in a training."""
        plan, ticks = self._workspace.recipe_editor, self._workspace.layer_ticks
        self._layers.show_ticks(ticks.shown, ticks.learning)
        self._layers.show_whose(plan.selected, plan.phase.name if plan.phase else "", self._workspace.engine.busy)

    @Slot()
    def _lock_recipe(self) -> None:
        busy = self._workspace.engine.busy
        self._recipe.lock(TRAINING_RUNS if busy else LOOK_ONLY if self._workspace.access.look_only else "")

    @Slot(EngineState)
    def _engine_changed(self, state: EngineState) -> None:
        if not state.alive or state.kind is EngineKind.STARTING:
            why = "The engine is starting…"
            if state.kind is EngineKind.CRASHED:
                why = "The engine is not running.\nStart it again with the button below."
            self._layers.show_model(None, why)
        self._show_ticks()
        self._lock_recipe()

    @Slot(m.ModelLoaded)
    def _model_changed(self, event: m.ModelLoaded) -> None:
        self._layers.show_model(event)
        self._show_ticks()

    @Slot(str)
    def _model_failed(self, why: str) -> None:
        self._layers.show_model(None, f"{why}\n\nChoose another model at the top.")

    @Slot(object)
    def _training_event(self, event: object) -> None:
        if isinstance(event, m.PhaseStarted):
            self._recipe.show_running(event.phase)
        elif isinstance(event, m.PhaseFinished):
            self._layers.show_proof(event.frozen_unchanged, event.frozen_hash)
        elif isinstance(event, m.TrainingFinished):
            phases = self._workspace.training.recipe.active_phases
            self._recipe.show_running(len(phases) if event.reason == "done" else None)
        elif event is None:
            self._recipe.show_running(None)
        if event is None or isinstance(event, m.TrainingFinished):
            self._layers.learning_over()
