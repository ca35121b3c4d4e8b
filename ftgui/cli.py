"""The command ``ftgui``: opens the window, or does the same work without one. Imports Qt or torch only when needed."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import ftgui
from ftgui.headless import evaluate, export, predict

_HEADLESS = (evaluate, predict, export)

if TYPE_CHECKING:
    from ftgui.engine.session import Session
    from ftgui.progress import ProgressLine
    from ftgui.protocol.messages import Command


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status: 0 done, 1 could not, 2 wrong usage, 130 stopped by Ctrl-C."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["--engine"]:
        from ftgui.engine import child

        return child.main()
    options = _parser().parse_args(given)
    if hasattr(options, "do"):
        return int(options.do(options))
    if options.command == "train":
        return _train(options.recipe, options.project, options.device)
    if options.command == "example":
        return _example(options.name, options.folder)
    if options.command in ("runs", "report"):
        return _runs(options)
    from ftgui.ui import app

    if options.command == "sample":
        return app.main(sample=True, picture=options.picture)
    return app.main(folder=getattr(options, "folder", None))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ftgui", description=ftgui.__doc__)
    parser.add_argument("--version", action="version", version=f"ftgui {ftgui.__version__}")
    commands = parser.add_subparsers(dest="command", title="commands (default: window)")
    window = commands.add_parser("window", help="open the window, on a dataset folder if one is given")
    window.add_argument("folder", nargs="?", type=Path)
    sample = commands.add_parser("sample", help="open the window on the sample project")
    sample.add_argument(
        "--picture", type=Path, metavar="PNG", help="no window: train the sample, print the result, save a picture"
    )
    train = commands.add_parser("train", help="train as a recipe says, without a window")
    train.add_argument("recipe", type=Path, help="a recipe.toml")
    train.add_argument("--device", default="", help="overrides the recipe's: auto, cpu, mps, cuda, cuda:1 …")
    train.add_argument("--project", type=Path, help="where catalog and runs/ go (default: the recipe's folder)")
    example = commands.add_parser("example", help="download a well-known set of pictures; without a name: list them")
    example.add_argument("name", nargs="?", help="e.g. Flowers102")
    example.add_argument(
        "folder", nargs="?", type=Path, help="a new folder to copy it to; else it only says where it is"
    )
    _add_runs(commands)
    for module in _HEADLESS:
        module.add_to(commands)
    return parser


def _add_runs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    runs = commands.add_parser("runs", help="list runs with their figures")
    runs.add_argument(
        "folder", nargs="?", type=Path, help="of a project or dataset (default: here, or else all of your projects)"
    )
    runs.add_argument("--json", action="store_true", help="for programs: a list of all that is known of each run")
    runs.add_argument(
        "--tensorboard", type=Path, metavar="FOLDER", help="write event files there, for tensorboard --logdir"
    )
    report = commands.add_parser("report", help="write a run's report, one HTML file to be sent to someone")
    report.add_argument("run", help="a run's folder, or its number in the project here")
    report.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: named after the run, here")


def _runs(options: argparse.Namespace) -> int:
    from ftgui.data import runs_headless as runs

    try:
        if options.command == "report":
            return _say(str(runs.report(options.run, options.output)))
        projects = runs.list_projects(options.folder)
        if options.tensorboard:
            return _say(runs.write_tensorboard(projects, options.tensorboard))
        return _say(runs.as_json(projects) if options.json else runs.table(projects))
    except runs.RunsError as error:
        print(f"ftgui: {error}", file=sys.stderr)
        return 1


def _say(text: str) -> int:
    """Print what was asked for; whoever reads may have had enough (``| head``), or not know a letter."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at the end
    return 0


def _train(recipe_path: Path, project_folder: Path | None, device: str) -> int:
    from ftgui.data.catalog import CatalogError
    from ftgui.data.scan import DatasetError
    from ftgui.protocol.recipe import RecipeError

    try:
        # Everything that can be said without torch is said before its import costs seconds.
        from ftgui.data import headless

        prepared = headless.prepare(recipe_path, project_folder, device)
    except (RecipeError, DatasetError, CatalogError) as error:
        print(f"ftgui: {error}", file=sys.stderr)
        return 1
    for problem in prepared.problems:
        where = f"{problem.path}: " if problem.path else ""
        print(f"{problem.severity}: {where}{problem.message} {problem.fix}".rstrip(), file=sys.stderr)
    print(f"{prepared.summary}; run {prepared.run_folder}", flush=True)

    from ftgui.engine.memory import keep_freed_memory
    from ftgui.engine.session import Session
    from ftgui.progress import ProgressLine

    keep_freed_memory()
    line = ProgressLine(sys.stdout)
    return _run(Session(line.show), prepared.command, line, "stopping after this step")


def _example(name: str | None, folder: Path | None) -> int:
    from ftgui.data import example_sets

    if name is None:
        for known in example_sets.EXAMPLE_SETS:
            here = "here" if known.is_here else f"{known.megabytes:,} MB"
            print(f"{known.name:14} {known.classes:4} classes {known.images:8,} images {here:>9}  {known.teaches}")
        return 0
    found = example_sets.find(name)
    if found is None:
        print(f"ftgui: There is no example set “{name}”; ftgui example lists them.", file=sys.stderr)
        return 1

    from ftgui.engine.session import Session
    from ftgui.progress import ProgressLine
    from ftgui.protocol import messages as m

    line = ProgressLine(sys.stdout)
    command = m.PrepareExample(1, found.name, str(folder.absolute()) if folder else "")
    return _run(Session(line.show), command, line, "stopping; what is downloaded is kept")


def _run(session: Session, command: Command, line: ProgressLine, stopping: str) -> int:
    """Do a command in this process; Ctrl-C stops it in good order, a second one at once."""

    def stop(_signal: int, _frame: object) -> None:
        session.stop_requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print(f"\nftgui: {stopping}; Ctrl-C again ends at once", file=sys.stderr)

    before = signal.signal(signal.SIGINT, stop)
    try:
        session.handle(command)
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGINT, before)
    if session.stop_requested and line.outcome == "failed":  # e.g. a download that was wanted no longer
        return 130
    return {"done": 0, "stopped": 130}.get(line.outcome, 1)
