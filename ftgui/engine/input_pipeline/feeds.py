"""Where a step's inputs come from: whole images through the whole model, or cached features through the rest of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn

from ftgui.engine.devices import move
from ftgui.engine.input_pipeline import feature_cache
from ftgui.engine.input_pipeline.feature_cache import Features, FeatureStore
from ftgui.engine.input_pipeline.graph_tracing import NoPrefix
from ftgui.engine.input_pipeline.image_cache import (
    NO_AUGMENTATION,
    PROGRESS_SECONDS,
    Batch,
    Images,
    Item,
    Lost,
    Poll,
    cut,
)
from ftgui.engine.input_pipeline.prefix import Cut, Rest, cut_model
from ftgui.engine.malloc import return_freed_memory
from ftgui.engine.model.freezing import Freezer
from ftgui.engine.model.outputs import as_logits

log = logging.getLogger(__name__)

FILL_BATCH = 32
"""Views that go through the prefix at once. Always the same, so that features are the same bit for bit whenever they are
made again: convolutions may sum in another order for another batch size."""

_EVALUATED_BYTES = 16 * 2**20
_EVALUATED_ROWS = 1024
"""Validation batches of features: as many rows as fit, because each is small work."""

_DISK_BYTES_PER_SECOND = 200e6
"""What reading features back from a disk is assumed to reach; below what it saves they are not worth it."""

Progress = Callable[[str, int, int], None]


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """bf16 where it is fast: CUDA."""
    return torch.autocast("cuda", dtype=torch.bfloat16) if device.type == "cuda" else nullcontext()


class Feed(Protocol):
    """Batches, and the forward pass that takes them."""

    views: int
    """Cached views of each training image; 0 = not cached."""

    def train(self, chunks: Sequence[Sequence[int]], number: int) -> Iterator[Batch]:
        """Batches of training images.

        Args:
            chunks: positions in the list of training samples.
            number: of the view, from 0; an epoch has one.
        """

    def val(self) -> Iterator[Batch]:
        """All validation images, in order."""

    def logits(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        """(N, K) in the mode the model is in."""


@dataclass
class Source:
    """What feeds are made of; one for a run."""

    model: nn.Module
    freezer: Freezer
    images: Images
    batch_size: int
    device: torch.device
    poll: Poll
    progress: Progress
    train_indices: list[int] = field(default_factory=list)
    """Readable ones, once that is known."""
    val_indices: list[int] = field(default_factory=list)
    lost: Lost | None = None
    """Told of images that can be read no more; None: such a one is an error."""

    @property
    def train_targets(self) -> list[int]:
        """Classes of the training images."""
        return [self.images.samples[index].target for index in self.train_indices]

    @property
    def steps_per_epoch(self) -> int:
        """Batches of training images."""
        return len(cut(range(len(self.train_indices)), self.batch_size))

    def chunks(self, indices: Sequence[int], size: int) -> Iterator[list[int]]:
        """Consecutive pieces."""
        for start in range(0, len(indices), size):
            yield list(indices[start : start + size])

    def decode(self) -> None:
        """All images, if that has not happened yet."""
        if not self.images.decoded:
            self.images.decode_all(self.poll, lambda done, total: self.progress("reading images", done, total))
        self.images.move_to(self.device)


class WholeFeed:
    """Every image through the whole model every time, with a fresh view in every epoch.

    Args:
        source: of the run.
        compile_it: let torch.compile make one program of the model (CUDA).
    """

    views = 0

    def __init__(self, source: Source, compile_it: bool = False) -> None:
        self._source = source
        self._forward: Callable[[torch.Tensor], object] = torch.compile(source.model) if compile_it else source.model
        source.decode()

    def train(self, chunks: Sequence[Sequence[int]], number: int) -> Iterator[Batch]:
        """See `Feed`."""
        indices = self._source.train_indices
        return self._batches([(indices[position], number) for position in chunk] for chunk in chunks)

    def val(self) -> Iterator[Batch]:
        """See `Feed`."""
        chunks = self._source.chunks(self._source.val_indices, self._source.batch_size)
        return self._batches([(index, None) for index in chunk] for chunk in chunks)

    def _batches(self, chunks: Iterator[Sequence[Item]]) -> Iterator[Batch]:
        return self._source.images.batches(chunks, self._source.device, self._source.poll, self._source.lost)

    def logits(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        """See `Feed`."""
        return as_logits(self._forward(inputs[0]))


class CachedFeed:
    """The frozen prefix's outputs, kept, through the rest of the model."""

    def __init__(self, source: Source, rest: Rest, kept: Features, views: int) -> None:
        self.views = views
        self._kept = kept
        self._source = source
        self._rest = rest
        images, device = source.images, source.device
        self._train_targets = images.targets(source.train_indices, torch.device("cpu"))
        self._val_targets = images.targets(source.val_indices, torch.device("cpu"))
        row = kept.bytes // max(len(kept.values[0]), 1)
        self._val_rows = max(source.batch_size, min(_EVALUATED_ROWS, _EVALUATED_BYTES // max(row, 1)))
        self._device = device

    def train(self, chunks: Sequence[Sequence[int]], number: int) -> Iterator[Batch]:
        """See `Feed`."""
        for chunk in chunks:
            self._source.poll()
            positions = torch.tensor(chunk)
            rows = positions * self.views + number % self.views
            yield self._batch(rows, self._train_targets[positions])

    def val(self) -> Iterator[Batch]:
        """See `Feed`."""
        first = len(self._train_targets) * self.views
        for start in range(0, len(self._val_targets), self._val_rows):
            self._source.poll()
            targets = self._val_targets[start : start + self._val_rows]
            yield self._batch(torch.arange(len(targets)) + first + start, targets)

    def _batch(self, rows: torch.Tensor, targets: torch.Tensor) -> Batch:
        return Batch(self._kept.rows(rows, self._device), move(targets, self._device))

    def logits(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        """See `Feed`."""
        return self._rest(inputs)


@dataclass(frozen=True)
class Made:
    """A feed, and what there is to tell about it."""

    feed: Feed
    why: str = ""
    """Why nothing is cached; empty when it is."""
    bytes: int = 0
    on_disk: bool = False
    seconds: float = 0.0
    """Spent on filling; 0 when features of an earlier run could be used."""


def make_feed(source: Source, store: FeatureStore, views: int, compile_it: bool = False) -> Made:
    """The cheapest feed for what is frozen now. Leaves the model in eval mode.

    Args:
        source: of the run.
        store: where features are kept.
        views: of each image to keep; 0 = none, a fresh one every time. Without augmentation there is only one.
        compile_it: see `WholeFeed`.
    """
    source.model.eval()
    if views <= 0:
        return Made(WholeFeed(source, compile_it), "fresh views are set for every epoch")
    try:
        with autocast(source.device):
            cut = cut_model(source.model, source.freezer, _probes(source))
    except NoPrefix as reason:
        return Made(WholeFeed(source, compile_it), str(reason))
    finally:
        return_freed_memory()  # cutting ran the whole model; filling has use for other sizes
    augmented = source.images.augmentation != NO_AUGMENTATION
    views = views if augmented else 1
    key = _key(source, cut, views)
    found = store.find(key)
    if found is not None:
        return Made(CachedFeed(source, cut.rest, found, views), "", found.bytes, found.on_disk)
    rows = len(source.train_indices) * views + len(source.val_indices)
    room = store.make(rows, cut.shapes, cut.dtypes, source.device)
    if room is None:
        size = rows * cut.bytes_per_view / 2**30
        return Made(WholeFeed(source, compile_it), f"it would take {size:,.1f} GB, more than there is room for")
    if not _fill(source, cut, room, views):
        return Made(WholeFeed(source, compile_it), "reading it back from the disk would take longer than computing it")
    store.keep(key, room)
    return Made(CachedFeed(source, cut.rest, room, views), "", room.bytes, room.on_disk, room.seconds)


def _probes(source: Source) -> torch.Tensor:
    """Three noise images: what is checked on them holds for any."""
    size = source.images.preprocessing.size
    noise = torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(0))
    return noise.to(source.device, memory_format=torch.channels_last)


def _key(source: Source, cut: Cut, views: int) -> str:
    images = source.images
    order = (source.train_indices, source.val_indices)
    settings = (images.fingerprint, images.augmentation, images.seed, views, order, str(source.device))
    return feature_cache.key(cut.prefix, settings)


def _fill(source: Source, cut: Cut, room: Features, views: int) -> bool:
    """Run the prefix over all views, in an order and in batches that never change.

    Returns:
        False: given up, because what lies on the disk would be read back more slowly than it is computed.
    """
    source.decode()
    started = time.monotonic()
    items: list[Item] = [(index, view) for index in source.train_indices for view in range(views)]
    items += [(index, None) for index in source.val_indices]
    chunks = [items[start : start + FILL_BATCH] for start in range(0, len(items), FILL_BATCH)]
    done, told = 0, 0.0
    for batch in source.images.batches(chunks, source.device, source.poll):
        with torch.inference_mode(), autocast(source.device):
            values = cut.prefix(batch.inputs[0])
        room.put(done, values)
        done += len(batch.targets)
        seconds = time.monotonic() - started
        if room.on_disk and done >= 4 * FILL_BATCH and seconds / done < cut.bytes_per_view / _DISK_BYTES_PER_SECOND:
            return False
        if seconds - told >= PROGRESS_SECONDS or done == len(items):
            told = seconds
            source.progress("computing the frozen part once", done, len(items))
    room.seconds = time.monotonic() - started
    return True
