"""What the Data page costs with 100,000 real files and with a million rows in the catalog.

python tests/bench/bench_data.py [PICTURES] [--files 100000] [--rows 1000000]     PICTURES: a folder of photographs, linked to
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import psutil
from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from ftgui.data.catalog.query import Query
from ftgui.data.catalog.scan_intake import ScanIntake
from ftgui.data.catalog.split import Splitting
from ftgui.data.project import Project
from ftgui.data.scanning.folder_scan import scan
from ftgui.data.scanning.found import Found, FoundImage
from ftgui.ui.project.access import Entry
from ftgui.ui.project.dataset_opening import Wish

CLASSES = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="?")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as where:
        scratch = Path(where)
        os.environ["FTGUI_DATA_DIR"] = str(scratch / "data")
        os.environ["FTGUI_CACHE_DIR"] = str(scratch / "cache")
        pictures = given.pictures or _sample()
        folder = make_folder(scratch / "many", pictures.resolve(), given.files)
        bench_scan(folder)
        bench_folder(folder)
        bench_rows(scratch, folder, given.rows)


def _sample() -> Path:
    from ftgui.base.job import Job
    from ftgui.ui.project.sample_dataset import sample_folder

    return sample_folder(Job())


def make_folder(folder: Path, pictures: Path, files: int) -> Path:
    """Hard links to real pictures (copies, where links are not possible), in classes."""
    real = sorted(path for path in pictures.rglob("*") if path.suffix.lower() in (".jpg", ".png"))
    for number in range(files):
        target = folder / f"class {number % CLASSES:03d}" / f"{number:07d}{real[number % len(real)].suffix}"
        if number < CLASSES:
            target.parent.mkdir(parents=True)
        try:
            os.link(real[number % len(real)], target)
        except OSError:
            shutil.copy(real[number % len(real)], target)
    return folder


class Bench:
    """A window, and a way to wait in its event loop."""

    def __init__(self) -> None:
        from ftgui.ui.shell.app import build

        self.application = QApplication.instance() or QApplication([])
        self.workspace, self.window = build()
        self.window.resize(1440, 900)
        self.window.show()
        self.spin(0.5)
        self.page = self.window.data_page
        self.clock = QTimer(self.window)  # so that waiting ends in time
        self.clock.start(10)

    def spin(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            QCoreApplication.processEvents()
            time.sleep(0.001)

    def wait(self, condition: Callable[[], bool], limit: float = 120) -> float:
        """Seconds until it holds."""
        start = time.perf_counter()
        while not condition():
            # As exec() does: asleep until something happens, and the interpreter is the threads'.
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
            if time.perf_counter() - start > limit:
                raise TimeoutError(condition)
        return time.perf_counter() - start

    def query(self, change: Callable[[], object]) -> float:
        """Seconds from a change of the filters to the answer in the grid."""
        start = time.perf_counter()
        change()
        self.wait(lambda: self.page.browser.finding)
        self.wait(lambda: not self.page.browser.finding)
        self.page.grid.viewport().repaint()
        return time.perf_counter() - start

    def close(self) -> None:
        self.window.close()
        self.window.deleteLater()
        self.workspace.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def bench_scan(folder: Path) -> None:
    """What looking through it takes, and what a table beside the folders adds, which is read and compared with them."""
    plain, first = scanned(folder)
    table = folder / "labels.csv"
    rows = (f"{path.relative_to(folder).as_posix()},{path.parent.name}" for path in folder.glob("*/*"))
    table.write_text("\n".join(["file_name,label", *rows]), encoding="utf-8")
    both, first_of_both = scanned(folder)
    table.unlink()
    print(f"scan: {plain:.2f} s, with a table {both:.2f} s; first images after {first:.2f} and {first_of_both:.2f} s")


def scanned(folder: Path) -> tuple[float, float]:
    """Seconds of the processor to the end, and to the first images."""
    start = time.process_time()
    batches: list[float] = []
    scan(folder, take=lambda _images: batches.append(time.process_time() - start))
    return time.process_time() - start, batches[0]


def bench_folder(folder: Path) -> None:
    """From a drop to everything counted."""
    walks = []
    for _ in range(3):  # the first fills the system's cache
        start = time.perf_counter()
        count = sum(len(files) for _, _, files in os.walk(folder))
        walks.append(time.perf_counter() - start)
    walk = min(walks)
    bench = Bench()
    page, workspace = bench.page, bench.workspace
    before = psutil.Process().memory_info().rss
    start = time.perf_counter()
    workspace.open_dataset(folder)
    bench.wait(lambda: bool(page.grid.thumbnails._kept))
    first = time.perf_counter() - start
    bench.wait(lambda: workspace.dataset.scan.expected_images > 0 or workspace.contents.complete)
    counted = time.perf_counter() - start
    bench.wait(lambda: workspace.contents is not None and not workspace.dataset.scanning)
    stored = time.perf_counter() - start
    total = sum(splits.total() for splits in workspace.contents.counts.values())
    assert total == count, (total, count)
    print(f"{count:,} files: os.walk {walk:.2f} s")
    goals = f"goals: 1 s, 1.5 x os.walk + 2 s = {1.5 * walk + 2:.2f} s"
    print(f"  first thumbnail {first:.2f} s after the drop; all counted {counted:.2f} s ({goals})")
    print(f"  all in the catalog, with sizes, dates and splits: {stored:.2f} s")
    bench.wait(lambda: not page.browser.finding and len(page.grid.images.ids) == count)
    bench_queries(bench)
    largest = 0
    for step in range(40):
        bar = page.grid.verticalScrollBar()
        bar.setValue(bar.maximum() * step // 40)
        bench.spin(0.25)
        largest = max(largest, psutil.Process().memory_info().rss)
    print(
        f"  window process: {largest / 1e6:.0f} MB at most while scrolling through all (before the drop {before / 1e6:.0f})"
    )
    bench.close()


def bench_queries(bench: Bench) -> None:
    page = bench.page
    bar = page.bar
    asks = {
        "one class": lambda: bar.choose_class("class 042"),
        "all again": lambda: bar.choose_class(""),
        "one split": lambda: _activate(bar.split_filter, "val"),
        "all splits": lambda: _activate(bar.split_filter, "All splits"),
        "text in the name": lambda: bar.search.setText("77"),
        "no text": bar.search.clear,
        "by file size": lambda: _activate(bar.order, "By file size"),
        "by date": lambda: _activate(bar.order, "By date"),
        "by class": lambda: _activate(bar.order, "By class"),
        "by name": lambda: _activate(bar.order, "By name"),
    }
    waits = {"text in the name", "no text"}  # 150 ms of these is waiting for the next key
    times = {name: bench.query(ask) - 0.15 * (name in waits) for name, ask in asks.items()}
    print("  filter and sort: " + ", ".join(f"{name} {seconds * 1e3:.0f} ms" for name, seconds in times.items()))


def _activate(combo, text: str) -> None:  # type: ignore[no-untyped-def]
    combo.setCurrentText(text)
    combo.activated.emit(combo.currentIndex())


def bench_rows(scratch: Path, folder: Path, rows: int) -> None:
    """A catalog of many rows; their files need not exist."""
    project = Project.for_dataset(scratch / "million")
    (scratch / "million").mkdir()
    with project.catalog() as catalog:
        intake = ScanIntake(catalog, scratch / "million")
        start = time.perf_counter()
        for first in range(0, rows, 2000):
            numbers = range(first, min(first + 2000, rows))
            names = [f"class {n * CLASSES // rows:03d}" for n in numbers]
            intake.take(
                [FoundImage(f"{c}/{n:08d}.jpg", c, "", n % 9973, n) for n, c in zip(numbers, names, strict=True)]
            )
        intake.finish(Found(scratch / "million"), Splitting())
        print(f"{rows:,} rows, stored and split in {time.perf_counter() - start:.1f} s:")
    bench = Bench()
    page, workspace = bench.page, bench.workspace
    # Only looked at: a search would find none of the files.
    workspace.dataset.open_again(Wish(lambda _job: scratch / "million", "", entry=Entry.LOOK))
    bench.wait(lambda: not page.browser.finding and len(page.grid.images.ids) == rows)
    bench.spin(2)
    bench_queries(bench)
    frames = []
    bar = page.grid.verticalScrollBar()
    for step in range(200):
        start = time.perf_counter()
        bar.setValue(int(bar.maximum() * (step * 0.618034 % 1)) if step % 2 else bar.value() + 300)
        QCoreApplication.processEvents()
        page.grid.viewport().repaint()
        frames.append(time.perf_counter() - start)
    frames.sort()
    print(
        f"  scrolling, half of it jumps: median frame {frames[100] * 1e3:.0f} ms, 99 of 100 below {frames[197] * 1e3:.0f} ms, "
        f"longest {frames[-1] * 1e3:.0f} ms (goal 50)"
    )
    print(f"  one question to the catalog alone: {_ask(project):.0f} ms; window process {_rss():.0f} MB")
    bench.close()


def _ask(project: Project) -> float:
    with project.catalog() as catalog:
        start = time.perf_counter()
        catalog.find(Query(class_name="class 042"))
        return (time.perf_counter() - start) * 1e3


def _rss() -> float:
    return psutil.Process().memory_info().rss / 1e6


if __name__ == "__main__":
    main()
