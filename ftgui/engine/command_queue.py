"""What was asked and is not read yet: bounded, because a window may ask faster than the engine can answer."""

from __future__ import annotations

import queue
import threading

from ftgui.protocol import messages as m
from ftgui.protocol.codec import ProtocolError
from ftgui.protocol.questions import QUESTIONS

MOST_COMMANDS = 500
MOST_OF_ALL = 20 * MOST_COMMANDS
"""Commands that steer, stop and end included, which nobody presses so often: who sends more is no window of ours."""
MOST_BYTES = 256 * 2**20
"""Of the images that questions carry with them."""


class CommandQueue:
    """Between the thread that reads commands and the one that does them."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[m.Command] = queue.SimpleQueue()
        self._bytes = 0
        self._lock = threading.Lock()

    def put(self, command: m.Command) -> bool:
        """Add a command; False: a question that is not taken, because too much waits already.

        Raises:
            ProtocolError: more wait than any window sends.
        """
        size = size_of(command)
        with self._lock:
            full = self._commands.qsize() >= MOST_COMMANDS or self._bytes + size > MOST_BYTES
            if full and isinstance(command, QUESTIONS):
                return False
            if self._commands.qsize() >= MOST_OF_ALL and not isinstance(command, m.Shutdown):
                raise ProtocolError(f"{MOST_OF_ALL:,} commands wait already")
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
            self._bytes -= size_of(command)
        return command


def size_of(command: m.Command) -> int:
    """Bytes of the image that a question carries with it."""
    return len(command.content) if isinstance(command, m.Predict | m.Explain | m.FindSimilar) else 0
