"""The engine as the rest of the window sees it: requests, each with its own answers, and what belongs to no request."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from PySide6.QtCore import QObject, QThread, Signal, SignalInstance, Slot

from ftgui.protocol import messages as m
from ftgui.ui.engine_client.worker import EngineKind, EngineState, EngineWorker

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """Why a request is not answered."""

    sentence: str
    """For the person."""
    engine_ended: bool = False
    """The engine ended before it answered; the window says so by itself."""


Answers = Callable[[Any], None]
"""Takes every event that carries the request's number, in order: its progress, its parts, its answer."""

Failed = Callable[[Failure], None]


class Worker(Protocol):
    """What carries commands to an engine and brings its events: `EngineWorker`, or a stand-in for tests."""

    state_changed: SignalInstance
    arrived: SignalInstance

    def start(self) -> None: ...

    def send(self, command: m.Command) -> None: ...

    def kill(self) -> None: ...

    def shut_down(self) -> None: ...


@dataclass(frozen=True)
class _Request:
    answers: Answers | None
    failed: Failed | None


class EngineClient(QObject):
    """One per window.

    Args:
        worker: carries commands and events.
        thread: the worker's own; None: it lives in this one.
    """

    state_changed = Signal(EngineState)
    """Of the process; `state` is it already."""
    ready = Signal(m.Ready)
    progress = Signal(m.Progress)
    freezing_changed = Signal(m.FreezingChanged)
    measuring_cost = Signal(m.MeasuringCost)
    """Whoever asked, also of a question that nobody wants answered any more."""
    cost_estimated = Signal(m.CostEstimate)
    """Whoever asked."""
    run_adjusted = Signal(m.RunAdjusted)
    features_cached = Signal(m.FrozenFeaturesCached)
    update_ratios = Signal(m.UpdateRatios)
    training_event = Signal(object)
    """A `messages.TrainingEvent`."""
    logged = Signal(m.Log)
    failed = Signal(str)
    """A sentence about a command whose failure nobody else is told of."""

    _start = Signal()
    _send = Signal(object)
    _kill = Signal()
    _shut_down = Signal()

    def __init__(self, worker: Worker, thread: QThread | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = EngineState(EngineKind.NOT_STARTED)
        self._worker = worker
        self._thread = thread
        self._number = 0
        self._requests: dict[int, _Request] = {}
        self._cancelled: set[int] = set()
        self._broadcast: dict[type, SignalInstance] = {
            m.Ready: self.ready,
            m.Progress: self.progress,
            m.FreezingChanged: self.freezing_changed,
            m.MeasuringCost: self.measuring_cost,
            m.CostEstimate: self.cost_estimated,
            m.RunAdjusted: self.run_adjusted,
            m.FrozenFeaturesCached: self.features_cached,
            m.UpdateRatios: self.update_ratios,
            m.Log: self.logged,
            **dict.fromkeys(m.TRAINING_EVENTS, self.training_event),
        }
        self._start.connect(worker.start)
        self._send.connect(worker.send)
        self._kill.connect(worker.kill)
        self._shut_down.connect(worker.shut_down)
        worker.state_changed.connect(self._state_changed)
        worker.arrived.connect(self._arrived)
        if thread is not None:
            thread.setParent(self)
            thread.start()

    @classmethod
    def of_a_process(cls) -> EngineClient:
        """With an engine in a process of its own, seen to from a thread of its own; `start_engine` starts it."""
        thread = QThread()
        thread.setObjectName("engine worker")
        worker = EngineWorker()
        worker.moveToThread(thread)
        return cls(worker, thread)

    # --- the process ------------------------------------------------------------------------------------------------

    @Slot()
    def start_engine(self) -> None:
        """In the background; `state_changed` tells how it goes."""
        self._start.emit()

    def kill(self) -> None:
        """End the engine at once; not a crash."""
        self._kill.emit()

    def close(self) -> None:
        """End the engine; blocks for at most some seconds. Nothing may be called afterwards."""
        self._worker.state_changed.disconnect(self._state_changed)
        self._worker.arrived.disconnect(self._arrived)
        self._shut_down.emit()
        if self._thread is not None:
            self._thread.wait()

    @Slot(EngineState)
    def _state_changed(self, state: EngineState) -> None:
        self.state = state
        if not state.alive:
            requests, self._requests = self._requests, {}
            self._cancelled.clear()
            for request in requests.values():
                if request.failed is not None:
                    request.failed(Failure("The engine ended before it answered.", engine_ended=True))
        self.state_changed.emit(state)

    # --- requests ---------------------------------------------------------------------------------------------------

    def send(self, command: m.Command) -> None:
        """A command that is not answered."""
        self._send.emit(command)

    def request(self, command: m.Command, answers: Answers | None = None, failed: Failed | None = None) -> int:
        """A command that is answered.

        Args:
            command: its request number is given here.
            answers: called with each event that carries the number, until the last.
            failed: called once if it can't be done, instead of the last answer; None: `EngineClient.failed` says why.

        Returns:
            the number.
        """
        self._number += 1
        number = self._number
        self._requests[number] = _Request(answers, failed)
        self._send.emit(msgspec.structs.replace(command, request=number))
        return number

    def cancel(self, number: int) -> None:
        """End what a request asked for, if it is not over; it still answers, or fails, as it does at its end. Twice is once."""
        if number in self._requests and number not in self._cancelled:
            self._cancelled.add(number)
            self._send.emit(m.CancelRequest(number))

    def waits(self, number: int) -> bool:
        """Whether a request is not over."""
        return number in self._requests

    def forget(self, number: int) -> None:
        """Nobody wants to hear of a request any more."""
        self._requests.pop(number, None)
        self._cancelled.discard(number)

    @Slot(object)
    def _arrived(self, event: m.Event) -> None:
        if isinstance(event, m.CommandFailed):
            self._refused(event)
            return
        if (signal := self._broadcast.get(type(event))) is not None:
            signal.emit(event)
        request = self._requests.get(m.request_of(event))
        if request is None:
            return
        if m.is_last(event):
            self.forget(m.request_of(event))
        if request.answers is not None:
            request.answers(event)

    def _refused(self, event: m.CommandFailed) -> None:
        request = self._requests.get(event.request)
        self.forget(event.request)
        if request is not None and request.failed is not None:
            request.failed(Failure(event.message))
        elif request is not None or not event.request:
            self.failed.emit(event.message)
        else:
            log.info("nobody waits for request %d any more: %s", event.request, event.message)
