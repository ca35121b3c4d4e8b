"""Decoding every image once, in the background, to find the ones that training would stumble over."""

from __future__ import annotations

from pathlib import Path

from ftgui.data.catalog import Catalog, Checked
from ftgui.data.formats import ImageError, load_rgb, open_image
from ftgui.data.job import Job

_BATCH = 32
"""Images per transaction: small enough that the window sees problems as they are found."""

_SHORT_SIDE = 32
"""JPEGs are decoded at an eighth: all of the file is read, a fraction of the pixels computed."""


def check_images(catalog: Catalog, job: Job) -> int:
    """Decode all images that were not decoded before and record the outcome.

    Returns:
        how many of them can't be used.

    Raises:
        Cancelled: through `job`; what was checked so far is recorded.
    """
    root = catalog.root
    waiting = catalog.unchecked()
    batch: list[Checked] = []
    bad = 0
    try:
        for done, path in enumerate(waiting):
            job.progress(done, len(waiting))
            checked = _check(root / path, path)
            bad += checked.problem is not None
            batch.append(checked)
            if len(batch) == _BATCH:
                catalog.record_checked(batch)
                batch = []
    finally:
        catalog.record_checked(batch)
    job.progress(len(waiting), len(waiting))
    return bad


def _check(file: Path, path: str) -> Checked:
    try:
        with open_image(file) as image:
            width, height = image.size
            mode = image.mode
        load_rgb(file, _SHORT_SIDE)
    except ImageError as error:
        return Checked(path, None, None, None, str(error))
    return Checked(path, width, height, mode, None)
