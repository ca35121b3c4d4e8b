"""Everything a person can do about a run besides starting and stopping it; signals out, intentions in. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal, Slot

from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Recipe
from ftgui.ui.engine_client.worker import EngineWorker


class TrainingRequests(QObject):
    """Part of a `Workspace`.

    Args:
        worker: whose events are passed on.
        send: takes a command for the engine.
        next_request: gives a new request number.
    """

    features_cached = Signal(m.FrozenFeaturesCached)
    run_adjusted = Signal(m.RunAdjusted)
    refused = Signal(int)
    """A change of the run, by its request number: the engine would not do it, and said why."""
    learning = Signal(m.UpdateRatios)
    cost_estimated = Signal(m.CostEstimate)
    """Only the answer to the latest question."""
    cost_refused = Signal()
    """The same."""
    learning_rate_tried = Signal(m.LearningRateTried)
    learning_rate_found = Signal(m.LearningRateFound)
    rate_test_failed = Signal(str)
    evaluated = Signal(m.EvaluatedImages)
    evaluation_failed = Signal()
    """The images that were asked about last will not be evaluated; the status line says why."""
    """What the model says of some images; at the end one with `over`."""

    def __init__(
        self, worker: EngineWorker, send: Callable[[m.Command], None], next_request: Callable[[], int], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._send = send
        self._next_request = next_request
        self._cost_request = 0
        self._test_request = 0
        self._evaluation_request = 0
        self._ending_test = False
        worker.features_cached.connect(self.features_cached)
        worker.run_adjusted.connect(self.run_adjusted)
        worker.update_ratios.connect(self.learning)
        worker.cost_estimated.connect(self._cost_estimated)
        worker.learning_rate_tried.connect(self._learning_rate_tried)
        worker.learning_rate_found.connect(self._learning_rate_found)
        worker.evaluated.connect(self._evaluated)

    # --- in a run ---------------------------------------------------------------------------------------------------

    # Each returns its request number; `run_adjusted` or `refused` follows.

    def change_rate(self, lr: float) -> int:
        """The running phase's peak rate, from the next step on."""
        return self._steer(m.ChangeRate(self._next_request(), lr))

    def change_early_stop(self, epochs: int) -> int:
        """Epochs without improvement that end a phase; 0 = never."""
        return self._steer(m.ChangeEarlyStop(self._next_request(), epochs))

    def finish_phase(self) -> int:
        """Go on with the next phase after this step."""
        return self._steer(m.FinishPhase(self._next_request()))

    def _steer(self, command: m.ChangeRate | m.ChangeEarlyStop | m.FinishPhase) -> int:
        self._send(command)
        return command.request

    # --- before one -------------------------------------------------------------------------------------------------

    def estimate_cost(self, layers: list[str], recipe: Recipe, train_samples: int, val_samples: int) -> None:
        """Answered by `cost_estimated`."""
        self._cost_request = self._next_request()
        self._send(m.EstimateCost(self._cost_request, layers, recipe, train_samples, val_samples))

    @Slot(m.CostEstimate)
    def _cost_estimated(self, event: m.CostEstimate) -> None:
        if event.request == self._cost_request:
            self.cost_estimated.emit(event)

    def find_learning_rate(self, recipe: Recipe, catalog: Path, phase: int) -> None:
        """Range test of a phase, by its index in `Recipe.phases`; `learning_rate_tried` comes again and again, then
        `learning_rate_found` or `rate_test_failed`."""
        self._test_request = self._next_request()
        self._ending_test = False
        self._send(m.FindLearningRate(self._test_request, recipe, str(catalog), phase))

    def evaluate(self, command: m.EvaluateImages) -> None:
        """Ask about many images (the request's number is given here); `evaluated` comes again and again, the last time with
        `over`."""
        self._evaluation_request = self._next_request()
        self._ending_test = False
        self._send(msgspec.structs.replace(command, request=self._evaluation_request))

    @property
    def evaluating(self) -> bool:
        """Every image is being asked about."""
        return bool(self._evaluation_request)

    @property
    def testing(self) -> bool:
        """A range test runs."""
        return bool(self._test_request)

    def stop_rate_test(self) -> None:
        """End a range test that runs; nothing is suggested then."""
        if self._test_request:
            self.stop_side_work()

    def stop_side_work(self) -> None:
        """End a range test or the evaluation of all images, if it runs: something else is wanted of the engine."""
        if (self._test_request or self._evaluation_request) and not self._ending_test:
            self._ending_test = True  # a second Stop could meet the training that begins after the test
            self._send(m.Stop())

    def forget_evaluation(self) -> None:
        """What still comes is of another dataset."""
        if self._evaluation_request:
            self.stop_side_work()
            self._evaluation_request = 0

    @Slot(m.EvaluatedImages)
    def _evaluated(self, event: m.EvaluatedImages) -> None:
        if event.request == self._evaluation_request:
            if event.over:
                self._evaluation_request = 0
            self.evaluated.emit(event)

    @Slot(m.LearningRateTried)
    def _learning_rate_tried(self, event: m.LearningRateTried) -> None:
        if event.request == self._test_request:
            self.learning_rate_tried.emit(event)

    @Slot(m.LearningRateFound)
    def _learning_rate_found(self, event: m.LearningRateFound) -> None:
        if event.request == self._test_request:
            self._test_request = 0
            self.learning_rate_found.emit(event)

    def engine_gone(self) -> None:
        """Nothing that was asked will be answered."""
        self._cost_request = 0
        if self._evaluation_request:
            self._evaluation_request = 0
            self.evaluation_failed.emit()
        if self._test_request:
            self._test_request = 0
            self.rate_test_failed.emit("The engine ended before the test did.")

    def failed(self, event: m.CommandFailed) -> bool:
        """A command was refused.

        Returns:
            whether that was for this object to know, and nobody else needs to be told.
        """
        if event.command == "FindLearningRate" and event.request == self._test_request:
            self._test_request = 0
            self.rate_test_failed.emit(event.message)
            return True
        if event.command == "EvaluateImages" and event.request == self._evaluation_request:
            self._evaluation_request = 0
            self.evaluation_failed.emit()
        if event.command in ("ChangeRate", "ChangeEarlyStop", "FinishPhase"):
            self.refused.emit(event.request)
        if event.command == "EstimateCost" and event.request == self._cost_request:
            self.cost_refused.emit()
        return event.command == "EstimateCost"
