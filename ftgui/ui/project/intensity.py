"""With which intensity range the open dataset's images of more than 8 bits are shown: what the recipe says and what was seen."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from ftgui.data.images.intensity import IntensityRange
from ftgui.data.images.intensity_survey import resolved
from ftgui.ui.project.dataset import OpenDataset
from ftgui.ui.project.recipe_editor import RecipeEditor


class DatasetIntensity(QObject):
    """Follows recipe and catalog, and has the images checked anew when the range is another.

    Args:
        plan: has the recipe.
        collection: the open dataset.
        parent: owner.
    """

    changed = Signal()
    """`range`."""

    def __init__(self, plan: RecipeEditor, collection: OpenDataset, parent: QObject) -> None:
        super().__init__(parent)
        self._recipe_editor = plan
        self._dataset = collection
        self.range: IntensityRange | None = None
        """None: the full range of the files."""
        plan.changed.connect(self.refresh)
        collection.changed.connect(self.refresh)

    @Slot()
    def refresh(self) -> None:
        """Look again at what is wanted and known."""
        setting = self._recipe_editor.recipe.dataset.intensity
        self._dataset.read_with(setting)
        contents = self._dataset.contents
        found = resolved(setting, contents.intensity if contents is not None else None)
        if found != self.range:
            self.range = found
            self.changed.emit()
