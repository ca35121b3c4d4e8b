"""``ftgui train``: train as a recipe says."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ftgui.cli.prepare_training import Prepared
from ftgui.cli.terminal import do, ends_well, say, write
from ftgui.data.project_lock import TERMINAL, ProjectHeld, ProjectLocks
from ftgui.engine.errors import EngineError
from ftgui.protocol.messages import Continue, Train


def add_to(commands: Any) -> None:
    """Its part of the command line."""
    parser = commands.add_parser("train", help="train as a recipe says, or continue a run, without a window")
    parser.add_argument("recipe", nargs="?", type=Path, help="a recipe.toml")
    parser.add_argument(
        "--continue",
        dest="run_folder",
        type=Path,
        metavar="RUN",
        help="continue a run that was stopped or killed, as if nothing had happened; instead of a recipe",
    )
    parser.add_argument("--device", default="", help="overrides the recipe's: auto, cpu, mps, cuda, cuda:1 …")
    parser.add_argument("--project", type=Path, help="folder for the catalog and runs/ (default: the recipe's folder)")
    parser.add_argument(
        "--dataset",
        type=Path,
        metavar="FOLDER",
        help="with --continue: where the images are now, if they have been moved",
    )
    parser.set_defaults(do=run, refuse=parser.error)


def run(options: argparse.Namespace) -> int:
    """Exit status."""
    if (options.recipe is None) == (options.run_folder is None):
        options.refuse("give either a recipe or --continue RUN")
    if options.run_folder is not None:
        if options.device or options.project:
            options.refuse("a continued run keeps its device and its project")
        return ends_well(lambda: _continue(options.run_folder, options.dataset))
    if options.dataset is not None:
        options.refuse("--dataset goes with --continue; a recipe names its dataset itself")
    return ends_well(lambda: _train(options))


def _train(options: argparse.Namespace) -> int:
    # Everything that can be said without torch is said before its import costs seconds.
    from ftgui.cli import prepare_training

    with _project_in_use() as locks:
        return _begin(prepare_training.prepare(options.recipe, options.project, options.device, locks))


def _begin(prepared: Prepared) -> int:
    for problem in prepared.problems:
        where = f"{problem.path}: " if problem.path else ""
        say(f"{problem.severity}: {where}{problem.message} {problem.fix}".rstrip())
    write(f"{prepared.summary}; run {prepared.run_folder}")
    return _do(prepared.command)


def _continue(run_folder: Path, dataset: Path | None) -> int:
    from ftgui.cli import prepare_training

    continuation = prepare_training.to_continue(run_folder, dataset)
    with _project_in_use() as locks:
        beside = locks.take(Path(continuation.command.catalog).parent)
        if beside is not None:
            say(f"info: {prepare_training.trains_beside(beside)}")
        if continuation.moved is not None:
            prepare_training.note_move(continuation.moved)
        write(f"run {continuation.command.run_folder} continues after step {continuation.step:,}")
        return _do(continuation.command)


@contextmanager
def _project_in_use() -> Iterator[ProjectLocks]:
    """What is taken is given back at the end.

    Raises:
        EngineError: the project is in use, and what to do about it.
    """
    locks = ProjectLocks(TERMINAL)
    try:
        yield locks
    except ProjectHeld as held:
        do = "Wait until it is over" if held.by.doing == TERMINAL else "Close it or train there"
        raise EngineError(f"{held} {do}, or train elsewhere with --project FOLDER.") from held
    finally:
        locks.keep_only(None)


def _do(command: Train | Continue) -> int:
    from ftgui.runs.run_folders import continuable

    status = do(command, "stopping after this step")
    if status != 0 and continuable(Path(command.run_folder)) is not None:
        say(f"ftgui: to continue it: ftgui train --continue {shlex.quote(command.run_folder)}")
    return status
