"""Everything a person can do about a run besides starting and stopping it; signals out, intentions in. No widgets."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Recipe
from ftgui.ui.engine_client.client import EngineClient, Failure


class TrainingRequests(QObject):
    """Changes of a run, what one would cost, which learning rate suits it, and what its model says of many images.

    Args:
        client: of the engine that is asked.
        parent: owner.
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
    """What the model says of some images; at the end one with `over`."""
    evaluation_failed = Signal()
    """The images that were asked about last will not be evaluated; `said` tells why."""
    said = Signal(str)
    """A sentence about what failed."""

    def __init__(self, client: EngineClient, parent: QObject) -> None:
        super().__init__(parent)
        self._client = client
        self._cost = self._rate_test = self._evaluation = 0
        client.features_cached.connect(self.features_cached)
        client.run_adjusted.connect(self.run_adjusted)
        client.update_ratios.connect(self.learning)

    # --- in a run ---------------------------------------------------------------------------------------------------

    # Each returns its request number; `run_adjusted` or `refused` follows.

    def change_rate(self, lr: float) -> int:
        """The running phase's peak rate, from the next step on."""
        return self._steer(m.ChangeRate(0, lr))

    def change_early_stop(self, epochs: int) -> int:
        """Epochs without improvement that end a phase; 0 = never."""
        return self._steer(m.ChangeEarlyStop(0, epochs))

    def finish_phase(self) -> int:
        """Go on with the next phase after this step."""
        return self._steer(m.FinishPhase(0))

    def _steer(self, command: m.ChangeRate | m.ChangeEarlyStop | m.FinishPhase) -> int:
        def failed(failure: Failure) -> None:
            self.refused.emit(number)
            if not failure.engine_ended:
                self.said.emit(failure.sentence)

        number = self._client.request(command, failed=failed)
        return number

    # --- before one -------------------------------------------------------------------------------------------------

    def estimate_cost(self, layers: list[str], recipe: Recipe, train_samples: int, val_samples: int) -> None:
        """Answered by `cost_estimated`, or `cost_refused`."""
        self._client.forget(self._cost)
        command = m.EstimateCost(0, layers, recipe, train_samples, val_samples)
        self._cost = self._client.request(command, self._cost_answered, self._cost_failed)

    def _cost_answered(self, event: m.MeasuringCost | m.CostEstimate) -> None:
        if isinstance(event, m.CostEstimate):
            self.cost_estimated.emit(event)

    def _cost_failed(self, failure: Failure) -> None:
        if not failure.engine_ended:
            self.cost_refused.emit()

    def find_learning_rate(self, recipe: Recipe, catalog: Path, phase: int) -> None:
        """Range test of a phase, by its index in `Recipe.phases`; `learning_rate_tried` comes again and again, then
        `learning_rate_found` or `rate_test_failed`."""
        command = m.FindLearningRate(0, recipe, str(catalog), phase)
        self._rate_test = self._client.request(command, self._rate_answered, self._rate_test_failed)

    def _rate_answered(self, event: m.LearningRateTried | m.LearningRateFound | m.Progress) -> None:
        if isinstance(event, m.LearningRateTried):
            self.learning_rate_tried.emit(event)
        elif isinstance(event, m.LearningRateFound):
            self._rate_test = 0
            self.learning_rate_found.emit(event)

    def _rate_test_failed(self, failure: Failure) -> None:
        self._rate_test = 0
        self.rate_test_failed.emit(
            "The engine ended before the test did." if failure.engine_ended else failure.sentence
        )

    @property
    def testing(self) -> bool:
        """A range test runs."""
        return bool(self._rate_test)

    def stop_rate_test(self) -> None:
        """End a range test that runs; nothing is suggested then."""
        self._client.cancel(self._rate_test)

    # --- after one --------------------------------------------------------------------------------------------------

    def evaluate(self, command: m.EvaluateImages) -> None:
        """Ask about many images (the request's number is given here); `evaluated` comes again and again, the last time with
        `over`."""
        self._evaluation = self._client.request(command, self._evaluated, self._evaluation_failed)

    def _evaluated(self, event: m.EvaluatedImages) -> None:
        if event.over:
            self._evaluation = 0
        self.evaluated.emit(event)

    def _evaluation_failed(self, failure: Failure) -> None:
        self._evaluation = 0
        self.evaluation_failed.emit()
        if not failure.engine_ended:
            self.said.emit(failure.sentence)

    @property
    def evaluating(self) -> bool:
        """Every image is being asked about."""
        return bool(self._evaluation)

    def forget_evaluation(self) -> None:
        """What still comes is of another dataset."""
        self._client.cancel(self._evaluation)
        self._client.forget(self._evaluation)
        self._evaluation = 0

    def stop_side_work(self) -> None:
        """End a range test or the evaluation of all images, if it runs: something else is wanted of the engine."""
        self._client.cancel(self._rate_test)
        self._client.cancel(self._evaluation)
