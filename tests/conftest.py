"""What all tests share: folders of their own, generated pictures, and nothing left running."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import numpy as np
import psutil
import pytest
from PIL import Image

from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Recipe

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

Maker = Callable[..., Path]


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests, so that the sample is drawn once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, session_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTGUI_DATA_DIR", str(tmp_path / "ftgui-data"))
    monkeypatch.setenv("FTGUI_CACHE_DIR", str(session_cache))
    monkeypatch.setenv("HF_HOME", str(session_cache / "hf"))
    monkeypatch.setenv("TORCH_HOME", str(session_cache / "torch"))


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path) -> None:
    try:
        from PySide6.QtCore import QSettings
    except ImportError:  # the engine's tests also run where there is no Qt
        return
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path / "settings"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """As the window's program has it (`ftgui.ui.shell.garbage`): widgets of an earlier test must not die on a worker thread.

    Around the whole of a test, not in a fixture: pytest lets go of what the fixtures made only after the last of them is torn
    down, and widgets that outlive their test are restyled by each later one.
    """
    if "qapp" not in getattr(item, "fixturenames", ()):
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        from PySide6.QtCore import QCoreApplication, QEvent

        # There is no event loop between tests that would delete what was asked to be deleted later.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
        # What lives on is the libraries and what fixtures of a session hold: looking through all of it again after every test
        # took a quarter of the whole suite's time.
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """A test that leaves a process or a thread behind fails."""
    threads = set(threading.enumerate())
    processes = set(psutil.Process().children(recursive=True))
    yield
    deadline = time.monotonic() + 5

    def strays() -> list[object]:
        left: list[object] = [t for t in threading.enumerate() if t not in threads and t.is_alive() and not t.daemon]
        left += [p for p in psutil.Process().children(recursive=True) if p not in processes]
        return left

    while strays() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not strays(), f"left running: {strays()}"


def picture(color: tuple[int, int, int], seed: int, size: tuple[int, int] = (80, 64)) -> Image.Image:
    """A noisy picture of about one colour: easy to tell apart, never twice the same."""
    noise = np.random.default_rng(seed).integers(-40, 40, (size[1], size[0], 3))
    return Image.fromarray((np.array(color) + noise).clip(0, 255).astype(np.uint8))


COLORS = {"red": (200, 40, 40), "green": (40, 180, 60), "blue": (40, 60, 200), "grey": (128, 128, 128)}


@pytest.fixture
def make_dataset(tmp_path: Path) -> Maker:
    """``make_dataset(classes=("red", "blue"), count=6, splits=(), name="pictures")`` -> folder."""

    def make(
        classes: tuple[str, ...] = ("red", "blue"),
        count: int = 6,
        splits: tuple[str, ...] = (),
        name: str = "pictures",
    ) -> Path:
        root = tmp_path / name
        for class_number, class_name in enumerate(classes):
            color = COLORS.get(class_name, (40 * class_number % 255, 90, 200))
            for split in splits or ("",):
                folder = root / split / class_name
                folder.mkdir(parents=True)
                for number in range(count):
                    seed = 10_000 * class_number + 100 * len(split) + number
                    picture(color, seed).save(folder / f"{class_name}{number}.jpg")
        return root

    return make


@pytest.fixture
def shared() -> Path:
    """The shared pictures; skips the test where they are absent."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data, which is not here")
    return SHARED


def leave_checkpoint(run: Path, recipe: Recipe, step: int = 1240, early_stop: int = 5) -> None:
    """What a run has on disk when its engine goes away in the middle."""
    recipe_file.save(recipe, run / "recipe.toml")
    (run / "last").mkdir()
    plain = json.dumps({"at": {"step": step}, "early_stop": early_stop})
    header = json.dumps({"__metadata__": {"plain": plain}}).encode()
    (run / "last" / "checkpoint.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)


def plain(label) -> str:
    """What a label says, with ordinary spaces."""
    return label.text().replace("\N{NO-BREAK SPACE}", " ")
