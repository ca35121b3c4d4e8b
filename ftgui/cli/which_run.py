"""Which model a command in a terminal means by the folder it is given."""

from __future__ import annotations

from pathlib import Path

from ftgui.cli.terminal import say
from ftgui.data.project import Project
from ftgui.protocol import recipe_file
from ftgui.runs.model_folder import ModelError, model_folder
from ftgui.runs.model_in_use import read_trained_runs, why_in_use


def run_or_model(given: Path) -> Path:
    """The folder of a run or finished model as it was given; for a project's folder, that of the run in use there, which is
    said on stderr.

    Raises:
        ModelError: no run of the project has finished.
        RecipeError: the project's recipe can't be read.
    """
    project = Project(given.absolute())
    if model_folder(given) != given or not (project.runs_folder.is_dir() and project.recipe_path.is_file()):
        return given
    trained = read_trained_runs(project)
    run = trained.in_use(recipe_file.load(project.recipe_path).backbone)
    if run is None:
        raise ModelError(
            f"No run of the project {given} has finished yet. Give the folder of a run in {project.runs_folder} to use it "
            "anyway."
        )
    say(f"r{why_in_use(run, trained.chosen)[1:].rstrip('.')}: {run.folder.name}, {run.figure}")
    return run.folder
