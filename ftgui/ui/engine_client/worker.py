"""The engine's process as signals. Lives in a QThread; the only thing that touches the pipe."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QThread, QTimer, Signal, Slot

import ftgui
from ftgui.base import paths
from ftgui.base.files import reason
from ftgui.protocol import codec
from ftgui.protocol import messages as m
from ftgui.protocol.questions import QUESTIONS, REFUSAL
from ftgui.ui.engine_client.engine_log import EngineLog
from ftgui.ui.engine_client.memory_watch import MemoryLeft, MemoryWatch

SHUTDOWN_MILLISECONDS = 3000
"""How long a closing window waits for the engine before killing it."""

READY_MILLISECONDS = 180_000
"""From the start of the process to `Ready`: importing torch takes seconds, from a slow network drive a minute or two."""

MOST_UNREAD = 64 * 2**20
"""Bytes of commands that the engine has not read; more questions are refused."""

MEMORY_MILLISECONDS = 2000
"""Between two looks at how much is free."""

_WORDS = 2000
"""Characters kept of a line it wrote to stderr."""


class EngineKind(Enum):
    NOT_STARTED = auto()
    STARTING = auto()
    READY = auto()
    TRAINING = auto()
    STOPPING = auto()
    CRASHED = auto()


@dataclass(frozen=True)
class EngineState:
    """How the engine's process is."""

    kind: EngineKind
    exit_code: int = 0
    signal: int = 0
    """CRASHED on Linux and macOS: what ended it, if a signal did."""
    last_words: str = ""
    """CRASHED: the last line it wrote to stderr."""
    memory: MemoryLeft = field(default_factory=MemoryLeft)
    """CRASHED: how much there was."""

    @property
    def alive(self) -> bool:
        return self.kind not in (EngineKind.NOT_STARTED, EngineKind.CRASHED)

    @property
    def busy(self) -> bool:
        return self.kind in (EngineKind.TRAINING, EngineKind.STOPPING)


def engine_command() -> list[str]:
    """Program and arguments of the child."""
    # -P: a file called random.py in the folder somebody happens to be in must not become the engine's `random`.
    return [sys.executable, "-P", "-m", "ftgui", "--engine"]


class EngineWorker(QObject):
    """Owns the process."""

    state_changed = Signal(EngineState)
    arrived = Signal(object)
    """An event."""

    def __init__(self) -> None:
        super().__init__()
        self._process: QProcess | None = None
        self._decoder: codec.Decoder[m.Event] = codec.event_decoder()
        self._state = EngineState(EngineKind.NOT_STARTED)
        self._expected_end = False
        self._given_up = False
        """Killed by this worker, because nothing would come of it."""
        self._train_request = 0
        self._words: deque[str] = deque(maxlen=40)
        self.log = EngineLog(paths.data_dir() / "logs" / "engine.log")
        self._memory = MemoryWatch()
        self._memory_timer = QTimer(self, interval=MEMORY_MILLISECONDS)
        self._memory_timer.timeout.connect(self._memory.look)
        self.not_ready = self._timer(READY_MILLISECONDS, self._never_ready)

    def _timer(self, milliseconds: int, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self, singleShot=True, interval=milliseconds)
        timer.timeout.connect(slot)
        return timer

    @property
    def process_id(self) -> int:
        """Of the engine; 0: none runs."""
        return self._process.processId() if self._process is not None else 0

    # --- slots, on the worker's thread ------------------------------------------------------------------------------

    @Slot()
    def start(self) -> None:
        """Start the process, if none runs."""
        if self._process is not None:
            return
        self._decoder = codec.event_decoder()
        self._expected_end = self._given_up = False
        self._words.clear()
        try:
            self.log.begin()
        except OSError as error:
            self._words.append(f"a new engine log can't be started: {reason(error)}")
        process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        package_parent = str(Path(ftgui.__file__).resolve().parent.parent)
        inherited = environment.value("PYTHONPATH", "")
        environment.insert("PYTHONPATH", os.pathsep.join(filter(None, [package_parent, inherited])))
        environment.insert("PYTHONUNBUFFERED", "1")
        environment.insert("PYTHONIOENCODING", "utf-8")
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._read_events)
        process.readyReadStandardError.connect(self._read_words)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._could_not)
        self._process = process
        self._set_state(EngineState(EngineKind.STARTING))
        program, *arguments = engine_command()
        self.not_ready.start()
        self._memory.begin()
        self._memory_timer.start()
        process.start(program, arguments)
        self._write(m.Hello())

    @Slot(object)
    def send(self, command: m.Command) -> None:
        """Queue a command on the pipe; never blocks, whatever the engine is doing."""
        if self._process is None:
            self._refuse(command, "The engine is not running.")
            return
        if isinstance(command, QUESTIONS) and self._process.bytesToWrite() > MOST_UNREAD:
            self._refuse(command, REFUSAL)
            return
        try:
            self._write(command)
        except codec.ProtocolError as error:  # longer than any message may be
            self._refuse(command, str(error))
            return
        if isinstance(command, m.Train | m.Continue) and not self._state.busy:
            self._train_request = command.request
            self._set_state(EngineState(EngineKind.TRAINING))
        elif (
            isinstance(command, m.CancelRequest)
            and command.request == self._train_request
            and self._state.kind is EngineKind.TRAINING
        ):
            self._set_state(EngineState(EngineKind.STOPPING))

    @Slot()
    def kill(self) -> None:
        """End the process at once; not a crash."""
        if self._process is not None:
            self._expected_end = True
            self._process.kill()

    @Slot()
    def shut_down(self) -> None:
        """Ask it to leave, wait a little, then kill; finally end this thread."""
        process = self._process
        if process is not None:
            self._expected_end = True
            self._write(m.Shutdown())
            process.closeWriteChannel()
            if not process.waitForFinished(SHUTDOWN_MILLISECONDS):
                process.kill()
                process.waitForFinished(SHUTDOWN_MILLISECONDS)
        QThread.currentThread().quit()

    # --- the process ------------------------------------------------------------------------------------------------

    def _refuse(self, command: m.Command, why: str) -> None:
        self.arrived.emit(m.CommandFailed(m.request_of(command), why))

    def _write(self, command: m.Command) -> None:
        if self._process is not None:
            self._process.write(codec.encode(command))

    @Slot()
    def _read_events(self) -> None:
        if self._process is None:
            return
        try:
            events = self._decoder.feed(bytes(self._process.readAllStandardOutput().data()))
        except codec.ProtocolError as error:
            self._give_up(str(error))
            return
        for event in events:
            if isinstance(event, m.Ready) and event.protocol != m.PROTOCOL_VERSION:
                self._give_up(f"the engine speaks protocol {event.protocol}, this window {m.PROTOCOL_VERSION}")
                return
            if isinstance(event, m.Ready):
                self.not_ready.stop()
                self._set_state(EngineState(EngineKind.READY))  # first, so that who hears "ready" can send at once
            self.arrived.emit(event)
            self._note(event)

    def _note(self, event: m.Event) -> None:
        refused = isinstance(event, m.CommandFailed) and event.request == self._train_request and self._state.busy
        if isinstance(event, m.TrainingFinished) or refused:
            # After the event itself: whoever sees the engine ready again also has the run's outcome.
            self._set_state(EngineState(EngineKind.READY))

    @Slot()
    def _read_words(self) -> None:
        if self._process is None:
            return
        data = bytes(self._process.readAllStandardError().data())
        try:
            self.log.write(data)
        except OSError as error:  # a full disk must not keep the engine's end from being noticed
            self._words.append(f"the engine's log can't be written: {reason(error)}")
        lines = data.decode("utf-8", "replace").splitlines()
        self._words.extend(line[:_WORDS] for line in lines[-(self._words.maxlen or 1) :] if line.strip())

    @Slot()
    def _never_ready(self) -> None:
        self._give_up(f"it did not answer within {READY_MILLISECONDS // 1000} seconds of its start")

    def _give_up(self, why: str) -> None:
        """Nothing will come of this process."""
        if self._process is not None:
            self._words.append(why)
            self._given_up = True
            self._process.kill()

    @Slot(int, QProcess.ExitStatus)
    def _finished(self, exit_code: int, status: QProcess.ExitStatus) -> None:
        self._read_events()
        self._read_words()
        if status is QProcess.ExitStatus.NormalExit:
            self._end(exit_code)
        else:  # Qt then gives the signal, but for Windows, where there are none
            self._end(-1, 0 if sys.platform == "win32" or self._given_up else exit_code)

    @Slot(QProcess.ProcessError)
    def _could_not(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart and self._process is not None:
            self._words.append(self._process.errorString())
            self._end(-1)

    def _end(self, exit_code: int, signal: int = 0) -> None:
        process, self._process = self._process, None
        self.not_ready.stop()
        self._memory_timer.stop()
        if process is None:
            return
        process.deleteLater()
        if self._expected_end:
            self._set_state(EngineState(EngineKind.NOT_STARTED))
        else:
            last = self._words[-1] if self._words else ""
            self._set_state(EngineState(EngineKind.CRASHED, exit_code, signal, last, self._memory.at_the_end()))

    def _set_state(self, state: EngineState) -> None:
        if state != self._state:
            self._state = state
            self.state_changed.emit(state)
