"""``ftgui export``: export a model as files for use elsewhere, and verify them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ftgui.cli.terminal import STOPPED, ends_well, say, stop_signals, write
from ftgui.protocol import messages as m


def add_to(commands: Any) -> None:
    """Its part of the command line."""
    parser = commands.add_parser(
        "export", help="export a model: folder, ONNX, PyTorch program, script that repeats the training"
    )
    parser.add_argument(
        "model",
        type=Path,
        metavar="RUN_OR_MODEL",
        help="folder of a run, a model or a project (then its run in use)",
    )
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where the new folder is created")
    parser.add_argument(
        "--kinds",
        default=",".join(m.EXPORT_KINDS),
        metavar="KIND,KIND",
        help="one or more of folder, onnx, torch, script (default: all)",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        help="answers below this probability become “don't know” (default: the model's own threshold)",
    )
    parser.set_defaults(do=run)


def run(options: argparse.Namespace) -> int:
    """Exit status."""
    return ends_well(lambda: _export(options))


def _export(options: argparse.Namespace) -> int:
    import sys

    from ftgui.cli.which_run import run_or_model
    from ftgui.engine.session import Session
    from ftgui.protocol.event_text import ProgressLine

    kinds = [kind.strip() for kind in options.kinds.split(",") if kind.strip()]
    command = m.Export(1, str(run_or_model(options.model)), kinds, str(options.to), threshold=options.threshold)
    line = ProgressLine(sys.stderr)
    events: list[m.Event] = []

    def take(event: m.Event) -> None:
        if isinstance(event, m.Exported):
            line.clear()
            _show(event)
        elif isinstance(event, m.ExportFinished | m.CommandFailed):
            line.clear()
        if isinstance(event, m.Progress):
            line.show(event)
        else:
            events.append(event)

    session = Session(take)

    def stop() -> None:
        session.stop()

    with stop_signals(stop):
        session.handle(command)
    end = events[-1]
    if isinstance(end, m.CommandFailed):
        say(f"ftgui: {end.message}")
        return 1
    assert isinstance(end, m.ExportFinished)
    if end.stopped:
        say("ftgui: stopped; nothing was written")
        return STOPPED
    if end.folder:
        write(f"in {end.folder}")
    return 1 if any(isinstance(event, m.Exported) and event.problem for event in events) else 0


def _show(event: m.Exported) -> None:
    if event.problem:
        say(f"{event.kind}: {event.problem}")
        return
    proof = ""
    if event.differences:
        found = ", ".join(
            f"{value:.1e} {f'in batches of {key}' if key.isdigit() else f'by {key}'}"
            for key, value in event.differences.items()
        )
        proof = f"; largest difference in probability on {event.images} {event.on}: {found}"
    write(f"{event.kind}: {', '.join(event.files)}{proof}")
