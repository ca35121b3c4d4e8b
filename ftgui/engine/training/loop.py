"""Training: one run from the first phase to the best weights, readable from top to bottom in `Training.run`."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ftgui.data.catalog.records import Sample, reference
from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.input_pipeline.epoch_order import class_weights, epoch_order
from ftgui.engine.input_pipeline.feature_cache import FeatureStore
from ftgui.engine.input_pipeline.feeds import Feed, Source, make_feed
from ftgui.engine.input_pipeline.image_cache import Batch, Images, cut
from ftgui.engine.interruptions import SteerCommand, StopRequested
from ftgui.engine.malloc import large_blocks_apart, return_freed_memory
from ftgui.engine.memory_limits import out_of_memory
from ftgui.engine.memory_limits import sentence as out_of_memory_sentence
from ftgui.engine.model.filling import fill
from ftgui.engine.model.freezing import Freezer, check_trainable
from ftgui.engine.model.model_folder_writer import Description
from ftgui.engine.training import checkpoint as checkpoints
from ftgui.engine.training.best_weights import BestWeights
from ftgui.engine.training.checkpoint import Checkpoint, Position
from ftgui.engine.training.divergence import DivergenceMonitor, TrainingDiverged
from ftgui.engine.training.ema import ParameterEMA
from ftgui.engine.training.gradient_accumulation import Accumulation
from ftgui.engine.training.metrics import MetricAccumulator, Metrics
from ftgui.engine.training.optimizer import PhaseOptimizer
from ftgui.engine.training.outcome import Outcome
from ftgui.engine.training.run_writer import RunFolder
from ftgui.engine.training.step_reporter import StepReporter
from ftgui.engine.training.time_left import Estimate, TimeLeft
from ftgui.engine.training.update_ratio import UpdateRatioMeter
from ftgui.protocol import messages as m
from ftgui.protocol.rates import rate, rate_after_divergence
from ftgui.protocol.recipe import FROM_SCRATCH, Recipe
from ftgui.protocol.views import views_for
from ftgui.runs.model_folder import BEST_FOLDER
from ftgui.runs.model_in_use import validation_key
from ftgui.runs.predictions import PREDICTIONS_FILE
from ftgui.runs.run_folders import run_number
from ftgui.runs.running import marked_as_running

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 5.0
"""Between two checkpoints at least; more where writing one takes long (`CHECKPOINT_SHARE`)."""

CHECKPOINT_SHARE = 0.02
"""Of the time, checkpoints may take."""

FIRST_BATCHES = 2
"""Of a size; later ones find everything in place."""


class _Refused(Exception):
    """A change of course that can't be made; the run goes on as if it had not been asked for."""


class Training:
    """One run.

    Args:
        model: on its device, with a head for the samples' classes, with the weights the recipe starts from.
        freezer: of that model.
        description: for the finished model's folder.
        samples: all splits.
        root: the dataset folder.
        recipe: what to do.
        run_folder: exists; empty, or that of the run to go on with.
        device: where the model is.
        store: keeps features of the frozen prefix from run to run.
        emit: takes every event.
        poll: answers waiting commands; raises `StopRequested` on Stop, and returns seconds spent paused.
        estimate: for the time left.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        freezer: Freezer,
        description: Description,
        samples: list[Sample],
        root: Path,
        recipe: Recipe,
        run_folder: Path,
        device: torch.device,
        store: FeatureStore,
        emit: Emit,
        poll: Callable[[], float],
        estimate: Estimate = lambda _phase, _train, _val: None,
    ) -> None:
        self.model = model
        self.freezer = freezer
        self.description = description
        self.recipe = recipe
        self.phases = recipe.active_phases
        self.device = device
        self.at = Position()
        self.in_train_mode = False
        """Between the steps of an epoch: who uses the model for something else must call `Freezer.train_mode` after."""
        self.usable = False
        """After `run`: the model holds weights that learned something."""
        self.temperature = 1.0
        """After `run`: of those weights."""
        self.outcome: Outcome | None = None
        """After `run`: what is to be on the disk."""
        self._root = root
        self._emit = emit
        self._poll_commands = poll
        self._time_left = TimeLeft(self.phases, estimate)
        self._store = store
        self._images = Images(samples, description.preprocessing, recipe.augmentation.preset, recipe.seed)
        self._source = Source(
            model,
            freezer,
            self._images,
            recipe.training.batch_size,
            device,
            self._poll,
            lambda what, done, total: emit(m.Progress(what, done, total)),
        )
        self._folder = run_folder
        self._best = BestWeights(model, run_folder / BEST_FOLDER, description)
        self._divergence = DivergenceMonitor(len(description.class_names))
        training = recipe.training
        self._accumulation = Accumulation(training.batch_size, device, training.label_smoothing, self._make_room)
        self._steering: list[SteerCommand] = []
        self._early_stop = recipe.training.early_stop
        self._in_phase = False
        """The phase's optimizer, average and meter exist."""
        self._phase_over = False
        self._seconds_before = 0.0
        self._checkpoint_due = math.inf
        self._not_written: set[str] = set()
        """What the disk did not take the last time."""

    # --- the run ----------------------------------------------------------------------------------------------------

    def run(self, checkpoint: Checkpoint | None = None) -> m.TrainingFinished:
        """Train; always ends with the best weights in the model and a written result.

        Args:
            checkpoint: go on from there.
        """
        self._started = time.monotonic()
        self._goes_on = checkpoint is not None
        self._run = RunFolder(
            self._folder, partial(self._to_disk, "metrics"), checkpoint.plain["metrics_bytes"] if checkpoint else None
        )
        self._teller = StepReporter(self._emit, self._run)
        with marked_as_running(self._folder):
            with closing(self._images):
                reason, message = self._train(checkpoint)
            return self._finish(reason, message)

    def _train(self, checkpoint: Checkpoint | None) -> tuple[str, str]:
        """All phases. Returns why it ended, as `TrainingFinished` has it, and a sentence."""
        try:
            torch.manual_seed(self.recipe.seed)
            self._start(checkpoint)
            try:
                for index in range(max(self.at.phase, 0), len(self.phases)):
                    self._run_phase(index, checkpoint)
                    checkpoint = None
            except StopRequested:
                self._keep_for_later()
                return "stopped", self._stopped()
        except StopRequested:
            before = "it went on; everything is as it was" if self._goes_on else "the first step"
            return "stopped", f"Stopped before {before}."
        except BrokenPipeError:
            raise  # whoever wanted this run is gone: it did not end, it can be continued
        except TrainingDiverged:
            return "exploded", self._divergence_sentence()
        except EngineError as error:
            return "failed", str(error)
        except Exception as error:
            if out_of_memory(error):
                return "failed", self._out_of_memory_sentence()
            log.exception("training failed")
            return "failed", f"The training failed: {type(error).__name__}: {error}"
        return "done", "Training is done."

    def _stopped(self) -> str:
        """What is kept of a run that was stopped, in a sentence."""
        if self._best.best is not None:
            return "Stopped; the best weights so far are kept."
        if self.at.step:
            return "Stopped before the first epoch was over; the weights of this moment are kept."
        return "Stopped before the first step."

    def _start(self, checkpoint: Checkpoint | None) -> None:
        self._poll()  # it may be wanted no longer: the model took seconds to build
        # What an earlier part of the run said of the images is not what its model will say.
        self._to_disk("predictions", lambda: (self._folder / PREDICTIONS_FILE).unlink(missing_ok=True))
        if checkpoint is None:
            try:
                self._run.write_start(self.recipe, self._images.samples, self._root, self.device)
            except OSError as error:
                raise EngineError(f"{self._folder} can't be written: {error}.") from error
        else:
            with checkpoints.restoring():
                self._restore_model(checkpoint)  # first, because reading images may take long and be stopped
        self._read_images()
        images = self._images
        train, val = images.indices("train"), images.indices("val")
        self._targets = [images.samples[index].target for index in train]
        if len(set(self._targets)) < 2:
            raise EngineError(
                "There are not two classes with readable training images, so there is nothing to tell apart."
            )
        for phase in self.phases:
            check_trainable(self.freezer.resolve(phase.train))
        training = self.recipe.training
        if training.balance == "loss":
            weights = class_weights(self._targets, len(self.description.class_names))
            self._accumulation.class_weights = weights.to(self.device)
        if checkpoint is not None:
            self._accumulation.part = checkpoint.plain["part"]
        self._steps_per_epoch = len(cut(range(len(train)), training.batch_size))
        self._source.train_indices, self._source.val_indices = train, val
        self._best.evaluated = bool(val)
        self._emit(
            m.TrainingStarted(
                run_folder=str(self._folder),
                run=run_number(self._folder),
                phases=[phase.name for phase in self.phases],
                epochs=sum(phase.epochs for phase in self.phases),
                train_samples=len(train),
                val_samples=len(val),
                device=str(self.device),
                step=self.at.step,
            )
        )
        if checkpoint is not None:
            self._note_steering(0, "continued", f"continued at step {self.at.step:,}")

    def _read_images(self) -> None:
        """Find out which can be read; what an earlier run found out about the same files still holds."""
        images = self._images
        known = self._store.unreadable.get(images.fingerprint)
        if known is None:
            images.decode_all(self._poll, lambda done, total: self._emit(m.Progress("reading images", done, total)))
            self._store.unreadable[images.fingerprint] = dict(images.unreadable)
            return_freed_memory()
        else:
            images.unreadable = dict(known)
        for index, why in images.unreadable.items():
            path = images.samples[index].path
            self._emit(m.Log("warning", f"{reference(path, self._root)} is left out: {why}"))

    def _keep_for_later(self) -> None:
        """It was stopped: what was asked for while it was paused is not forgotten."""
        if self._in_phase and not self._obey_all(stopping=True):
            self._save_checkpoint()

    def _run_phase(self, index: int, checkpoint: Checkpoint | None) -> None:
        phase = self.phases[index]
        self._phase_over = False
        if checkpoint is None:
            # A phase goes on from the best weights of those before it, not from wherever the last epoch ended.
            self._best.load()
            self.at = Position(phase=index, epoch=self.at.epoch, step=self.at.step, phase_began=self.at.step)
            self._set_layers(self.freezer.resolve(phase.train))
        planned = phase.epochs * self._steps_per_epoch
        self._optimizer = PhaseOptimizer(self.freezer, phase, self.recipe.training, self.device, planned)
        self._average = ParameterEMA(self.recipe.training.ema) if self.recipe.training.ema else None
        self._meter = UpdateRatioMeter(self.freezer, self._emit)
        self._gathered = MetricAccumulator(len(self.description.class_names), self.device)
        self._frozen_hash = self.freezer.frozen_hash()
        self._choose_views()
        if checkpoint is not None:
            with checkpoints.restoring():
                self._restore_phase(checkpoint)
        self._in_phase = True
        self._new_time_left()
        began, layers, frozen = self.at.phase_began, self.freezer.names(), self._frozen_hash
        before = self.at.epoch - self.at.epoch_in_phase - (self.at.batch > 0)
        run_epochs = before + sum(later.epochs for later in self.phases[index:])
        peak = self._optimizer.peak
        self._emit(m.PhaseStarted(index, phase.name, began, phase.epochs, run_epochs, peak, frozen))
        if checkpoint is None:
            self._run.log("phase", phase=index, name=phase.name, step=began, layers=layers, frozen_hash=frozen)
        if not self._phase_is_done:  # a killed run may have been between two phases
            self._make_feed()
        self._save_checkpoint()
        while not self._phase_is_done:
            self._run_epoch()
        self._to_disk("best", lambda: self._best.write(at_once=True))
        self._end_phase(index, self._stops_early and self.at.epoch_in_phase < phase.epochs)

    @property
    def _phase_is_done(self) -> bool:
        at_the_end = self.at.epoch_in_phase >= self.phases[self.at.phase].epochs
        return at_the_end or self._phase_over or self._stops_early

    @property
    def _stops_early(self) -> bool:
        """Decided between epochs only, from what a checkpoint keeps."""
        at = self.at
        return at.batch == 0 and at.epoch_in_phase > 0 and 0 < self._early_stop <= at.since_best

    def _end_phase(self, index: int, stopped_early: bool) -> None:
        after = self.freezer.frozen_hash()
        same = after == self._frozen_hash
        self._emit(m.PhaseFinished(index, after, same, stopped_early))
        self._run.log("phase-end", phase=index, frozen_hash=after, frozen_unchanged=same, early=stopped_early)
        self._check_frozen(after)

    def _check_frozen(self, present: str) -> None:
        if present != self._frozen_hash:
            raise EngineError("Frozen layers changed during the phase; this is a fault in ftgui. Please report it.")

    def _choose_views(self) -> None:
        """As many as the recipe says, but no more than there are epochs to show them in."""
        left = self.phases[self.at.phase].epochs - self.at.epoch_in_phase
        self._views = min(views_for(self.recipe, len(self._source.train_indices)), left)

    def _make_feed(self) -> None:
        in_train_mode, self.in_train_mode = self.in_train_mode, False
        compile_it = self.recipe.training.compile and self.device.type == "cuda"
        with self._time_left.aside():
            made = make_feed(self._source, self._store, self._views, compile_it)
        self._feed: Feed = made.feed
        self._sizes_seen: Counter[tuple[str, int]] = Counter()
        event = m.FrozenFeaturesCached(
            phase=self.at.phase,
            cached=not made.why,
            views=made.feed.views,
            bytes=made.bytes,
            on_disk=made.on_disk,
            why=made.why,
            seconds=made.seconds,
        )
        self._emit(event)
        self._run.log("prefix", step=self.at.step, **_fields(event))
        self.in_train_mode = in_train_mode
        if in_train_mode:
            self.freezer.train_mode()

    # --- an epoch ---------------------------------------------------------------------------------------------------

    def _run_epoch(self) -> None:
        """One pass over the training images, or what is left of it, and one over the validation images."""
        at, training = self.at, self.recipe.training
        seconds = self._time_left.stopwatch()
        if at.batch == 0:
            self._gathered = MetricAccumulator(len(self.description.class_names), self.device)
        first = at.batch
        # The position says so only when its first step is taken: a checkpoint may be written, by a pause, before it.
        epoch = at.epoch + (first == 0)
        order = epoch_order(self._targets, self.recipe.seed, epoch, training.balance == "sampler")
        chunks = cut(order, training.batch_size)
        self.freezer.train_mode()
        self.in_train_mode = True
        while at.batch < len(chunks) and not self._phase_over:
            feed = self._feed
            for batch in feed.train(chunks[at.batch :], epoch - 1):
                at.epoch = epoch
                with self._memory_for("train", batch):
                    self._step(batch)
                at.batch += 1
                self._after_step()
                if self._phase_over or self._feed is not feed:
                    break
        self.in_train_mode = False
        self._tell_steps()
        train = self._gathered.figures()
        val = self.evaluate()
        took = seconds()
        if first == 0 and at.batch == len(chunks):
            self._time_left.epoch_took(took)
        self._end_epoch(train, val, took)
        self._poll()
        self._obey_all()  # what came while the epoch was validated is meant for this phase, not for the next

    def _step(self, batch: Batch) -> None:
        started = time.monotonic()
        optimizer = self._optimizer
        optimizer.set_rates(self._step_of_phase)
        self._meter.before_step()
        logits = self._accumulation.gradients(batch, self._feed, optimizer)
        optimizer.step()
        if self._average is not None:
            self._average.update(optimizer.named)
        self.at.step += 1
        self._meter.after_step(self.at.step)
        self._gathered.add(logits, batch.targets)
        # Told without label smoothing and weights, so that it can be compared with the validation loss.
        plain = functional.cross_entropy(logits.float(), batch.targets)
        accuracy = (logits.argmax(1) == batch.targets).float().mean()
        took = time.monotonic() - started
        if self._teller.note(self.at.step, plain, accuracy, optimizer.rate, len(batch.targets), took):
            self._tell_steps()

    @property
    def _step_of_phase(self) -> int:
        return self.at.epoch_in_phase * self._steps_per_epoch + self.at.batch

    def _make_room(self, part: int) -> None:
        """The device ran out of memory: give back what can be given back, and tell."""
        self._store.forget()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        size = self.recipe.training.batch_size
        text = f"The device ran out of memory: a batch of {size} now goes through the model {part} images at a time."
        self._emit(m.Log("warning", f"{text} The steps stay the same, each takes a little longer."))
        self._note_steering(0, "batch", f"{part} images at a time")

    def evaluate(self) -> Metrics:
        """The validation images through the model as it is; leaves the model in eval mode."""
        gathered = MetricAccumulator(len(self.description.class_names), self.device, keep=True)
        self.model.eval()
        average = self._average
        if average is not None:
            average.swap(self.model)
        try:
            for batch in self._feed.val():
                with self._memory_for("val", batch):
                    logits = self._accumulation.logits(batch, self._feed)
                gathered.add(logits, batch.targets)
        finally:
            if average is not None:
                average.swap(self.model)
        return gathered.figures()

    def _memory_for(self, kind: str, batch: Batch) -> AbstractContextManager[None]:
        """The first batches of a size leave things behind in memory; `large_blocks_apart` says why it matters."""
        seen, key = self._sizes_seen, (kind, len(batch.targets))
        seen[key] += 1
        return large_blocks_apart() if seen[key] <= FIRST_BATCHES else nullcontext()

    def _end_epoch(self, train: Metrics, val: Metrics, seconds: float) -> None:
        at = self.at
        decisive = val if self._source.val_indices else train
        # Before the weights can become the best so far: a short epoch may end before the watch has seen enough steps.
        self._divergence.check(train.loss, decisive.loss)
        score = [decisive.accuracy, -decisive.loss]
        at.since_best = 0 if score > at.best_in_phase else at.since_best + 1
        at.best_in_phase = max(at.best_in_phase, score)
        best = self._best.offer(at.epoch, decisive, self._average)
        at.batch = 0
        at.epoch_in_phase += 1
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
        self._run.log("epoch", **_fields(event))
        self._to_disk("best", lambda: self._best.write(at_once=False))
        self._save_when_due()

    # --- steering ---------------------------------------------------------------------------------------------------

    def steer(self, command: SteerCommand) -> None:
        """Do this after the present step."""
        self._steering.append(command)

    def note_pause(self, paused: bool) -> None:
        """The person paused or resumed; the run's record says so. A pause is a good moment for a checkpoint."""
        self._run.log("run_adjusted", step=self.at.step, what="pause" if paused else "resume", text="")
        if paused and self.in_train_mode:
            self._save_checkpoint()

    def _after_step(self) -> None:
        self._poll()
        if not self._obey_all():
            self._save_when_due()

    def _obey_all(self, stopping: bool = False) -> bool:
        """Do what was asked since the last step.

        Args:
            stopping: nothing comes after, so nothing need be computed for it.

        Returns:
            whether there was anything; then a checkpoint knows of it.
        """
        if not self._steering:
            return False
        before = set(self.freezer.trainable)
        while self._steering:
            command = self._steering.pop(0)
            try:
                self._obey(command)
            except _Refused as error:
                self._emit(m.CommandFailed(command.request, type(command).__name__, str(error)))
        # A change that only memory knows of would be lost in a crash; making the new feed may take minutes.
        self._save_checkpoint()
        if self.freezer.trainable != before and not stopping and not self._phase_is_done:
            self._new_time_left()
            self._make_feed()
        return True

    def _obey(self, command: SteerCommand) -> None:
        if isinstance(command, m.SetTrainable):
            self._tick(command)
        elif isinstance(command, m.ChangeRate):
            if not (math.isfinite(command.lr) and command.lr > 0):
                raise _Refused(f"The learning rate must be above 0, not {command.lr:g}.")
            self._optimizer.peak = command.lr
            self._divergence.forget()
            self._note_steering(
                command.request, "rate", f"rate {command.lr:.1e}".replace(".0e", "e").replace("e-0", "e-")
            )
        elif isinstance(command, m.ChangeEarlyStop):
            self._early_stop = max(command.epochs, 0)
            text = f"early stop after {self._early_stop}" if self._early_stop else "early stop off"
            self._note_steering(command.request, "early-stop", text)
        else:
            self._phase_over = True
            self._note_steering(command.request, "finish-phase", "phase finished")

    def _tick(self, command: m.SetTrainable) -> None:
        """Let other layers learn from the next step on."""
        try:
            wanted = self.freezer.resolve(command.layers)
            check_trainable(wanted)
        except EngineError as error:
            raise _Refused(str(error)) from error
        before = set(self.freezer.trainable)
        if wanted == before:
            self._emit_freezing(command.request)
            return
        self._check_frozen(self.freezer.frozen_hash())
        self._set_layers(wanted, command.request)
        self._frozen_hash = self.freezer.frozen_hash()
        self._optimizer.layers_changed(self._step_of_phase)
        self._meter.layers_changed()
        if self._average is not None:
            self._average.keep_only(name for name, _ in self._optimizer.named)
        added, removed = self.freezer.names(wanted - before), self.freezer.names(before - wanted)
        parts = [f"{sign}{_few(names)}" for sign, names in (("+", added), ("−", removed)) if names]
        self._note_steering(command.request, "layers", " ".join(parts))
        self._choose_views()

    def _set_layers(self, units: set[int], request: int = 0) -> None:
        self.freezer.set_trainable(units)
        self._best.touch(self.freezer.learning_tensors())
        self._emit_freezing(request)

    def _note_steering(self, request: int, kind: str, text: str) -> None:
        self._emit(m.RunAdjusted(request, self.at.step, kind, text))
        self._run.log("run_adjusted", step=self.at.step, what=kind, text=text)

    # --- checkpoints ------------------------------------------------------------------------------------------------

    def _save_when_due(self) -> None:
        if time.monotonic() >= self._checkpoint_due:
            self._save_checkpoint()

    def _schedule_checkpoint(self, cost: float) -> None:
        self._checkpoint_due = time.monotonic() + max(CHECKPOINT_SECONDS, cost / CHECKPOINT_SHARE)

    def _save_checkpoint(self) -> None:
        if not self._in_phase:
            return
        started = time.monotonic()
        self._tell_steps()
        plain: dict[str, Any] = {
            "at": asdict(self.at),
            "trainable": sorted(self.freezer.trainable),
            "optimizer": self._optimizer.plain(),
            "average": self._average.plain() if self._average else 0,
            "early_stop": self._early_stop,
            "phase_over": self._phase_over,
            "part": self._accumulation.part,
            "views": self._views,
            "frozen_hash": self._frozen_hash,
            "gathered": self._gathered.plain(),
            "best": self._best.plain(),
            "losses": self._divergence.plain(),
            "seconds": self._seconds,
        }
        state = self.model.state_dict()
        groups: dict[str, dict[str, torch.Tensor]] = {
            "model": {name: state[name] for name in self._best.touched},
            "optimizer": self._optimizer.tensors(),
            "average": self._average.values if self._average else {},
            "random": checkpoints.random_states(self.device),
            "gathered": self._gathered.tensors(),
            **self._best.tensors(),
        }
        self._to_disk(
            "checkpoint",
            lambda: checkpoints.save(self._folder, {**plain, "metrics_bytes": self._run.metrics_bytes()}, groups),
        )
        self._schedule_checkpoint(time.monotonic() - started)

    def _restore_model(self, checkpoint: Checkpoint) -> None:
        """What a checkpoint says about the run as a whole; the phase's part follows when its optimizer is made."""
        plain = checkpoint.plain
        self.at = Position(**plain["at"])
        if self.at.phase >= len(self.phases):
            raise EngineError("The checkpoint is of a recipe with more phases than there are.")
        self._early_stop = plain["early_stop"]
        self._divergence.restore(plain["losses"])
        self._seconds_before = plain["seconds"]
        state, kept = self.model.state_dict(), checkpoint.group("model")
        if any(name not in state or state[name].shape != value.shape for name, value in kept.items()):
            raise EngineError("The checkpoint is of another model than the recipe's.")
        self._best.restore(checkpoint, list(kept))
        fill(self.model, kept)
        if not set(plain["trainable"]) <= set(self.freezer.tree.names.units):
            raise EngineError("The checkpoint is of another model than the recipe's: it has other layers.")
        self.freezer.set_trainable(set(plain["trainable"]))
        self._emit_freezing(0)

    def _restore_phase(self, checkpoint: Checkpoint) -> None:
        plain = checkpoint.plain
        if self._frozen_hash != plain["frozen_hash"]:
            raise EngineError(
                "The run can't be continued: the pretrained weights are not the ones it began with. Train anew."
            )
        self._phase_over = plain["phase_over"]
        self._views = plain["views"]
        self._optimizer.restore(plain["optimizer"], checkpoint.group("optimizer"))
        if self._average is not None:
            self._average.restore(plain["average"], checkpoint.group("average"), self.device)
        self._gathered.restore(plain["gathered"], checkpoint.group("gathered"))
        checkpoints.restore_random_states(checkpoint.group("random"), self.device)

    # --- the end ----------------------------------------------------------------------------------------------------

    @property
    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def _divergence_sentence(self) -> str:
        name = self.phases[self.at.phase].name
        kept = (
            "The best weights before are kept."
            if self._best.best
            else "The weights are what they were in the beginning."
        )
        return (
            f"The loss diverged at step {self.at.step:,}: a learning rate of {rate(self._optimizer.peak)} is too high for the "
            f"phase “{name}”. {kept} Try {rate(self._lower_rate())}."
        )

    def _out_of_memory_sentence(self) -> str:
        if self.at.phase < 0:
            return (
                "There was not enough memory to read the images. Close other programs, or take a model with a smaller "
                "input size."
            )
        return out_of_memory_sentence(self._accumulation.part)

    def _lower_rate(self) -> float:
        """To try after the loss diverged in the present phase."""
        phase, scratch = self.phases[self.at.phase], self.recipe.backbone.weights == FROM_SCRATCH
        return rate_after_divergence(phase.train, self._optimizer.peak, phase.lr, scratch)

    def _finish(self, reason: str, message: str) -> m.TrainingFinished:
        best = self._best.best
        self.in_train_mode = False
        as_it_was = self._goes_on and not self._in_phase
        """It was to be continued, but that ended before it began: its folder stays as it is."""
        last = dict(self.model.state_dict()) if reason == "done" else None
        if last is not None and best is not None:
            last |= {name: last[name].detach().to("cpu", copy=True) for name in self._best.touched}
        if best is not None:
            self._best.load()
            self.usable = True
            self.temperature = self._best.temperature
        elif reason == "exploded":
            self._best.load_initial()
        elif reason == "stopped" and self.at.step:
            # Stopped before the first epoch was over: what was learned so far is all there is.
            self.usable = True
        self.model.eval()
        evaluation = None
        decisive = best is not None and bool(self._source.val_indices)
        if best is not None and decisive:
            confusion = best.figures.confusion.tolist()
            calibration = best.figures.calibration
            evaluation = m.Evaluation(
                self.description.class_names,
                confusion,
                best.figures.loss,
                best.figures.accuracy,
                calibration.temperature,
                calibration.error_before,
                calibration.error_after,
            )
        finished = m.TrainingFinished(
            run_folder=str(self._folder),
            reason=reason,
            message=message,
            best_epoch=best.epoch if best else 0,
            best_accuracy=best.figures.accuracy if best and decisive else math.nan,
            steps=self.at.step,
            seconds=self._seconds,
            evaluation=evaluation,
            phase=max(self.at.phase, 0),
            suggested_lr=self._lower_rate() if reason == "exploded" else 0.0,
            usable=self.usable,
            validation=validation_key(
                (reference(s.path, self._root), s.class_name, s.split) for s in self._images.samples
            ),
        )
        if as_it_was:
            return finished
        self.outcome = Outcome(self._run, self.model, self.description, self._best, self.at.step, last, finished)
        return self.outcome.write()

    def _to_disk(self, what: str, write: Callable[[], object]) -> None:
        """Write; where that fails, say so once and go on: what was learned is still in memory, and a full disk is no reason
        to throw it away. Said again when everything that failed could be written."""
        try:
            write()
        except OSError as error:
            if not self._not_written:
                gone = "" if self._folder.is_dir() else " The run's folder is gone; it is not made anew."
                text = f"{self._folder} can't be written, the training goes on: {error}.{gone}"
                self._emit(m.Log("warning", text))
            self._not_written.add(what)
        else:
            if self._not_written == {what}:
                self._emit(m.Log("info", f"{self._folder} can be written again."))
            self._not_written.discard(what)

    # --- telling ----------------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        self._time_left.set_aside(self._poll_commands())

    def _emit_freezing(self, request: int) -> None:
        freezer = self.freezer
        self._emit(
            m.FreezingChanged(
                request=request,
                trainable=sorted(freezer.trainable),
                layers=freezer.names(),
                trainable_parameters=freezer.trainable_parameters,
                total_parameters=freezer.total_parameters,
            )
        )

    def _tell_steps(self) -> None:
        at = self.at
        epochs = self.phases[at.phase].epochs - at.epoch_in_phase - at.batch / self._steps_per_epoch
        left = self._time_left.seconds_left(epochs)
        self._divergence.see(self._teller.tell(at.phase, at.epoch, left, self._optimizer.rates()))

    def _new_time_left(self) -> None:
        source = self._source
        self._time_left.layers_changed(
            self.at.phase, self.freezer.names(), len(source.train_indices), len(source.val_indices)
        )


def _fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def _few(names: list[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
