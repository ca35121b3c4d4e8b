"""Ends an engine that can't end itself: a small process beside it, run as a script of its own, with nothing but the library.

When the engine's input ends, a thread of the engine ends it within seconds, whatever the others do. But a library that holds
the interpreter (a driver that never returns) holds that thread too, and no thread of Python's gets past it. A limit on how
long the interpreter may be held would end healthy work; so another process looks at the same input, without reading it.

usage: python -I -S guard.py PROCESS SECONDS; stdin is the engine's.
"""

from __future__ import annotations

import os
import signal
import sys
import time

_LOOK_SECONDS = 1.0
"""Between two looks whether the engine is there still."""


def main(engine: int, patience: float) -> None:
    """Wait for the end of the input or of the engine; after the input's, end the engine.

    Args:
        engine: number of the process that started this one.
        patience: seconds that it has to leave by itself.
    """
    # A terminal's Ctrl-C and the end of its session are the engine's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "win32":
        _guard_windows(engine, patience)
    else:
        _guard_posix(engine, patience)


if sys.platform == "win32":
    import ctypes
    import msvcrt

    _SYNCHRONIZE, _TERMINATE, _STILL_RUNS = 0x100000, 0x1, 0x102

    def _guard_windows(engine: int, patience: float) -> None:
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        process = ctypes.c_void_p(kernel.OpenProcess(_SYNCHRONIZE | _TERMINATE, False, engine))
        pipe = ctypes.c_void_p(msvcrt.get_osfhandle(0))

        def runs(seconds: float) -> bool:
            return bool(kernel.WaitForSingleObject(process, int(seconds * 1000)) == _STILL_RUNS)

        # While the engine waits in a read of its own, this waits for that read to end, which is as good.
        while kernel.PeekNamedPipe(pipe, None, 0, None, None, None):
            if not runs(_LOOK_SECONDS):
                return
        if runs(patience):
            kernel.TerminateProcess(process, 1)

else:
    import select

    def _guard_posix(engine: int, patience: float) -> None:
        poller = select.poll()
        poller.register(0, 0)  # nothing but its end, which is always told
        while not poller.poll(_LOOK_SECONDS * 1000):
            if os.getppid() != engine:
                return
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if os.getppid() != engine:
                return
            time.sleep(0.1)
        if os.getppid() == engine:
            os.kill(engine, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
