"""How long from the start of the process until the window is on the screen. Prints the median of five.

    python tests/bench/bench_start.py [--recent 10]

With ``--recent`` so many projects stand on the start page, and one more is opened again. Needs a display, or
QT_QPA_PLATFORM=offscreen (then the window is exposed without one).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNS = 5

CHILD = """
import sys, time
started = float(sys.argv[1])
from PySide6.QtCore import QEvent, QObject, QTimer
from ftgui.ui.engine_client.client import EngineClient
from ftgui.ui.shell import app
from ftgui.ui.shell.main_window import MainWindow

class Watch(QObject):
    def eventFilter(self, thing, event):
        if event.type() == QEvent.Type.Paint and isinstance(thing, MainWindow) and not self.property("seen"):
            self.setProperty("seen", True)
            QTimer.singleShot(0, lambda: (print(time.time() - started, flush=True), thing.close()))
        return False

application = app.make_application()
watch = Watch()
application.installEventFilter(watch)
EngineClient.start_engine = lambda self: None  # its start comes after the first paint and is not part of the figure
app.main()
print([name for name in ("torch", "torchvision", "timm") if name in sys.modules])
"""


def remember(count: int, folder: Path) -> None:
    """Projects of 60 images each."""
    from PIL import Image

    from ftgui.data import recent_projects
    from ftgui.data.project import Project

    for number in range(count):
        dataset = folder / f"dataset {number}"
        for label in ("ants", "bees", "flies"):
            (dataset / label).mkdir(parents=True)
            for image in range(20):
                Image.new("RGB", (640, 480), (number * 20, image * 10, 90)).save(dataset / label / f"{image}.jpg")
        project = Project.for_dataset(dataset)
        project.take_in(dataset)
        recent_projects.remember(project.folder, dataset)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recent", type=int, default=0, metavar="N", help="projects that were open before")
    given = parser.parse_args()
    seconds = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ.update(FTGUI_DATA_DIR=folder, FTGUI_CACHE_DIR=folder)
        remember(given.recent + bool(given.recent), Path(folder))
        for _ in range(RUNS + 1):
            environment = dict(os.environ, PYTHONPATH=str(ROOT), FTGUI_DATA_DIR=folder, FTGUI_CACHE_DIR=folder)
            answer = subprocess.run(
                [sys.executable, "-c", CHILD, str(time.time())],
                capture_output=True,
                text=True,
                check=True,
                env=environment,
            )
            first, modules = answer.stdout.split("\n")[:2]
            assert modules == "[]", modules
            seconds.append(float(first))
    print(f"start to painted window: median {statistics.median(seconds[1:]):.2f} s of {RUNS}")
    print(
        "all: " + ", ".join(f"{value:.2f}" for value in seconds[1:]) + f" (a first, cold one took {seconds[0]:.2f} s)"
    )


if __name__ == "__main__":
    main()
