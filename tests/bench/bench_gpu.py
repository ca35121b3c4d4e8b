"""How much of a GPU training from JPEG files gets, in one run: full ResNet-50 training through the engine, against the
same step on one synthetic batch that never leaves the device; then a head-only job with
EfficientNet-Lite0. Needs CUDA; PySide6 is not needed.

python tests/bench/bench_gpu.py [--images 4000] [--batch 256] [--epochs 4] [--compile]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ftgui.data.project import Project
from ftgui.engine.model import backbones
from ftgui.engine.session import Session
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import EVERYTHING, HEAD, Augmentation, Backbone, Phase, Recipe, Training
from ftgui.runs.run_folders import new_run_folder

BACKBONE = Backbone(name="torchvision/resnet50", weights="none")
CLASSES = 10


def make_photos(folder: Path, count: int) -> None:
    """JPEG files of a photograph's size and weight, a tenth of them for validation."""
    random = np.random.default_rng(0)
    for number in range(count):
        small = random.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        image = Image.fromarray(small).resize((500, 375), Image.Resampling.BICUBIC)
        path = folder / ("val" if number % 10 == 0 else "train") / f"class{number // 10 % CLASSES}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, quality=90)


def synthetic(batch: int, compile_it: bool) -> float:
    """Images a second of the bare step: bf16, channels-last, fused AdamW, one resident batch."""
    model = backbones.build(BACKBONE, [str(c) for c in range(CLASSES)], 0).model
    model = model.cuda().to(memory_format=torch.channels_last).train()
    forward = torch.compile(model) if compile_it else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    images = torch.randn(batch, 3, 224, 224, device="cuda").to(memory_format=torch.channels_last)
    targets = torch.randint(0, CLASSES, (batch,), device="cuda")
    started = 0.0
    for number in range(45):
        if number == 15:
            torch.cuda.synchronize()
            started = time.monotonic()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = functional.cross_entropy(forward(images), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    torch.cuda.synchronize()
    return batch * 30 / (time.monotonic() - started)


def train(folder: Path, recipe: Recipe) -> tuple[list[m.Event], float]:
    """Through the engine's session, in this process. Returns its events and seconds."""
    events: list[m.Event] = []
    with tempfile.TemporaryDirectory() as project_folder:
        project = Project(Path(project_folder))
        project.take_in(folder)
        command = m.Train(1, recipe, str(project.catalog_path), str(new_run_folder(project, "gpu")))
        started = time.monotonic()
        Session(events.append).handle(command)
        seconds = time.monotonic() - started
    end = events[-1]
    assert isinstance(end, m.TrainingFinished) and end.reason == "done", end
    return events, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--compile", action="store_true")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("There is no CUDA device here.")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, batch {given.batch}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_photos(folder, given.images)
        bare = synthetic(given.batch, given.compile)
        torch.cuda.empty_cache()
        whole = Recipe(
            device="cuda",
            backbone=BACKBONE,
            phases=[Phase(name="All", train=[EVERYTHING], epochs=given.epochs, lr=1e-4)],
            augmentation=Augmentation(views=0),
            training=Training(batch_size=given.batch, early_stop=0, compile=given.compile),
        )
        events, _ = train(folder, whole)
        # The rate of the last epoch's steps: what starting costs is over by then.
        rates = [e.images_per_second for e in events if isinstance(e, m.StepMetrics) and e.epoch == given.epochs]
        real = statistics.median(rates)
        print(f"full training from JPEG files {real:,.0f} images/s, synthetic batch {bare:,.0f}: {real / bare:.3f}")
        head = Recipe(
            device="cuda",
            # With its ImageNet weights: what random ones put out is too large for any head to learn from.
            backbone=Backbone(),
            phases=[Phase(name="Head", train=[HEAD], epochs=50, lr=1e-3)],
            augmentation=Augmentation(views=4),
            training=Training(batch_size=given.batch, early_stop=0),
        )
        _, seconds = train(folder, head)
        print(
            f"head of EfficientNet-Lite0, 4 views, 50 epochs of {given.images * 9 // 10:,} images: {seconds:.1f} s in all"
        )


if __name__ == "__main__":
    main()
