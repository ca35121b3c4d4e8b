"""What was asked and is not begun yet: bounded, because a window may ask faster than the engine can answer."""

from __future__ import annotations

import queue
import threading
from collections import deque

from ftgui.protocol import messages as m
from ftgui.protocol.questions import QUESTIONS

MOST_COMMANDS = 500
MOST_BYTES = 256 * 2**20
"""Of the images that questions carry with them."""


class CommandQueue:
    """Between the thread that reads commands and the one that does them."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[m.Command] = queue.SimpleQueue()
        self._bytes = 0
        self._lock = threading.Lock()

    def put(self, command: m.Command) -> bool:
        """Add a command; False: a question that is not taken, because too much waits already."""
        size = _size(command)
        with self._lock:
            full = self._commands.qsize() >= MOST_COMMANDS or self._bytes + size > MOST_BYTES
            if full and isinstance(command, QUESTIONS):
                return False
            self._bytes += size
        self._commands.put(command)
        return True

    def get(self, wait: bool) -> m.Command | None:
        """The oldest; None if there is none and nobody waits."""
        try:
            command = self._commands.get(block=wait)
        except queue.Empty:
            return None
        with self._lock:
            self._bytes -= _size(command)
        return command


class Postponed:
    """What came in while something else was done that it has to wait for; bounded in the same way."""

    def __init__(self) -> None:
        self._commands: deque[m.Command] = deque()
        self._bytes = 0
        self._stopped: m.Train | m.Continue | None = None

    def __len__(self) -> int:
        return len(self._commands)

    def add(self, command: m.Command) -> bool:
        """Do it later; False: a question that is not taken, because too much waits already."""
        size = _size(command)
        if isinstance(command, QUESTIONS) and (len(self) >= MOST_COMMANDS or self._bytes + size > MOST_BYTES):
            return False
        self._commands.append(command)
        self._bytes += size
        return True

    def take(self) -> m.Command:
        """The oldest."""
        command = self._commands.popleft()
        self._bytes -= _size(command)
        return command

    def stop_training(self) -> bool:
        """A `Stop` came: whether it is for a training that waits here, because whoever stops means what was begun last."""
        for command in self._commands:
            if isinstance(command, m.Train | m.Continue):
                self._stopped = command
                return True
        return False

    def is_stopped(self, command: m.Command) -> bool:
        """`stop_training` was for this one, before it began."""
        return command is self._stopped


def _size(command: m.Command) -> int:
    return len(command.content) if isinstance(command, m.Predict | m.Explain | m.FindSimilar) else 0
