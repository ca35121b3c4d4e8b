"""The command ``ftgui``: opens the window, or does the same work without one. Imports Qt or torch only when needed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

import ftgui
from ftgui.base.foreign_text import visible
from ftgui.cli import evaluate, example, export, predict, runs, train

_HEADLESS = (train, evaluate, predict, export, runs, example)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status: 0 done, 1 could not, 2 wrong usage, 130 stopped by Ctrl-C."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["--engine"]:
        from ftgui.engine import process

        return process.main()
    options = _parser().parse_args(given)
    if hasattr(options, "do"):
        return int(options.do(options))
    from ftgui.ui.shell import app

    if options.command == "sample":
        return app.main(sample=True, picture=options.picture)
    return app.main(folder=getattr(options, "folder", None))


class _Parser(argparse.ArgumentParser):
    """What it complains of may be a file's name."""

    def error(self, message: str) -> NoReturn:
        super().error(visible(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ftgui", description=ftgui.__doc__)
    parser.add_argument("--version", action="version", version=f"ftgui {ftgui.__version__}")
    commands = parser.add_subparsers(dest="command", title="commands (default: window)")
    window = commands.add_parser("window", help="open the window, on a dataset folder if one is given")
    window.add_argument("folder", nargs="?", type=Path)
    sample = commands.add_parser("sample", help="open the window on the sample project")
    sample.add_argument(
        "--picture",
        type=Path,
        metavar="PNG",
        help="no window: train the sample, print the result, and save a picture of the window",
    )
    for module in _HEADLESS:
        module.add_to(commands)
    return parser
