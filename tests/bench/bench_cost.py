"""How near the cost under the tree comes to what then happens: seconds an epoch and peak memory, for some ticks; and
how soon it is answered, from a question in the pipe to its answer (the window waits 50 ms for more ticks before it asks).

python tests/bench/bench_cost.py FOLDER
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ftgui.data.project import Project
from ftgui.protocol import codec
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Augmentation, Phase, Recipe, Training
from ftgui.runs.run_folders import new_run_folder
from tests.bench.bench_training import PeakMemory, start_engine

TICKS = {
    "head": (["head"], 8),
    "last stage + head": (["last stage", "head"], 4),
    "last two stages + head": (["stage 6", "stage 7", "neck", "head"], 3),
    "everything": (["everything"], 2),
}


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    for name, (layers, epochs) in TICKS.items():
        with tempfile.TemporaryDirectory() as where:
            measure(name, layers, epochs, folder, Project(Path(where)))


def measure(name: str, layers: list[str], epochs: int, folder: Path, project: Project) -> None:
    """One engine: its cost, then the training."""
    project.take_in(folder)
    recipe = Recipe(
        phases=[Phase(name="Bench", train=layers, epochs=epochs, lr=1e-4)],
        training=Training(early_stop=0),
        augmentation=Augmentation(views=4),
    )
    with project.catalog() as catalog:
        names = catalog.class_names()
        counts = {split: sum(sample.split == split for sample in catalog.samples()) for split in ("train", "val")}
    engine = start_engine()
    assert engine.stdin is not None and engine.stdout is not None
    decoder = codec.event_decoder()

    def until(command: m.Command, last: type[m.Event]) -> list[m.Event]:
        """What the engine says to a command, up to an event of a kind."""
        codec.write(engine.stdin, command)
        said: list[m.Event] = []
        while not said or not isinstance(said[-1], last):
            chunk = engine.stdout.read1(1 << 16)
            assert chunk, "the engine ended"
            said += decoder.feed(chunk)
        return said

    ask = partial(m.EstimateCost, recipe=recipe, train_samples=counts["train"], val_samples=counts["val"])
    answers = []
    with PeakMemory(engine.pid) as memory:
        until(m.Hello(), m.Ready)
        until(m.LoadModel(1, recipe.backbone, names, layers), m.ModelLoaded)
        cost = until(ask(2, layers), m.CostEstimate)[-1]
        for number, (ticks, _) in enumerate(list(TICKS.values()) * 5):
            asked = time.perf_counter()
            until(ask(3 + number, ticks), m.CostEstimate)
            answers.append(time.perf_counter() - asked)
        events = until(
            m.Train(99, recipe, str(project.catalog_path), str(new_run_folder(project, "cost"))), m.TrainingFinished
        )
    engine.stdin.close()
    engine.wait(30)
    assert isinstance(cost, m.CostEstimate)
    once = sum(event.seconds for event in events if isinstance(event, m.FrozenFeaturesCached))
    measured = statistics.median(event.seconds for event in events if isinstance(event, m.EpochFinished))
    print(
        f"{name:<24} epoch {cost.epoch_seconds:6.2f} s said, {measured:6.2f} s was ({cost.epoch_seconds / measured:.2f})   "
        f"once {cost.prefix_seconds:5.1f} / {once:5.1f} s   memory {cost.memory / 2**20:,.0f} / {memory.peak / 2**20:,.0f} MB "
        f"({cost.memory / memory.peak:.2f})   answered in {max(answers) * 1e3:.0f} ms at most",
        flush=True,
    )


if __name__ == "__main__":
    main()
