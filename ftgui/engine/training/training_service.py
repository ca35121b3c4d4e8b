"""Runs: begun, gone on with, steered, paused; and a model that the disk did not take."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from ftgui.base.files import reason
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import Sample
from ftgui.data.images.intensity_survey import resolved
from ftgui.data.images.preprocessing import Preprocessing
from ftgui.engine import memory_limits
from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.input_pipeline.feature_cache import FeatureStore
from ftgui.engine.interruptions import Interruptions, SteerCommand, Work
from ftgui.engine.model.loaded_model import LoadedModel, finished_preprocessing
from ftgui.engine.model.model_folder_writer import Description
from ftgui.engine.model.model_service import ModelService
from ftgui.engine.training import checkpoint as checkpoints
from ftgui.engine.training.checkpoint import Checkpoint
from ftgui.engine.training.cost_service import CostService
from ftgui.engine.training.intensity_range import intensity_range
from ftgui.engine.training.outcome import Outcome
from ftgui.engine.training.training import Training
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Recipe
from ftgui.protocol.views import with_views
from ftgui.runs.model_folder import BEST_FOLDER, has_model
from ftgui.runs.resume import OtherImagesError, samples_of

log = logging.getLogger(__name__)


class TrainingService:
    """Answers the commands about runs.

    Args:
        emit: takes every event.
        interruptions: asked between steps.
        models: whose present model a run replaces.
        costs: of phases to come, where they were measured.
        between_steps: does a little of what else waits.
        anything_between: whether something does, so that a pause is not spent idle.
    """

    def __init__(
        self,
        emit: Emit,
        interruptions: Interruptions,
        models: ModelService,
        costs: CostService,
        between_steps: Callable[[], None],
        anything_between: Callable[[], bool],
    ) -> None:
        self._emit = emit
        self._interruptions = interruptions
        self._models = models
        self._costs = costs
        self._between_steps = between_steps
        self._anything_between = anything_between
        self._store = FeatureStore()
        self.training: Training | None = None
        """The one that runs."""
        self._paused_since = math.nan
        self._paused_seconds = 0.0
        """Of pauses since the last step that are over."""
        self._unsaved: Outcome | None = None
        """Of a run whose model the disk did not take."""

    def close(self) -> None:
        """Give back what is kept between runs."""
        self._store.close()

    # --- commands ---------------------------------------------------------------------------------------------------

    def train(self, command: m.Train) -> None:
        """A new run; `TrainingStarted` to `TrainingFinished` tell how it goes.

        Raises:
            EngineError: it can't begin.
        """
        errors = [problem.message for problem in command.recipe.validate() if problem.severity == "error"]
        if errors:
            raise EngineError(" ".join(errors))
        recipe = command.recipe
        with CatalogReader(Path(command.catalog)) as catalog:
            intensity = intensity_range(recipe, catalog, command.request, self._emit, self._interruptions)
        if intensity is not None:  # the run says in numbers what it learned from
            dataset = msgspec.structs.replace(recipe.dataset, intensity=intensity)
            recipe = msgspec.structs.replace(recipe, dataset=dataset)
        self._run(command, recipe, None, None)

    def go_on(self, command: m.Continue) -> None:
        """A run of before, from its checkpoint.

        Raises:
            EngineError: it can't go on.
            RecipeError: its recipe can't be read.
        """
        run_folder = Path(command.run_folder)
        checkpoint = checkpoints.load(run_folder)
        recipe = recipe_file.load(run_folder / "recipe.toml")
        # As it read images before, also if this version would read them otherwise.
        kept = run_folder / BEST_FOLDER
        known = finished_preprocessing(kept) if has_model(run_folder) else None
        self._run(command, recipe, checkpoint, known)

    def save_model(self, command: m.SaveModel) -> None:
        """What the last run learned, where its own folder could not take it; answered by `ModelSaved`.

        Raises:
            EngineError: there is none, or it still can't be written.
        """
        outcome = self._unsaved
        if outcome is None:
            raise EngineError("There is no unsaved model.")
        folder = Path(command.folder) if command.folder else outcome.folder / BEST_FOLDER
        try:
            if command.folder:
                outcome.write_model_to(folder)
            else:
                outcome.write_again()
        except OSError as error:
            raise EngineError(
                f"The model can't be written to {folder}: {reason(error)}. It is still in memory."
            ) from error
        self._unsaved = None
        self._emit(m.ModelSaved(command.request, str(folder)))

    def steer(self, command: SteerCommand) -> None:
        """Change the run after its present step; ticks outside of one change the present model.

        Raises:
            EngineError: no training is running.
        """
        if self.training is not None:
            self.training.steer(command)
        elif isinstance(command, m.SetTrainable):
            self._models.set_trainable(command)
        else:
            raise EngineError("No training is in progress.")

    def pause(self, _command: m.Pause) -> None:
        """Rest after the present step; answered by `Paused`."""
        if self.training is None or self._paused:
            log.info("a pause outside a training, or in one that is paused: nothing to do")
            return
        self._paused_since = time.monotonic()
        self._emit(m.Paused(self.training.at.step))
        self.training.note_pause(True)

    def resume(self, _command: m.Resume) -> None:
        """Go on; answered by `Resumed`."""
        if self.training is None or not self._paused:
            log.info("nothing is paused that could go on: nothing to do")
            return
        self._paused_seconds += time.monotonic() - self._paused_since
        self._paused_since = math.nan
        self._emit(m.Resumed(self.training.at.step))
        self.training.note_pause(False)

    @property
    def _paused(self) -> bool:
        return not math.isnan(self._paused_since)

    # --- a run ------------------------------------------------------------------------------------------------------

    def _run(
        self,
        command: m.Train | m.Continue,
        recipe: Recipe,
        checkpoint: Checkpoint | None,
        preprocessing: Preprocessing | None,
    ) -> None:
        """Train.

        Args:
            checkpoint: to go on from, with `preprocessing` as before.
            preprocessing: None: the backbone's, with the recipe's intensity range.
        """
        with CatalogReader(Path(command.catalog)) as catalog:
            class_names, samples, root = catalog.class_names(), catalog.samples(), catalog.root
            if checkpoint is not None:
                try:
                    class_names, samples = samples_of(Path(command.run_folder), catalog)
                except OtherImagesError as error:
                    raise EngineError(str(error)) from error
        if len(class_names) < 2:
            raise EngineError("There is nothing to tell apart: training requires images of at least two classes.")
        recipe = with_views(recipe, sum(sample.split == "train" for sample in samples))
        with self._models.set_aside() as before:
            loaded = self._models.fresh(command.request, recipe, class_names)
            loaded.read_with(resolved(recipe.dataset.intensity, None))
            if preprocessing is not None:
                loaded.built.preprocessing = preprocessing
            training = self._training_of(command, loaded, recipe, samples, root)
            finished = self._train(training, checkpoint)
            if training.usable:
                loaded.changed(training.temperature)
            else:
                # Stopped before the first step, or ruined in the first epoch: nobody wants to ask such a model.
                self._models.put_back(before, command.request, recipe, class_names)
            names = loaded.freezer.names(loaded.freezer.resolve(recipe.active_phases[-1].train))
            self._models.set_trainable(m.SetTrainable(0, names))
        self._emit(finished)

    def _training_of(
        self, command: m.Train | m.Continue, loaded: LoadedModel, recipe: Recipe, samples: list[Sample], root: Path
    ) -> Training:
        freezer, built, request = loaded.freezer, loaded.built, command.request
        most = max(freezer.parameters_of(freezer.resolve(phase.train)) for phase in recipe.active_phases)
        memory_limits.refuse_training(freezer.total_parameters, most, loaded.device)

        def emit(event: m.Event) -> None:
            self._emit(msgspec.structs.replace(event, request=request) if isinstance(event, m.Progress) else event)

        return Training(
            model=loaded.model,
            freezer=freezer,
            description=Description(
                recipe.backbone,
                built.heads,
                built.title,
                built.class_names,
                built.preprocessing,
                built.timm_config,
                recipe,
            ),
            samples=samples,
            root=root,
            recipe=recipe,
            run_folder=Path(command.run_folder),
            device=loaded.device,
            store=self._store,
            emit=emit,
            poll=partial(self._poll, request),
            estimate=partial(self._costs.of_phase, loaded, recipe),
        )

    def _train(self, training: Training, checkpoint: Checkpoint | None) -> m.TrainingFinished:
        self.training, self._models.in_training = training, True
        try:
            finished = training.run(checkpoint)
        finally:
            self.training, self._models.in_training = None, False
            self._paused_since, self._paused_seconds = math.nan, 0.0
        if finished.unsaved:
            self._unsaved = training.outcome
        return finished

    def _poll(self, request: int) -> float:
        """See to what came in since the last step.

        Returns:
            seconds spent paused.

        Raises:
            StopRequested: the run is to end.
        """
        self._interruptions.poll(Work.TRAINING, request)
        self._between_steps()
        while self._paused:  # which is no reason to let files wait
            self._interruptions.poll(Work.TRAINING, request, wait=not self._anything_between())
            self._between_steps()
        seconds, self._paused_seconds = self._paused_seconds, 0.0
        return seconds
