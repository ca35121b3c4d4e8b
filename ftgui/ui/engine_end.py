"""How the engine ended, in words."""

from __future__ import annotations

import signal

from ftgui.ui.workers.engine_worker import EngineState

_KILL = int(getattr(signal, "SIGKILL", 9))
_FAULTS = {
    "SIGSEGV": "a memory fault",
    "SIGBUS": "a memory fault",
    "SIGABRT": "it aborted",
    "SIGILL": "a wrong instruction",
}


def sentence(state: EngineState) -> str:
    """What a person is told of an engine that crashed.

    Args:
        state: of kind `EngineKind.CRASHED`.
    """
    if state.signal == _KILL:
        # The window's own kills are not crashes, and hardly anybody else kills a process of somebody's.
        return (
            "The engine was killed from outside, most likely because the computer ran out of memory. Close other programs, "
            "or take fewer layers, a smaller batch or a smaller model."
        )
    words = f" Its last words: “{state.last_words}”." if state.last_words else ""
    return f"The engine stopped unexpectedly ({_how(state)}).{words}"


def _how(state: EngineState) -> str:
    if state.signal:
        name = next((known.name for known in signal.Signals if known == state.signal), f"signal {state.signal}")
        return f"{_FAULTS.get(name, 'ended by a signal')}, {name}"
    return "it crashed or was killed" if state.exit_code == -1 else f"exit code {state.exit_code}"
