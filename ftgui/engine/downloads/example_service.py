"""Answers `DownloadExampleSet`: a set may take an hour, and nothing else waits for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ftgui.engine.downloads import example_sets
from ftgui.engine.downloads.downloader import DownloadCancelled, Settings
from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.interruptions import Interruptions, StopRequested, Work
from ftgui.protocol import messages as m


class ExampleService:
    """Prepares one set at a time.

    Args:
        emit: takes every event.
        interruptions: asked whenever there is progress.
        settings: of downloads.
    """

    def __init__(self, emit: Emit, interruptions: Interruptions, settings: Callable[[], Settings]) -> None:
        self._emit = emit
        self._interruptions = interruptions
        self._settings = settings
        self._preparing = ""
        """Name of the set that is being made."""

    def prepare(self, command: m.DownloadExampleSet) -> None:
        """Have a set on this computer; answered by `ExampleSetReady`. A download whose connection ends while a training runs
        goes on afterwards.

        Raises:
            EngineError: it can't be had, or another is being prepared.
        """
        if self._preparing:
            raise EngineError(f"{self._preparing} is still being prepared. Cancel that first, or wait for it.")
        self._preparing = command.name

        def tell(what: str, done: int, total: int, unit: str) -> None:
            self._emit(m.Progress(what, done, total, unit, command.request))
            try:
                self._interruptions.poll(Work.EXAMPLE_SET, command.request)
            except StopRequested as stopped:
                raise DownloadCancelled(
                    f"{command.name} was cancelled. What has been downloaded is kept, so that it can be resumed."
                ) from stopped

        try:
            folder = example_sets.prepare(command.name, self._settings(), tell)
            if command.copy_to:
                example_sets.copy(folder, Path(command.copy_to), tell)
        finally:
            self._preparing = ""
        self._emit(m.ExampleSetReady(command.request, command.name, command.copy_to or str(folder)))
