"""The Train page: live curves, and in words what is going on and why."""

from __future__ import annotations

import math
import sys
from functools import partial
from pathlib import Path

from PySide6.QtCore import QThreadPool, QTimer, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from ftgui.base.formatting import clock, percent, plural
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import FROM_SCRATCH
from ftgui.runs.metrics_log import History, read_history
from ftgui.runs.run_folders import run_number
from ftgui.ui.engine_client.worker import EngineState
from ftgui.ui.project.stopping import what_is_left
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.curve_plot import CurvePlot
from ftgui.ui.toolkit.theme import Theme
from ftgui.ui.train import training_text
from ftgui.ui.train.advice_banner import AdviceBanner
from ftgui.ui.train.advisor import Advisor
from ftgui.ui.train.run_controls import RunControls
from ftgui.ui.train.verdict_list import SAID_OF
from ftgui.ui.train.words_card import WordsCard

REDRAW_MILLISECONDS = 50
"""Between two redraws. Each redraws one plot of the three: all at once kept the main thread for 70 ms (measured on two
cores that the engine was using too)."""

_FIRST_STEPS = 20
_GROWTH = 1.5


class TrainPage(QWidget):
    """Follows `Workspace.training_event`."""

    rate_test_wanted = Signal()

    def __init__(self, workspace: Workspace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._theme = theme
        self.advisor = Advisor(workspace, self)
        self.banner = AdviceBanner(self.advisor, workspace.disk_tasks, theme)
        self.steer = RunControls(workspace, self.advisor, theme)
        self.steer.rate_test_wanted.connect(self.rate_test_wanted)
        grid = QGridLayout()
        grid.setSpacing(10)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(self.banner)
        column.addLayout(grid, 1)
        column.addWidget(self.steer)
        self.loss = CurvePlot("Loss", theme)
        self.accuracy = CurvePlot("Accuracy", theme, unit_range=True)
        self.lr = CurvePlot("Learning rate ×10⁻³", theme, validation=False, smooth=False, scale=1e3)
        grid.addWidget(self.loss, 0, 0)
        grid.addWidget(self.accuracy, 0, 1)
        grid.addWidget(self.lr, 1, 0)
        self.words = WordsCard(workspace, theme)
        self.headline, self.explanation, self.verdicts = (
            self.words.headline,
            self.words.explanation,
            self.words.verdicts,
        )
        grid.addWidget(self.words, 1, 1)
        grid.setRowStretch(0, 5)
        grid.setRowStretch(1, 4)
        for number in range(2):
            grid.setColumnStretch(number, 1)
        self.accuracy.plot.setXLink(self.loss.plot)
        self.lr.plot.setXLink(self.loss.plot)
        self.dirty: set[CurvePlot] = set()
        self._turn = 0
        self._first_step = self._last_step = 0
        self._recalling: Task | None = None
        self._pool = QThreadPool(self)
        self._follows = True
        self._right = 0.0
        for plot in self.plots:
            plot.plot.getViewBox().sigRangeChangedManually.connect(self._zoomed)
        self._timer = QTimer(self)
        self._timer.setInterval(REDRAW_MILLISECONDS)
        self._timer.timeout.connect(self._redraw)
        self._phases: list[str] = []
        self._busy = False
        self._phase: m.PhaseStarted | None = None
        """Whose steps are done."""
        self._lr_peaks: list[float] = []
        self._show_idle()
        workspace.training.event_arrived.connect(self._event)
        workspace.project_changed.connect(self._project_changed)
        workspace.training_requests.run_adjusted.connect(self._run_adjusted)
        workspace.engine_changed.connect(self._engine)
        workspace.layer_ticks.changed.connect(self._explain)
        self._recall_last()

    @property
    def plots(self) -> list[CurvePlot]:
        return [self.loss, self.accuracy, self.lr]

    # --- words ------------------------------------------------------------------------------------------------------

    def _show_idle(self) -> None:
        self.headline.setText("No training is in progress. Tick layers on the right, then press Train.")
        self.explanation.setText(
            "You have few images compared with the million the backbone has seen, so its layers stay frozen at first and "
            "only a new head learns your classes: minutes instead of days, and nothing it knows is lost."
        )
        self.words.say_figures("")

    @Slot()
    def _project_changed(self) -> None:
        self._forget_recalling()
        for plot in self.plots:
            plot.clear()
            plot.say("")
        self._first_step = self._last_step = 0
        self._show_idle()
        self._recall_last()

    def _recall_last(self) -> None:
        """Where the person left off: the run before this start of the program, until another one begins."""
        runs = self._workspace.dataset.trained.runs
        if runs and not self._workspace.engine.busy:
            self.headline.setText(f"Last trained: {runs[-1].words}.")
            self.explanation.setText("Its curves stay here until the next one begins.")
            self._recall(runs[-1].folder, sys.maxsize)
            if runs[-1].reason in SAID_OF:
                self.verdicts.show_run(runs[-1].folder)

    @Slot(EngineState)
    def _engine(self, state: EngineState) -> None:
        """Reading the images may take minutes, and only then the engine says that a training has started."""
        if state.busy and not self._busy:
            self._phase = None
            for plot in self.plots:
                plot.clear(ghost=not self._workspace.training.continuing)
                plot.say("The curve begins with the first step.")
            run = self._workspace.training.latest_run
            number = run_number(run) if run is not None else 0
            continued = self._workspace.training.continuing
            self.headline.setText(f"Run {number} {'continues' if continued else 'starts'}.")
            self.explanation.setText(training_text.beginning(continued))
            self.words.say_figures("")
        self._busy = state.busy

    def _show_phase(self, event: m.PhaseStarted) -> None:
        self._phase = event
        self.headline.setText(f"Phase {event.phase + 1} of {len(self._phases)}: {event.name}")
        self._explain()

    @Slot()
    def _explain(self) -> None:
        """What learns in the phase and why; but what the person ticked since, if it is something else."""
        event, ticks = self._phase, self._workspace.layer_ticks
        if event is None or not self._workspace.engine.busy:
            return
        phases = self._workspace.training.recipe.active_phases
        train = phases[event.phase].train if event.phase < len(phases) else []
        if ticks.pending:
            self.explanation.setText(training_text.asked_for(ticks.asked_names))
        elif not ticks.are(train):
            self.explanation.setText(training_text.by_ticks(ticks.asked_names, event.lr))
        else:
            from_scratch = self._workspace.training.recipe.backbone.weights == FROM_SCRATCH
            self.explanation.setText(training_text.phase(train, event.lr, from_scratch, self._from_scratch))

    def _show_end(self, event: m.TrainingFinished) -> None:
        words = {"done": "Done.", "stopped": "Stopped.", "exploded": "Training diverged."}
        self.headline.setText(words.get(event.reason, "Training failed."))
        measured = " on training images" if math.isnan(event.best_accuracy) else " on validation images"
        verdict = self._workspace.present.verdict.sentence
        if event.reason in ("failed", "exploded"):
            self.explanation.setText(f"{event.message} {verdict}".rstrip())
        elif self._from_scratch and not math.isnan(event.best_accuracy):
            run = self._workspace.present.run
            self.explanation.setText(training_text.compared(event.best_accuracy, run.accuracy if run else math.nan))
        elif not event.steps:
            self.explanation.setText("It ended before the first step: nothing has changed.")
        else:
            weights = (
                f"The weights of epoch {event.best_epoch}, the best{measured}, are"
                if event.best_epoch
                else "It ended before the first epoch was over; the weights of that moment are"
            )
            if self._workspace.present.folder == Path(event.run_folder):
                text = f"{weights} in the model now. {verdict} Drop an image on the window to see what it says."
            else:
                text = f"{weights} kept. {verdict}"
            self.explanation.setText(" ".join(text.split()))
        best = "" if math.isnan(event.best_accuracy) else f"Best validation accuracy {percent(event.best_accuracy)} · "
        self.words.say_figures(f"{best}{plural(event.steps, 'step')} · {clock(event.seconds)}")

    @property
    def _from_scratch(self) -> bool:
        """The run is the comparison, not what the project is about."""
        return self._workspace.training.comparing and self._workspace.training.recipe.backbone.weights == FROM_SCRATCH

    # --- events -----------------------------------------------------------------------------------------------------

    @Slot(object)
    def _event(self, event: object) -> None:
        if isinstance(event, m.TrainingStarted):
            self._forget_recalling()
            for plot in self.plots:
                plot.clear(ghost=event.step == 0)
            self._first_step = self._last_step = event.step
            self._follows, self._right = True, 0.0
            self._follow()
            self._phases = event.phases
            self.words.say_figures("")
            self._timer.start()
            if event.step:
                self._recall(Path(event.run_folder), event.step)
        elif isinstance(event, m.PhaseStarted):
            for plot in self.plots:
                plot.mark_phase(event.step, event.name)
            self._show_phase(event)
        elif isinstance(event, m.StepMetrics):
            for step, loss, accuracy, lr in zip(event.step, event.loss, event.accuracy, event.lr, strict=True):
                self.loss.add_step(step, loss)
                self.accuracy.add_step(step, accuracy)
                self.lr.add_step(step, lr)
            self._last_step = event.step[-1]
            self.dirty = set(self.plots)
        elif isinstance(event, m.EpochFinished):
            self.loss.add_validation(event.step, event.val_loss)
            self.accuracy.add_validation(event.step, event.val_accuracy)
            if event.best:
                self.loss.mark_best(event.step, event.val_loss)
                self.accuracy.mark_best(event.step, event.val_accuracy)
            self._show_epoch(event)
            self.dirty |= {self.loss, self.accuracy}
        elif isinstance(event, m.Paused):
            self._mark(event.step, "paused")
            self.words.say_figures("Paused. The model can be asked about images in the meantime.")
        elif isinstance(event, m.Resumed):
            self._mark(event.step, "resumed")
            self.words.say_figures("")
        elif isinstance(event, m.PhaseFinished):
            self._phase = None
        elif isinstance(event, m.TrainingFinished):
            self._phase = None
            self._show_end(event)
            self._end()
        elif event is None:
            self._phase = None
            refusal = self._workspace.training.refusal
            self.headline.setText("Training did not start." if refusal else "Training ended before it was finished.")
            self.explanation.setText(refusal)
            run = self._workspace.training.latest_run
            if not refusal and run is not None:
                self._workspace.disk_tasks.do(partial(what_is_left, run), partial(self._say_what_is_left, run))
            self._end()

    def _say_what_is_left(self, run: Path, left: str) -> None:
        if run == self._workspace.training.latest_run and not self._workspace.engine.busy:
            self.explanation.setText(left)

    def _forget_recalling(self) -> None:
        if self._recalling is not None:
            self._recalling.cancel()
            self._recalling = None

    def _recall(self, run_folder: Path, step: int) -> None:
        """Show the curves of a run up to a step, which are in its folder."""
        self._recalling = Task(lambda job: read_history(run_folder, step, job), self)
        self._recalling.done.connect(self._recalled)
        self._recalling.failed.connect(self._not_recalled)
        self._recalling.start(self._pool)

    @Slot(object)
    def _recalled(self, history: History) -> None:
        if self.sender() is not self._recalling:
            return
        self._recalling = None
        figures = zip((self.loss, self.accuracy, self.lr), (1, 2, 3), strict=True)
        for plot, column in figures:
            epochs = [(epoch[0], epoch[column]) for epoch in history.epochs] if plot is not self.lr else []
            plot.put_before([(row[0], row[column]) for row in history.steps], epochs)
            phases = [("phase", *mark) for mark in history.phases]
            plot.marks.put_before([*phases, *(("steering", *mark) for mark in history.run_adjusted)])
        self._mark_best_of(history)
        self._first_step = 0
        self._right = 0.0
        if self._workspace.engine.busy:
            self._follow()
        elif history.steps:
            self._follows, self._last_step = True, history.steps[-1][0]
            self._end()

    def _mark_best_of(self, history: History) -> None:
        """The best epoch before the run was interrupted, unless a later one is better."""
        epochs = [epoch for epoch in history.epochs if not math.isnan(epoch[2])]
        if epochs and self.accuracy.best is None:
            step, loss, accuracy = max(epochs, key=lambda epoch: (epoch[2], -epoch[1]))
            self.loss.mark_best(step, loss)
            self.accuracy.mark_best(step, accuracy)
            self.dirty |= {self.loss, self.accuracy}

    @Slot(str)
    def _not_recalled(self, why: str) -> None:
        self._recalling = None
        self._workspace.message.emit("warning", f"The earlier curves can't be shown: {why}")

    @Slot(m.RunAdjusted)
    def _run_adjusted(self, event: m.RunAdjusted) -> None:
        self._mark(event.step, event.text)

    def _mark(self, step: int, text: str) -> None:
        for plot in self.plots:
            plot.mark_steering(step, text)

    def _show_epoch(self, event: m.EpochFinished) -> None:
        if math.isnan(event.val_accuracy):
            self.words.say_figures("No validation images: nothing shows whether it generalises or memorises.")
            return
        text = f"Epoch {event.epoch}: {percent(event.val_accuracy)} of the validation images are classified correctly"
        gap = event.train_accuracy - event.val_accuracy
        if gap > 0.15:
            text += f", but {percent(event.train_accuracy)} of the training images: the model is beginning to memorise."
        else:
            text += ", the best so far." if event.best else "."
        self.words.say_figures(text)

    def _end(self) -> None:
        self._timer.stop()
        self.dirty.clear()
        for plot in self.plots:
            plot.say("")
            plot.redraw()
        if self._follows and self._last_step:
            self.loss.plot.setXRange(self._first_step, self._last_step)

    @Slot()
    def _zoomed(self) -> None:
        self._follows = False  # until the next run

    def _follow(self) -> None:
        """Widen the common axis in jumps: with every step it would move, and all plots would be painted anew."""
        if self._follows and self._last_step >= self._right:
            first = self._first_step
            self._right = first + max(_FIRST_STEPS, (self._last_step - first) * _GROWTH)
            self.loss.plot.setXRange(first, self._right)

    @Slot()
    def _redraw(self) -> None:
        plot = self.plots[self._turn]
        self._turn = (self._turn + 1) % len(self.plots)
        if plot in self.dirty:
            self.dirty.discard(plot)
            plot.redraw()
            self._follow()
