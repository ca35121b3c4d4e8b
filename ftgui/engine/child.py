"""The engine as a child process: commands on stdin, events on stdout, everything else on stderr."""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
import time
from typing import BinaryIO

import psutil

from ftgui.protocol import codec
from ftgui.protocol import messages as m

PATIENCE = 5.0
"""Seconds after the input closed in which the engine may still finish what it is doing."""

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
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    commands: queue.SimpleQueue[m.Command] = queue.SimpleQueue()
    threading.Thread(target=_read_commands, args=(commands,), name="commands", daemon=True).start()

    # Imported here, not above: the input is being watched while these take their seconds.
    import torch

    from ftgui.engine import backbones, devices
    from ftgui.engine.memory import keep_freed_memory
    from ftgui.engine.session import Session

    keep_freed_memory()

    def emit(event: m.Event) -> None:
        codec.write(events, event)

    def next_command(wait: bool) -> m.Command | None:
        try:
            return commands.get(block=wait)
        except queue.Empty:
            return None

    emit(m.Ready(str(torch.__version__), devices.available(), backbones.names(), time.monotonic() - started))
    session = Session(emit, next_command)
    try:
        while not session.shutting_down:
            session.handle(commands.get())
    except BrokenPipeError:
        log.info("the window is gone")
    return 0


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


def _read_commands(commands: queue.SimpleQueue[m.Command]) -> None:
    decoder = codec.command_decoder()
    descriptor = sys.stdin.fileno()
    try:
        while data := os.read(descriptor, 1 << 16):
            for command in decoder.feed(data):
                commands.put(command)
    except (OSError, codec.ProtocolError) as error:
        log.error("the input can't be read: %s", error)
    commands.put(m.Shutdown())
    # The main thread may sit in a step that never ends (a hung driver); nobody is left to kill this process.
    time.sleep(PATIENCE)
    log.warning("the input closed %g s ago; leaving now", PATIENCE)
    os._exit(1)
