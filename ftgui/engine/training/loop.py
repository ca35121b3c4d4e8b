"""The training loop, readable from top to bottom: a run goes through its phases, a phase through its epochs, an epoch
through its steps.

All that they change is in `ftgui.engine.training.run_state`; what a person changes meanwhile comes by
`ftgui.engine.training.steering`. How a run begins and what it leaves is in `ftgui.engine.training.training`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from torch.nn import functional

from ftgui.engine.events import Emit
from ftgui.engine.input_pipeline.epoch_order import epoch_order
from ftgui.engine.input_pipeline.feature_cache import FeatureStore
from ftgui.engine.input_pipeline.feeds import Feed, Source, make_feed
from ftgui.engine.input_pipeline.image_cache import Batch, cut
from ftgui.engine.interruptions import StopRequested
from ftgui.engine.malloc import FirstBatches
from ftgui.engine.training import ending
from ftgui.engine.training.checkpoint import Checkpoint
from ftgui.engine.training.checkpointing import Checkpointer, restore_phase
from ftgui.engine.training.divergence import TrainingDiverged
from ftgui.engine.training.ending import Ending
from ftgui.engine.training.guarded_writes import GuardedWrites
from ftgui.engine.training.metrics import MetricAccumulator, Metrics
from ftgui.engine.training.run_reporter import RunReporter
from ftgui.engine.training.run_state import PhaseState, RunState
from ftgui.engine.training.steering import NOTHING, Changes, Steering
from ftgui.engine.training.step_reporter import StepReporter
from ftgui.engine.training.time_left import TimeLeft
from ftgui.protocol.recipe import FROM_SCRATCH, Recipe


@dataclass
class TrainingLoop:
    """Trains one run."""

    run: RunState
    recipe: Recipe
    classes: int
    """That the model tells apart."""
    source: Source
    """Of the images, which must have been read before the loop begins."""
    store: FeatureStore
    """Keeps features of the frozen prefix."""
    steering: Steering
    checkpointer: Checkpointer
    guarded: GuardedWrites
    time_left: TimeLeft
    steps: StepReporter
    reporter: RunReporter
    emit: Emit
    """Takes `UpdateRatios`."""
    _stepping: PhaseState | None = None
    """The phase, between the steps of an epoch; None elsewhere."""
    _first_batches: FirstBatches = field(default_factory=FirstBatches)

    @property
    def in_train_mode(self) -> bool:
        """Between the steps of an epoch: who uses the model for something else must call `Freezer.train_mode` after."""
        return self._stepping is not None

    def note_pause(self) -> None:
        """The person paused the run: a good moment for a checkpoint."""
        if self._stepping is not None:
            self._save_checkpoint(self._stepping)

    # --- the phases -------------------------------------------------------------------------------------------------

    def train(self, checkpoint: Checkpoint | None) -> Ending:
        """All phases, from the first step or from a checkpoint on.

        Args:
            checkpoint: what holds over all phases has been put back already (see `restore_run`).

        Raises:
            StopRequested: a person stopped the run; its checkpoint is written.
            EngineError: it can't go on.
        """
        phases = self.recipe.active_phases
        for index in range(max(self.run.at.phase, 0), len(phases)):
            phase = self._begin_phase(index, checkpoint)
            checkpoint = None
            try:
                self._run_phase(phase)
            except TrainingDiverged:
                return ending.diverged(phase, self.recipe.backbone.weights == FROM_SCRATCH)
            self._end_phase(phase)
        return ending.DONE

    def _begin_phase(self, index: int, checkpoint: Checkpoint | None) -> PhaseState:
        run, phases = self.run, self.recipe.active_phases
        if checkpoint is None:
            # A phase goes on from the best weights of those before it, not from wherever the last epoch ended.
            run.best.load()
            run.begin_phase(index)
            run.set_trainable(run.freezer.resolve(phases[index].train))
            self.reporter.freezing(run.freezer)
        phase = PhaseState(run, self.recipe, self.source, self.classes, self.emit)
        if checkpoint is not None:
            restore_phase(phase, checkpoint, self.source.device)
        run.begun = True
        epochs_later = sum(later.epochs for later in phases[index + 1 :])
        self.reporter.phase_started(phase, epochs_later, continued=checkpoint is not None)
        return phase

    def _run_phase(self, phase: PhaseState) -> None:
        if phase.is_over:  # a killed run may have been between two phases
            return
        try:
            feed = self._make_feed(phase)
            self._save_checkpoint(phase)
            while not phase.is_over:
                feed = self._run_epoch(phase, feed)
        except StopRequested:
            self.steering.apply(phase)  # what was asked for while it was paused is not forgotten
            self._save_checkpoint(phase)
            raise

    def _make_feed(self, phase: PhaseState) -> Feed:
        """The cheapest way to go through the images with what is frozen now."""
        source = self.source
        self.time_left.layers_changed(
            self.run.at.phase, self.run.freezer.names(), len(source.train_indices), len(source.val_indices)
        )
        compile_it = self.recipe.training.compile and self.source.device.type == "cuda"
        with self.time_left.aside():
            made = make_feed(source, self.store, phase.views, compile_it)
        self._first_batches.forget()
        self.reporter.features_cached(self.run.at, made)
        return made.feed

    def _end_phase(self, phase: PhaseState) -> None:
        self.guarded("best", lambda: self.run.best.write(at_once=True))
        early = phase.stops_early and self.run.at.epoch_in_phase < phase.settings.epochs
        after = self.run.freezer.frozen_hash()
        self.reporter.phase_finished(self.run.at.phase, after, after == phase.frozen_hash, early)
        phase.check_frozen(after)

    # --- an epoch ---------------------------------------------------------------------------------------------------

    def _run_epoch(self, phase: PhaseState, feed: Feed) -> Feed:
        """One pass over the training images, or what is left of it, and one over the validation images.

        Returns:
            what to go on with: another feed where other layers learn by now.
        """
        at, training = self.run.at, self.recipe.training
        seconds = self.time_left.stopwatch()
        whole_epoch = at.batch == 0
        if whole_epoch:
            phase.train_metrics.reset()
        # The position says so only when its first step is taken: a checkpoint may be written, by a pause, before it.
        epoch = at.epoch + whole_epoch
        order = epoch_order(self.source.train_targets, self.recipe.seed, epoch, training.balance == "sampler")
        batches = cut(order, training.batch_size)
        while at.batch < len(batches) and not phase.ended:
            changes = self._train_on(phase, feed, batches[at.batch :], epoch)
            if changes.layers and not phase.ended:
                feed = self._make_feed(phase)
        self._report_steps(phase)
        train, val = phase.train_metrics.figures(), self._validate(phase, feed)
        took = seconds()
        if whole_epoch and at.batch == len(batches):
            self.time_left.epoch_took(took)
        self._end_epoch(phase, train, val, took)
        self.source.poll()
        # What came while the epoch was validated is meant for this phase, not for the next.
        if self._steer(phase).layers and not phase.is_over:
            feed = self._make_feed(phase)
        return feed

    def _train_on(self, phase: PhaseState, feed: Feed, batches: list[list[int]], epoch: int) -> Changes:
        """A step for each batch, until a person ends the phase or lets other layers learn."""
        changes = NOTHING
        self.run.freezer.train_mode()
        self._stepping = phase
        try:
            for batch in feed.train(batches, epoch - 1):
                self.run.at.epoch = epoch
                with self._first_batches.apart("train", len(batch.targets)):
                    self._step(phase, feed, batch)
                self.run.at.batch += 1
                self.source.poll()
                changes = self._steer(phase)
                if changes.layers or phase.ended:
                    break
                if not changes.asked and self.checkpointer.is_due:
                    self._save_checkpoint(phase)
        finally:
            self._stepping = None
        return changes

    def _step(self, phase: PhaseState, feed: Feed, batch: Batch) -> None:
        """Forward, backward, and a step of the optimizer at the rates of the schedule."""
        started = time.monotonic()
        optimizer = phase.optimizer
        optimizer.set_rates(phase.step)
        phase.update_ratios.before_step()
        logits = self.run.accumulation.gradients(batch, feed, optimizer)
        optimizer.step()
        if phase.average is not None:
            phase.average.update(optimizer.named)
        self.run.at.step += 1
        phase.update_ratios.after_step(self.run.at.step)
        phase.train_metrics.add(logits, batch.targets)
        # Told without label smoothing and weights, so that it can be compared with the validation loss.
        plain = functional.cross_entropy(logits.float(), batch.targets)
        accuracy = (logits.argmax(1) == batch.targets).float().mean()
        took = time.monotonic() - started
        if self.steps.note(self.run.at.step, plain, accuracy, optimizer.rate, len(batch.targets), took):
            self._report_steps(phase)

    def _validate(self, phase: PhaseState, feed: Feed) -> Metrics:
        """The validation images through the model, or its average; leaves the model in eval mode."""
        metrics = MetricAccumulator(self.classes, self.source.device, keep=True)
        self.run.freezer.model.eval()
        with phase.averaged():
            for batch in feed.val():
                with self._first_batches.apart("val", len(batch.targets)):
                    logits = self.run.accumulation.logits(batch, feed)
                metrics.add(logits, batch.targets)
        return metrics.figures()

    def _end_epoch(self, phase: PhaseState, train: Metrics, val: Metrics, seconds: float) -> None:
        run, at = self.run, self.run.at
        decisive = val if run.best.evaluated else train
        # Before the weights can become the best so far: a short epoch may end before enough steps were seen.
        run.divergence.check(train.loss, decisive.loss)
        run.early_stopping.see(decisive.accuracy, decisive.loss)
        best = run.best.offer(at.epoch, decisive, phase.average)
        at.batch = 0
        at.epoch_in_phase += 1
        self.reporter.epoch_finished(at, train, val, best, seconds)
        self.guarded("best", lambda: run.best.write(at_once=False))
        if self.checkpointer.is_due:
            self._save_checkpoint(phase)

    # --- between steps ----------------------------------------------------------------------------------------------

    def _steer(self, phase: PhaseState) -> Changes:
        changes = self.steering.apply(phase)
        if changes.asked:
            # A change that only memory knows of would be lost in a crash; making the new feed may take minutes.
            self._save_checkpoint(phase)
        return changes

    def _save_checkpoint(self, phase: PhaseState) -> None:
        self._report_steps(phase)  # the log must have them before its length is kept
        self.checkpointer.save(phase)

    def _report_steps(self, phase: PhaseState) -> None:
        left = self.time_left.seconds_left(phase.epochs_left)
        losses = self.steps.tell(self.run.at.phase, self.run.at.epoch, left, phase.optimizer.rates())
        self.run.divergence.see(losses)
