"""What differs between runs: recipe, data, code, machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ftgui.base.json_files import decode_object
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import RecipeError
from ftgui.runs.dataset_diff import compare_runs
from ftgui.runs.record import RECIPE_FILE, RunRecord

ENVIRONMENT_FILE = "environment.json"
"""In a run's folder."""

NOTHING = "–"
"""Where a run says nothing."""

_NOT_COMPARED = ("command", "platform")


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same in all runs."""

    what: str
    """Dotted, e.g. ``"training.batch_size"``, ``"phases.1.lr"`` (of the first phase), ``"versions.torch"``."""
    values: list[str]
    """Of each run, in the order asked for."""


def differences(records: Sequence[RunRecord]) -> list[Difference]:
    """Only what differs, recipe first. What can't be read of a run is a dash there."""
    columns = [_everything(record) for record in records]
    names = dict.fromkeys(name for column in columns for name in column)
    found = []
    for name in names:
        values = [column.get(name, NOTHING) for column in columns]
        if len(set(values)) > 1:
            found.append(Difference(name, values))
    return [*found, *_data(records)]


def _everything(record: RunRecord) -> dict[str, str]:
    return {
        **_recipe(record.path),
        **{f"images.{split}": f"{count:,}" for split, count in sorted(record.counts.items())},
        **_environment(record.path),
    }


def _recipe(folder: Path) -> dict[str, str]:
    try:
        recipe = recipe_file.load(folder / RECIPE_FILE)
    except RecipeError:
        return {}
    plain = msgspec.to_builtins(recipe)
    del plain["version"]
    # From 1, as the phases are counted everywhere a person sees them.
    plain["phases"] = {str(number): phase for number, phase in enumerate(plain["phases"], 1)}
    return dict(_flat(plain))


def read_environment(folder: Path) -> dict[str, Any]:
    """What a run was made with and on; empty where that is not known."""
    try:
        return decode_object((folder / ENVIRONMENT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _environment(folder: Path) -> dict[str, str]:
    raw = read_environment(folder)
    return dict(_flat({name: value for name, value in raw.items() if name not in _NOT_COMPARED}))


def _flat(value: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    found = []
    for name, inner in value.items():
        if isinstance(inner, dict):
            found += _flat(inner, f"{before}{name}.")
        else:
            found.append((f"{before}{name}", _text(inner)))
    return found


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else NOTHING


def _data(records: Sequence[RunRecord]) -> list[Difference]:
    """Image by image, each run against the first; nothing where all used the same."""
    if len({record.data for record in records}) < 2:
        return []
    first = records[0]
    words = [f"{first.data or NOTHING}"]
    for record in records[1:]:
        try:
            words.append(compare_runs(first.path, record.path).summary())
        except (OSError, ValueError):
            words.append("not known")
    return [Difference(f"data, against run {first.number}", words)]
