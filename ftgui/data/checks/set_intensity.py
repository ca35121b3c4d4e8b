"""The intensity range of a whole set: what its catalog knows of it, or looking at the images shows."""

from __future__ import annotations

from ftgui.base.job import Job
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.images.intensity_survey import IntensitySurvey, survey


def known_survey(catalog: CatalogReader) -> IntensitySurvey | None:
    """What the catalog knows, if it is of the images that are in it now."""
    kept = catalog.intensity_survey()
    return kept if kept is not None and kept.seen_of == catalog.content_identity() else None


def survey_of(catalog: CatalogReader, job: Job) -> IntensitySurvey | None:
    """What the catalog knows of its images, or, if nothing, what looking at them now shows.

    Raises:
        Cancelled: through `job`.
    """
    kept = known_survey(catalog)
    if kept is not None:
        return kept
    return survey(catalog.root, catalog.deep_candidates(), catalog.content_identity(), job)
