"""``ftgui train``: train as a recipe says."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ftgui.headless.terminal import do, ends_well, say, write


def add_to(commands: Any) -> None:
    """Its part of the command line."""
    parser = commands.add_parser("train", help="train as a recipe says, without a window")
    parser.add_argument("recipe", type=Path, help="a recipe.toml")
    parser.add_argument("--device", default="", help="overrides the recipe's: auto, cpu, mps, cuda, cuda:1 …")
    parser.add_argument("--project", type=Path, help="where catalog and runs/ go (default: the recipe's folder)")
    parser.set_defaults(do=run)


def run(options: argparse.Namespace) -> int:
    """Exit status."""
    return ends_well(lambda: _train(options))


def _train(options: argparse.Namespace) -> int:
    # Everything that can be said without torch is said before its import costs seconds.
    from ftgui.data import headless

    prepared = headless.prepare(options.recipe, options.project, options.device)
    for problem in prepared.problems:
        where = f"{problem.path}: " if problem.path else ""
        say(f"{problem.severity}: {where}{problem.message} {problem.fix}".rstrip())
    write(f"{prepared.summary}; run {prepared.run_folder}")
    return do(prepared.command, "stopping after this step")
