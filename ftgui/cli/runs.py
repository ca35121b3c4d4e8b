"""``ftgui runs`` and ``ftgui report``: what was trained, and a file about one of them to be sent to someone."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftgui.cli.terminal import ends_well, say, write, write_json

if TYPE_CHECKING:
    from ftgui.cli.run_listing import Listed


def add_to(commands: Any) -> None:
    """Their part of the command line."""
    runs = commands.add_parser("runs", help="list runs with their figures")
    runs.add_argument(
        "folder",
        nargs="?",
        type=Path,
        help="of a project or dataset (default: the current folder, or else all of your projects)",
    )
    runs.add_argument("--json", action="store_true", help="for programs: everything that is known about each run")
    runs.add_argument(
        "--tensorboard", type=Path, metavar="FOLDER", help="write event files there, for tensorboard --logdir"
    )
    runs.set_defaults(do=list_them)
    report = commands.add_parser("report", help="write a run's report, one HTML file that can be sent to someone")
    report.add_argument("run", help="a run's folder, or its number in the project in the current folder")
    report.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: named after the run, in the current folder"
    )
    report.set_defaults(do=report_on)


def list_them(options: argparse.Namespace) -> int:
    """Exit status."""
    return ends_well(lambda: _list(options))


def report_on(options: argparse.Namespace) -> int:
    """Exit status."""
    return ends_well(lambda: _report(options))


def _list(options: argparse.Namespace) -> int:
    from ftgui.cli import run_listing as runs

    try:
        projects = runs.list_projects(options.folder)
        if options.tensorboard:
            write(runs.write_tensorboard(projects, options.tensorboard))
        else:
            _show(projects, options.json)
    except runs.RunsError as error:
        say(f"ftgui: {error}")
        return 1
    return 0


def _show(projects: Sequence[Listed], as_json: bool) -> None:
    from ftgui.cli import run_listing as runs

    if as_json:
        write_json(runs.plain(projects), indent=1)
        return
    for line in runs.table(projects):
        write(line)


def _report(options: argparse.Namespace) -> int:
    from ftgui.cli import run_listing as runs

    try:
        write(str(runs.report(options.run, options.output)))
    except runs.RunsError as error:
        say(f"ftgui: {error}")
        return 1
    return 0
