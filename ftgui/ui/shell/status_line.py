"""The line at the bottom: what is happening, how long it takes, how well it goes."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from ftgui.base.formatting import clock, megabytes, percent
from ftgui.protocol import messages as m
from ftgui.runs.model_in_use import TrainedRun
from ftgui.ui.engine_client.worker import EngineKind, EngineState
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.basics import Bar, button, label
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

READY = "Ready. Drop an image on the window to see what the model says."
_ENGINE = {
    EngineKind.NOT_STARTED: "engine not started",
    EngineKind.STARTING: "engine starting…",
    EngineKind.READY: "engine ready",
    EngineKind.TRAINING: "engine training",
    EngineKind.STOPPING: "engine stopping…",
    EngineKind.CRASHED: "engine stopped",
}


class StatusLine(QWidget):
    """Follows the workspace."""

    train_wanted = Signal()

    def __init__(self, workspace: Workspace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._theme = theme
        self._phases: list[str] = []
        self._epochs = 0
        self._run = ""
        self._best = (math.nan, 0)
        self.severity = "info"
        self._of_end = False
        """What is said is that the engine is gone; it no longer matters when there is one again."""
        self._kind = EngineKind.NOT_STARTED
        self._device = ""
        self._offered: TrainedRun | None = None
        self._make_parts()
        self._arrange()
        self._connect()

    def _make_parts(self) -> None:
        self.text = label("Drop a folder of images to begin.", "muted")
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.bar = Bar(self._theme)
        self.bar.setFixedWidth(180)
        self.left = label("", "muted")
        self.score = label("", "muted")
        self.engine = label("", "muted")
        self.restart = button(
            "Start the engine again", "Starts a new engine; project, ticks and runs stay as they are."
        )
        self.end_engine = button(
            "End the engine now",
            "Kills the process that trains, and starts a new one. What the run has not saved yet is lost; usually the run can "
            "be continued from a few seconds earlier.",
        )
        self.cancel = button("Cancel", "")
        self.train_again = button("Train again", "Train with the images and labels as they are now")
        self.use_run = button("Use run", "Its model answers from now on, until you choose another on the Runs page")
        self.model = label("", "muted")

    def _arrange(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 4, 14, 6)
        layout.setSpacing(12)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.train_again)
        layout.addWidget(self.use_run)
        layout.addWidget(self.bar)
        layout.addWidget(self.left)
        layout.addWidget(self.cancel)
        layout.addWidget(self.score)
        layout.addWidget(self.model)
        layout.addWidget(self.end_engine)
        self.score.setTextFormat(Qt.TextFormat.RichText)
        layout.addWidget(self.restart)
        layout.addWidget(self.engine)
        # Room for the button from the start, or the window's content would jump when it appears.
        self.setMinimumHeight(self.restart.sizeHint().height() + 10)
        for sometimes in (self.bar, self.restart, self.end_engine, self.cancel, self.train_again, self.use_run):
            sometimes.hide()

    def _connect(self) -> None:
        workspace = self._workspace
        self.use_run.clicked.connect(self._use_offered)
        workspace.training.run_offered.connect(self._offer_run)
        workspace.present.changed.connect(self._show_model)
        self.train_again.clicked.connect(self.train_wanted)
        workspace.training_offered.connect(self._offer_training)
        self.end_engine.clicked.connect(workspace.stopping.end_engine)
        workspace.stopping.changed.connect(self._stopping)
        self.cancel.clicked.connect(workspace.cancel)
        workspace.progress.downloading.connect(self._downloading)
        workspace.examples.progress.connect(self._preparing)
        self.restart.clicked.connect(workspace.client.start_engine)
        workspace.message.connect(self.say)
        workspace.progress.busy.connect(self._busy)
        workspace.engine_changed.connect(self._engine)
        workspace.model.changed.connect(self._model)
        workspace.project_changed.connect(self._project)
        workspace.training.event_arrived.connect(self._training)
        self._theme.changed.connect(self._recolor)

    @Slot(str, str)
    def say(self, severity: str, sentence: str) -> None:
        """Something for the person to know; stays until something newer."""
        self.text.setText(sentence)
        self.text.setToolTip(as_plain(sentence))
        self.train_again.hide()
        self.use_run.hide()
        self._of_end = self._kind in (EngineKind.CRASHED, EngineKind.NOT_STARTED) and severity in ("error", "warning")
        if severity != self.severity:
            self.severity = severity
            self._recolor()

    @Slot(str)
    def _offer_training(self, sentence: str) -> None:
        """Until something newer is said."""
        self.say("info", sentence)
        self.train_again.setVisible(not self._workspace.engine.busy and not self._workspace.readiness.obstacles())

    @Slot(object)
    def _offer_run(self, run: TrainedRun) -> None:
        """Until something newer is said."""
        self._offered = run
        self.use_run.setText(f"Use run {run.number}")
        self.use_run.setAccessibleName(f"Use run {run.number}")
        self.use_run.show()

    @Slot()
    def _use_offered(self) -> None:
        self.use_run.hide()
        if self._offered is not None:
            self._workspace.model.use_run(self._offered.folder)

    @Slot()
    def _show_model(self) -> None:
        """Which run answers."""
        present = self._workspace.present
        self.model.setText(f"model: {present.words}" if present.run else "")
        self.model.setToolTip(present.why)

    @Slot()
    def _recolor(self) -> None:
        colors = self._theme.colors
        color = {"error": colors.error, "warning": colors.warning}.get(self.severity, colors.muted)
        self.text.setStyleSheet(f"color: {color}")

    @property
    def _looking(self) -> bool:
        """Images are searched for, and that is what the button ends."""
        return self._workspace.dataset.opening or self._workspace.dataset.scanning

    @Slot(str, object, object)
    def _busy(self, what: str, done: int, total: int) -> None:
        """Beside the sentence, never in its place: an error must outlast the next progress report."""
        self.cancel.setVisible(bool(what) and self._looking)
        self.cancel.setText("Stop scanning")
        self.cancel.setToolTip("What has been found so far is kept; open the folder again to continue from there")
        numbers = f" · {done:,} of {total:,}" if total else (f" · {done:,}" if done else "")
        self.left.setText(f"{what}…{numbers}" if what else "")
        self.bar.setVisible(bool(what and total))
        if what and total:
            self.bar.set_value(done / total)

    @Slot(str, object, object)
    def _downloading(self, what: str, done: int, total: int) -> None:
        text = f"{what} · {megabytes(done, total)}" if total else f"{what}…"
        self._show_cancellable(text, done, total, "Cancel download")

    @Slot(str, object, object)
    def _preparing(self, what: str, done: int, total: int) -> None:
        self._show_cancellable(f"{what} · {done:,} of {total:,}" if total else f"{what}…", done, total, "Cancel")

    def _show_cancellable(self, text: str, done: int, total: int, cancel: str) -> None:
        if self._looking:
            return
        self.cancel.setText(cancel)
        self.cancel.setToolTip("What is open stays open; what is downloaded already is kept for later")
        self.left.setText(text)
        self.bar.setVisible(bool(total))
        self.bar.set_value(done / total if total else 0)
        self.cancel.show()

    @Slot(EngineState)
    def _engine(self, state: EngineState) -> None:
        before, self._kind = self._kind, state.kind
        device = f" · {self._device}" if self._device and state.alive else ""
        self.engine.setText(_ENGINE[state.kind] + device)
        self.restart.setVisible(state.kind is EngineKind.CRASHED)
        if state.kind is EngineKind.STOPPING:
            self.say("info", "Stopping after this step…")
        elif state.kind is EngineKind.READY and before is EngineKind.STARTING and self._of_end:
            self.say("info", READY)  # any other error, e.g. of a folder that could not be opened, stays

    @Slot()
    def _stopping(self) -> None:
        takes_long = self._workspace.stopping.takes_long
        self.end_engine.setVisible(takes_long)
        if takes_long:
            self.say("warning", "The engine has not stopped yet: a step can take a long time. Wait, or end the engine.")

    @Slot(m.ModelLoaded)
    def _model(self, event: m.ModelLoaded) -> None:
        self._device = "CPU" if event.device == "cpu" else event.device.upper()
        self._engine(self._workspace.engine)

    @Slot()
    def _project(self) -> None:
        self.score.clear()
        self.say("info", READY)

    @Slot(object)
    def _training(self, event: object) -> None:
        if isinstance(event, m.TrainingStarted):
            self._phases, self._epochs = event.phases, event.epochs
            self._run = f"Run {event.run}" + (" continued" if event.step else "")
            self._best = (math.nan, 0)
            self.score.clear()
            self.left.clear()
            self.bar.set_value(0)
            self.bar.show()
        elif isinstance(event, m.PhaseStarted):
            self._epochs = event.run_epochs
            self._say_where(f"phase {event.phase + 1} of {len(self._phases)}")
        elif isinstance(event, m.StepMetrics):
            self.bar.set_value((event.epoch - 1) / max(self._epochs, 1))
            phase = f"phase {event.phase + 1} of {len(self._phases)}"
            self._say_where(f"{phase} · epoch {event.epoch} of {self._epochs}")
            left = f"≈ {clock(event.seconds_left)} left" if event.seconds_left >= 0 else "estimating…"
            self.left.setText(f"{left} · {event.images_per_second:,.0f} img/s")
        elif isinstance(event, m.EpochFinished):
            self.bar.set_value(event.epoch / max(self._epochs, 1))
            self._score(event)
        elif isinstance(event, m.Paused):
            self.say("info", "Paused. Press Resume to continue.")
        elif isinstance(event, m.Resumed):
            self.say("info", "Resuming…")
        elif isinstance(event, m.TrainingFinished) or event is None:
            self.bar.hide()
            self.left.clear()
            self.score.clear()  # the last epoch's figure is not that of the model in use

    def _say_where(self, where: str) -> None:
        if not self._workspace.training.paused and self._workspace.engine.kind is EngineKind.TRAINING:
            self.say("info", f"{self._run} · {where}")

    def _score(self, event: m.EpochFinished) -> None:
        if math.isnan(event.val_accuracy):
            return
        if event.best:
            self._best = (event.val_accuracy, event.epoch)
        best, epoch = self._best
        # Of a run that goes on, the best so far may lie before all that this window has seen of it.
        where = f" · best {percent(best)} at epoch {epoch}" if epoch else ""
        self.score.setText(f"val accuracy <b>{percent(event.val_accuracy)}</b>{where}")
