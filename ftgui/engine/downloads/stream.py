"""Bytes from the network, read beside the thread that wants them."""

from __future__ import annotations

import http.client
import queue
import threading
from collections.abc import Callable
from types import TracebackType

CHUNK = 1 << 18
"""Bytes at most that are handed over at once."""
_AHEAD = 16
"""Chunks that are read before they are wanted."""
_LOOK_EVERY = 0.1
"""Seconds between two looks whether they are wanted still."""


class Stream:
    """An answer of a server. A host that is slow to connect or falls silent keeps nobody waiting: meanwhile, whoever waits
    is called, may do something else, and may raise to leave.

    Args:
        ask: asks the server, on a thread of its own; what it raises is raised here.
        waiting: called again and again until it answers.
    """

    def __init__(self, ask: Callable[[], http.client.HTTPResponse], waiting: Callable[[], None]) -> None:
        self._items: queue.Queue[bytes | Exception | http.client.HTTPResponse] = queue.Queue(_AHEAD)
        self._left = threading.Event()
        # A daemon: a connection that hangs must not keep the program from ending.
        threading.Thread(target=self._read, args=(ask,), name="download", daemon=True).start()
        try:
            head = self._wait(waiting)
        except BaseException:
            self._left.set()
            raise
        assert isinstance(head, http.client.HTTPResponse)
        self.status = head.status
        self.coming = int(head.headers.get("Content-Length") or 0)
        """Bytes; 0: not known."""

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _traceback: TracebackType | None) -> None:
        self._left.set()

    def next(self, waiting: Callable[[], None]) -> bytes:
        """The next bytes, empty at the end.

        Args:
            waiting: called again and again until there are some.

        Raises:
            OSError, http.client.HTTPException: the connection is lost.
        """
        chunk = self._wait(waiting)
        assert isinstance(chunk, bytes)
        return chunk

    def _wait(self, waiting: Callable[[], None]) -> bytes | http.client.HTTPResponse:
        while True:
            try:
                item = self._items.get(timeout=_LOOK_EVERY)
            except queue.Empty:
                waiting()
                continue
            if isinstance(item, Exception):
                raise item
            return item

    # --- on the other thread ----------------------------------------------------------------------------------------

    def _read(self, ask: Callable[[], http.client.HTTPResponse]) -> None:
        try:
            with ask() as response:
                self._hand_over(response)
                while self._hand_over(chunk := response.read1(CHUNK)) and chunk:
                    pass
        except Exception as error:  # noqa: BLE001 - raised again where the bytes are wanted
            self._hand_over(error)

    def _hand_over(self, item: bytes | Exception | http.client.HTTPResponse) -> bool:
        """False if nobody wants it any more."""
        while not self._left.is_set():
            try:
                self._items.put(item, timeout=_LOOK_EVERY)
            except queue.Full:
                continue
            return True
        return False
