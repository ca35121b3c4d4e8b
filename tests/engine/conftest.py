"""Small models and sessions for the engine's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftgui.data.project import Project
from ftgui.engine.downloads import downloader
from ftgui.engine.session import Session
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Augmentation, Backbone, Dataset, Phase, Recipe, Training
from ftgui.runs.run_folders import new_run_folder
from tests.engine.mirror import Mirror, serving

TINY = Backbone(name="test_efficientnet", weights="none")
"""timm's own test model: 360,000 parameters, convolutions and BatchNorm as in EfficientNet."""


class Engine:
    """A session in this process with everything it said."""

    def __init__(self) -> None:
        self.events: list[m.Event] = []
        self.queue: list[m.Command] = []
        self.on_event: Callable[[m.Event], None] = lambda event: None
        self.next_command: Callable[[bool], m.Command | None] = self._from_queue
        self.session = Session(self._take, self._next)

    def _take(self, event: m.Event) -> None:
        self.events.append(event)
        self.on_event(event)

    def _next(self, wait: bool) -> m.Command | None:
        return self.next_command(wait)

    def _from_queue(self, wait: bool) -> m.Command | None:
        assert self.queue or not wait, "paused with nobody to resume"
        return self.queue.pop(0) if self.queue else None

    def do(self, command: m.Command) -> m.Event:
        """Handle a command; returns the last event."""
        self.session.handle(command)
        return self.events[-1]

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A server on this machine, and a downloader that tries again at once and reports every chunk."""
    monkeypatch.setattr(downloader, "RETRY_PAUSE", 0.01)
    monkeypatch.setattr(downloader, "REPORT_EVERY", 0.0)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as made:
        yield made


@pytest.fixture
def train_command() -> Callable[..., m.Train]:
    """``train_command(dataset, phases=…, **training)``: a `Train` on a fresh run folder."""

    def make(
        dataset: Path,
        phases: list[Phase] | None = None,
        seed: int = 0,
        backbone: Backbone = TINY,
        augmentation: str = "standard",
        views: int | str = 4,
        **training,
    ) -> m.Train:
        project = Project.for_dataset(dataset)
        project.take_in(dataset)
        recipe = Recipe(
            seed=seed,
            device="cpu",
            dataset=Dataset(folder=str(dataset)),
            backbone=backbone,
            phases=phases or [Phase(name="Head", train=["head"], epochs=2, lr=1e-2)],
            augmentation=Augmentation(preset=augmentation, views=views),
            training=Training(**{"batch_size": 4, **training}),
        )
        return m.Train(1, recipe, str(project.catalog_path), str(new_run_folder(project, "test")))

    return make
