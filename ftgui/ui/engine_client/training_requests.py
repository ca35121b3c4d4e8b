"""Everything a person can do about a run besides starting and stopping it; signals out, intentions in. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal, Slot

from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Recipe
from ftgui.ui.engine_client.worker import EngineWorker


class Steering(QObject):
    """Part of a `Workspace`.

    Args:
        worker: whose events are passed on.
        send: takes a command for the engine.
        next_request: gives a new request number.
    """

    prefix_cached = Signal(m.PrefixCached)
    steered = Signal(m.Steered)
    refused = Signal(int)
    """A change of the run, by its request number: the engine would not do it, and said why."""
    learning = Signal(m.LayerLearning)
    price_known = Signal(m.Price)
    """Only the answer to the latest question."""
    price_refused = Signal()
    """The same."""
    rate_tested = Signal(m.RateTested)
    rate_test_finished = Signal(m.RateTestFinished)
    rate_test_failed = Signal(str)
    judged = Signal(m.Judged)
    not_judged = Signal()
    """The images that were asked about last will not be evaluated; the status line says why."""
    """What the model says of some images; at the end one with `over`."""

    def __init__(
        self, worker: EngineWorker, send: Callable[[m.Command], None], next_request: Callable[[], int], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._send = send
        self._next_request = next_request
        self._price_request = 0
        self._test_request = 0
        self._judge_request = 0
        self._ending_test = False
        worker.prefix_cached.connect(self.prefix_cached)
        worker.steered.connect(self.steered)
        worker.layer_learning.connect(self.learning)
        worker.priced.connect(self._priced)
        worker.rate_tested.connect(self._rate_tested)
        worker.rate_test_finished.connect(self._rate_test_finished)
        worker.judged.connect(self._judged)

    # --- in a run ---------------------------------------------------------------------------------------------------

    # Each returns its request number; `steered` or `refused` follows.

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

    def ask_price(self, layers: list[str], recipe: Recipe, train_samples: int, val_samples: int) -> None:
        """Answered by `price_known`."""
        self._price_request = self._next_request()
        self._send(m.AskPrice(self._price_request, layers, recipe, train_samples, val_samples))

    @Slot(m.Price)
    def _priced(self, event: m.Price) -> None:
        if event.request == self._price_request:
            self.price_known.emit(event)

    def find_rate(self, recipe: Recipe, catalog: Path, phase: int) -> None:
        """Range test of a phase, by its index in `Recipe.phases`; `rate_tested` comes again and again, then
        `rate_test_finished` or `rate_test_failed`."""
        self._test_request = self._next_request()
        self._ending_test = False
        self._send(m.FindRate(self._test_request, recipe, str(catalog), phase))

    def judge(self, command: m.Judge) -> None:
        """Ask about many images (the request's number is given here); `judged` comes again and again, the last time with
        `over`."""
        self._judge_request = self._next_request()
        self._ending_test = False
        self._send(msgspec.structs.replace(command, request=self._judge_request))

    @property
    def judging(self) -> bool:
        """Every image is being asked about."""
        return bool(self._judge_request)

    @property
    def testing(self) -> bool:
        """A range test runs."""
        return bool(self._test_request)

    def stop_rate_test(self) -> None:
        """End a range test that runs; nothing is suggested then."""
        if self._test_request:
            self.stop_side_work()

    def stop_side_work(self) -> None:
        """End a range test or the judging of all images, if it runs: something else is wanted of the engine."""
        if (self._test_request or self._judge_request) and not self._ending_test:
            self._ending_test = True  # a second Stop could meet the training that begins after the test
            self._send(m.Stop())

    def forget_judging(self) -> None:
        """What still comes is of another dataset."""
        if self._judge_request:
            self.stop_side_work()
            self._judge_request = 0

    @Slot(m.Judged)
    def _judged(self, event: m.Judged) -> None:
        if event.request == self._judge_request:
            if event.over:
                self._judge_request = 0
            self.judged.emit(event)

    @Slot(m.RateTested)
    def _rate_tested(self, event: m.RateTested) -> None:
        if event.request == self._test_request:
            self.rate_tested.emit(event)

    @Slot(m.RateTestFinished)
    def _rate_test_finished(self, event: m.RateTestFinished) -> None:
        if event.request == self._test_request:
            self._test_request = 0
            self.rate_test_finished.emit(event)

    def engine_gone(self) -> None:
        """Nothing that was asked will be answered."""
        self._price_request = 0
        if self._judge_request:
            self._judge_request = 0
            self.not_judged.emit()
        if self._test_request:
            self._test_request = 0
            self.rate_test_failed.emit("The engine ended before the test did.")

    def failed(self, event: m.CommandFailed) -> bool:
        """A command was refused.

        Returns:
            whether that was for this object to know, and nobody else needs to be told.
        """
        if event.command == "FindRate" and event.request == self._test_request:
            self._test_request = 0
            self.rate_test_failed.emit(event.message)
            return True
        if event.command == "Judge" and event.request == self._judge_request:
            self._judge_request = 0
            self.not_judged.emit()
        if event.command in ("ChangeRate", "ChangeEarlyStop", "FinishPhase"):
            self.refused.emit(event.request)
        if event.command == "AskPrice" and event.request == self._price_request:
            self.price_refused.emit()
        return event.command == "AskPrice"
