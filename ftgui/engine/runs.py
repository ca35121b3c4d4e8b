"""The run folder: what happened, written while it happens."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import PIL
import timm
import torch
import torchvision

import ftgui
from ftgui.data.catalog import Sample
from ftgui.data.history import METRICS_FILE
from ftgui.protocol import recipe as recipes
from ftgui.protocol.recipe import Recipe, write_atomically

RESULT_FILE = "result.json"
SAMPLES_FILE = "samples.csv"


class RunFolder:
    """Writes one run. Every file is replaced whole, but for ``metrics.jsonl``, which grows by lines.

    Args:
        folder: exists already (`ftgui.data.project.Project.new_run_folder`).
        offset: go on with a run: keep so many bytes of its metrics; what was written after the checkpoint comes again.
    """

    def __init__(self, folder: Path, offset: int | None = None) -> None:
        self.folder = folder
        path = folder / METRICS_FILE
        if offset is not None:
            with path.open("r+b") as file:
                file.truncate(offset)
            (folder / RESULT_FILE).unlink(missing_ok=True)
        self._metrics = path.open("a", encoding="utf-8", newline="\n")

    def metrics_bytes(self) -> int:
        """How long ``metrics.jsonl`` is now, safe on the disk."""
        self._metrics.flush()
        os.fsync(self._metrics.fileno())
        return (self.folder / METRICS_FILE).stat().st_size

    def close(self) -> None:
        self._metrics.close()

    def write_start(self, recipe: Recipe, samples: Sequence[Sample], root: Path, device: torch.device) -> None:
        """The recipe as run, the exact sample list, and what it ran on."""
        recipes.save(recipe, self.folder / "recipe.toml")
        write_atomically(self.folder / SAMPLES_FILE, _table(samples, root))
        self._write_json("environment.json", environment(device))

    def log(self, kind: str, **values: Any) -> None:
        """One line of ``metrics.jsonl``."""
        line = {"time": round(time.time(), 3), "kind": kind, **values}
        self._metrics.write(json.dumps(_plain(line), ensure_ascii=False) + "\n")
        self._metrics.flush()

    def write_result(self, result: dict[str, Any]) -> None:
        """The last file to appear: a run without it did not end by itself."""
        self._write_json(RESULT_FILE, result)

    def _write_json(self, name: str, value: Any) -> None:
        text = json.dumps(_plain(value), ensure_ascii=False, indent=1)
        write_atomically(self.folder / name, text.encode("utf-8", "surrogateescape"))


def _table(samples: Sequence[Sample], root: Path) -> bytes:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["path", "class_name", "split"])
    for sample in samples:
        writer.writerow([sample.path.relative_to(root).as_posix(), sample.class_name, sample.split])
    return table.getvalue().encode("utf-8", "surrogateescape")


def same_samples(folder: Path, samples: Sequence[Sample], root: Path) -> bool:
    """Whether these are the samples a run began with."""
    try:
        return (folder / SAMPLES_FILE).read_bytes() == _table(samples, root)
    except OSError:
        return False


def _plain(value: Any) -> Any:
    """JSON has no NaN or infinity: null says "no figure"."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def environment(device: torch.device) -> dict[str, Any]:
    """Versions, device and code state: what could make a repetition differ."""
    versions = {
        "ftgui": ftgui.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "timm": timm.__version__,
        "pillow": PIL.__version__,
    }
    device_name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    return {
        "versions": versions,
        "platform": platform.platform(),
        "device": str(device),
        "device_name": device_name,
        "threads": torch.get_num_threads(),
        "commit": _commit(),
        "command": sys.argv,
    }


def _commit() -> str:
    """The checkout's commit, empty outside one (an installed wheel, no git)."""
    checkout = Path(ftgui.__file__).resolve().parent.parent
    if not (checkout / ".git").exists():
        return ""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()
