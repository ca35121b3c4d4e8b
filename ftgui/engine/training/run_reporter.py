"""What a training says of itself beside its steps: an event for the window, and a line of ``metrics.jsonl`` for later."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ftgui.engine.events import Emit
from ftgui.engine.input_pipeline.feeds import Made, Source
from ftgui.engine.interruptions import SteerCommand
from ftgui.engine.model.freezing import Freezer
from ftgui.engine.training.metrics import Metrics
from ftgui.engine.training.position import Position
from ftgui.engine.training.run_state import PhaseState
from ftgui.engine.training.run_writer import RunFolder
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Phase
from ftgui.runs.run_folders import run_number


class RunReporter:
    """Tells of a run, its phases and its epochs, and of what is changed on the way.

    Args:
        emit: takes the events.
        log: of the run.
    """

    def __init__(self, emit: Emit, log: RunFolder) -> None:
        self._emit = emit
        self._log = log

    def run_started(self, phases: Sequence[Phase], source: Source, step: int) -> None:
        """The images are read; the first phase comes next.

        Args:
            phases: all of the run.
            source: of the images.
            step: done before, where a run is continued.
        """
        folder = self._log.folder
        self._emit(
            m.TrainingStarted(
                run_folder=str(folder),
                run=run_number(folder),
                phases=[phase.name for phase in phases],
                epochs=sum(phase.epochs for phase in phases),
                train_samples=len(source.train_indices),
                val_samples=len(source.val_indices),
                device=str(source.device),
                step=step,
            )
        )

    def phase_started(self, phase: PhaseState, epochs_later: int, continued: bool) -> None:
        """A phase begins, or goes on.

        Args:
            phase: that one.
            epochs_later: of the phases after it.
            continued: it began in an earlier part of the run, whose line is in the log.
        """
        at, name, epochs = phase.run.at, phase.settings.name, phase.settings.epochs
        epochs_before = at.epoch - at.epoch_in_phase - (at.batch > 0)
        run_epochs = epochs_before + epochs + epochs_later
        peak, frozen = phase.optimizer.peak, phase.frozen_hash
        self._emit(m.PhaseStarted(at.phase, name, at.phase_began, epochs, run_epochs, peak, frozen))
        if not continued:
            layers = phase.run.freezer.names()
            self._log.log("phase", phase=at.phase, name=name, step=at.phase_began, layers=layers, frozen_hash=frozen)

    def features_cached(self, at: Position, made: Made) -> None:
        """The frozen part was computed once, or it is said why not."""
        event = m.FrozenFeaturesCached(
            phase=at.phase,
            cached=not made.why,
            views=made.feed.views,
            bytes=made.bytes,
            on_disk=made.on_disk,
            why=made.why,
            seconds=made.seconds,
        )
        self._emit(event)
        self._log.log("prefix", step=at.step, **msgspec.structs.asdict(event))

    def epoch_finished(self, at: Position, train: Metrics, val: Metrics, best: bool, seconds: float) -> None:
        """An epoch is over and evaluated.

        Args:
            at: the end of the epoch.
            train: of its batches, as they were when their step came.
            val: of the validation images afterwards.
            best: no epoch was better so far.
            seconds: that it took.
        """
        event = m.EpochFinished(
            phase=at.phase,
            epoch=at.epoch,
            step=at.step,
            train_loss=train.loss,
            train_accuracy=train.accuracy,
            val_loss=val.loss,
            val_accuracy=val.accuracy,
            best=best,
            seconds=seconds,
            recall=val.recall,
        )
        self._emit(event)
        self._log.log("epoch", **msgspec.structs.asdict(event))

    def phase_finished(self, phase: int, frozen_hash: str, frozen_unchanged: bool, early: bool) -> None:
        """A phase is over.

        Args:
            phase: its index.
            frozen_hash: what `Freezer.frozen_hash` says now.
            frozen_unchanged: it says what it said before.
            early: it was stopped early.
        """
        self._emit(m.PhaseFinished(phase, frozen_hash, frozen_unchanged, early))
        self._log.log("phase-end", phase=phase, frozen_hash=frozen_hash, frozen_unchanged=frozen_unchanged, early=early)

    # --- what is changed on the way ---------------------------------------------------------------------------------

    def freezing(self, freezer: Freezer, request: int = 0) -> None:
        """These layers learn now."""
        self._emit(
            m.FreezingChanged(
                request=request,
                trainable=sorted(freezer.trainable),
                layers=freezer.names(),
                trainable_parameters=freezer.trainable_parameters,
                total_parameters=freezer.total_parameters,
            )
        )

    def adjusted(self, step: int, kind: str, text: str, request: int = 0) -> None:
        """Something was changed after a step, by a person or for want of memory."""
        self._emit(m.RunAdjusted(request, step, kind, text))
        self._log.log("run_adjusted", step=step, what=kind, text=text)

    def paused(self, step: int, paused: bool) -> None:
        """A person paused the run or resumed it: only the log says so, the window is told by whoever waits."""
        self._log.log("run_adjusted", step=step, what="pause" if paused else "resume", text="")

    def refused(self, command: SteerCommand, why: str) -> None:
        """A command was not done."""
        self._emit(m.CommandFailed(command.request, why))
