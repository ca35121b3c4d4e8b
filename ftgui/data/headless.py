"""Preparing a training without a window: recipe file in, `Train` command out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from ftgui.data.archive import unpacked
from ftgui.data.job import Job
from ftgui.data.project import Project
from ftgui.data.scan import DatasetError
from ftgui.protocol import recipe as recipes
from ftgui.protocol.messages import Train
from ftgui.protocol.problem import Problem


@dataclass(frozen=True)
class Prepared:
    """What `prepare` found and made."""

    command: Train
    problems: list[Problem]
    summary: str
    run_folder: Path


def prepare(recipe_path: Path, project_folder: Path | None = None, device: str = "") -> Prepared:
    """Read the recipe, scan its dataset into the project's catalog, make a run folder.

    Args:
        recipe_path: any name; its folder is the project unless another is given.
        project_folder: where ``catalog.sqlite`` and ``runs/`` go.
        device: overrides the recipe's when not empty.

    Raises:
        RecipeError: the recipe can't be used.
        DatasetError: its folder can't, or recipe and data together make no training.
        CatalogError: the project's catalog can't be opened.
    """
    recipe = recipes.load(recipe_path)
    if device:
        recipe = msgspec.structs.replace(recipe, device=device)
    if not recipe.dataset.folder:
        raise recipes.RecipeError(f"{recipe_path} names no dataset: set folder under [dataset].")
    folder = project_folder or recipe_path.resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder)
    found = project.fill(unpacked(Path(recipe.dataset.folder), Job()), recipe, Job())
    with project.catalog() as catalog:
        problems = recipe.validate() + [problem for group in catalog.contents().groups for problem in group.examples]
    fatal = [problem.message for problem in problems if problem.severity == "error" and not problem.path]
    if fatal:
        raise DatasetError(" ".join(fatal))
    run_folder = project.new_run_folder(run_name(recipe))
    command = Train(1, recipe, str(project.catalog_path), str(run_folder))
    return Prepared(command, problems, found.summary(), run_folder)


def run_name(recipe: recipes.Recipe) -> str:
    """For the run's folder: what was trained, e.g. ``"head last stage"``, ``"scratch head last stage"``."""
    from_scratch = ["scratch"] if recipe.backbone.weights == recipes.FROM_SCRATCH else []
    return " ".join([*from_scratch, *(phase.name for phase in recipe.active_phases)])
