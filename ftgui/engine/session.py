"""What the engine holds between commands, and how it answers each: the same for the child process and for the cli."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ftgui.base.files import refusal
from ftgui.data.catalog.errors import CatalogError, as_catalog_error
from ftgui.data.images.decoding import ImageError
from ftgui.engine import memory_limits
from ftgui.engine.downloads.example_service import ExampleService
from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.export.exporter import Exporter
from ftgui.engine.inference.augmentation_preview import preview
from ftgui.engine.inference.predict import Predictor
from ftgui.engine.inference.predict_files import FilePredictions
from ftgui.engine.interruptions import Interruptions, StopRequested, Work
from ftgui.engine.malloc import return_freed_memory
from ftgui.engine.model.model_service import ModelService
from ftgui.engine.training.cost_service import CostService
from ftgui.engine.training.lr_range_service import find_learning_rate
from ftgui.engine.training.training_service import TrainingService
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import RecipeError

log = logging.getLogger(__name__)

_LEAVES_MEMORY = (m.Train, m.Continue, m.FindLearningRate, m.Export)
"""After these, freed memory is given back to the system."""


class Session:
    """Answers commands with events. `ftgui.engine.interruptions` says what becomes of a command that arrives meanwhile.

    Args:
        emit: takes every event, in order.
        next_command: takes ``wait`` and returns the next command that arrived while one is done, or None when there is none
            (never None with ``wait``). Not needed when nobody can send any.
    """

    def __init__(self, emit: Emit, next_command: Callable[[bool], m.Command | None] | None = None) -> None:
        self._emit = emit
        self.interruptions = Interruptions(
            next_command or (lambda _wait: None),
            self._do,
            self.handle,
            self._refuse,
            lambda _command: self.costs.at_hand,
        )
        self.models = ModelService(emit, self.interruptions)
        self.costs = CostService(emit, self.interruptions, self.models)
        self.trainings = TrainingService(
            emit,
            self.interruptions,
            self.models,
            self.costs,
            between_steps=self._some_files,
            anything_between=lambda: self._files.waiting,
        )
        present, training = self.models.require, lambda: self.trainings.training
        self._predictor = Predictor(emit, present, training, self.models.downloader, self.interruptions)
        self._files = FilePredictions(emit, present, training, self._answering)
        self._examples = ExampleService(emit, self.interruptions, lambda: self.models.downloads)
        self._handlers: dict[type[m.Command], Callable[[Any], None]] = {
            m.Hello: _hello,
            m.Configure: self.models.configure,
            m.LoadModel: self.models.load,
            m.SetTrainable: self.trainings.steer,
            m.Train: self.trainings.train,
            m.Continue: self.trainings.go_on,
            m.SaveModel: self.trainings.save_model,
            m.ChangeRate: self.trainings.steer,
            m.ChangeEarlyStop: self.trainings.steer,
            m.FinishPhase: self.trainings.steer,
            m.Pause: self.trainings.pause,
            m.Resume: self.trainings.resume,
            m.FindLearningRate: self._find_learning_rate,
            m.EstimateCost: self.costs.estimate,
            m.EvaluateImages: self._predictor.evaluate,
            m.Predict: self._predictor.predict,
            m.Explain: self._predictor.explain,
            m.FindSimilar: self._predictor.find_similar,
            m.PredictFiles: self._predict_files,
            m.PreviewAugmentation: self._preview_augmentation,
            m.DownloadExampleSet: self._examples.prepare,
            m.Export: self._export,
            m.CancelRequest: self._cancel,
            m.Shutdown: self._shut_down,
        }

    @property
    def shutting_down(self) -> bool:
        """Nothing more is answered."""
        return self.interruptions.shutting_down

    def stop(self) -> None:
        """End what goes on, and whatever else would begin: for callers without a command queue (Ctrl-C, which may come before
        there is anything to end). Never taken back."""
        self.interruptions.stop_requested = True

    def close(self) -> None:
        """Give back what is kept between runs."""
        self._files.close()
        self.trainings.close()

    def handle(self, command: m.Command) -> None:
        """Do a command and what came in meanwhile; whatever goes wrong becomes `CommandFailed`, never an exception."""
        self._do(command)
        waiting = self.interruptions
        while (waiting.waiting or self._files.waiting) and not self.shutting_down and not self.models.in_training:
            self._rest_of_files()
            if waiting.waiting:
                self._do(waiting.take())

    @property
    def handled(self) -> set[type[m.Command]]:
        """Kinds of commands that are answered."""
        return set(self._handlers)

    def _do(self, command: m.Command) -> None:
        with self.interruptions.running(command), self._answering(command):
            self._handlers[type(command)](command)
        if isinstance(command, _LEAVES_MEMORY):
            return_freed_memory()

    @contextmanager
    def _answering(self, command: m.Command) -> Iterator[None]:
        """What goes wrong within is answered in a sentence."""
        try:
            yield
        except (EngineError, ImageError, CatalogError, RecipeError) as error:
            self._refuse(command, str(error))
        except BrokenPipeError:
            raise  # there is nobody to tell
        except (sqlite3.Error, UnicodeDecodeError) as error:
            log.info("command %s failed", type(command).__name__, exc_info=True)
            self._refuse(command, str(as_catalog_error(error)))
        except OSError as error:
            log.info("command %s failed", type(command).__name__, exc_info=True)
            self._refuse(command, f"A file can't be read or written. {refusal(error)}")
        except Exception as error:
            if memory_limits.out_of_memory(error):  # may come anywhere
                log.info("command %s ran out of memory", type(command).__name__, exc_info=True)
                self._refuse(command, memory_limits.sentence())
            else:
                log.exception("command %s failed", type(command).__name__)
                self._refuse(command, f"Unexpected {type(error).__name__}: {error}. Details are in the log.")

    def _refuse(self, command: m.Command, sentence: str) -> None:
        self._emit(m.CommandFailed(m.request_of(command), sentence))

    # --- handlers ---------------------------------------------------------------------------------------------------

    def _find_learning_rate(self, command: m.FindLearningRate) -> None:
        find_learning_rate(command, self._emit, self.interruptions, self.models)

    def _preview_augmentation(self, command: m.PreviewAugmentation) -> None:
        self._emit(preview(command, self.models.require().built.preprocessing))

    def _export(self, command: m.Export) -> None:
        Exporter(command, self._emit, partial(self.interruptions.poll, Work.EXPORT, command.request)).run()

    def _predict_files(self, command: m.PredictFiles) -> None:
        """Only begun here: in a training they are looked at between its steps, else by `_rest_of_files`."""
        self._files.begin(command)
        if self.interruptions.is_cancelled(command.request):
            self._files.end()

    def _rest_of_files(self) -> None:
        """Those that still wait, questions in between, until something else is to be done."""
        while self._files.waiting and not self.interruptions.waiting and not self.shutting_down:
            try:
                self.interruptions.poll(Work.FILES, 0)
            except StopRequested:
                self._files.end()
            self._files.some()

    def _some_files(self) -> None:
        self._files.some()

    def _cancel(self, command: m.CancelRequest) -> None:
        self.interruptions.cancel(command.request)
        self._files.cancel(command.request)

    def _shut_down(self, _command: m.Shutdown) -> None:
        self.interruptions.shutting_down = True


def _hello(command: m.Hello) -> None:
    if command.protocol != m.PROTOCOL_VERSION:
        raise EngineError(
            f"The window speaks protocol {command.protocol}, this engine {m.PROTOCOL_VERSION}; "
            "install the same version of ftgui on both sides."
        )
