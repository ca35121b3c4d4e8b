"""Preparing a training without a window: recipe file in, `Train` command out; run folder in, `Continue` command out."""

from __future__ import annotations

import shlex
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ftgui.base.files import reason
from ftgui.base.job import Job
from ftgui.base.process_identity import ProcessMark
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.moved_dataset import MovedProject, require_same, settle
from ftgui.data.project import Project, splitting_of
from ftgui.data.project_lock import ProjectHeld, ProjectLocks, who
from ftgui.data.scanning.archive import unpacked
from ftgui.data.scanning.folder_scan import dataset_root
from ftgui.data.scanning.found import DatasetError, ImagesGoneError
from ftgui.data.scanning.walk import count_images
from ftgui.protocol import recipe as recipes
from ftgui.protocol import recipe_file
from ftgui.protocol.messages import Continue, Train
from ftgui.protocol.problem import Problem
from ftgui.protocol.recipe import Recipe
from ftgui.runs.model_folder import has_model
from ftgui.runs.resume import OtherImagesError, samples_of
from ftgui.runs.run_folders import (
    CHECKPOINT_FILE,
    catalog_beside,
    continuable,
    new_run_folder,
    read_checkpoint,
    read_result,
    run_name,
)
from ftgui.runs.running import running_process


@dataclass(frozen=True)
class Prepared:
    """What `prepare` found and made."""

    command: Train
    problems: list[Problem]
    summary: str
    run_folder: Path


def prepare(
    recipe_path: Path, project_folder: Path | None = None, device: str = "", locks: ProjectLocks | None = None
) -> Prepared:
    """Read the recipe, scan its dataset into the project's catalog, make a run folder.

    Args:
        recipe_path: any name; its folder is the project unless another is given.
        project_folder: where ``catalog.sqlite`` and ``runs/`` go.
        device: overrides the recipe's when not empty.
        locks: take the project before anything in it is changed; the caller gives it back.

    Raises:
        RecipeError: the recipe can't be used.
        RunError: nothing can be written to the project's folder.
        DatasetError: its folder can't, or recipe and data together make no training.
        CatalogError: the project's catalog can't be opened.
        ProjectHeld: it is open in a window.
    """
    recipe = recipe_file.load(recipe_path)
    if device:
        recipe = msgspec.structs.replace(recipe, device=device)
    if not recipe.dataset.folder:
        raise recipes.RecipeError(f"{recipe_path} names no dataset: set folder under [dataset].")
    folder = project_folder or recipe_path.resolve().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = locks.take(folder) if locks is not None else None
    except OSError as error:
        why = f"The run can't be written to {folder}: {reason(error)}."
        raise RunError(f"{why} Another folder can be named with --project.") from error
    project = Project(folder)
    dataset = unpacked(Path(recipe.dataset.folder), Job())
    if beside is not None:
        _refuse_other_data(project, recipe, dataset, beside)
    try:
        found = project.fill(dataset, recipe, Job())
    except ImagesGoneError as error:
        raise DatasetError(f"{error} The recipe says where it is: folder under [dataset].") from error
    with project.catalog() as catalog:
        of_data = [problem for group in catalog.contents().groups for problem in group.examples]
    # That it can't be split is said of the recipe already, with the field.
    problems = recipe.validate() + [problem for problem in of_data if problem.kind != "split"]
    if beside is not None:
        problems.insert(0, Problem("info", "shared-project", trains_beside(beside)))
    fatal = [problem.message for problem in problems if problem.severity == "error" and not problem.path]
    if fatal:
        raise DatasetError(" ".join(fatal))
    run_folder = new_run_folder(project, run_name(recipe))
    command = Train(1, recipe, str(project.catalog_path), str(run_folder))
    return Prepared(command, problems, found.summary(), run_folder)


def trains_beside(other: ProcessMark) -> str:
    """Two trainings in terminals use one project, in a sentence."""
    return f"A{who(other)[1:]} uses this project too. Each makes a run of its own, from the same images."


def _refuse_other_data(project: Project, recipe: Recipe, dataset: Path, other: ProcessMark) -> None:
    """The other training may be about to read the catalog, and would learn from what this one makes of it.

    Raises:
        ProjectHeld: this recipe reads or divides the images another way than the catalog has them.
    """
    if not project.catalog_path.is_file():
        raise ProjectHeld(project.folder, other)  # it has only just begun
    root = dataset.absolute() if recipe.dataset.folders else dataset_root(dataset)
    with CatalogReader(project.catalog_path) as catalog:
        same = catalog.has_dataset and catalog.root == root and catalog.splitting == splitting_of(recipe)
        if not (same and catalog.complete):
            raise ProjectHeld(project.folder, other)


class RunError(Exception):
    """A run that can't be continued; the text says why and what to do, in words."""


@dataclass(frozen=True)
class Continuation:
    """What `to_continue` found."""

    command: Continue
    step: int
    """Optimizer steps done at the checkpoint."""
    moved: MovedProject | None = None
    """Its images lie elsewhere now; `note_move` before it goes on."""


def note_move(moved: MovedProject) -> None:
    """From now on the project knows its images in the new folder.

    Raises:
        CatalogError, DatasetError: it can't be written down.
    """
    try:
        settle(moved)
        with moved.project.catalog() as catalog:
            catalog.move_to(moved.now)
    except (OSError, sqlite3.Error) as error:
        raise DatasetError(f"That the images are in {moved.now} now can't be written down: {reason(error)}.") from error


def to_continue(run_folder: Path, dataset: Path | None = None) -> Continuation:
    """Look at a run that was stopped or killed, and make the command that goes on with it.

    Args:
        run_folder: lies in the ``runs/`` of its project, whose catalog knows the images.
        dataset: where they are now, if they were moved; a folder or an archive of it.

    Raises:
        RunError: it is no run, is done, has nothing to go on from, or its images are gone, or others now.
        DatasetError: `dataset` holds other images, or can't be read.
        CatalogError: the project's catalog can't be opened.
    """
    run_folder = run_folder.absolute()
    if not run_folder.is_dir():
        raise RunError(f"There is no folder {run_folder}. Name the folder of a run, e.g. runs/0001-head.")
    open_run = continuable(run_folder)
    if open_run is None:
        raise RunError(_why_not_continuable(run_folder))
    catalog = catalog_beside(run_folder)
    if catalog is None:
        raise RunError(
            f"{run_folder.name} is not in the runs/ folder of a project with its catalog.sqlite, so it is not known which "
            "images it learns from. Put it back, or train again."
        )
    try:
        with CatalogReader(catalog) as opened:
            samples_of(run_folder, opened)
            root = opened.root
    except OtherImagesError as error:
        raise RunError(str(error)) from error
    moved = None
    if dataset is not None:
        moved = require_same(Project(catalog.parent), dataset_root(unpacked(dataset, Job())), Job())
    elif not count_images(root, Job(), enough=1):
        again = f"ftgui train --continue {shlex.quote(str(run_folder))} --dataset FOLDER"
        raise RunError(
            f"The images of {run_folder.name} are no longer in {root}. Connect the drive they are on, or say where they were "
            f"moved to: {again}"
        )
    return Continuation(Continue(1, str(catalog), str(run_folder)), open_run.step, moved)


def _why_not_continuable(run_folder: Path) -> str:
    process = running_process(run_folder)
    if process is not None:
        return f"{run_folder.name} is training now (process {process.pid}). Stop it there first."
    result = read_result(run_folder)
    reason = result.get("reason") if result is not None else None
    if reason == "done":
        return f"{run_folder.name} is finished; there is nothing to continue. Its model is in {run_folder / 'best'}."
    if reason == "exploded":
        return f"{run_folder.name} diverged, so it is not continued. Train again at a lower learning rate."
    if (run_folder / CHECKPOINT_FILE).is_file() and read_checkpoint(run_folder) is None:
        return f"The checkpoint of {run_folder.name} is damaged, so it can't be continued. Train again."
    if not (run_folder / "recipe.toml").is_file():
        return f"{run_folder} is not a run's folder: there is no recipe.toml in it."
    kept = " Its best weights so far are kept." if has_model(run_folder) else ""
    return (
        f"{run_folder.name} ended before its first checkpoint, so there is nothing to continue from. Train again.{kept}"
    )
