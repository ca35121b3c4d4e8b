"""Files in a dataset's folders that ftgui does not read: pictures for other programs are named for what they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ftgui.base.formatting import plural
from ftgui.data.images.other_formats import format_by_name
from ftgui.protocol.problem import Problem


def other_file(path: str) -> Problem:
    """What to say of a file whose name is no image's.

    Args:
        path: below the dataset's folder, as it can be shown.
    """
    what = format_by_name(path)
    if not what:
        return Problem("info", "other-file", "This file is not an image; it is ignored.", path)
    said, _, then = what.partition("; ")
    return Problem("warning", "other-picture", f"This is {said}, which ftgui can't read.", path, f"{_sentence(then)}.")


def other_pictures(names: Iterable[str]) -> str:
    """What pictures ftgui can't read are among these files, and what to do; empty: none.

    E.g. ``"but 12 files that ftgui can't read (a camera's raw file): export it as JPEG"``.
    """
    kinds = Counter(what for name in names if (what := format_by_name(name)))
    if not kinds:
        return ""
    said, _, then = kinds.most_common(1)[0][0].partition("; ")
    number = kinds.total()
    each = "it is" if number == 1 else "each" if len(kinds) == 1 else "most often"
    return f"but {plural(number, 'file')} that ftgui can't read ({each} {said}): {then}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
