"""Images that a person gave the project one by one: copied into its folder, because the original may go."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ftgui.base.files import write_atomically
from ftgui.data.images.decoding import read_image_file

ADDED_FOLDER = "added"
"""In a project's folder."""


def keep_copy(source: Path | bytes, folder: Path) -> Path:
    """Copy an image into a folder, under a name that its content decides: the same twice is one file.

    Args:
        source: the file, or a PNG file's bytes (from the clipboard).
        folder: made when missing; that in which it lies must exist.

    Raises:
        ImageError: it can't be read.
        OSError: the copy can't be written.
    """
    content = source if isinstance(source, bytes) else read_image_file(source)
    name, suffix = ("pasted", ".png") if isinstance(source, bytes) else (source.stem, source.suffix)
    digest = hashlib.blake2b(content, digest_size=4).hexdigest()
    copy = folder.absolute() / f"{name}-{digest}{suffix}"
    if not copy.exists():
        folder.mkdir(exist_ok=True)
        write_atomically(copy, content)
    return copy
