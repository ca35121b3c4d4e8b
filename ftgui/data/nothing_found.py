"""Why a folder has no image to look at: what lies in it instead, in a sentence."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from ftgui.data.other_pictures import other_pictures
from ftgui.data.scan import is_junk

_MOST_LOOKED_AT = 100_000
"""Names; a reason is wanted, not a census."""


def why_no_images(given: Sequence[Path]) -> str:
    """Why none of these folders has an image, e.g. ``"There are no images in “photos”, only other files (12)."``"""
    where = f"“{given[0].name or given[0]}”" if len(given) == 1 else f"these {len(given)} folders"
    names = [name for folder in given for name in _names_below(folder)]
    if not names:
        return (
            f"There are no images in {where}: it is empty." if len(given) == 1 else f"There are no images in {where}."
        )
    return f"There are no images in {where}, {other_pictures(names) or f'only other files ({len(names):,})'}."


def _names_below(folder: Path) -> list[str]:
    names: list[str] = []
    with contextlib.suppress(OSError):
        for _, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if not is_junk(name)]
            names += [name for name in files if not is_junk(name)]
            if len(names) >= _MOST_LOOKED_AT:
                break
    return names
