"""Requests: each hears of its own answers, and of nobody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication

from ftgui.protocol import messages as m
from ftgui.ui.engine_client.client import EngineClient, Failure
from ftgui.ui.engine_client.worker import EngineKind
from tests.ui.fake_engine import FakeEngine


class Heard:
    """What was said about one request."""

    def __init__(self) -> None:
        self.events: list[m.Event] = []
        self.failures: list[Failure] = []


@pytest.fixture
def client(qapp: QApplication, fake: FakeEngine) -> Iterator[EngineClient]:
    made = EngineClient(fake)
    yield made
    made.close()


def ask(client: EngineClient) -> tuple[int, Heard]:
    heard = Heard()
    command = m.EvaluateImages(0, "catalog")
    return client.request(command, heard.events.append, heard.failures.append), heard


def part(request: int, over: bool = False) -> m.EvaluatedImages:
    return m.EvaluatedImages(request, [], [], [], [], 1, 2, over)


def test_an_answer_goes_to_who_asked(client: EngineClient, fake: FakeEngine) -> None:
    (first, one), (second, two) = ask(client), ask(client)
    assert [command.request for command in fake.sent] == [first, second] and first != second
    progress = m.Progress("looking", 1, 2, request=second)
    for event in (part(second), progress, part(first, over=True), part(first)):
        fake.tell(event)
    assert two.events == [part(second), progress] and one.events == [part(first, over=True)], "nothing after the last"
    assert client.waits(second) and not client.waits(first)


def test_a_failure_goes_to_who_asked(client: EngineClient, fake: FakeEngine) -> None:
    said: list[str] = []
    client.failed.connect(said.append)
    (first, one), (second, two) = ask(client), ask(client)
    fake.tell(m.CommandFailed(second, "It can't be read."))
    assert two.failures == [Failure("It can't be read.")] and not one.failures and not said
    silent = client.request(m.SaveModel(0))
    fake.tell(m.CommandFailed(silent, "The disk is full."))
    fake.tell(m.CommandFailed(0, "The window speaks another protocol."))
    assert said == ["The disk is full.", "The window speaks another protocol."]
    client.forget(first)
    fake.tell(m.CommandFailed(first, "Late."))
    assert len(said) == 2 and not one.failures, "nobody wants to hear of it"


def test_who_forgot_a_request_hears_nothing(client: EngineClient, fake: FakeEngine) -> None:
    number, heard = ask(client)
    client.forget(number)
    fake.tell(part(number, over=True))
    assert not heard.events


def test_only_what_goes_on_is_cancelled_and_once(client: EngineClient, fake: FakeEngine) -> None:
    (first, _), (second, _) = ask(client), ask(client)
    fake.tell(part(first, over=True))
    for _ in range(2):
        client.cancel(first)
        client.cancel(second)
        client.cancel(0)
    assert [command for command in fake.sent if isinstance(command, m.CancelRequest)] == [m.CancelRequest(second)]


def test_when_the_engine_ends_everyone_is_told(client: EngineClient, fake: FakeEngine) -> None:
    fake.state(EngineKind.READY)
    (number, one), (_, two) = ask(client), ask(client)
    fake.tell(part(number))
    fake.state(EngineKind.CRASHED)
    assert [failure.engine_ended for failure in one.failures + two.failures] == [True, True]
    fake.tell(part(number, over=True))
    assert len(one.events) == 1 and not client.waits(number)


def test_what_belongs_to_no_request_is_for_all(client: EngineClient, fake: FakeEngine) -> None:
    runs: list[m.TrainingEvent] = []
    ticks: list[m.FreezingChanged] = []
    client.training_event.connect(runs.append)
    client.freezing_changed.connect(ticks.append)
    paused, changed = m.Paused(3), m.FreezingChanged(0, [5], ["head"], 6, 66)
    fake.tell(paused)
    fake.tell(changed)
    assert runs == [paused] and ticks == [changed]
