"""What a person changes while a training runs: other layers, another rate, another patience, the end of the phase."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from ftgui.engine.errors import EngineError
from ftgui.engine.interruptions import SteerCommand
from ftgui.engine.model.freezing import check_trainable
from ftgui.engine.training.run_reporter import RunReporter
from ftgui.engine.training.run_state import PhaseState
from ftgui.protocol import messages as m


@dataclass(frozen=True)
class Changes:
    """What commands have changed since the last step."""

    asked: bool
    """There was a command; a checkpoint is to know of it."""
    layers: bool
    """Other layers learn than before, so that other features can be cached."""


NOTHING = Changes(asked=False, layers=False)


class _Refused(Exception):
    """A change that can't be made; the run goes on as if it had not been asked for."""


class Steering:
    """Keeps commands until a step is done, and then does them.

    Args:
        reporter: tells what was changed and what was refused.
    """

    def __init__(self, reporter: RunReporter) -> None:
        self._reporter = reporter
        self._commands: deque[SteerCommand] = deque()

    def add(self, command: SteerCommand) -> None:
        """Take a command, to be done after the present step."""
        self._commands.append(command)

    def apply(self, phase: PhaseState) -> Changes:
        """Do what was asked since the last step.

        Raises:
            EngineError: a fault in ftgui came to light (see `PhaseState.check_frozen`).
        """
        if not self._commands:
            return NOTHING
        before = set(phase.run.freezer.trainable)
        while self._commands:
            command = self._commands.popleft()
            try:
                self._do(command, phase)
            except _Refused as error:
                self._reporter.refused(command, str(error))
        return Changes(asked=True, layers=phase.run.freezer.trainable != before)

    def _do(self, command: SteerCommand, phase: PhaseState) -> None:
        run, request = phase.run, command.request
        if isinstance(command, m.SetTrainable):
            self._set_trainable(command, phase)
        elif isinstance(command, m.ChangeRate):
            if not (math.isfinite(command.lr) and command.lr > 0):
                raise _Refused(f"The learning rate must be above 0, not {command.lr:g}.")
            phase.optimizer.peak = command.lr
            run.divergence.forget()
            text = f"rate {command.lr:.1e}".replace(".0e", "e").replace("e-0", "e-")
            self._reporter.adjusted(run.at.step, "rate", text, request)
        elif isinstance(command, m.ChangeEarlyStop):
            patience = run.early_stopping.patience = max(command.epochs, 0)
            text = f"early stop after {patience}" if patience else "early stop off"
            self._reporter.adjusted(run.at.step, "early-stop", text, request)
        else:
            phase.ended = True
            self._reporter.adjusted(run.at.step, "finish-phase", "phase ended by hand", request)

    def _set_trainable(self, command: m.SetTrainable, phase: PhaseState) -> None:
        """Let other layers learn from the next step on."""
        freezer = phase.run.freezer
        try:
            wanted = freezer.resolve(command.layers)
            check_trainable(wanted)
        except EngineError as error:
            raise _Refused(str(error)) from error
        before = set(freezer.trainable)
        if wanted == before:
            self._reporter.freezing(freezer, command.request)
            return
        phase.check_frozen(freezer.frozen_hash())
        phase.run.set_trainable(wanted)
        self._reporter.freezing(freezer, command.request)
        phase.layers_changed()
        added, removed = freezer.names(wanted - before), freezer.names(before - wanted)
        parts = [f"{sign}{_few(names)}" for sign, names in (("+", added), ("−", removed)) if names]
        self._reporter.adjusted(phase.run.at.step, "layers", " ".join(parts), command.request)


def _few(names: list[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
