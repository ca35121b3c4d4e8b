"""A training as the session sees it: one run, from an empty folder or a checkpoint to what it leaves on the disk."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import torch
from torch import nn

from ftgui.base.formatting import plural
from ftgui.data.catalog.records import Sample, reference
from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.input_pipeline.feature_cache import FeatureStore
from ftgui.engine.input_pipeline.feeds import Source
from ftgui.engine.input_pipeline.image_cache import Images
from ftgui.engine.interruptions import SteerCommand, StopRequested
from ftgui.engine.memory_limits import out_of_memory
from ftgui.engine.model.freezing import Freezer
from ftgui.engine.model.model_folder_writer import Description
from ftgui.engine.training import ending
from ftgui.engine.training.best_weights import BestWeights
from ftgui.engine.training.checkpoint import Checkpoint
from ftgui.engine.training.checkpointing import Checkpointer, restore_run
from ftgui.engine.training.divergence import DivergenceMonitor
from ftgui.engine.training.early_stopping import EarlyStopping
from ftgui.engine.training.ending import Ending
from ftgui.engine.training.gradient_accumulation import Accumulation
from ftgui.engine.training.guarded_writes import GuardedWrites
from ftgui.engine.training.loop import TrainingLoop
from ftgui.engine.training.outcome import Outcome
from ftgui.engine.training.position import Position
from ftgui.engine.training.preparation import check_learnable, loss_weights, read_images
from ftgui.engine.training.run_reporter import RunReporter
from ftgui.engine.training.run_state import RunState
from ftgui.engine.training.run_writer import RunFolder
from ftgui.engine.training.steering import Steering
from ftgui.engine.training.step_reporter import StepReporter
from ftgui.engine.training.time_left import Estimate, TimeLeft
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Recipe
from ftgui.runs.model_folder import BEST_FOLDER
from ftgui.runs.model_in_use import validation_key
from ftgui.runs.predictions import PREDICTIONS_FILE
from ftgui.runs.running import marked_as_running

log = logging.getLogger(__name__)


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
        training = recipe.training
        self.usable = False
        """After `run`: the model holds weights that learned something."""
        self.temperature = 1.0
        """After `run`: of those weights."""
        self.outcome: Outcome | None = None
        """After `run`: what is to be on the disk."""
        self._model, self._freezer, self._description = model, freezer, description
        self._root, self._recipe, self._folder = root, recipe, run_folder
        self._device, self._store, self._emit, self._poll_commands = device, store, emit, poll
        self._classes = len(description.class_names)
        self._time_left = TimeLeft(recipe.active_phases, estimate)
        self._images = Images(samples, description.preprocessing, recipe.augmentation.preset, recipe.seed)
        self._source = Source(
            model, freezer, self._images, training.batch_size, device, self._poll, self._tell_progress, lost=self._lost
        )
        self._guarded = GuardedWrites(run_folder, emit)
        self._log = RunFolder(run_folder, partial(self._guarded, "metrics"))
        self._reporter = RunReporter(emit, self._log)
        self._steering = Steering(self._reporter)
        self._run = RunState(
            freezer,
            BestWeights(model, run_folder / BEST_FOLDER, description),
            EarlyStopping(training.early_stop),
            DivergenceMonitor(self._classes),
            Accumulation(training.batch_size, device, training.label_smoothing, self._make_room),
        )
        self._loop = TrainingLoop(
            run=self._run,
            recipe=recipe,
            classes=self._classes,
            source=self._source,
            store=store,
            steering=self._steering,
            checkpointer=Checkpointer(self._log, self._guarded, device),
            guarded=self._guarded,
            time_left=self._time_left,
            steps=StepReporter(emit, self._log),
            reporter=self._reporter,
            emit=emit,
        )

    @property
    def at(self) -> Position:
        """How far the run is."""
        return self._run.at

    @property
    def in_train_mode(self) -> bool:
        """Between the steps of an epoch: who uses the model for something else must call `Freezer.train_mode` after."""
        return self._loop.in_train_mode

    def steer(self, command: SteerCommand) -> None:
        """Do this after the present step."""
        self._steering.add(command)

    def note_pause(self, paused: bool) -> None:
        """The person paused or resumed; the run's record says so. A pause is a good moment for a checkpoint."""
        self._reporter.paused(self.at.step, paused)
        if paused:
            self._loop.note_pause()

    # --- the run ----------------------------------------------------------------------------------------------------

    def run(self, checkpoint: Checkpoint | None = None) -> m.TrainingFinished:
        """Train; always ends with the best weights in the model and a written result.

        Args:
            checkpoint: go on from there.
        """
        if checkpoint is not None:
            self._log.continue_from(checkpoint.metrics_bytes)
        with marked_as_running(self._folder):
            with closing(self._images):
                why = self._train(checkpoint)
            return self._finish(why, as_it_was=checkpoint is not None and not self._run.begun)

    def _train(self, checkpoint: Checkpoint | None) -> Ending:
        """Whatever goes wrong becomes the run's ending."""
        try:
            self._prepare(checkpoint)
            return self._loop.train(checkpoint)
        except StopRequested:
            return ending.stopped(self._run, continued=checkpoint is not None)
        except BrokenPipeError:
            raise  # whoever wanted this run is gone: it did not end, it can be continued
        except EngineError as error:
            return Ending("failed", str(error))
        except Exception as error:
            if out_of_memory(error):
                return ending.out_of_memory(self._run)
            log.exception("training failed")
            return Ending("failed", f"The training failed: {type(error).__name__}: {error}")

    def _prepare(self, checkpoint: Checkpoint | None) -> None:
        """All that comes before the first phase."""
        run, recipe, source = self._run, self._recipe, self._source
        torch.manual_seed(recipe.seed)
        self._poll()  # it may be wanted no longer: the model took seconds to build
        # What an earlier part of the run said of the images is not what its model will say.
        self._guarded("predictions", lambda: (self._folder / PREDICTIONS_FILE).unlink(missing_ok=True))
        if checkpoint is None:
            self._log.write_start(recipe, self._images.samples, self._root, self._device)
        else:  # before the images, because reading them may take long and be stopped
            restore_run(run, checkpoint, len(recipe.active_phases))
            self._reporter.freezing(self._freezer)
        read_images(source, self._store, self._root, self._emit)
        check_learnable(source, self._freezer, recipe.active_phases)
        run.accumulation.class_weights = loss_weights(source, recipe, self._classes)
        run.best.evaluated = bool(source.val_indices)
        self._reporter.run_started(recipe.active_phases, source, self.at.step)
        if checkpoint is not None:
            self._reporter.adjusted(self.at.step, "continued", f"continued at step {self.at.step:,}")

    # --- meanwhile --------------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        self._time_left.set_aside(self._poll_commands())

    def _tell_progress(self, what: str, done: int, total: int) -> None:
        self._emit(m.Progress(what, done, total))

    def _lost(self, index: int, why: str) -> None:
        """An image that could be read in the beginning can't be any more."""
        name = reference(self._images.samples[index].path, self._root)
        self._emit(m.Log("warning", f"{name} can no longer be read and is left out: {why}"))

    def _make_room(self, part: int) -> None:
        """The device ran out of memory: give back what can be given back, and tell."""
        self._store.forget()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        size = self._recipe.training.batch_size
        now = f"{plural(part, 'image')} at a time"
        text = f"The device ran out of memory: a batch of {size} now goes through the model {now}."
        self._emit(m.Log("warning", f"{text} The steps stay the same, each takes a little longer."))
        self._reporter.adjusted(self.at.step, "batch", now)

    # --- the end ----------------------------------------------------------------------------------------------------

    def _finish(self, why: Ending, as_it_was: bool) -> m.TrainingFinished:
        """Put the best weights into the model and write what the run leaves.

        Args:
            why: the run ended.
            as_it_was: it was to be continued, but ended before that began: its folder stays as it is.
        """
        run = self._run
        last = ending.last_weights(run) if why.reason == "done" else None
        self.usable = ending.settle_weights(run, why.reason)
        self.temperature = run.best.temperature
        samples = ((reference(s.path, self._root), s.class_name, s.split) for s in self._images.samples)
        finished = ending.finished_event(
            run, why, self._folder, self._description.class_names, self.usable, validation_key(samples)
        )
        if as_it_was:
            return finished
        self.outcome = Outcome(self._log, self._model, self._description, run.best, self.at.step, last, finished)
        return self.outcome.write()
