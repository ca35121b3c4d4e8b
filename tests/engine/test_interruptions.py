"""What may interrupt what: the table, and what it does to commands."""

from __future__ import annotations

from typing import get_args

import pytest

from ftgui.engine import command_queue
from ftgui.engine.interruptions import RULES, TRAINING_RUNS, GaveWay, Interruptions, StopRequested, Work
from ftgui.engine.session import Session
from ftgui.protocol import messages as m
from ftgui.protocol.questions import REFUSAL
from ftgui.protocol.recipe import Recipe

COST = m.EstimateCost(4, [], Recipe(), 1, 1)


class Table:
    """Interruptions, with everything that came of a command."""

    def __init__(self, *commands: m.Command, quick: bool = True) -> None:
        self.commands = list(commands)
        self.done: list[m.Command] = []
        self.done_all: list[m.Command] = []
        self.refused: list[tuple[int, str]] = []
        self.interruptions = Interruptions(
            lambda _wait: self.commands.pop(0) if self.commands else None,
            self._do,
            self.done_all.append,
            lambda command, sentence: self.refused.append((m.request_of(command), sentence)),
            lambda _command: quick,
        )

    def _do(self, command: m.Command) -> None:
        self.done.append(command)
        if isinstance(command, m.CancelRequest):
            self.interruptions.cancel(command.request)

    def waiting(self) -> list[m.Command]:
        return [self.interruptions.take() for _ in range(self.interruptions.waiting)]


def test_every_work_has_a_rule_and_every_command_a_handler() -> None:
    assert set(RULES) == set(Work)
    assert Session(lambda _event: None).handled == set(get_args(m.Command))


@pytest.mark.parametrize("work", list(Work))
def test_a_command_has_one_fate(work: Work) -> None:
    rule = RULES[work]
    fates = [*rule.at_once, *rule.if_quick, *rule.ends, *rule.refused]
    assert len(fates) == len(set(fates))


def test_done_at_once_refused_or_kept_for_later() -> None:
    load = m.LoadModel(2, Recipe().backbone, [], [])
    table = Table(m.Predict(1, path="x"), load, m.Configure())
    table.interruptions.poll(Work.TRAINING, 9)
    assert table.done == [m.Predict(1, path="x"), m.Configure()] and table.refused == [(2, TRAINING_RUNS)]
    table = Table(m.Predict(1, path="x"), load)
    table.interruptions.poll(Work.EVALUATION, 9)
    assert table.done == [m.Predict(1, path="x")] and table.waiting() == [load]


def test_what_is_worth_more_ends_the_work_and_is_done_next() -> None:
    train = m.Train(3, Recipe(), "", "")
    table = Table(train, m.Predict(1, path="x"))
    with pytest.raises(GaveWay):
        table.interruptions.poll(Work.SIMILAR_IMAGES, 9)
    assert table.waiting() == [train] and len(table.commands) == 1


@pytest.mark.parametrize("quick", [True, False])
def test_an_answer_that_takes_long_waits(quick: bool) -> None:
    table = Table(COST, quick=quick)
    table.interruptions.poll(Work.EXPORT, 9)
    assert (table.done, table.waiting()) == (([COST], []) if quick else ([], [COST]))


def test_beside_an_example_set_all_is_done_as_if_alone() -> None:
    train = m.Train(3, Recipe(), "", "")
    table = Table(train)
    table.interruptions.poll(Work.EXAMPLE_SET, 9)
    assert table.done_all == [train] and not table.done


@pytest.mark.parametrize("work", list(Work))
def test_only_its_own_request_ends_a_work(work: Work) -> None:
    table = Table()
    mine, other = m.SaveModel(9), m.SaveModel(8)
    with table.interruptions.running(other), table.interruptions.running(mine):
        table.interruptions.cancel(7)
        table.interruptions.cancel(8)
        table.interruptions.poll(work, 9)
        table.interruptions.cancel(9)
        with pytest.raises(StopRequested):
            table.interruptions.poll(work, 9)
        with pytest.raises(StopRequested):
            table.interruptions.poll(work, 8)
    table.interruptions.poll(work, 9)  # a cancelled request is over: the next of this number is not meant


def test_what_waits_can_be_cancelled_before_it_begins() -> None:
    train = m.Train(3, Recipe(), "", "")
    table = Table(train, m.CancelRequest(3))
    table.interruptions.poll(Work.EVALUATION, 9)
    assert table.waiting() == [train] and table.interruptions.is_cancelled(3)


def test_leaving_ends_everything() -> None:
    table = Table(m.Shutdown())
    with pytest.raises(StopRequested):
        table.interruptions.poll(Work.TRAINING, 9)
    assert table.interruptions.shutting_down


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_queue, "MOST_COMMANDS", 3)
    monkeypatch.setattr(command_queue, "MOST_BYTES", 1000)
    table = Table()
    waits = table.interruptions
    for number in range(4):
        waits.postpone(m.Predict(number, content=bytes(400)))
    assert table.refused == [(2, REFUSAL), (3, REFUSAL)]
    waits.postpone(m.Continue(9, "", ""))
    waits.postpone(m.SetTrainable(1, []))
    assert [type(command) for command in table.waiting()] == [*[m.Predict] * 2, m.Continue, m.SetTrainable]
    waits.postpone(m.Predict(5, content=bytes(900)))
    assert len(table.refused) == 2, "room again"
