"""The engine as a child process: commands on stdin, events on stdout, everything else on stderr."""

from __future__ import annotations

import errno
import faulthandler
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import psutil

from ftgui.base.foreign_text import LogFormatter
from ftgui.engine import guard
from ftgui.engine.command_queue import CommandQueue
from ftgui.protocol import codec
from ftgui.protocol import messages as m
from ftgui.protocol.questions import REFUSAL

PATIENCE = 5.0
"""Seconds after the input closed in which the engine may still finish what it is doing."""

GUARD_PATIENCE = 5.5
"""Seconds after which it is ended from outside, where it can't even do that itself."""

NICENESS = 5
"""Of the engine process on POSIX systems, 0 to 19."""

log = logging.getLogger("ftgui.engine")


def main() -> int:
    """Run until the input closes or `Shutdown` arrives."""
    started = time.monotonic()
    events = _claim_stdout()
    # Ctrl-C in a terminal reaches the whole process group; what it means is the window's to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _step_back()
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setFormatter(LogFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[stderr])
    commands = CommandQueue()
    writing = threading.Lock()

    def emit(event: m.Event) -> None:
        try:
            with writing:
                codec.write(events, event)
        except OSError as error:
            # Also where a library closed it: the window, for whom Qt does not look, sees the end of this process.
            raise BrokenPipeError(errno.EPIPE, f"nobody can be told anything any more: {error}") from error

    threading.Thread(target=_read_commands, args=(commands, emit), name="commands", daemon=True).start()

    with _guarded():
        return _serve(commands, emit, started)


def _serve(commands: CommandQueue, emit: Callable[[m.Event], None], started: float) -> int:
    """Answer commands, until there will be no more."""
    # Imported here, not above: the input is being watched while these take their seconds.
    import torch

    from ftgui.engine import devices
    from ftgui.engine.malloc import keep_freed_memory
    from ftgui.engine.model import backbones
    from ftgui.engine.session import Session

    keep_freed_memory()

    try:
        emit(m.Ready(str(torch.__version__), devices.available(), backbones.names(), time.monotonic() - started))
        session = Session(emit, commands.get)
        while not session.shutting_down:
            command = commands.get(True)
            assert command is not None
            session.handle(command)
    except BrokenPipeError as error:
        log.error("the output is closed: %s", error)
        return 1
    return 0


@contextmanager
def _guarded() -> Iterator[None]:
    """With a process beside this one that ends it when its input has ended and it does not leave. See `guard`."""
    command = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), str(GUARD_PATIENCE)]
    try:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError as error:  # no more processes are allowed: then it has to do without
        log.warning("nobody will end this process if it hangs: %s", error)
        yield
        return
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _step_back() -> None:
    """Let the window go first where both want the same core: it needs little, but at once."""
    process = psutil.Process()
    try:
        if sys.platform == "win32":
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            process.nice(max(int(process.nice()), NICENESS))
    except psutil.AccessDenied as error:
        log.info("the priority stays as it is: %s", error)


def _claim_stdout() -> BinaryIO:
    """Keep the real stdout for messages and send everybody else's prints to stderr."""
    sys.stdout.flush()
    events = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return events


def _read_commands(commands: CommandQueue, emit: Callable[[m.Event], None]) -> None:
    decoder = codec.command_decoder()
    descriptor = sys.stdin.fileno()
    try:
        while data := os.read(descriptor, 1 << 16):
            for command in decoder.feed(data):
                if not commands.put(command):
                    _refuse(command, emit)
    except (OSError, codec.ProtocolError) as error:
        log.error("the input can't be read: %s", error)
    commands.put(m.Shutdown())
    # The main thread may sit in a step that never ends; nobody is left to kill this process. Where it sat is then in the log.
    log.info("the input closed; leaving within %g s", PATIENCE)
    faulthandler.dump_traceback_later(PATIENCE, exit=True)


def _refuse(command: m.Command, emit: Callable[[m.Event], None]) -> None:
    try:
        emit(m.CommandFailed(m.request_of(command), REFUSAL))
    except OSError as error:  # the window is gone; the end of the input follows
        log.info("nobody hears of a refusal: %s", error)
