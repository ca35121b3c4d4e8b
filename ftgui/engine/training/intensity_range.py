"""The range of intensities that a recipe means for the images of a catalog."""

from __future__ import annotations

from ftgui.base.job import Cancelled, Job
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.checks.set_intensity import survey_of
from ftgui.data.images.intensity import IntensityRange
from ftgui.data.images.intensity_survey import resolved
from ftgui.engine.events import Emit
from ftgui.engine.interruptions import Interruptions
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import AUTO_INTENSITY, Recipe


def intensity_range(
    recipe: Recipe, catalog: CatalogReader, request: int, emit: Emit, interruptions: Interruptions
) -> IntensityRange | None:
    """As the window found and shows it, or found now.

    Args:
        request: for which it is; its progress is told.
    """
    setting = recipe.dataset.intensity
    if setting != AUTO_INTENSITY:
        return resolved(setting, None)

    def tell(done: int, total: int) -> None:
        emit(m.Progress("looking at the range of intensities", done, total, request=request))
        if interruptions.stop_requested:
            job.cancel()

    job = Job(tell)
    try:
        return resolved(setting, survey_of(catalog, job))
    except Cancelled:
        return None  # what comes next stops before its first step
