"""Keeping what the frozen prefix gives: in memory, on the device, or in a memory-mapped file where it is too big."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from torch import fx

from ftgui.base.paths import cache_dir, scratch_folder
from ftgui.engine.devices import move

log = logging.getLogger(__name__)

MEMORY_SHARE = 0.3
"""Of the memory that is free, this much may hold features; the same share of a GPU's free memory."""

DISK_SHARE = 0.5
"""Of the free disk under the cache folder."""

KEPT = 2
"""Sets of features kept in memory between runs: pressing Train again with another rate starts at once."""

_FOLDER = "prefix"


@dataclass
class Features:
    """Frontier values of V views of each of N images: row ``n * V + v``, images without views following with one each."""

    values: list[torch.Tensor]
    """(rows, …); what has channels is stored channels-last."""
    on_disk: bool = False
    seconds: float = 0.0
    """That filling took."""

    @property
    def bytes(self) -> int:
        return sum(value.nbytes for value in self.values)

    def put(self, start: int, values: list[torch.Tensor]) -> None:
        """Store rows from `start` on."""
        for stored, value in zip(self.values, values, strict=True):
            stored[start : start + len(value)].copy_(_channels_behind(value))

    def rows(self, rows: torch.Tensor, device: torch.device) -> list[torch.Tensor]:
        """The values of these rows on the device, copies that may be changed.

        Args:
            rows: (M,) int64, on the CPU.
        """
        found = []
        for stored in self.values:
            value = move(stored.index_select(0, rows.to(stored.device)), device)
            found.append(value.permute(0, 3, 1, 2) if value.ndim == 4 else value)
        return found


def _channels_behind(value: torch.Tensor) -> torch.Tensor:
    return value.permute(0, 2, 3, 1) if value.ndim == 4 else value


class FeatureStore:
    """Makes room for features, and keeps the latest sets for the next run. One per engine."""

    def __init__(self) -> None:
        self.unreadable: dict[str, dict[int, str]] = {}
        """By `Images.fingerprint`: what is known of images that were all read before."""
        self._kept: OrderedDict[str, Features] = OrderedDict()
        self._folder: Path | None = None

    def find(self, key: str) -> Features | None:
        """A filled set with this key."""
        features = self._kept.get(key)
        if features is not None:
            self._kept.move_to_end(key)
        return features

    def keep(self, key: str, features: Features) -> None:
        """Keep a filled set; the oldest goes."""
        self._kept[key] = features
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def forget(self) -> None:
        """Let all of them go, e.g. when the device is short of memory."""
        self._kept.clear()

    def make(
        self, rows: int, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[torch.dtype], device: torch.device
    ) -> Features | None:
        """Room for that many rows, or None when there is none."""
        full = [(rows, *shape[1:], shape[0]) if len(shape) == 3 else (rows, *shape) for shape in shapes]
        size = sum(torch.Size(shape).numel() * dtype.itemsize for shape, dtype in zip(full, dtypes, strict=True))
        place = self._place(size, device)
        if place is None:
            return None
        if place == "disk":
            return Features([self._mapped(s, d) for s, d in zip(full, dtypes, strict=True)], on_disk=True)
        where = device if place == "device" else torch.device("cpu")
        return Features([torch.empty(s, dtype=d, device=where) for s, d in zip(full, dtypes, strict=True)])

    def _place(self, size: int, device: torch.device) -> str | None:
        while True:
            if device.type == "cuda" and size <= torch.cuda.mem_get_info(device)[0] * MEMORY_SHARE:
                return "device"
            if size <= psutil.virtual_memory().available * MEMORY_SHARE:
                return "memory"
            if not self._kept:
                break
            self._kept.popitem(last=False)
        if size <= shutil.disk_usage(cache_dir()).free * DISK_SHARE:
            return "disk"
        return None

    def _mapped(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        if self._folder is None:
            self._folder = scratch_folder(cache_dir() / _FOLDER)
        handle, name = tempfile.mkstemp(dir=self._folder)
        os.close(handle)
        count = torch.Size(shape).numel()
        mapped = torch.from_file(name, shared=True, size=count, dtype=dtype).view(shape)
        if os.name == "posix":
            Path(name).unlink()  # the mapping lives on; nothing is left behind however this process ends
        return mapped

    def close(self) -> None:
        """Give everything back."""
        self._kept.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def key(prefix: fx.GraphModule, settings: tuple[object, ...]) -> str:
    """A fingerprint of all that decides what a prefix gives: its graph, its weights, and `settings` (files, views …)."""
    digest = hashlib.blake2b(f"{prefix.graph} {settings}".encode(), digest_size=16)
    for name, tensor in sorted(prefix.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
