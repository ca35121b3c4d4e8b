"""What the engine holds between commands, and how it answers each: the same for the child process and for the cli."""

from __future__ import annotations

import io
import logging
import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
from PIL import Image

from ftgui.base.job import Cancelled, Job
from ftgui.data.catalog.errors import CatalogError, as_catalog_error
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import Sample
from ftgui.data.checks.set_intensity import survey_of
from ftgui.data.images.decoding import ImageError
from ftgui.data.images.intensity import IntensityRange
from ftgui.data.images.intensity_survey import resolved
from ftgui.data.images.preprocessing import Preprocessing, center_view, decode
from ftgui.engine import devices, memory_limits
from ftgui.engine.command_queue import Postponed
from ftgui.engine.downloads import example_sets
from ftgui.engine.downloads.downloader import DownloadCancelled, Downloader, Settings
from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.export.exporter import Exporter
from ftgui.engine.inference.predict import Predictor
from ftgui.engine.input_pipeline import augmentation
from ftgui.engine.input_pipeline.feature_cache import FeatureStore
from ftgui.engine.input_pipeline.image_cache import NO_AUGMENTATION
from ftgui.engine.interruptions import SteerCommand, StopRequested
from ftgui.engine.malloc import return_freed_memory
from ftgui.engine.model import backbones
from ftgui.engine.model.freezing import Freezer
from ftgui.engine.model.layer_tree import build_tree, output_shapes
from ftgui.engine.model.loaded_model import LoadedModel, finished_preprocessing, take_trained
from ftgui.engine.model.model_folder_writer import Description
from ftgui.engine.training import checkpoint as checkpoints
from ftgui.engine.training import lr_range
from ftgui.engine.training.checkpoint import Checkpoint
from ftgui.engine.training.cost_estimate import CPU_IMAGES, Profiler, estimate, run_seconds
from ftgui.engine.training.outcome import Outcome
from ftgui.engine.training.training import Training
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.questions import REFUSAL
from ftgui.protocol.recipe import AUTO_INTENSITY, FROM_SCRATCH, Backbone, Phase, Recipe, RecipeError
from ftgui.protocol.views import with_views
from ftgui.runs.model_folder import BEST_FOLDER, has_model
from ftgui.runs.resume import OtherImagesError, samples_of

log = logging.getLogger(__name__)


_QUESTIONS = (m.Predict, m.Explain, m.PreviewAugmentation, m.EndFiles)
"""Answered at once, whatever else goes on."""

_BESIDE = (*_QUESTIONS, m.SetTrainable, m.EstimateCost)
"""Answered also where the model is only asked, not changed."""


class _GivesWay(Exception):
    """What is measured in the background ends for now, because something else is to be done."""


MOST_VIEWS = 64
"""Of an image at once: as many as a recipe may keep."""

_NOT_IN_TRAINING = (
    *(m.LoadModel, m.Train, m.Continue, m.FindLearningRate, m.SaveModel),
    *(m.EvaluateImages, m.FindSimilar, m.DownloadExampleSet, m.Export),
)


class Session:
    """Answers commands with events.

    Args:
        emit: takes every event, in order.
        next_command: takes ``wait`` and returns the next command that arrived during training, or None when there is
            none (never None with ``wait``). Not needed when nobody can send any.
    """

    def __init__(self, emit: Emit, next_command: Callable[[bool], m.Command | None] | None = None) -> None:
        self._emit = emit
        self._next_command = next_command or (lambda _wait: None)
        self._loaded: LoadedModel | None = None
        self._profiler = Profiler()
        """Measures the present model when somebody first asks for a cost."""
        self._training: Training | None = None
        self._unsaved: Outcome | None = None
        """Of a run whose model the disk did not take."""
        self._asking = Predictor(emit, self._require, lambda: self._training, self._downloader)
        self._files_command: m.PredictFiles | None = None
        self._store = FeatureStore()
        self._downloads = Settings()
        self._postponed = Postponed()
        """What came in during something else and can wait for its end."""
        self._stopped_before = False
        """The training that is about to begin was stopped while it waited."""
        self._preparing = ""
        """Name of the example set that is being made."""
        self.stop_requested = False
        """Set to end what goes on, and whatever else would begin: for callers without a command queue (Ctrl-C, which may
        come before there is anything to end). Never taken back."""
        self.shutting_down = False

    def handle(self, command: m.Command) -> None:
        """Do a command; whatever goes wrong becomes `CommandFailed`, never an exception."""
        self._do(command)
        while (self._postponed or self._asking.files_wait) and not self.shutting_down and self._training is None:
            self._rest_of_files()
            if self._postponed:
                command = self._postponed.take()
                self._stopped_before = self._postponed.is_stopped(command)
                self._do(command)
                self._stopped_before = False

    def _postpone(self, command: m.Command) -> None:
        if not self._postponed.add(command):
            self._fail(command, REFUSAL)

    def _do(self, command: m.Command) -> None:
        try:
            self._handle(command)
        except (EngineError, ImageError, CatalogError, RecipeError) as error:
            self._fail(command, str(error))
        except BrokenPipeError:
            raise  # there is nobody to tell
        except (sqlite3.Error, UnicodeDecodeError) as error:
            log.warning("command %s failed", type(command).__name__, exc_info=True)
            self._fail(command, str(as_catalog_error(error)))
        except OSError as error:
            log.warning("command %s failed", type(command).__name__, exc_info=True)
            self._fail(command, f"A file can't be read or written: {error}.")
        except Exception as error:
            log.exception("command %s failed", type(command).__name__)
            self._fail(command, _unexpected(error))
        if isinstance(command, m.Train | m.Continue | m.FindLearningRate | m.Export):
            return_freed_memory()

    def _fail(self, command: m.Command, message: str) -> None:
        self._emit(m.CommandFailed(getattr(command, "request", 0), type(command).__name__, message))

    def _handle(self, command: m.Command) -> None:
        if isinstance(command, m.LoadModel):
            self._load(command)
        elif isinstance(command, m.SetTrainable):
            self._set_trainable(command)
        elif isinstance(command, m.Train):
            self._train(command)
        elif isinstance(command, m.Continue):
            self._continue(command)
        elif isinstance(command, m.SaveModel):
            self._save_model(command)
        elif isinstance(command, m.Predict):
            self._asking.predict(command)
        elif isinstance(command, m.Explain):
            self._asking.explain(command)
        elif isinstance(command, m.FindSimilar):
            self._find_similar(command)
        elif isinstance(command, m.PredictFiles):
            self._predict_files(command)
        elif isinstance(command, m.EndFiles):
            self._asking.end_files()
        elif isinstance(command, m.PreviewAugmentation):
            self._show_views(command)
        elif isinstance(command, m.EstimateCost):
            self._estimate_cost(command)
        elif isinstance(command, m.FindLearningRate):
            self._find_learning_rate(command)
        elif isinstance(command, m.EvaluateImages):
            self._evaluate(command)
        elif isinstance(command, m.DownloadExampleSet):
            self._prepare_example(command)
        elif isinstance(command, m.Export):
            self._export(command)
        elif isinstance(command, m.Configure):
            self._downloads = Settings(command.offline, command.hub_mirror, command.torchvision_mirror)
        elif isinstance(command, m.Hello):
            if command.protocol != m.PROTOCOL_VERSION:
                raise EngineError(
                    f"The window speaks protocol {command.protocol}, this engine {m.PROTOCOL_VERSION}; "
                    "install the same version of ftgui on both sides."
                )
        elif isinstance(command, m.Shutdown):
            self.shutting_down = True
        elif isinstance(command, m.ChangeRate | m.ChangeEarlyStop | m.FinishPhase):
            raise EngineError("No training is running.")
        elif isinstance(command, m.Pause | m.Resume | m.Stop):
            log.info("%s outside a training: nothing to do", type(command).__name__)

    def close(self) -> None:
        """Give back what is kept between runs."""
        self._asking.close()
        self._store.close()

    # --- model ------------------------------------------------------------------------------------------------------

    def _load(self, command: m.LoadModel) -> None:
        loaded = self._build(command.backbone, command.class_names, command.device, command.seed)
        self._tell_taken(loaded)
        loaded.read_with(command.intensity)
        if command.trained_weights:
            self._take_trained(loaded, Path(command.trained_weights), command.trained_names)
        loaded.freezer.set_trainable(loaded.freezer.resolve(command.train))
        self._loaded = loaded
        self._profiler = Profiler()
        freezer, built = loaded.freezer, loaded.built
        self._emit(
            m.ModelLoaded(
                request=command.request,
                backbone=command.backbone,
                title=built.title,
                class_names=built.class_names,
                layers=loaded.nodes,
                trainable=sorted(freezer.trainable),
                trainable_parameters=freezer.trainable_parameters,
                total_parameters=freezer.total_parameters,
                trained=loaded.trained,
                device=str(loaded.device),
            )
        )

    def _tell_taken(self, loaded: LoadedModel) -> None:
        """What of a weights file of one's own is in the model."""
        if loaded.built.taken:
            self._emit(m.Log("notice", loaded.built.taken))

    def _build(self, backbone: Backbone, class_names: list[str], device_name: str, seed: int) -> LoadedModel:
        device = devices.pick(device_name)
        built = backbones.build(backbone, class_names, seed, self._downloader())
        tree = build_tree(built.model, built.heads)
        nodes = tree.nodes(output_shapes(built.model, built.preprocessing.size))
        built.model.to(device)
        return LoadedModel(backbone, built, Freezer(built.model, tree), nodes, device, seed, trained=not class_names)

    def _downloader(self) -> Downloader:
        """For weights that may have to be fetched. In a training nothing is: what comes in is meant for that."""
        if self._training is not None:
            return Downloader(Settings(True, self._downloads.hub_mirror, self._downloads.torchvision_mirror))
        return Downloader(self._downloads, self._download_progress)

    def _download_progress(self, what: str, done: int, total: int) -> None:
        """Say how far a download is, and look whether it is still wanted.

        Raises:
            DownloadCancelled: on `Stop`, `Shutdown`, `stop_requested`, or when another model was asked for.
        """
        self._emit(m.Progress(what, done, total, "bytes"))
        cancelled = DownloadCancelled(
            "The download was cancelled" + ("; the model before stays." if self._loaded else ".")
        )
        if self.stop_requested:
            raise cancelled
        while (command := self._next_command(False)) is not None:
            if isinstance(command, m.Stop) and self._postponed.stop_training():
                continue
            if isinstance(command, m.Stop | m.Shutdown):
                self.shutting_down = isinstance(command, m.Shutdown)
                raise cancelled
            if isinstance(command, m.Predict | m.Explain):
                self._do(command)  # the model before is still there to be asked
                continue
            self._postpone(command)
            if isinstance(command, m.LoadModel):
                raise DownloadCancelled("Another model was chosen.")

    def _take_trained(self, loaded: LoadedModel, folder: Path, names_now: list[str]) -> None:
        """Weights of a finished model, where they fit; a project whose classes changed just starts untrained."""
        try:
            why = take_trained(loaded, folder, names_now)
        except EngineError as error:
            self._emit(m.Log("warning", f"The model of {folder.parent.name} can't be loaded. {error}"))
            return
        if why:
            self._emit(m.Log("warning", f"{why} Train to teach it the present ones."))

    def _require(self) -> LoadedModel:
        if self._loaded is None:
            raise EngineError("No model is loaded yet.")
        return self._loaded

    def _set_trainable(self, command: m.SetTrainable) -> None:
        freezer = self._require().freezer
        freezer.set_trainable(freezer.resolve(command.layers))
        self._emit(
            m.FreezingChanged(
                request=command.request,
                trainable=sorted(freezer.trainable),
                layers=freezer.names(),
                trainable_parameters=freezer.trainable_parameters,
                total_parameters=freezer.total_parameters,
            )
        )

    # --- cost and rate -----------------------------------------------------------------------------------------------

    def _estimate_cost(self, command: m.EstimateCost) -> None:
        loaded = self._require()
        measured = self._profiler.profile
        if measured is None:
            if self._training is not None:
                raise EngineError("The cost is known when the training is over.")
            on_gpu = loaded.device.type == "cuda"
            images = command.recipe.training.batch_size if on_gpu else CPU_IMAGES
            preprocessing, known = loaded.built.preprocessing, self._profiler.is_over
            try:
                measured = self._profiler.measure(
                    loaded.model, loaded.freezer, preprocessing, loaded.device, images, self._poll_measuring
                )
            except _GivesWay:
                self._postpone(command)  # gone on with after what came in
                return
            except StopRequested as stop:
                raise EngineError("The cost was not measured: it was stopped.") from stop
            except EngineError as error:
                if not known:  # nobody asked aloud, so a refusal alone would be heard by nobody
                    self._emit(m.Log("warning", str(error)))
                raise
            finally:
                return_freed_memory()
        answer = estimate(measured, command, loaded.freezer.resolve(command.layers))
        try:
            whole = run_seconds(measured, command, loaded.freezer.resolve)
        except EngineError as error:  # another phase names layers that this model does not have
            log.info("what the run costs is not known: %s", error)
            whole = -1.0
        self._emit(msgspec.structs.replace(answer, run_seconds=whole))

    def _poll_measuring(self) -> None:
        """Between two layers of a measurement nobody pressed a button for: it gives way to everything else.

        Raises:
            _GivesWay: something else is to be done first.
            StopRequested: on `Stop` or `stop_requested`.
        """
        if self.stop_requested:
            raise StopRequested
        while (command := self._next_command(False)) is not None:
            if isinstance(command, m.Stop):
                raise StopRequested
            if isinstance(command, m.SetTrainable | m.Configure):
                self._do(command)  # takes no time, and a copy of the model is measured
            elif isinstance(command, m.Shutdown):
                self.shutting_down = True
                raise StopRequested
            else:
                self._postpone(command)
                if not isinstance(command, m.EstimateCost):  # which the same measurement answers
                    raise _GivesWay

    def _estimate(
        self, loaded: LoadedModel, recipe: Recipe, phase: Phase, train: int, val: int
    ) -> m.CostEstimate | None:
        """What a phase will cost, if the model was looked at before; a training does not wait for that."""
        if self._profiler.profile is None:
            return None
        question = m.EstimateCost(0, phase.train, recipe, train, val)
        return estimate(self._profiler.profile, question, loaded.freezer.resolve(phase.train))

    def _find_learning_rate(self, command: m.FindLearningRate) -> None:
        """A range test with the present model, whatever it has learned by now."""
        loaded, recipe = self._require(), command.recipe
        if not 0 <= command.phase < len(recipe.phases):
            raise EngineError("There is no such phase.")
        with CatalogReader(Path(command.catalog)) as catalog:
            samples = catalog.samples()
            intensity = self._intensity(recipe, catalog)
        source = lr_range.source_for(
            samples,
            loaded.model,
            loaded.freezer,
            replace(loaded.built.preprocessing, intensity=intensity),
            recipe,
            loaded.device,
            partial(self._poll_beside, _QUESTIONS),
        )
        source.progress = lambda what, done, total: self._emit(m.Progress(what, done, total))
        try:
            curve = lr_range.range_test(
                source,
                recipe,
                command.phase,
                lambda rate, loss: self._emit(m.LearningRateTried(command.request, rate, loss)),
            )
            phase, scratch = recipe.phases[command.phase], recipe.backbone.weights == FROM_SCRATCH
            suggestion, why = lr_range.suggest(curve, phase.train, scratch)
        except StopRequested:
            curve, suggestion, why = lr_range.Curve(), 0.0, "Stopped."
        finally:
            source.images.close()
            loaded.model.eval()
        self._emit(m.LearningRateFound(command.request, curve.rates, curve.losses, suggestion, why))

    def _evaluate(self, command: m.EvaluateImages) -> None:
        self._require()
        self._asking.evaluate(command, partial(self._poll_beside, _BESIDE))

    def _export(self, command: m.Export) -> None:
        Exporter(command, self._emit, partial(self._poll_beside, _BESIDE)).run()

    def _find_similar(self, command: m.FindSimilar) -> None:
        ended_by = (
            m.Train,
            m.Continue,
            m.LoadModel,
            m.FindLearningRate,
            m.EvaluateImages,
            m.PredictFiles,
            m.FindSimilar,
        )
        self._asking.nearest(command, partial(self._poll_beside, _QUESTIONS, ended_by))

    def _predict_files(self, command: m.PredictFiles) -> None:
        """In a training they are looked at a few at a time, by `_poll`; else here."""
        self._asking.begin_files(command)
        self._files_command = command

    def _rest_of_files(self) -> None:
        """Those that still wait, other questions in between, until something else is to be done."""
        while self._asking.files_wait and not self._postponed and not self.shutting_down:
            try:
                self._poll_beside(_QUESTIONS)
            except StopRequested:
                self._asking.end_files()
            self._some_files()

    def _some_files(self) -> None:
        command = self._files_command
        if command is None or not self._asking.files_wait:
            return
        try:
            self._asking.some_files()
        except (EngineError, ImageError) as error:
            self._fail(command, str(error))
        except BrokenPipeError:
            raise  # there is nobody to tell
        except OSError as error:
            self._fail(command, f"The table can't be written: {error}")
        except Exception as error:  # a training may be going on, which has nothing to do with it
            log.exception("looking at files failed")
            self._fail(command, _unexpected(error))

    def _poll_beside(self, answered: tuple[type[m.Command], ...], ended_by: tuple[type[m.Command], ...] = ()) -> None:
        """Between steps of what is done beside a training: some commands are answered, Stop ends it, all else waits.

        Args:
            answered: kinds of commands.
            ended_by: kinds of commands that are worth more than what is done; they are done next.

        Raises:
            StopRequested: on `Stop`, `Shutdown`, `stop_requested` or one of `ended_by`.
        """
        if self.stop_requested:
            raise StopRequested
        while (command := self._next_command(False)) is not None:
            if isinstance(command, m.Stop) and self._postponed.stop_training():
                continue
            if isinstance(command, m.Stop | m.Shutdown):
                self.shutting_down = isinstance(command, m.Shutdown)
                raise StopRequested
            if isinstance(command, answered) and not self._takes_long(command):
                self._do(command)
            else:
                self._postpone(command)
                if isinstance(command, ended_by):
                    raise StopRequested

    def _takes_long(self, command: m.Command) -> bool:
        """A cost is a sum, but for the first of a model, which is measured."""
        measured = self._loaded is not None and self._profiler.is_over
        return isinstance(command, m.EstimateCost) and not measured

    def _show_views(self, command: m.PreviewAugmentation) -> None:
        if command.count > MOST_VIEWS:
            raise EngineError(f"At most {MOST_VIEWS} views of an image are drawn at once, not {command.count:,}.")
        preprocessing = replace(self._require().built.preprocessing, intensity=command.intensity)
        pixels = decode(Path(command.path), preprocessing)
        preset, images = command.augmentation.preset, []
        for number in range(max(command.count, 0)):
            if preset == NO_AUGMENTATION:
                view = center_view(pixels, preprocessing.size)
            else:
                drawn = augmentation.draw(preset, (pixels.shape[1], pixels.shape[0]), seed=0, image=0, number=number)
                view = augmentation.apply(pixels, drawn, preprocessing.size)
            file = io.BytesIO()
            Image.fromarray(view).save(file, "PNG", compress_level=1)
            images.append(file.getvalue())
        self._emit(m.AugmentedViews(command.request, images))

    # --- example sets -----------------------------------------------------------------------------------------------

    def _prepare_example(self, command: m.DownloadExampleSet) -> None:
        if self._preparing:
            raise EngineError(f"{self._preparing} is still being prepared. Cancel that first, or wait for it.")
        self._preparing = command.name
        try:
            folder = example_sets.prepare(command.name, self._downloads, self._example_progress)
            if command.copy_to:
                example_sets.copy(folder, Path(command.copy_to), self._example_progress)
        finally:
            self._preparing = ""
        self._emit(m.ExampleSetReady(command.request, command.name, command.copy_to or str(folder)))

    def _example_progress(self, what: str, done: int, total: int, unit: str) -> None:
        """Say how far it is, and do what else was asked for: a set may take an hour, and nobody should wait for it. A
        download whose connection ends while a training runs goes on afterwards.

        Raises:
            DownloadCancelled: on `Stop`, `Shutdown` or `stop_requested`.
        """
        self._emit(m.Progress(what, done, total, unit))
        cancelled = DownloadCancelled(
            f"{self._preparing} was cancelled. What is downloaded already is kept, to go on from."
        )
        if self.stop_requested:
            raise cancelled
        while (command := self._next_command(False)) is not None:
            if not isinstance(command, m.Stop | m.Shutdown):
                self.handle(command)
            elif isinstance(command, m.Shutdown):
                self.shutting_down = True
            if isinstance(command, m.Stop) or self.shutting_down:
                raise cancelled

    # --- training ---------------------------------------------------------------------------------------------------

    def _train(self, command: m.Train) -> None:
        errors = [problem.message for problem in command.recipe.validate() if problem.severity == "error"]
        if errors:
            raise EngineError(" ".join(errors))
        recipe = command.recipe
        with CatalogReader(Path(command.catalog)) as catalog:
            intensity = self._intensity(recipe, catalog)
        if intensity is not None:  # the run says in numbers what it learned from
            dataset = msgspec.structs.replace(recipe.dataset, intensity=intensity)
            recipe = msgspec.structs.replace(recipe, dataset=dataset)
        self._run(recipe, Path(command.catalog), Path(command.run_folder), None, None)

    def _continue(self, command: m.Continue) -> None:
        run_folder = Path(command.run_folder)
        checkpoint = checkpoints.load(run_folder)
        recipe = recipe_file.load(run_folder / "recipe.toml")
        # As it read images before, also if this version would read them otherwise.
        kept = run_folder / BEST_FOLDER
        known = finished_preprocessing(kept) if has_model(run_folder) else None
        self._run(recipe, Path(command.catalog), run_folder, checkpoint, known)

    def _intensity(self, recipe: Recipe, catalog: CatalogReader) -> IntensityRange | None:
        """The range that the recipe means for the images there are: as the window found and shows it, or found now."""
        setting = recipe.dataset.intensity
        if setting != AUTO_INTENSITY:
            return resolved(setting, None)

        def tell(done: int, total: int) -> None:
            self._emit(m.Progress("looking at the range of intensities", done, total))
            if self.stop_requested:
                job.cancel()

        job = Job(tell)
        try:
            return resolved(setting, survey_of(catalog, job))
        except Cancelled:
            return None  # what comes next stops before its first step

    def _run(
        self,
        recipe: Recipe,
        catalog_path: Path,
        run_folder: Path,
        checkpoint: Checkpoint | None,
        preprocessing: Preprocessing | None,
    ) -> None:
        """Train.

        Args:
            checkpoint: to go on from, with `preprocessing` as before.
            preprocessing: None: the backbone's, with the recipe's intensity range.
        """
        with CatalogReader(catalog_path) as catalog:
            class_names, samples, root = catalog.class_names(), catalog.samples(), catalog.root
            if checkpoint is not None:
                try:
                    class_names, samples = samples_of(run_folder, catalog)
                except OtherImagesError as error:
                    raise EngineError(str(error)) from error
        if len(class_names) < 2:
            raise EngineError("There is nothing to tell apart: training takes images of at least two classes.")
        recipe = with_views(recipe, sum(sample.split == "train" for sample in samples))
        with self._set_aside() as before:
            finished = self._train_fresh(
                recipe, class_names, samples, root, run_folder, checkpoint, before, preprocessing
            )
        self._emit(finished)

    def _save_model(self, command: m.SaveModel) -> None:
        """What the last run learned, where its own folder could not take it."""
        outcome = self._unsaved
        if outcome is None:
            raise EngineError("There is no model that is not saved yet.")
        folder = Path(command.folder) if command.folder else outcome.folder / BEST_FOLDER
        try:
            if command.folder:
                outcome.write_model_to(folder)
            else:
                outcome.write_again()
        except OSError as error:
            raise EngineError(f"The model can't be written to {folder}: {error}. It is still in memory.") from error
        self._unsaved = None
        self._emit(m.ModelSaved(command.request, str(folder)))

    def _train_fresh(
        self,
        recipe: Recipe,
        class_names: list[str],
        samples: list[Sample],
        root: Path,
        run_folder: Path,
        checkpoint: Checkpoint | None,
        before: LoadedModel | None,
        preprocessing: Preprocessing | None,
    ) -> m.TrainingFinished:
        """Train a new model of the recipe's, which is the present one afterwards if it learned anything."""
        loaded = self._fresh(recipe, class_names)
        loaded.read_with(resolved(recipe.dataset.intensity, None))
        if preprocessing is not None:
            loaded.built.preprocessing = preprocessing
        freezer = loaded.freezer
        wanted = freezer.resolve(recipe.active_phases[-1].train)
        built = loaded.built
        most = max(freezer.parameters_of(freezer.resolve(phase.train)) for phase in recipe.active_phases)
        memory_limits.refuse_training(freezer.total_parameters, most, loaded.device)
        training = Training(
            model=loaded.model,
            freezer=freezer,
            description=Description(
                recipe.backbone, built.heads, built.title, class_names, built.preprocessing, built.timm_config, recipe
            ),
            samples=samples,
            root=root,
            recipe=recipe,
            run_folder=run_folder,
            device=loaded.device,
            store=self._store,
            emit=self._emit,
            poll=self._poll,
            estimate=partial(self._estimate, loaded, recipe),
        )
        self._training = training
        try:
            finished = training.run(checkpoint)
        finally:
            self._training = None
        if finished.unsaved:
            self._unsaved = training.outcome
        if training.usable:
            loaded.changed(training.temperature)
        else:
            # Stopped before the first step, or ruined in the first epoch: nobody wants to ask such a model.
            self._put_back(before, recipe, class_names)
        self._set_trainable(m.SetTrainable(0, self._require().freezer.names(wanted)))
        return finished

    @contextmanager
    def _set_aside(self) -> Iterator[LoadedModel | None]:
        """The model trained before, off the device while another trains, in case the new run comes to nothing.

        Whatever keeps the new run from beginning or ends it with an error, the model is then back on its device and the
        present one again, as the window still believes.
        """
        before = self._loaded
        if before is None or not before.trained:
            yield None
            return
        profiler = self._profiler
        before.model.to("cpu")
        try:
            yield before
        except BaseException:
            self._loaded = None  # the new one goes first: the device may not hold both
            before.model.to(before.device)
            self._loaded, self._profiler = before, profiler
            raise

    def _put_back(self, before: LoadedModel | None, recipe: Recipe, class_names: list[str]) -> None:
        same = before is not None and (before.backbone, before.built.class_names) == (recipe.backbone, class_names)
        if before is not None and same:
            self._loaded = None
            before.model.to(before.device)
            self._loaded = before
        else:
            self._fresh(recipe, class_names)

    def _fresh(self, recipe: Recipe, class_names: list[str]) -> LoadedModel:
        """A model in the state the recipe names: every run starts from the pretrained weights, never from the last."""
        before = self._loaded
        self._loaded = self._build(recipe.backbone, class_names, recipe.device, recipe.seed)
        if before is None or before.backbone != recipe.backbone:  # else it was told when that was loaded
            self._tell_taken(self._loaded)
        if before is None or (before.backbone.name, before.device) != (recipe.backbone.name, self._loaded.device):
            self._profiler = Profiler()  # else weights and a few classes more cost the same
        return self._loaded

    def _poll(self) -> float:
        """Answer what came in during training.

        Returns:
            seconds spent paused.

        Raises:
            StopRequested: on `Stop`, `Shutdown` or `stop_requested`.
        """
        if self.stop_requested or self._stopped_before:
            raise StopRequested
        self._some_files()
        paused_since = math.nan
        training = self._training
        while True:
            waits = not math.isnan(paused_since)
            command = self._next_command(waits and not self._asking.files_wait)
            if command is None and not (waits and self._asking.files_wait):
                break
            if command is None:  # a pause is no reason to let files wait
                self._some_files()
                continue
            if isinstance(command, m.Stop | m.Shutdown):
                self.shutting_down = isinstance(command, m.Shutdown)
                raise StopRequested
            if isinstance(command, m.Pause) and math.isnan(paused_since):
                paused_since = time.monotonic()
                self._emit(m.Paused(training.at.step if training else 0))
                if training is not None:
                    training.note_pause(True)
            elif isinstance(command, m.Resume) and not math.isnan(paused_since):
                break
            elif isinstance(command, SteerCommand) and training is not None:
                training.steer(command)
            elif isinstance(command, _NOT_IN_TRAINING):
                self._fail(command, "A training is running; stop it first.")
            else:
                self.handle(command)
        if math.isnan(paused_since):
            return 0.0
        self._emit(m.Resumed(training.at.step if training else 0))
        if training is not None:
            training.note_pause(False)
        return time.monotonic() - paused_since


def _unexpected(error: Exception) -> str:
    """What is said of an error that no sentence was written for; too little memory may come anywhere."""
    if memory_limits.out_of_memory(error):
        return memory_limits.sentence()
    return f"Unexpected {type(error).__name__}: {error}. Details are in the log."
