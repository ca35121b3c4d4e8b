"""What may interrupt what: one table of rules, and the commands that came in while something else was done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import get_args

from ftgui.engine import command_queue
from ftgui.engine.command_queue import size_of
from ftgui.protocol import messages as m
from ftgui.protocol.questions import QUESTIONS, REFUSAL

SteerCommand = m.SetTrainable | m.ChangeRate | m.ChangeEarlyStop | m.FinishPhase

TRAINING_RUNS = "Training is in progress; stop it first."


class StopRequested(Exception):
    """What goes on is to end: its request was cancelled, or the engine is to leave. Raised between its steps."""


class GaveWay(StopRequested):
    """What goes on is to end because something worth more was asked for, which is done next."""


class Work(Enum):
    """What takes long enough that commands arrive meanwhile."""

    DOWNLOAD = auto()
    """Of a model's weights."""
    EXAMPLE_SET = auto()
    TRAINING = auto()
    MEASUREMENT = auto()
    """Of what layers cost; nobody pressed a button for it."""
    RANGE_TEST = auto()
    EVALUATION = auto()
    SIMILAR_IMAGES = auto()
    EXPORT = auto()
    FILES = auto()
    """Predictions for many files, outside a training."""


Kinds = tuple[type[m.Command], ...]


@dataclass(frozen=True)
class Rule:
    """What becomes of a command that arrives during some work. One that is in no field waits for the end of the work."""

    at_once: Kinds = ()
    """Done between two steps of the work."""
    if_quick: Kinds = ()
    """The same, where the answer is at hand; else they wait."""
    ends: Kinds = ()
    """Worth more than the work, which ends; they are done next."""
    refused: Kinds = ()
    """Answered by `TRAINING_RUNS`."""
    as_if_alone: bool = False
    """What is done at once is followed by whatever waits, as if nothing else went on."""


_ALL: Kinds = get_args(m.Command)
_SMALL: Kinds = (m.Predict, m.Explain, m.PreviewAugmentation)
_STEER: Kinds = (*get_args(SteerCommand), m.Pause, m.Resume)
_GREAT: Kinds = (m.LoadModel, m.Train, m.Continue, m.FindLearningRate, m.EvaluateImages, m.FindSimilar)

# `CancelRequest` and `Shutdown` are obeyed during all of them.
RULES = {
    Work.DOWNLOAD: Rule(at_once=(m.Predict, m.Explain), ends=(m.LoadModel,)),
    Work.EXAMPLE_SET: Rule(at_once=_ALL, as_if_alone=True),
    Work.TRAINING: Rule(
        at_once=(*_SMALL, *_STEER, m.PredictFiles, m.EstimateCost, m.Configure, m.Hello),
        refused=(*_GREAT, m.SaveModel, m.DownloadExampleSet, m.Export),
    ),
    Work.MEASUREMENT: Rule(
        at_once=(m.SetTrainable, m.Configure),  # a copy of the model is measured
        ends=tuple(kind for kind in _ALL if kind not in (m.SetTrainable, m.Configure, m.EstimateCost)),
    ),
    Work.RANGE_TEST: Rule(at_once=_SMALL),
    Work.EVALUATION: Rule(at_once=(*_SMALL, m.SetTrainable), if_quick=(m.EstimateCost,)),
    Work.SIMILAR_IMAGES: Rule(at_once=_SMALL, ends=(*_GREAT, m.PredictFiles)),
    Work.EXPORT: Rule(at_once=(*_SMALL, m.SetTrainable), if_quick=(m.EstimateCost,)),
    Work.FILES: Rule(at_once=_SMALL),
}


class Interruptions:
    """Applies `RULES` to what arrives, and keeps what has to wait.

    Args:
        next_command: takes ``wait`` and returns the next command that arrived, or None when there is none (never None with
            ``wait``).
        do: does a command now, within the work that goes on.
        do_all: the same, and then what waits.
        refuse: answers a command with a sentence instead.
        is_quick: whether a command of `Rule.if_quick` can be answered at once.
    """

    def __init__(
        self,
        next_command: Callable[[bool], m.Command | None],
        do: Callable[[m.Command], None],
        do_all: Callable[[m.Command], None],
        refuse: Callable[[m.Command, str], None],
        is_quick: Callable[[m.Command], bool],
    ) -> None:
        self._next_command = next_command
        self._do = do
        self._do_all = do_all
        self._refuse = refuse
        self._is_quick = is_quick
        self._waiting: deque[m.Command] = deque()
        self._bytes = 0
        self._running: list[int] = []
        self._cancelled: set[int] = set()
        self.stop_requested = False
        """Everything ends at its next step, also what has not begun; never taken back."""
        self.shutting_down = False
        """The engine is to leave."""

    @contextmanager
    def running(self, command: m.Command) -> Iterator[None]:
        """Around the doing of a command: meanwhile its request can be cancelled."""
        request = 0 if isinstance(command, m.CancelRequest) else m.request_of(command)  # that one names another's
        self._running.append(request)
        try:
            yield
        finally:
            self._running.pop()
            self._cancelled.discard(request)

    def poll(self, work: Work, request: int, wait: bool = False) -> None:
        """See to what arrived; called between the steps of what takes long.

        Args:
            work: what goes on, by which the rule is chosen.
            request: whose work that is.
            wait: until something arrives.

        Raises:
            StopRequested: the request was cancelled, or everything is to end.
            GaveWay: a command ends this work.
        """
        self._check(request)
        while (command := self._next_command(wait)) is not None:
            wait = False
            self._take(command, RULES[work])
            self._check(request)

    def _take(self, command: m.Command, rule: Rule) -> None:
        if isinstance(command, m.Shutdown):
            self.shutting_down = True
        elif isinstance(command, (m.CancelRequest, *rule.at_once)):
            (self._do_all if rule.as_if_alone else self._do)(command)
        elif isinstance(command, rule.if_quick) and self._is_quick(command):
            self._do(command)
        elif isinstance(command, rule.refused):
            self._refuse(command, TRAINING_RUNS)
        else:
            self.postpone(command)
            if isinstance(command, rule.ends):
                raise GaveWay

    def _check(self, request: int) -> None:
        if self.stop_requested or self.shutting_down or request in self._cancelled:
            raise StopRequested

    def cancel(self, request: int) -> None:
        """A request is no longer wanted: what is done for it ends at its next step, also if it has yet to begin. One that is
        over, or was never made, is not to be cancelled, and nothing happens."""
        if request in self._running or any(m.request_of(command) == request for command in self._waiting):
            self._cancelled.add(request)

    def is_cancelled(self, request: int) -> bool:
        """`cancel` was called for it, and it is not over."""
        return request in self._cancelled

    # --- what has to wait -------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many commands wait."""
        return len(self._waiting)

    def postpone(self, command: m.Command) -> None:
        """Have it wait; a question is refused where too many do already."""
        size = size_of(command)
        full = len(self._waiting) >= command_queue.MOST_COMMANDS or self._bytes + size > command_queue.MOST_BYTES
        if full and isinstance(command, QUESTIONS):
            self._refuse(command, REFUSAL)
            return
        self._waiting.append(command)
        self._bytes += size

    def take(self) -> m.Command:
        """The command that has waited longest."""
        command = self._waiting.popleft()
        self._bytes -= size_of(command)
        return command
