"""The command ``ftgui``: opens the window, or does the same work without one. Imports Qt or torch only when needed."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

import ftgui


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status: 0 done, 1 could not, 2 wrong usage, 130 stopped by Ctrl-C."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["--engine"]:
        from ftgui.engine import child

        return child.main()
    options = _parser().parse_args(given)
    if options.command == "train":
        return _train(options.recipe, options.project, options.device)
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
    return parser


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
    session = Session(line.show)

    def stop(_signal: int, _frame: object) -> None:
        session.stop_requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("\nftgui: stopping after this step; Ctrl-C again ends at once", file=sys.stderr)

    before = signal.signal(signal.SIGINT, stop)
    try:
        session.handle(prepared.command)
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGINT, before)
    return {"done": 0, "stopped": 130}.get(line.outcome, 1)
