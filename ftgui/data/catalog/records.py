"""What the catalog is asked for and told: plain records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ftgui.data.catalog.problem_kinds import Group
from ftgui.data.catalog.split import Splitting
from ftgui.data.images.intensity_survey import IntensitySurvey
from ftgui.data.scanning.found import summary
from ftgui.protocol.problem import Problem

ImageAnswer = tuple[str, str, float, float]
"""Path, class that the model says, its probability, loss of the label (NaN: not known)."""


Hashed = tuple[int, str, str, bytes, int, str]
"""Id, class, split, digest, difference hash, path."""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image as the window lists it."""

    id: int
    path: str
    class_name: str
    split: str
    excluded: bool
    problem: str | None
    prediction: str | None
    """What the model says it is, if it was asked."""
    mtime: float

    @property
    def wrong(self) -> bool:
        """The model says something else than the label."""
        return self.prediction is not None and self.prediction != self.class_name


@dataclass(frozen=True, slots=True)
class ImageDetail:
    """All that is known about one image."""

    row: ImageRow
    found_class: str
    pinned: bool
    size: int
    width: int | None
    height: int | None
    mode: str | None
    format: str | None
    orientation: int | None
    digest: bytes | None
    brightness: float | None
    confidence: float | None
    loss: float | None
    findings: tuple[tuple[str, str, str | None], ...]
    """Kind, what exactly, path of the image it is about."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image as training uses it."""

    path: Path
    class_name: str
    target: int
    """Index into the class names."""
    split: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What decoding an image showed."""

    path: str
    size: int
    mtime: float
    """Of the file when it was read; if the catalog knows another by now, this is no longer news."""
    width: int | None = None
    height: int | None = None
    mode: str | None = None
    format: str | None = None
    orientation: int | None = None
    digest: bytes | None = None
    """16 bytes of the file's content."""
    dhash: int | None = None
    """64 bits, signed."""
    brightness: float | None = None
    """0 to 255."""
    problem: str | None = None
    """None: it decodes."""
    findings: tuple[tuple[str, str], ...] = ()
    """Kind, what exactly."""


@dataclass(frozen=True)
class Contents:
    """What a catalog holds, in figures: read once after every change, not with every repaint."""

    root: Path
    class_names: list[str]
    """Classes that can be learned."""
    counts: dict[str, Counter[str]]
    """class name -> split -> usable images, also for classes that can't be learned."""
    problems: list[Problem]
    """About the dataset and its classes."""
    groups: list[Group]
    """Every problem, by kind, worst first."""
    split_from_folders: bool
    splitting: Splitting
    excluded: int
    complete: bool
    """The scan has come to its end."""
    evaluated_by: str = ""
    """Name of the folder of the run whose model said what the images are; empty: nobody knows."""
    intensity: IntensitySurvey | None = None
    """What was seen of images with more than 8 bits; None: there are none, or nobody has looked yet."""
    example: Path | None = None
    """An image the model will not learn from, to watch it by: the first usable validation image."""

    @property
    def summary(self) -> str:
        """E.g. ``"2 classes, 397 images"``."""
        return summary(len(self.counts), sum(splits.total() for splits in self.counts.values()))


def reference(file: Path, root: Path) -> str:
    """How a catalog of the dataset `root` names a file: relative to it with ``/``, or absolute if it lies elsewhere."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()
