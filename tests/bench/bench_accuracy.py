"""Validation accuracy of the default recipe over three seeds, through ``ftgui train``, as a person would run it.

python tests/bench/bench_accuracy.py FOLDER
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ftgui.data.project import read_result
from ftgui.protocol import recipe as recipes
from ftgui.protocol.recipe import Dataset, Recipe

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (0, 1, 2)


def main() -> None:
    dataset = Path(sys.argv[1]).resolve()
    accuracies = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            recipe = Path(folder) / "recipe.toml"
            recipes.save(Recipe(seed=seed, dataset=Dataset(folder=str(dataset))), recipe)
            started = time.monotonic()
            subprocess.run(
                [sys.executable, "-m", "ftgui", "train", str(recipe)],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(os.environ, PYTHONPATH=str(ROOT)),
            )
            result = read_result(Path(folder) / "runs" / "0001-head-last-stage")
            assert result is not None
            accuracies.append(result["best_accuracy"])
            print(
                f"seed {seed}: {accuracies[-1]:.1%} at epoch {result['best_epoch']}, {time.monotonic() - started:.0f} s"
            )
    print(f"median of {len(SEEDS)} seeds: {statistics.median(accuracies):.1%}")


if __name__ == "__main__":
    main()
