"""How the engine ended, in words."""

from __future__ import annotations

import signal

from ftgui.ui.engine_client.memory_watch import MemoryLeft
from ftgui.ui.engine_client.worker import EngineState

_KILL = int(getattr(signal, "SIGKILL", 9))
_FAULTS = {
    "SIGSEGV": "a memory fault",
    "SIGBUS": "a memory fault",
    "SIGABRT": "an abort",
    "SIGILL": "an illegal instruction",
}


def sentence(state: EngineState) -> str:
    """What a person is told of an engine that crashed.

    Args:
        state: of kind `EngineKind.CRASHED`.
    """
    if state.signal == _KILL:
        return _killed(state.memory)
    words = f" Its last message: “{state.last_words}”." if state.last_words else ""
    return f"The engine stopped unexpectedly ({_how(state)}).{words}"


def _killed(memory: MemoryLeft) -> str:
    """By a signal that no program can give itself; the window's own kills are not crashes."""
    cure = "Close other programs, or use fewer layers, a smaller batch or a smaller model."
    left = f"{memory.free / 2**30:.1f} of {memory.total / 2**30:.1f} GB were free shortly before"
    if memory.killed:
        return f"The computer ran out of memory, and its system ended the engine. {cure}"
    if memory.was_short:
        return f"The engine was killed from outside, most likely because the computer ran out of memory: {left}. {cure}"
    if memory.killed is False and memory.total:
        return (
            "The engine was killed from outside, by a person or another program, probably not because memory "
            f"ran out: {left}, and "
            "the system reports no shortage."
        )
    known = f" ({left})" if memory.total else ""
    return f"The engine was killed from outside, perhaps because the computer ran out of memory{known}. {cure}"


def _how(state: EngineState) -> str:
    if state.signal:
        name = next((known.name for known in signal.Signals if known == state.signal), f"signal {state.signal}")
        return f"{_FAULTS.get(name, 'ended by a signal')}, {name}"
    return "it crashed or was killed" if state.exit_code == -1 else f"exit code {state.exit_code}"
