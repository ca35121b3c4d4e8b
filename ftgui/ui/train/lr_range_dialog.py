"""Finding a learning rate: a short test on a copy of the model, its curve, and a line to be put where it falls well.

Imports pyqtgraph, so it is itself imported when first needed.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QComboBox, QDialog, QHBoxLayout, QVBoxLayout, QWidget

from ftgui.protocol import messages as m
from ftgui.protocol.rates import rate
from ftgui.protocol.recipe import Recipe
from ftgui.ui.engine_client.worker import EngineState
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.basics import Card, button, label
from ftgui.ui.toolkit.form_fields import RateField
from ftgui.ui.toolkit.theme import Theme
from ftgui.ui.train.lr_range_plot import HIGHEST, LOWEST, RatePlot

_HOW_TO_READ = (
    "<b>How to read it.</b> On the left, steps are so small that nothing is learned: the curve is flat. Then it falls: "
    "the model learns. At its lowest point the steps begin to be too large, and beyond it the loss diverges.<br>"
    "A tenth of the rate at the lowest point is a good choice: still where the curve falls, with room before it breaks, because "
    "a whole phase takes many more steps than this test."
)
_IDLE = "The rate rises from step to step, on a copy: the model itself stays as it is."


class RateTestDialog(QDialog):
    """Not modal; closing it ends the test.

    Args:
        workspace: whose selected phase is tested first.
        theme: for colours.
    """

    def __init__(self, workspace: Workspace, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._running = False
        self._tested: tuple[object, ...] | None = None
        """What the curve belongs to; None: there is none."""
        self.setWindowTitle("Find a learning rate")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        room = self.screen().availableSize()
        self.resize(min(720, room.width() - 40), min(640, room.height() - 80))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.setSpacing(10)
        self._make_top(layout)
        self._make_plot(layout, theme)
        self._make_bottom(layout, theme)
        self._connect()
        self._list_phases(workspace.recipe_editor.selected)
        self._say(_IDLE)

    # --- assembly ---------------------------------------------------------------------------------------------------

    def _make_top(self, layout: QVBoxLayout) -> None:
        self.phases = QComboBox()
        self.phases.setAccessibleName("Phase to test")
        self.phases.setToolTip(
            "Whose layers learn in the test. Each phase has a rate of its own: a new head tolerates a higher one."
        )
        self.start = button("Start", "", primary=True)
        caption = label("Phase")
        caption.setBuddy(self.phases)
        row = QHBoxLayout()
        row.addWidget(caption)
        row.addWidget(self.phases, 1)
        row.addWidget(self.start)
        layout.addLayout(row)

    def _make_plot(self, layout: QVBoxLayout, theme: Theme) -> None:
        card = Card("Loss at each rate, smoothed")
        self.plot = RatePlot(theme)
        card.body.addWidget(self.plot, 1)
        layout.addWidget(card, 1)
        self.verdict = label("", wrap=True)
        self.verdict.setAccessibleName("What the test says")
        self.verdict.setMinimumHeight(2 * self.verdict.fontMetrics().lineSpacing())  # the plot would jump
        self.verdict.setAlignment(Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.verdict)
        how = label(_HOW_TO_READ, "muted", wrap=True)
        how.setTextFormat(Qt.TextFormat.RichText)
        layout.addWidget(how)

    def _make_bottom(self, layout: QVBoxLayout, theme: Theme) -> None:
        tip = "The rate at the line. Drag the line, type here, or press Left and Right on the plot."
        self.field = RateField("Learning rate", tip, theme)
        self.field.editor.setMaximumWidth(110)
        self.field.title.setText("Learning rate")
        self.use = button("Use", "Set this rate in the recipe's phase; Ctrl+Z undoes it.", primary=True)
        self.leave = button("Close", "Leave everything as it is")
        for each in (self.start, self.use, self.leave):
            each.setAutoDefault(False)  # Enter in the rate field means the field
        row = QHBoxLayout()
        row.addWidget(self.field.title)
        row.addWidget(self.field.widget)
        row.addWidget(self.field.note)
        row.addStretch(1)
        row.addWidget(self.leave)
        row.addWidget(self.use)
        layout.addLayout(row)

    def _connect(self) -> None:
        workspace = self._workspace
        self.start.clicked.connect(self.start_or_stop)
        self.use.clicked.connect(self._use)
        self.leave.clicked.connect(self.close)
        self.phases.activated.connect(self._other_phase)
        self.plot.rate_chosen.connect(self._show_rate)
        self.field.edited.connect(self._typed)
        workspace.training_requests.learning_rate_tried.connect(self._learning_rate_tried)
        workspace.training_requests.learning_rate_found.connect(self._finished)
        workspace.training_requests.rate_test_failed.connect(self._failed)
        workspace.progress.busy.connect(self._preparing)
        workspace.engine_changed.connect(self._engine_changed)
        workspace.recipe_changed.connect(self._recipe_changed)
        workspace.model.changed.connect(self._recipe_changed)
        workspace.project_changed.connect(self.close)

    # --- what is tested ---------------------------------------------------------------------------------------------

    @property
    def phase(self) -> int:
        """Index in the recipe; -1 when no phase is switched on."""
        index = self.phases.currentData()
        return -1 if index is None else index

    def _list_phases(self, wanted: int) -> None:
        self.phases.clear()
        for index, phase in enumerate(self._workspace.recipe.phases):
            if phase.enabled:
                self.phases.addItem(f"{index + 1} {phase.name} (now {rate(phase.lr)})", index)
        self.phases.setCurrentIndex(max(self.phases.findData(wanted), 0) if self.phases.count() else -1)
        self._refresh()

    def _about(self, recipe: Recipe) -> tuple[object, ...] | None:
        """What a curve depends on; another phase's curve says nothing about this one."""
        if self.phase < 0:
            return None
        phase, training = recipe.phases[self.phase], recipe.training
        return (
            self.phase,
            phase.train,
            phase.layer_decay,
            training.batch_size,
            recipe.augmentation.preset,
            recipe.backbone,
        )

    def _refresh(self) -> None:
        why = self._workspace.readiness.why_no_rate_test()
        if not why and self.phase < 0:
            why = "No phase of the recipe is switched on."
        self.start.setText("Stop" if self._running else "Start")
        self.start.setAccessibleName("Stop the test" if self._running else "Start the test")
        self.start.setEnabled(self._running or not why)
        self.start.setToolTip(
            "End the test here" if self._running else why or "Takes a few seconds; the model is not changed"
        )
        self.phases.setEnabled(not self._running)
        there = self.plot.has_line and self.phase >= 0
        self.field.widget.setEnabled(there)
        self.use.setEnabled(there and not self._workspace.engine.busy)
        name = self._workspace.recipe.phases[self.phase].name if self.phase >= 0 else ""
        self.use.setText(f"Use {rate(self.plot.rate)} for phase {name}" if there else "Use")
        self.use.setAccessibleName(self.use.text())

    def _forget(self, why: str) -> None:
        self._tested = None
        self.plot.empty()
        self.field.show_value(0.0)
        self.field.editor.clear()
        self._say(why)
        self._refresh()

    def _say(self, sentence: str) -> None:
        self.verdict.setText(sentence)

    # --- what the person does ---------------------------------------------------------------------------------------

    @Slot()
    def start_or_stop(self) -> None:
        """The button."""
        if self._running:
            self._workspace.training_requests.stop_rate_test()
            self._say("Stopping…")
            return
        if self._workspace.readiness.why_no_rate_test() or self.phase < 0:
            return
        self._forget("Reading images…")
        self._tested = self._about(self._workspace.recipe)
        self._running = True
        self._refresh()
        self._workspace.training.find_learning_rate(self.phase)

    @Slot(int)
    def _other_phase(self, _row: int) -> None:
        self._forget(_IDLE)

    @Slot(object)
    def _typed(self, lr: float) -> None:
        self.plot.show_line(lr)
        self._show_rate(self.plot.rate)

    @Slot(float)
    def _show_rate(self, lr: float) -> None:
        self.field.editor.setModified(False)
        self.field.show_value(lr)
        self._refresh()

    @Slot()
    def _use(self) -> None:
        if self.field.take_typed():
            return
        self._workspace.recipe_editor.change_phase(self.phase, lr=self.plot.rate)
        self.close()

    def done(self, result: int) -> None:
        """Whatever closes it."""
        if self._running:
            self._running = False
            self._workspace.training_requests.stop_rate_test()
        super().done(result)

    # --- what the workspace says ------------------------------------------------------------------------------------

    @Slot(str, object, object)
    def _preparing(self, what: str, done: int, total: int) -> None:
        if self._running and what and not self.plot.points:
            self._say(f"Before the first step: {what}{f', {done:,} of {total:,}' if total else ''}…")

    @Slot(m.LearningRateTried)
    def _learning_rate_tried(self, event: m.LearningRateTried) -> None:
        if self._running:
            self.plot.add(event.lr, event.loss)
            self._say(f"Trying {rate(float(f'{event.lr:.1e}'))}: the loss is {event.loss:.2f}.")

    @Slot(m.LearningRateFound)
    def _finished(self, event: m.LearningRateFound) -> None:
        if not self._running:
            return
        self._running = False
        if event.lr:
            self.plot.show_curve(event.lr, event.loss)
        present = self._workspace.recipe.phases[self.phase].lr
        suggestion = event.suggestion or min(max(present, LOWEST), HIGHEST)
        sentence = event.why
        if self._workspace.engine.busy:
            sentence = "Training has started, so the test was stopped."
        elif not event.suggestion:
            sentence += f" The line marks the phase's current rate, {rate(present)}."
        if self.plot.points:
            self.plot.show_line(suggestion)
            self._show_rate(self.plot.rate)
        self._say(sentence)
        self._refresh()

    @Slot(str)
    def _failed(self, sentence: str) -> None:
        if self._running:
            self._running = False
            self._forget(sentence)

    @Slot(EngineState)
    def _engine_changed(self, _state: EngineState) -> None:
        self._refresh()

    @Slot()
    def _recipe_changed(self) -> None:
        index = self.phase
        present = self._about(self._workspace.recipe) if index < len(self._workspace.recipe.phases) else None
        self._list_phases(index)
        if self._tested is not None and (present != self._tested or self.phase != index):
            self._workspace.training_requests.stop_rate_test()
            self._running = False
            self._forget("The recipe has changed in a way that affects the test; start it again.")
