"""The run folder: what happened, written while it happens."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import PIL
import timm
import torch
import torchvision

import ftgui
from ftgui.base.files import reason, write_atomically
from ftgui.data.catalog.records import Sample, reference
from ftgui.engine.errors import EngineError
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Recipe
from ftgui.runs.dataset_diff import SAMPLES_FILE, table_of_samples
from ftgui.runs.metrics_log import METRICS_FILE
from ftgui.runs.sweep import sweep_run

RESULT_FILE = "result.json"


class RunFolder:
    """Writes one run. Every file is replaced whole, but for ``metrics.jsonl``, which grows by lines.

    Args:
        folder: exists already (`ftgui.runs.run_folders.new_run_folder`).
        guarded: calls what it is given and takes care of the `OSError` it may raise.
    """

    def __init__(self, folder: Path, guarded: Callable[[Callable[[], object]], None]) -> None:
        self.folder = folder
        self._guarded = guarded
        self._length = 0
        """Of ``metrics.jsonl``, in bytes: whole lines only."""
        self._start: dict[str, bytes] = {}
        """What `write_start` wrote."""
        self._made = False
        """``metrics.jsonl`` was there once: if it is not, its folder is being deleted, or lies on a drive that is away."""
        self._pending: list[bytes] = []
        """Lines that the disk has not taken yet."""
        self._synced = 0
        """Up to here it is known to be on the disk, not only in the system's memory."""
        self._unsynced: list[bytes] = []
        """Lines written since then: a drive that is unplugged loses them."""

    def continue_from(self, metrics_bytes: int) -> None:
        """Go on with the run that is there.

        Args:
            metrics_bytes: of its ``metrics.jsonl`` are kept; what was written after the checkpoint comes again.
        """
        self._length = self._synced = metrics_bytes
        self._made = True
        sweep_run(self.folder)
        (self.folder / RESULT_FILE).unlink(missing_ok=True)

    def metrics_bytes(self) -> int:
        """How long ``metrics.jsonl`` is now, safe on the disk.

        Raises:
            OSError: it is not.
        """
        self._write_pending(sync=True)
        return self._length

    def write_start(self, recipe: Recipe, samples: Sequence[Sample], root: Path, device: torch.device) -> None:
        """The recipe as run, the exact sample list, and what it ran on.

        Raises:
            EngineError: they can't be written; then the run had better not begin.
        """
        rows = ((reference(sample.path, root), sample.class_name, sample.split) for sample in samples)
        self._start = {
            "recipe.toml": recipe_file.dumps(recipe).encode("utf-8"),
            SAMPLES_FILE: table_of_samples(rows),
            "environment.json": _json(environment(device)),
        }
        try:
            for name, content in self._start.items():
                write_atomically(self.folder / name, content)
        except OSError as error:
            raise EngineError(f"{self.folder} can't be written: {reason(error)}.") from error

    def complete(self) -> None:
        """Write what `write_start` wrote once more where it is missing: somebody may have emptied the folder.

        Raises:
            OSError: it can't be written, or the folder is gone.
        """
        for name, content in self._start.items():
            if not (self.folder / name).exists():
                write_atomically(self.folder / name, content)
        self._made = self._made and (self.folder / METRICS_FILE).exists()

    def log(self, kind: str, **values: Any) -> None:
        """One line of ``metrics.jsonl``."""
        self.log_all(kind, [values])

    def log_all(self, kind: str, lines: Iterable[dict[str, Any]]) -> None:
        """Several lines at once. What the disk does not take is kept, and tried again with the next."""
        for values in lines:
            line = {"time": round(time.time(), 3), "kind": kind, **values}
            self._pending.append(
                (json.dumps(_plain(line), ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape")
            )
        self._guarded(self._write_pending)

    def _write_pending(self, sync: bool = False) -> None:
        """Append what waits.

        Opened anew each time: a file that stays open takes lines also when it was deleted, or its drive unplugged, and they
        are nowhere. A line that broke off is cut away first, also one of a killed process; lines that a drive lost are written
        again.

        Raises:
            OSError: what waits still does.
        """
        with (self.folder / METRICS_FILE).open("r+b" if self._made else "ab") as file:
            size = file.seek(0, os.SEEK_END)
            if size < self._length:
                self._pending[:0] = self._unsynced
                self._unsynced = []
                self._length = self._synced = min(size, self._synced)
            if size > self._length:
                file.truncate(self._length)
                file.seek(self._length)
            file.write(b"".join(self._pending))
            file.flush()
            if sync:
                os.fsync(file.fileno())
            self._length = file.tell()
        self._made = True
        self._unsynced += self._pending
        self._pending = []
        if sync:
            self._synced, self._unsynced = self._length, []

    def write_result(self, result: dict[str, Any]) -> None:
        """The last file to appear: a run without it did not end by itself."""
        write_atomically(self.folder / RESULT_FILE, _json(result))


def _json(value: Any) -> bytes:
    return json.dumps(_plain(value), ensure_ascii=False, indent=1).encode("utf-8", "surrogateescape")


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
