"""What a project is, in a few facts, read without opening it: for the list of recent projects."""

from __future__ import annotations

import logging
import math
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from ftgui.data.catalog.errors import CatalogError
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.images.intensity import IntensityRange
from ftgui.data.project import Project
from ftgui.data.recent_projects import RecentProject
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import RecipeError
from ftgui.runs.model_in_use import read_trained_runs

log = logging.getLogger(__name__)

PICTURES = 4
"""Images of a project that stand for it."""


@dataclass(frozen=True)
class ProjectFacts:
    """Of a recent project; what can't be read stays unknown."""

    recent: RecentProject
    there: bool
    """The folder of its images is where it was."""
    images: int = 0
    classes: int = 0
    runs: int = 0
    """That left a model."""
    accuracy: float = math.nan
    """Of the model in use on its validation images, 0 to 1; NaN: there is none."""
    pictures: tuple[Path, ...] = ()
    intensity: IntensityRange | None = None
    """With which the pictures are read."""
    trouble: str = ""
    """Why the project can't be read, in words; empty: it can."""

    @property
    def name(self) -> str:
        """As a person calls it: that of the folder of its images."""
        return self.recent.dataset.name or str(self.recent.dataset)


def read_facts(recent: RecentProject) -> ProjectFacts:
    """Reads the catalog, the recipe and some small files of each run; opens no image."""
    there = recent.dataset.is_dir()
    project = Project(recent.folder)
    try:
        with CatalogReader(project.catalog_path, patience=2) as catalog:
            images, class_names = catalog.found_images(), catalog.class_names()
            each = -(-PICTURES // max(1, len(class_names)))
            paths = [path for name in class_names[:PICTURES] for path in catalog.some_of(name, each)]
            intensity = catalog.read_with
    except (CatalogError, sqlite3.Error, OSError) as error:
        log.info("%s is listed without its figures: %s", recent.folder, error)
        return ProjectFacts(recent, there, trouble=str(error))
    trained = read_trained_runs(project)
    try:
        backbone = recipe_file.load(project.recipe_path).backbone
    except (RecipeError, OSError) as error:
        log.info("%s is listed without its model: %s", recent.folder, error)
        backbone = None
    run = trained.in_use(backbone)
    return ProjectFacts(
        recent,
        there,
        images,
        len(class_names),
        len(trained.runs),
        run.accuracy if run is not None else math.nan,
        tuple(recent.dataset / path for path in paths[:PICTURES]),
        intensity,
    )
