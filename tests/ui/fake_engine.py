"""An engine that a test plays: it takes commands and tells what the test wants it to."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from PySide6.QtCore import QCoreApplication, QObject, Signal, Slot

from ftgui.protocol import messages as m
from ftgui.protocol.layer_names import LayerNames
from ftgui.protocol.messages import LayerNode
from ftgui.protocol.recipe import Backbone
from ftgui.ui.engine_client.worker import EngineKind, EngineState


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


class FakeEngine(QObject):
    """Stands in for the worker of an `EngineClient`."""

    state_changed = Signal(EngineState)
    arrived = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._sent: list[m.Command] = []
        self.disk_works: Callable[[], bool] = lambda: False
        """Whether the window has asked the disk for something short, which is waited for: commands may come after it."""
        self.killed = 0
        self.started = 0

    @Slot()
    def start(self) -> None:
        self.started += 1

    @Slot(object)
    def send(self, command: m.Command) -> None:
        self._sent.append(command)

    @Slot()
    def kill(self) -> None:
        self.killed += 1

    @Slot()
    def shut_down(self) -> None:
        pass

    # --- what the test plays ----------------------------------------------------------------------------------------

    @property
    def sent(self) -> list[m.Command]:
        """All commands so far."""
        self.settle()
        return self._sent

    def settle(self) -> None:
        """Until the disk has done what the window asked it for, and the window knows."""
        deadline = time.monotonic() + 10
        while self.disk_works() and time.monotonic() < deadline:
            QCoreApplication.processEvents()
            time.sleep(0.002)

    def state(self, kind: EngineKind, **more) -> None:
        self.settle()
        self.state_changed.emit(EngineState(kind, **more))
        self.settle()

    def tell(self, event: m.Event) -> None:
        self.settle()
        self.arrived.emit(event)
        self.settle()

    def fail(self, command: m.Command | type, sentence: str) -> None:
        """A command, or the last one of a kind, can't be done."""
        if isinstance(command, type):
            command = self.last(command)
        self.tell(m.CommandFailed(m.request_of(command), sentence))

    def become_ready(self) -> None:
        self.state(EngineKind.STARTING)
        self.state(EngineKind.READY)
        device = m.Device(id="cpu", name="CPU", memory=1)
        self.tell(m.Ready("2", [device], ["tf_efficientnet_lite0", "resnet18"], 1.0))
        self.answer_load()

    def answer_load(self, trainable: list[int] | None = None) -> None:
        command = self.last(m.LoadModel)
        default = sorted(LayerNames(NODES).resolve(command.train)) if trainable is None else trainable
        event = loaded(default, tuple(command.class_names), command.request)
        trained = bool(command.trained_weights)
        self.tell(msgspec.structs.replace(event, trained=trained, backbone=command.backbone))

    def answer_ticks(self) -> None:
        """As the engine does: report the state that was asked for, under its shortest names."""
        command = self.last(m.SetTrainable)
        names = LayerNames(NODES)
        units = names.resolve(command.layers)
        layers = names.shortest(units)
        count = sum(NODES[i].own_parameters for i in units)
        self.tell(m.FreezingChanged(command.request, sorted(units), layers, count, 66))

    def last(self, kind: type) -> m.Command:
        """The last command of a kind; waits for one, as work with the disk may come before it is sent."""
        deadline = time.monotonic() + 10
        while True:
            found = [command for command in self.sent if isinstance(command, kind)]
            if found or time.monotonic() > deadline:
                break
            QCoreApplication.processEvents()
            time.sleep(0.002)
        assert found, f"no {kind.__name__} was sent"
        return found[-1]
