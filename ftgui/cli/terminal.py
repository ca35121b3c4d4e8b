"""What all commands in a terminal share: results on stdout, everything else on stderr, and how a command ends."""

from __future__ import annotations

import codecs
import io
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ftgui.base.files import refusal
from ftgui.base.foreign_text import json_text, visible
from ftgui.base.formatting import size
from ftgui.base.process_limits import address_space_limit
from ftgui.cli.prepare_training import RunError
from ftgui.data.catalog.errors import CatalogError, as_catalog_error
from ftgui.data.scanning.found import DatasetError
from ftgui.engine.errors import EngineError
from ftgui.protocol.messages import Command
from ftgui.protocol.recipe import RecipeError
from ftgui.runs.model_folder import ModelError

STOPPED = 130


def ends_well(work: Callable[[], int]) -> int:
    """Run a command.

    Returns:
        its exit status: 1 with a sentence on stderr if it could not be done, 130 after Ctrl-C, 0 where whoever reads the
        answers (``| head``) has enough of them.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file's name may hold what no encoding knows: on UTF-8 it goes out as it came in.
        utf8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")
    try:
        status = work()
        sys.stdout.flush()
    except BrokenPipeError:
        # What Python flushes at its end would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return STOPPED
    except (sqlite3.Error, UnicodeDecodeError) as error:
        say(f"ftgui: {as_catalog_error(error)}")
        return 1
    except (EngineError, ModelError, RecipeError, DatasetError, CatalogError, RunError) as error:
        say(f"ftgui: {error}")
        return 1
    except OSError as error:
        say(f"ftgui: {refusal(error)}")
        return 1
    except ImportError as error:
        say(f"ftgui: {_not_loaded(error)}")
        return 1
    except (RuntimeError, MemoryError) as error:
        from ftgui.engine import memory_limits  # imports torch, as whatever raised this has

        if not memory_limits.out_of_memory(error):
            raise
        say(f"ftgui: {memory_limits.sentence()}")
        return 1
    return status


def _not_loaded(error: ImportError) -> str:
    """PyTorch, mostly, which maps gigabytes before it does anything."""
    limit = address_space_limit()
    may = (
        "" if limit is None else f" This process may use {size(limit)} of memory (ulimit -v), which may be too little."
    )
    return f"A library can't be loaded: {error}.{may}"


def say(text: str) -> None:
    """A line for the person, beside the results; whatever a file's name or a run says in it is made `visible`."""
    sys.stderr.write(visible(text) + "\n")
    sys.stderr.flush()


def write(text: str) -> None:
    """A line of the results, made `visible`; at once, because somebody may be waiting for it."""
    sys.stdout.write(visible(text) + "\n")
    sys.stdout.flush()


def write_json(value: Any, indent: int | None = None) -> None:
    """Results for programs, of one or several lines."""
    sys.stdout.write(json_text(value, indent) + "\n")
    sys.stdout.flush()


def do(command: Command, stopping: str) -> int:
    """Do a command in this process and show how it goes on stdout; Ctrl-C stops it in good order.

    Args:
        command: for the engine.
        stopping: said then.

    Returns:
        the exit status.
    """
    from ftgui.engine.malloc import keep_freed_memory
    from ftgui.engine.session import Session
    from ftgui.protocol.event_text import ProgressLine

    keep_freed_memory()
    line = ProgressLine(sys.stdout)
    session = Session(line.show)

    def stop() -> None:
        session.stop()
        sys.stderr.write("\n")  # the terminal has written ^C where the line stood
        say(f"ftgui: {stopping}; Ctrl-C again ends at once")

    with stop_signals(stop):
        session.handle(command)
    if session.interruptions.stop_requested and line.outcome == "failed":  # e.g. a download that was wanted no longer
        return STOPPED
    return {"done": 0, "stopped": STOPPED}.get(line.outcome, 1)


@contextmanager
def stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C, and SIGTERM (a batch system's or `kill`'s way to say so), call this once; a second one ends at once.
    Elsewhere than on the main thread nothing is changed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(_signal: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
