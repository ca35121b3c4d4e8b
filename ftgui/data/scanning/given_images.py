"""The images in what a model is asked about: files, folders, archives. Folders are looked through by the rules of a scan."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ftgui.base.job import Job
from ftgui.data.images.decoding import is_image_name
from ftgui.data.images.other_pictures import other_pictures
from ftgui.data.scanning.archive import unpacked
from ftgui.data.scanning.found import Found
from ftgui.data.scanning.walk import Folder, count_images, folders_below

_MOST_LOOKED_AT = 100_000
"""Names; a reason is wanted, not a census."""


def opened(given: Sequence[Path], job: Job) -> list[Path]:
    """The same with the folders that archives were unpacked to in their places.

    Raises:
        DatasetError: an archive can't be read.
        Cancelled: through `job`.
    """
    return [unpacked(path, job) for path in given]


def images_below(given: Sequence[Path]) -> Iterator[Path]:
    """Files as they are, and every image in folders, one folder after the other, without holding them all.

    A folder that can't be listed is given itself: whoever opens it learns why, as of a file that can't be read.
    """
    for path in given:
        if not os.path.isdir(path):  # noqa: PTH112 - pathlib's raises where no permission is
            yield path
            continue
        found = Found(path)
        for folder in folders_below(Folder(str(path), "", found)):
            if folder.relative in found.not_seen:
                yield Path(folder.path)
            yield from (Path(entry.path) for entry in folder.images)
            folder.forget()


def count_given(given: Sequence[Path], job: Job) -> int:
    """How many images `images_below` gives, about, without looking at them.

    Raises:
        Cancelled: through `job`.
    """
    return sum(count_images(path, job) if os.path.isdir(path) else 1 for path in given)  # noqa: PTH112 - see above


def why_no_images(given: Sequence[Path]) -> str:
    """Why none of these folders has an image, e.g. ``"There are no images in “photos”, only other files (12)."``"""
    where = f"“{given[0].name or given[0]}”" if len(given) == 1 else f"these {len(given)} folders"
    names = [name for folder in given for name in _names_below(folder)]
    if not names:
        return (
            f"There are no images in {where}: it is empty." if len(given) == 1 else f"There are no images in {where}."
        )
    return f"There are no images in {where}, {other_pictures(names) or f'only other files ({len(names):,})'}."


def _names_below(top: Path) -> list[str]:
    names: list[str] = []
    for folder in folders_below(Folder(str(top), "", Found(top))):
        names += [entry.name for entry in folder.files if not is_image_name(entry.name)]
        if len(names) >= _MOST_LOOKED_AT:
            break
    return names
