"""``ftgui example``: have a well-known set of pictures on this computer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ftgui.cli.terminal import do, ends_well, say, write


def add_to(commands: Any) -> None:
    """Its part of the command line."""
    parser = commands.add_parser("example", help="download a well-known image dataset; without a name: list them")
    parser.add_argument("name", nargs="?", help="e.g. Flowers102")
    parser.add_argument(
        "folder", nargs="?", type=Path, help="a new folder to copy it to (default: only print where it is)"
    )
    parser.set_defaults(do=run)


def run(options: argparse.Namespace) -> int:
    """Exit status."""
    return ends_well(lambda: _example(options))


def _example(options: argparse.Namespace) -> int:
    from ftgui.data import example_sets
    from ftgui.protocol import messages as m

    if options.name is None:
        for known in example_sets.EXAMPLE_SETS:
            here = "here" if known.is_here else f"{known.megabytes:,} MB"
            write(f"{known.name:14} {known.classes:4} classes {known.images:8,} images {here:>9}  {known.teaches}")
        return 0
    found = example_sets.find(options.name)
    if found is None:
        say(f"ftgui: There is no example set “{options.name}”; ftgui example lists them.")
        return 1
    copy_to = str(options.folder.absolute()) if options.folder else ""
    return do(m.DownloadExampleSet(1, found.name, copy_to), "stopping; what is downloaded is kept")
