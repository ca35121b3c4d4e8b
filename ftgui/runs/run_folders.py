"""Where a run's files lie, and what they say of how it ended."""

from __future__ import annotations

import math
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ftgui.base.files import slug
from ftgui.base.json_files import decode_object
from ftgui.data.project import Project
from ftgui.protocol import recipe as recipes
from ftgui.protocol import recipe_file
from ftgui.protocol.messages import Evaluation
from ftgui.protocol.recipe import Backbone, RecipeError
from ftgui.runs.model_folder import BEST_FOLDER, has_model
from ftgui.runs.running import running_process

CHECKPOINT_FILE = Path("last") / "checkpoint.safetensors"
"""Below a run's folder."""


_LARGEST_HEADER = 64 * 2**20


@dataclass(frozen=True)
class OpenRun:
    """A run that can be continued."""

    folder: Path
    number: int
    step: int
    """Of its checkpoint."""
    crashed: bool
    """It left no result: the engine, or the computer, went away in the middle."""


def continuable(run_folder: Path) -> OpenRun | None:
    """The run in a folder, if it ended without being done and can go on from a checkpoint; not one that still trains."""
    if running_process(run_folder) is not None:
        return None
    result = read_result(run_folder)
    plain = read_checkpoint(run_folder)
    if plain is None or (result is not None and result.get("reason") not in ("stopped", "failed")):
        return None
    return OpenRun(run_folder, run_number(run_folder), int(plain["at"]["step"]), crashed=result is None)


def read_checkpoint(run_folder: Path) -> dict[str, Any] | None:
    """The plain part of a run's checkpoint (see `ftgui.engine.training.checkpoint`), or None where there is none to be read.

    A safetensors file begins with the length of its header, 8 bytes little-endian, and the header as JSON.
    """
    try:
        with (run_folder / CHECKPOINT_FILE).open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = decode_object(file.read(min(size, _LARGEST_HEADER)))
        plain = decode_object(header["__metadata__"]["plain"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    at = plain.get("at")
    return plain if isinstance(at, dict) and isinstance(at.get("step"), int) else None


def catalog_beside(run_folder: Path) -> Path | None:
    """The catalog of the project that a run's folder lies in, if it does."""
    project = Project(run_folder.absolute().parent.parent)
    is_in = run_folder.absolute().parent == project.runs_folder
    return project.catalog_path if is_in and project.catalog_path.is_file() else None


def read_run_backbone(run_folder: Path) -> Backbone | None:
    """The model that a run trained, or None where its recipe can't be read."""
    try:
        return recipe_file.load(run_folder / "recipe.toml").backbone
    except RecipeError:
        return None


def run_number(folder: Path) -> int:
    """7 for ``0007-head``; 0 for anything else."""
    match = re.match(r"(\d+)-", folder.name)
    return int(match[1]) if match else 0


def read_result(run_folder: Path) -> dict[str, Any] | None:
    """The figures of a finished run, or None where there are none that can be read."""
    try:
        return decode_object((run_folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def read_evaluation(run_folder: Path) -> Evaluation | None:
    """The validation figures that a run ended with, or None where there are none that can be read."""
    raw = (read_result(run_folder) or {}).get("evaluation")
    if not isinstance(raw, dict):
        return None
    filled = {key: math.nan if value is None else value for key, value in raw.items()}  # JSON has no NaN
    try:
        return msgspec.convert(filled, Evaluation)
    except msgspec.ValidationError:
        return None


def run_name(recipe: recipes.Recipe) -> str:
    """For the run's folder: what was trained, e.g. ``"head last stage"``, ``"scratch head last stage"``."""
    from_scratch = ["scratch"] if recipe.backbone.weights == recipes.FROM_SCRATCH else []
    return " ".join([*from_scratch, *(phase.name for phase in recipe.active_phases)])


def new_run_folder(project: Project, name: str) -> Path:
    """Make a project's next numbered folder, e.g. ``runs/0007-head-last-stage``."""
    project.runs_folder.mkdir(parents=True, exist_ok=True)
    while True:
        number = max((run_number(folder) for folder in project.runs_folder.iterdir()), default=0) + 1
        folder = project.runs_folder / f"{number:04d}-{slug(name)}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder


def discard_run(folder: Path) -> None:
    """Remove the folder of a run that learned nothing; a finished model in it is never touched."""
    if not (folder / BEST_FOLDER).exists():
        shutil.rmtree(folder, ignore_errors=True)


def open_run(project: Project) -> OpenRun | None:
    """A project's newest run, if it ended without being done and can go on from a checkpoint."""
    if not project.runs_folder.is_dir():
        return None
    newest = max(project.runs_folder.iterdir(), key=run_number, default=None)
    return continuable(newest) if newest is not None else None


def finished_runs(project: Project) -> list[Path]:
    """Those of a project that left usable weights, newest first."""
    if not project.runs_folder.is_dir():
        return []
    return sorted(filter(has_model, project.runs_folder.iterdir()), key=run_number, reverse=True)
