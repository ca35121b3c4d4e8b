"""What the default recipe's numbers are worth: validation accuracy of it and of recipes that differ from it in one thing.

python tests/bench/bench_recipe.py DATASET … [--seeds 3] [--only NAME …]     data sets as in tests/bench/datasets.py
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ftgui.data.project import Project
from ftgui.engine.malloc import keep_freed_memory
from ftgui.engine.session import Session
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import EVERYTHING, Augmentation, Phase, Recipe, Training, default_phases
from ftgui.runs.run_folders import new_run_folder
from tests.bench.datasets import dataset

HEAD, LAST = default_phases()


def _last(**changes: object) -> list[Phase]:
    return [HEAD, msgspec.structs.replace(LAST, **changes)]


VARIANTS = {
    "default": Recipe(),
    "head only": Recipe(phases=[HEAD]),
    "rate falls by half a stage": Recipe(phases=_last(layer_decay=0.5)),
    "last stage at 3e-4": Recipe(phases=_last(lr=3e-4)),
    "and everything": Recipe(
        phases=[*default_phases(), Phase(name="All", train=[EVERYTHING], epochs=8, lr=1e-4, layer_decay=0.5)]
    ),
    "no label smoothing": Recipe(training=Training(label_smoothing=0.0)),
    "average 0.98": Recipe(training=Training(ema=0.98)),
    "no augmentation": Recipe(augmentation=Augmentation(preset="none")),
    "fresh views": Recipe(augmentation=Augmentation(views=0)),
    "4 views": Recipe(augmentation=Augmentation(views=4)),
    "15 views": Recipe(augmentation=Augmentation(views=15)),
    "patience 8": Recipe(training=Training(early_stop=8)),
}


def train(folder: Path, recipe: Recipe) -> tuple[float, float]:
    """Best validation accuracy, seconds."""
    events: list[m.Event] = []
    with tempfile.TemporaryDirectory() as name:
        project = Project(Path(name))
        project.take_in(folder)
        command = m.Train(1, recipe, str(project.catalog_path), str(new_run_folder(project, "bench")))
        session = Session(events.append)
        started = time.monotonic()
        session.handle(command)
        seconds = time.monotonic() - started
        session.close()
    end = events[-1]
    assert isinstance(end, m.TrainingFinished) and end.reason == "done", end
    return end.best_accuracy, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    given = parser.parse_args()
    keep_freed_memory()
    for words in given.datasets:
        with dataset(words) as (name, folder):
            for variant in given.only:
                recipes = (msgspec.structs.replace(VARIANTS[variant], seed=seed) for seed in range(given.seeds))
                outcomes = [train(folder, recipe) for recipe in recipes]
                each = ", ".join(f"{accuracy:.1%}" for accuracy, _ in outcomes)
                mean = statistics.mean(accuracy for accuracy, _ in outcomes)
                seconds = statistics.mean(seconds for _, seconds in outcomes)
                print(f"{name:<16} {variant:<28} mean {mean:.1%}   {each}   {seconds:.0f} s a run", flush=True)


if __name__ == "__main__":
    main()
