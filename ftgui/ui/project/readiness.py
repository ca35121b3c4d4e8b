"""Why something can't be begun now, in sentences. No widgets."""

from __future__ import annotations

from ftgui.protocol.problem import Problem
from ftgui.ui.engine_client.client import EngineClient
from ftgui.ui.engine_client.export_requests import ExportRequests
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.project.access import LOOK_ONLY, ProjectAccess
from ftgui.ui.project.dataset import OpenDataset
from ftgui.ui.project.dataset_edits import DatasetEditor
from ftgui.ui.project.model import ProjectModel
from ftgui.ui.project.recipe_editor import RecipeEditor


class Readiness:
    """Looks at everything that a training takes.

    Args:
        client: of the engine.
        dataset: to be trained on.
        dataset_editor: divides it.
        access: to the project.
        recipe_editor: has the recipe.
        model: to be trained.
        export_requests: keep the engine busy.
    """

    def __init__(
        self,
        *,
        client: EngineClient,
        dataset: OpenDataset,
        dataset_editor: DatasetEditor,
        access: ProjectAccess,
        recipe_editor: RecipeEditor,
        model: ProjectModel,
        export_requests: ExportRequests,
    ) -> None:
        self._client, self._dataset, self._dataset_editor, self._access = client, dataset, dataset_editor, access
        self._recipe_editor, self._model, self._export_requests = recipe_editor, model, export_requests

    def obstacles(self) -> list[Problem]:
        """Why Train can't be pressed now, most fundamental first; empty when it can."""
        found: list[Problem] = []
        if self._dataset.project is None or self._dataset.contents is None:
            return [Problem("error", "no-data", "Drop a folder of images first.")]
        if self._access.look_only:
            found.append(Problem("error", "look-only", LOOK_ONLY))
        found += [p for p in self._dataset.contents.problems if p.severity == "error" and p.kind == "one-class"]
        found += [p for p in self._recipe_editor.recipe.validate() if p.severity == "error"]
        if self._dataset.images_gone:
            text = "The folder of the images is gone. Choose “Find moved folder…” in the menu, or connect its drive."
            found.append(Problem("error", "gone", text))
        if self._dataset.opening:
            found.append(Problem("info", "opening", "Another dataset is being opened."))
        elif self._dataset.scanning:
            found.append(Problem("info", "opening", "The folder is still being scanned."))
        elif self._dataset_editor.dividing:
            found.append(Problem("info", "splitting", "The images are being divided into train, val and test."))
        elif not self._dataset.contents.complete:
            text = "The folder was not scanned completely. Open it again to continue."
            found.append(Problem("error", "incomplete", text))
        if not self._client.state.alive:
            found.append(Problem("error", "no-engine", "The engine is not running. Start it again."))
        elif self._model.problem:
            found.append(Problem("error", "no-model", self._model.problem))
        elif self._model.loading:
            found.append(Problem("info", "loading", "The engine is still loading the model."))
        elif self._export_requests.working:
            found.append(Problem("info", "exporting", "A model is being written; train when that is done."))
        return found

    def why_no_rate_test(self) -> str:
        """Why no range test can be begun now, in a sentence; empty when one can."""
        obstacles = self.obstacles()
        if obstacles:
            return obstacles[0].message
        if self._client.state.kind is not EngineKind.READY:
            return "Training is in progress." if self._client.state.busy else "The engine is starting."
        return ""
