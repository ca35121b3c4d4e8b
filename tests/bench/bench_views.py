"""Does accuracy fall when a few augmented views are cached instead of drawing fresh ones in every epoch? The default
recipe over three seeds, on folders with ``train/`` and ``val/`` or, with 20 pictures a class for training, without.

python tests/bench/bench_views.py FOLDER [FOLDER …]
"""

from __future__ import annotations

import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ftgui.data.formats import EXTENSIONS
from ftgui.data.project import Project
from ftgui.data.scan import scan
from ftgui.engine.memory import keep_freed_memory
from ftgui.engine.session import Session
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Augmentation, Recipe

SEEDS = (0, 1, 2)
TRAINING, VALIDATION = 20, 40
"""Pictures a class of a folder that has no split of its own."""


def split(folder: Path, target: Path) -> Path:
    """The folder, or a copy with few training pictures where it has no split."""
    if (folder / "train").is_dir():
        return folder
    for class_folder in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(path for path in class_folder.iterdir() if path.suffix.lower() in EXTENSIONS)
        random.Random(0).shuffle(files)
        for number, path in enumerate(files[: TRAINING + VALIDATION]):
            copy = target / ("train" if number < TRAINING else "val") / class_folder.name / path.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    return target


def train(folder: Path, views: int, seed: int) -> tuple[float, float]:
    """Best validation accuracy, seconds."""
    events: list[m.Event] = []
    with tempfile.TemporaryDirectory() as name:
        project = Project(Path(name))
        project.take_in(scan(folder))
        recipe = Recipe(seed=seed, augmentation=Augmentation(views=views))
        command = m.Train(1, recipe, str(project.catalog_path), str(project.new_run_folder("views")))
        started = time.monotonic()
        Session(events.append).handle(command)
        seconds = time.monotonic() - started
    end = events[-1]
    assert isinstance(end, m.TrainingFinished) and end.reason == "done", end
    return end.best_accuracy, seconds


def main() -> None:
    keep_freed_memory()
    for given in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as name:
            folder = split(Path(given).resolve(), Path(name))
            for views, what in ((4, "4 cached views"), (0, "fresh views")):
                outcomes = [train(folder, views, seed) for seed in SEEDS]
                shown = ", ".join(f"{accuracy:.1%}" for accuracy, _ in outcomes)
                mean = statistics.mean(accuracy for accuracy, _ in outcomes)
                seconds = statistics.mean(seconds for _, seconds in outcomes)
                print(
                    f"{Path(given).name:<14} {what:<15} {shown}   mean {mean:.1%}   {seconds:.0f} s a run", flush=True
                )


if __name__ == "__main__":
    main()
