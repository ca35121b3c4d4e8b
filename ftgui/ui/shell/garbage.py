"""Python's cyclic garbage is collected on the main thread only.

The collector runs wherever the allocation happens that crosses its threshold, on worker threads too. A widget or timer that
dies there leaves its timers registered with the main thread's event loop ("Timers cannot be stopped from another thread"),
which then calls a dead object: a crash, minutes later, with no trace of its cause (seen in tests, measured with gdb).
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer, Slot

_EVERY = 500
"""Milliseconds."""


class MainThreadGarbage(QObject):
    """Takes over from the automatic collector for as long as it lives.

    Args:
        parent: owner, on the main thread.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thresholds = gc.get_threshold()
        gc.disable()
        gc.freeze()  # what there is at the start stays to the end: not worth looking through
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)
        self._timer.start(_EVERY)

    @Slot()
    def _look(self) -> None:
        """As the automatic collector decides: the young often, the old rarely."""
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > self._thresholds[generation]:
                gc.collect(generation)
                return

    def stop(self) -> None:
        """Give back to the automatic collector."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()
