"""How near the price under the tree comes to what then happens: seconds an epoch and peak memory, for some ticks.

python tests/bench/bench_price.py FOLDER
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ftgui.data.project import Project
from ftgui.data.scan import scan
from ftgui.protocol import codec
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Augmentation, Phase, Recipe, Training

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

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
    """One engine: its price, then the training."""
    project.take_in(scan(folder))
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
    load = m.LoadModel(1, recipe.backbone, names, layers)
    ask = m.AskPrice(2, layers, recipe, counts["train"], counts["val"])
    train = m.Train(3, recipe, str(project.catalog_path), str(project.new_run_folder("price")))
    decoder, price, seconds, once = codec.event_decoder(), None, [], 0.0
    with PeakMemory(engine.pid) as memory:
        for command in (m.Hello(), load, ask, train):
            codec.write(engine.stdin, command)
        over = False
        while not over:
            for event in decoder.feed(engine.stdout.read1(1 << 16)):
                if isinstance(event, m.Price):
                    price = event
                elif isinstance(event, m.PrefixCached):
                    once = event.seconds
                elif isinstance(event, m.EpochFinished):
                    seconds.append(event.seconds)
                over = over or isinstance(event, m.TrainingFinished)
    engine.stdin.close()
    engine.wait(30)
    assert price is not None
    measured = min(seconds)
    print(
        f"{name:<24} epoch {price.epoch_seconds:6.2f} s said, {measured:6.2f} s was ({price.epoch_seconds / measured:.2f})   "
        f"once {price.prefix_seconds:5.1f} / {once:5.1f} s   memory {price.memory / 2**20:,.0f} / {memory.peak / 2**20:,.0f} MB "
        f"({price.memory / memory.peak:.2f})",
        flush=True,
    )


if __name__ == "__main__":
    main()
