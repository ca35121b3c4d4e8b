"""How long the engine takes to answer about one photograph, warm: decoding included, as the window shows it.

python tests/bench/bench_predict.py [image]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from ftgui.engine.malloc import keep_freed_memory
from ftgui.engine.session import Session
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone

RUNS = 30


def main() -> None:
    keep_freed_memory()
    events: list[m.Event] = []
    session = Session(events.append)
    session.handle(m.LoadModel(1, Backbone(), ["a", "b"], ["head"], device="cpu"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "photo.jpg"
        if len(sys.argv) < 2:
            noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
            Image.fromarray(noise).resize((4000, 3000)).save(path, quality=90)
        with Image.open(path) as image:
            size = image.size
        for _ in range(RUNS + 3):
            session.handle(m.Predict(2, str(path)))
    times = [event.milliseconds for event in events if isinstance(event, m.Prediction)][3:]
    print(f"warm answer, EfficientNet-Lite0 on CPU, {size[0]}×{size[1]} JPEG: median {statistics.median(times):.0f} ms")


if __name__ == "__main__":
    main()
