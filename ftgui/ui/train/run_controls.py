"""The row under the plots: while a run goes on, what can be changed about it; before one, what can be tried."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from ftgui.base.typed_numbers import NotUnderstood, write_power
from ftgui.protocol import messages as m
from ftgui.protocol.event_text import prefix
from ftgui.protocol.rates import rate
from ftgui.protocol.recipe import FROM_SCRATCH
from ftgui.runs.run_folders import read_checkpoint
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.basics import ElidedLabel, button, label
from ftgui.ui.toolkit.form_fields import HIGHEST_LR, LOWEST_LR, read_rate
from ftgui.ui.toolkit.number_box import NumberBox
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme
from ftgui.ui.train.advisor import Advisor

GROUPS_MILLISECONDS = 300
"""Between two looks at the rates per group."""

PATIENCE_MILLISECONDS = 600
"""After the last click on an arrow: on the way from 5 to 10 there are no five wishes."""

_RATE_TIP = (
    f"Peak learning rate of the running phase, {rate(LOWEST_LR)} to {rate(HIGHEST_LR)}. Enter or Set sends it; it takes "
    "effect within a step and is marked on the plots.\nToo high: the loss jumps and what was learned before is washed "
    "out. Too low: next to nothing is learned."
)
_PREFIX_TIP = (
    "The frozen layers next to the input, the prefix, give the same output for the same image every time. So each "
    "image goes through them once per augmented view, the outputs are kept, and all epochs run only on the layers "
    "after them, which is very fast."
)
_SCRATCH_TIP = (
    "Trains once with the same recipe, but with a backbone that has never seen an image. You will see how much of the "
    "accuracy comes from pretraining. The recipe and the project's model stay as they are."
)


class RunControls(QFrame):
    """Follows the workspace: fields show what the engine says, never what was typed last."""

    rate_test_wanted = Signal()

    def __init__(self, workspace: Workspace, advisor: Advisor, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._advisor = advisor
        self._theme = theme
        self._groups: list[m.GroupRate] = []
        self._asked: dict[int, str] = {}
        self.setObjectName("card")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        self._running = self._make_running()
        self._idle = self._make_idle()
        self.rates, self.prefix, self.note = ElidedLabel(), ElidedLabel(), ElidedLabel()
        for line in (self.rates, self.prefix):
            line.setObjectName("muted")
        lower = QHBoxLayout()
        lower.setSpacing(16)
        lower.addWidget(self.rates, 3)
        lower.addWidget(self.note, 3)
        lower.addWidget(self.prefix, 2)
        column.addWidget(self._running)
        column.addWidget(self._idle)
        column.addLayout(lower)
        self._groups_timer = QTimer(self)
        self._groups_timer.setSingleShot(True)
        self._groups_timer.setInterval(GROUPS_MILLISECONDS)
        self._groups_timer.timeout.connect(self._show_groups)
        self.patience_timer = QTimer(self)
        self.patience_timer.setSingleShot(True)
        self.patience_timer.setInterval(PATIENCE_MILLISECONDS)
        self.patience_timer.timeout.connect(self._send_patience)
        self._connect()
        self._forget()
        self._refresh()

    def _make_running(self) -> QWidget:
        self.rate_field = QLineEdit()
        self.rate_field.setAccessibleName("Learning rate of the running phase")
        self.rate_field.setToolTip(_RATE_TIP)
        self.rate_field.setFixedWidth(86)
        self.rate_field.setAcceptDrops(False)
        self.set_rate = button("Set", "Train at this rate from the next step on")
        self.patience = NumberBox(0, 1000, whole=True, unit=" epochs", lowest="never")
        self.patience.setAccessibleName("Stop early after")
        self.patience.setToolTip(
            "A phase ends after this many epochs without a better validation score: what comes then is mostly memorising. "
            "0: never."
        )
        self.finish = button(
            "End phase now",
            "Ends this phase after the current step and continues with the next, from the best weights so far. In the last "
            "phase this ends the run and keeps what it has learned.",
        )
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for text, widgets in (("Rate", (self.rate_field, self.set_rate)), ("Stop early after", (self.patience,))):
            title = label(text, "muted")
            title.setBuddy(widgets[0])
            layout.addWidget(title)
            for widget in widgets:
                layout.addWidget(widget)
            layout.addSpacing(8)
        layout.addStretch(1)
        layout.addWidget(self.finish)
        return row

    def _make_idle(self) -> QWidget:
        self.find_learning_rate = button(
            "Find a learning rate…",
            "Raises the rate step by step on a copy of the model and shows where the loss falls fastest and where it "
            "diverges; takes less than an epoch",
        )
        self.scratch = button("Compare: train from scratch", _SCRATCH_TIP)
        self.go_on = button("Continue", "")
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.find_learning_rate)
        layout.addWidget(self.scratch)
        layout.addStretch(1)
        layout.addWidget(self.go_on)
        return row

    def _connect(self) -> None:
        workspace = self._workspace
        self.rate_field.returnPressed.connect(self._send_rate)
        self.set_rate.clicked.connect(self._send_rate)
        self.patience.valueChanged.connect(self._patience_changed)
        self.patience.refused.connect(self._say)
        self.patience.lineEdit().textEdited.connect(self._show_note)
        self.rate_field.textEdited.connect(self._show_note)
        self.finish.clicked.connect(self._send_finish)
        self.find_learning_rate.clicked.connect(self.rate_test_wanted)
        self.scratch.clicked.connect(self._train_from_scratch)
        self.go_on.clicked.connect(self._advisor.continue_run)
        workspace.training.event_arrived.connect(self._event)
        workspace.training_requests.features_cached.connect(self._prefix_cached)
        workspace.training_requests.run_adjusted.connect(self._run_adjusted)
        workspace.training_requests.refused.connect(self._refused)
        workspace.project_changed.connect(self._forget)
        self._advisor.changed.connect(self._refresh)  # comes after every change of project, recipe, model and engine

    # --- what the person wants --------------------------------------------------------------------------------------

    @Slot()
    def _send_rate(self) -> None:
        try:
            lr = read_rate(self.rate_field.text())
        except NotUnderstood as why:
            self._say(str(why))
            return
        self._ask(self._workspace.training_requests.change_rate(lr), f"rate {rate(lr)}")

    @Slot()
    def _patience_changed(self) -> None:
        self._show_note()
        self.patience_timer.start()

    @Slot()
    def _send_patience(self) -> None:
        epochs = int(self.patience.number())
        request = self._workspace.training_requests.change_early_stop(epochs)
        self._ask(request, f"early stop after {epochs}" if epochs else "early stop off")

    @Slot()
    def _send_finish(self) -> None:
        self.finish.setEnabled(False)  # a second click would finish the next phase too
        self._ask(self._workspace.training_requests.finish_phase(), "end the phase")

    def _ask(self, request: int, words: str) -> None:
        self._asked[request] = words
        self._show_note()

    @Slot(int)
    def _refused(self, request: int) -> None:
        """The engine's reason is told elsewhere; here it no longer counts as asked for."""
        if self._asked.pop(request, ""):
            self.rate_field.setModified(False)
            self.finish.setEnabled(True)
            self._show_note()

    @Slot()
    def _train_from_scratch(self) -> None:
        recipe = self._workspace.recipe
        backbone = msgspec.structs.replace(recipe.backbone, weights=FROM_SCRATCH)
        self._workspace.training.start(msgspec.structs.replace(recipe, backbone=backbone))

    # --- what the engine says ---------------------------------------------------------------------------------------

    @Slot(object)
    def _event(self, event: object) -> None:
        if isinstance(event, m.TrainingStarted):
            self._forget()
            self._show_patience(self._workspace.training.recipe.training.early_stop)
            if event.step:  # a run that goes on: what it had been changed to
                run = Path(event.run_folder)
                self._workspace.disk_tasks.do(partial(read_checkpoint, run), partial(self._patience_of, run))
        elif isinstance(event, m.PhaseStarted):
            self.finish.setEnabled(True)
            self._groups = []  # those of the phase before
            self.rates.set_full("")
            self.rate_field.setModified(False)
            self._show_rate(event.lr)
        elif isinstance(event, m.StepMetrics):
            self._groups = event.groups
            if not self._groups_timer.isActive():
                self._groups_timer.start()
        elif isinstance(event, m.Paused | m.Resumed):
            self._show_note()
        elif isinstance(event, m.TrainingFinished) or event is None:
            self.patience_timer.stop()
            self._asked.clear()
            self._show_note()

    def _patience_of(self, run: Path, checkpoint: dict[str, Any] | None) -> None:
        kept = (checkpoint or {}).get("early_stop")
        if isinstance(kept, int) and run == self._workspace.training.latest_run and not self.patience_timer.isActive():
            self._show_patience(kept)

    @Slot(m.RunAdjusted)
    def _run_adjusted(self, event: m.RunAdjusted) -> None:
        if event.kind == "rate":
            self.rate_field.setModified(False)  # the next steps tell what it is now
        elif event.kind == "early-stop":
            number = re.search(r"\d+", event.text)
            self._show_patience(int(number[0]) if number else 0)
        self._asked.pop(event.request, "")
        self._show_note()

    @Slot(m.FrozenFeaturesCached)
    def _prefix_cached(self, event: m.FrozenFeaturesCached) -> None:
        text = prefix(event)
        self.prefix.set_full(text)
        self.prefix.setToolTip(as_plain(f"{text}\n\n{_PREFIX_TIP}"))

    def _show_rate(self, lr: float) -> None:
        if not self.rate_field.isModified() and self.rate_field.text() != write_power(lr):
            self.rate_field.setText(write_power(lr))

    def _show_patience(self, epochs: int) -> None:
        self.patience_timer.stop()
        self.patience.show_number(epochs)

    @Slot()
    def _show_groups(self) -> None:
        if not self._groups:
            return
        # Layers near the input may have a share of it: the phase's own rate is the highest.
        self._show_rate(max(group.requested for group in self._groups))
        parts = [f"{g.name}: {rate(float(f'{g.applied:.2g}'))} of {rate(g.requested)}" for g in self._groups]
        self.rates.set_full(" · ".join(parts))
        lines = "\n".join(parts)
        self.rates.setToolTip(f"Current learning rate and its peak in this phase (warm-up, then falling):\n{lines}")

    @Slot()
    def _show_note(self) -> None:
        """Only while there is something to wait for."""
        waiting = f"Requested: {', '.join(self._asked.values())}. " if self._asked else ""
        text = ""
        if self._workspace.training.paused:
            text = f"{waiting}Paused: changes take effect at the first step after resuming."
        elif self._asked:
            text = f"{waiting}Takes effect with the next step."
        self._say(text)

    @Slot(str)
    def _say(self, text: str) -> None:
        """In the place of the rates per group, or the plots would jump."""
        self.note.set_full(text)
        self.note.setVisible(bool(text))
        self.rates.setVisible(not text)

    # --- which of the two it is -------------------------------------------------------------------------------------

    @Slot()
    def _forget(self) -> None:
        self._groups, self._asked = [], {}
        for line in (self.rates, self.prefix):
            line.set_full("")
        self.finish.setEnabled(False)
        self._show_note()

    @Slot()
    def _refresh(self) -> None:
        engine = self._workspace.engine
        busy = engine.busy
        self._running.setVisible(busy)
        self._running.setEnabled(engine.kind is EngineKind.TRAINING)
        self._idle.setVisible(not busy)
        if busy:
            return
        ready = self._advisor.can_act
        self.find_learning_rate.setEnabled(ready)
        pretrained = self._workspace.recipe.backbone.weights != FROM_SCRATCH
        self.scratch.setEnabled(ready and pretrained)
        self.scratch.setToolTip(_SCRATCH_TIP if pretrained else "The recipe itself trains from scratch already.")
        run = self._advisor.open_run if ready else None
        self.go_on.setVisible(run is not None)
        if run is not None:
            self.go_on.setText(f"Continue run {run.number}")
            self.go_on.setAccessibleName(self.go_on.text())
            self.go_on.setToolTip(f"Goes on from step {run.step:,} exactly as if it had never stopped")
