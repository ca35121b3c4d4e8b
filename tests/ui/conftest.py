"""A workspace without an engine process, and models to show."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication

from ftgui.protocol import messages as m
from ftgui.protocol.layer_names import LayerNames
from ftgui.protocol.messages import LayerNode
from ftgui.protocol.recipe import Backbone
from ftgui.ui.engine_client.worker import EngineKind, EngineState
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.shell.main_window import MainWindow
from ftgui.ui.toolkit.theme import Theme


def node(name: str, parent: int, own: int, below: int = 0, label: str = "") -> LayerNode:
    return LayerNode(
        name=name,
        label=label or name,
        path=name if "." in name else None,
        parent=parent,
        kind="Conv2d",
        parameters=own + below,
        own_parameters=own,
        output=[8, 4, 4],
    )


NODES = [
    node("stem", -1, 10),
    node("stage 1", -1, 0, 50),
    node("blocks.0", 1, 20, label="block 0"),
    node("blocks.1", 1, 5, 25, label="block 1"),
    node("blocks.1.conv", 3, 25, label="conv"),
    node("head", -1, 6),
]
UNITS = [0, 2, 3, 4, 5]


def loaded(trainable: list[int], classes: tuple[str, ...] = ("blue", "red"), request: int = 1) -> m.ModelLoaded:
    return m.ModelLoaded(
        request=request,
        backbone=Backbone(),
        title="EfficientNet-Lite0 · ImageNet",
        class_names=list(classes),
        layers=NODES,
        trainable=trainable,
        trainable_parameters=sum(NODES[i].own_parameters for i in trainable),
        total_parameters=66,
        trained=False,
        device="cpu",
    )


class FakeEngine:
    """Stands in for the worker: takes commands, lets the test play the events."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.sent: list[m.Command] = []
        workspace._send.disconnect()
        workspace._send.connect(self.sent.append)
        workspace._kill.disconnect()
        self.killed = 0
        workspace._kill.connect(self._count_kill)
        workspace._start_engine.disconnect()
        self.started = 0
        workspace._start_engine.connect(self._count_start)

    def _count_kill(self) -> None:
        self.killed += 1

    def _count_start(self) -> None:
        self.started += 1

    def state(self, kind: EngineKind, **more) -> None:
        self.workspace._engine_state(EngineState(kind, **more))

    def become_ready(self) -> None:
        self.state(EngineKind.STARTING)
        self.state(EngineKind.READY)
        device = m.Device(id="cpu", name="CPU", memory=1)
        self.workspace._ready(m.Ready("2", [device], ["tf_efficientnet_lite0", "resnet18"], 1.0))
        self.answer_load()

    def answer_load(self, trainable: list[int] | None = None) -> None:
        command = self.last(m.LoadModel)
        default = sorted(LayerNames(NODES).resolve(command.train)) if trainable is None else trainable
        event = loaded(default, tuple(command.class_names), command.request)
        trained = bool(command.trained_weights)
        self.workspace._model_loaded(msgspec.structs.replace(event, trained=trained, backbone=command.backbone))

    def answer_ticks(self) -> None:
        """As the engine does: report the state that was asked for, under its shortest names."""
        command = self.last(m.SetTrainable)
        names = LayerNames(NODES)
        units = names.resolve(command.layers)
        layers = names.shortest(units)
        count = sum(NODES[i].own_parameters for i in units)
        self.workspace._freezing(m.FreezingChanged(command.request, sorted(units), layers, count, 66))

    def last(self, kind: type) -> m.Command:
        return next(command for command in reversed(self.sent) if isinstance(command, kind))


@pytest.fixture
def theme(qapp: QApplication) -> Theme:
    return Theme(qapp)


@pytest.fixture
def workspace(qapp: QApplication) -> Iterator[Workspace]:
    made = Workspace()
    yield made
    made.close()


@pytest.fixture
def fake(workspace: Workspace) -> FakeEngine:
    return FakeEngine(workspace)


@pytest.fixture
def window(qtbot, workspace: Workspace, fake: FakeEngine, theme: Theme) -> Iterator[MainWindow]:
    made = MainWindow(workspace, theme)
    made.resize(1200, 800)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close_threads()
    made.hide()
    made.deleteLater()
    # Now: with windows left over, each new style sheet would restyle them all, and tests grow slower one by one.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
