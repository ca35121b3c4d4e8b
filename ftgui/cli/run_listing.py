"""``ftgui runs`` and ``ftgui report``: runs without a window. The figures are those of the window's Runs page."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ftgui.base import paths
from ftgui.base.files import reason
from ftgui.base.foreign_text import visible
from ftgui.base.formatting import clock, percent, plural
from ftgui.data.project import Project, project_place
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import RecipeError
from ftgui.runs.index import list_runs
from ftgui.runs.record import RunRecord
from ftgui.runs.report.report import default_name, write_report
from ftgui.runs.run_folders import run_number
from ftgui.runs.tensorboard import TensorBoardError, write_event_files


class RunsError(Exception):
    """What was asked for can't be done; the text says why in a sentence."""


@dataclass(frozen=True)
class Listed:
    """A project and its runs."""

    project: Project
    records: list[RunRecord]


# --- which projects -------------------------------------------------------------------------------------------------


def find_projects(given: Path | None) -> list[Project]:
    """The projects that are meant.

    Args:
        given: a project's folder, the ``runs`` folder in it, or a dataset's folder; None: the present folder if it is a
            project, else all of the user's projects.

    Raises:
        RunsError: nothing is there.
    """
    if given is None:
        here = Path.cwd()
        if _is_project(here):
            return [Project(here)]
        everywhere = paths.data_dir() / "projects"
        found = [Project(folder) for folder in sorted(everywhere.glob("*")) if _is_project(folder)]
        return [project for project in found if project.runs_folder.is_dir()]
    folder = given.expanduser().resolve()
    if not folder.is_dir():
        raise RunsError(f"There is no folder {given}.")
    if folder.name == "runs" and _is_project(folder.parent):
        return [Project(folder.parent)]
    if _is_project(folder):
        return [Project(folder)]
    found = [project for project in _projects_of(folder) if _is_project(project.folder)]
    if not found:
        raise RunsError(f"{given} is neither a project nor a dataset that was opened in one, so it has no runs.")
    return found


def _is_project(folder: Path) -> bool:
    project = Project(folder)
    return project.runs_folder.is_dir() or (project.recipe_path.is_file() and project.catalog_path.is_file())


def _projects_of(dataset: Path) -> list[Project]:
    place = project_place(dataset)
    if place.is_dir():
        return [Project(place)]
    found = []
    for folder in sorted((paths.data_dir() / "projects").glob("*")):
        try:
            named = recipe_file.load(folder / "recipe.toml").dataset.folder
        except RecipeError:
            continue
        # A dataset that lies in folders that only wrap it is named by its inner one.
        if named and (Path(named) == dataset or dataset in Path(named).parents):
            found.append(Project(folder))
    return found


def list_projects(given: Path | None) -> list[Listed]:
    """See `find_projects`.

    Raises:
        RunsError: nothing is there, or it can't be listed.
    """
    try:
        return [Listed(project, list_runs(project.runs_folder)) for project in find_projects(given)]
    except OSError as error:
        raise RunsError(f"The runs can't be listed: {reason(error)}.") from error


# --- as a table, as JSON --------------------------------------------------------------------------------------------

_HEADER = ("", "run", "name", "accuracy", "model", "classes", "images", "duration", "ended", "started")
_LONGEST = 32
"""Letters of a name or model."""


def table(projects: Sequence[Listed]) -> list[str]:
    """Lines for a terminal."""
    if not any(listed.records for listed in projects):
        return ["There are no runs yet. `ftgui train recipe.toml` makes one, and so does Train in the window."]
    said: list[str] = []
    for listed in (listed for listed in projects if listed.records):
        rows = [_HEADER, *(_row(record) for record in listed.records)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        problems = [f"run {r.number}: {sentence}" for r in listed.records for sentence in r.problems]
        title = f"{listed.project.folder} · {plural(len(listed.records), 'run')}"
        said += ([""] if said else []) + [title, *lines, *problems]
    return said


def _row(record: RunRecord) -> tuple[str, ...]:
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.started)) if record.started else "–"
    return (
        "*" if record.starred else "",
        str(record.number),
        _short(record.name),
        percent(record.best_accuracy),
        _short(record.model) or "–",
        str(record.classes or "–"),
        f"{record.images:,}" if record.images else "–",
        "–" if math.isnan(record.seconds) else clock(record.seconds),
        _short(record.ended),
        started,
    )


def _short(text: str) -> str:
    one_line = visible(" ".join(text.split()))
    return one_line if len(one_line) <= _LONGEST else f"{one_line[: _LONGEST - 1]}…"


def plain(projects: Sequence[Listed]) -> list[dict[str, Any]]:
    """All runs, for JSON; what is not known is null. ``started`` is seconds since 1970."""
    runs = []
    for listed in projects:
        for record in listed.records:
            values: dict[str, Any] = msgspec.to_builtins(record)
            runs.append({"project": str(listed.project.folder), **{k: _known(v) for k, v in values.items()}})
    return runs


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


# --- what is written ------------------------------------------------------------------------------------------------


def write_tensorboard(projects: Sequence[Listed], folder: Path) -> str:
    """Event files of all these runs; returns what to do with them.

    Raises:
        RunsError: the extra is missing, or something can't be read or written.
    """
    written = 0
    try:
        for listed in projects:
            # Two projects both have a run 1.
            target = folder / listed.project.folder.name if len(projects) > 1 else folder
            written += len(write_event_files(listed.records, target))
    except TensorBoardError as error:
        raise RunsError(str(error)) from error
    except OSError as error:
        raise RunsError(f"The event files can't be written: {reason(error)}.") from error
    return f"{plural(written, 'run')} written. Look at them with: tensorboard --logdir {folder}"


def report(given: str, target: Path | None) -> Path:
    """Write a run's report.

    Args:
        given: the run's folder, or its number in the project of the present folder.
        target: the file; None: beside whoever asks, named after the run.

    Returns:
        the file.

    Raises:
        RunsError: there is no such run, or the file can't be written.
    """
    folder = _run_folder(given)
    target = target or Path(default_name(folder))
    if target.is_dir():
        target = target / default_name(folder)
    try:
        write_report(folder, target)
    except FileNotFoundError as error:
        raise RunsError(str(error)) from error
    except OSError as error:
        raise RunsError(f"{target} can't be written: {reason(error)}.") from error
    return target


def _run_folder(given: str) -> Path:
    folder = Path(given).expanduser().resolve()
    if folder.is_dir():
        if folder.name in ("best", "last") and run_number(folder.parent):
            return folder.parent
        if run_number(folder):
            return folder
        raise RunsError(f"{given} is not a run: a run's folder has a name like 0007-head.")
    if given.isdigit() and _is_project(Path.cwd()):
        runs = Project(Path.cwd()).runs_folder
        found = [
            run for run in (runs.iterdir() if runs.is_dir() else []) if run_number(run) == int(given) and run.is_dir()
        ]
        if found:
            return found[0]
        raise RunsError(f"There is no run {given} in {runs}.")
    raise RunsError(f"There is no run at {given}.")
