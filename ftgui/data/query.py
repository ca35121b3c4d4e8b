"""Which images to show, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

ORDERS: dict[str, tuple[str, ...]] = {
    "name": ("path",),
    "class": ("class_name", "path"),
    "date": ("mtime", "id"),
    "file size": ("size", "id"),
    "dimensions": ("width * height", "id"),
    "brightness": ("brightness", "id"),
}
"""What the images can be sorted by -> columns of the catalog."""


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions hold together; an empty one asks for nothing."""

    class_name: str = ""
    split: str = ""
    kind: str = ""
    """Of problem, as in `ftgui.data.findings.KINDS`."""
    excluded: bool | None = None
    text: str = ""
    """Part of the path, in upper or lower case."""
    order: str = "name"
    descending: bool = False
