"""From the sample list to batches: decode once into a uint8 cache, augment from there in threads."""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil
import torch

from ftgui.data.catalog.records import Sample
from ftgui.data.images.decoding import ImageError
from ftgui.data.images.preprocessing import Pixels, Preprocessing, center_view, decode
from ftgui.engine.devices import move
from ftgui.engine.errors import EngineError
from ftgui.engine.input_pipeline import augmentation as augment
from ftgui.engine.input_pipeline.gpu_image_cache import GpuImageCache
from ftgui.engine.model.input_tensor import to_batch

CACHE_SHARE = 0.35
"""Of the memory that is free when training starts, this much may hold decoded images."""

NO_AUGMENTATION = "none"

_AHEAD = 2
"""Batches prepared while one is computed."""

PROGRESS_SECONDS = 0.1
"""Between two reports while images are read."""

Poll = Callable[[], None]
"""Called often; looks for commands and may raise to end the work."""

Lost = Callable[[int, str], None]
"""Takes the index of a sample that can be read no more, and why."""

Item = tuple[int, int | None]
"""A sample's index and the number of an augmented view of it, None for the plain middle."""


@dataclass
class Batch:
    """What one step sees."""

    inputs: list[torch.Tensor]
    """What the `Feed` that made it takes, each with N rows, on the device; for whole images one (N, 3, S, S) float32."""
    targets: torch.Tensor
    """(N,) int64."""


class Images:
    """The images of a training, decoded once as far as memory allows.

    Args:
        samples: all of them, any split.
        preprocessing: of the backbone.
        augmentation: a key of `augment.PRESETS`, or ``"none"``.
        seed: of the run; with a sample's index and a view's number it determines that view.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        preprocessing: Preprocessing,
        augmentation: str = NO_AUGMENTATION,
        seed: int = 0,
    ) -> None:
        self.samples = list(samples)
        self.preprocessing = preprocessing
        self.augmentation = augmentation
        self.seed = seed
        self.unreadable: dict[int, str] = {}
        """Index -> why; such samples are in no batch."""
        self._lost: dict[int, str] = {}
        """The same for samples that could be read in the beginning."""
        self.decoded = False
        self._cache: dict[int, Pixels] = {}
        self._resident: GpuImageCache | None = None
        self._place: dict[int, int] = {}
        """Where a sample is among the resident ones."""
        self._free = int(psutil.virtual_memory().available * CACHE_SHARE)
        # Threads, not processes: Pillow decodes and resizes without the interpreter lock, so threads are as fast
        # (bench_training measures both) and share one cache.
        self._pool = ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2), thread_name_prefix="decode")

    @property
    def cached_bytes(self) -> int:
        """Of decoded images in memory."""
        return sum(pixels.nbytes for pixels in self._cache.values())

    @cached_property
    def fingerprint(self) -> str:
        """Of every file's name, size and time of change, its split, and how it is read."""
        digest = hashlib.blake2b(repr(self.preprocessing).encode(), digest_size=16)
        for sample in self.samples:
            line = f"{sample.path}\n{sample.split} {sample.target} {_file_state(sample.path)}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def decode_all(self, poll: Poll, progress: Callable[[int, int], None]) -> None:
        """Decode everything once: fills the cache and finds what can't be read."""
        waiting: deque[tuple[int, Future[Pixels]]] = deque()
        upcoming = iter(range(len(self.samples)))
        done, told = 0, 0.0
        while True:
            while len(waiting) < 64 and (index := next(upcoming, None)) is not None:
                waiting.append((index, self._pool.submit(decode, self.samples[index].path, self.preprocessing)))
            if not waiting:
                break
            index, future = waiting.popleft()
            try:
                pixels = future.result()
            except ImageError as error:
                self.unreadable[index] = str(error)
            else:
                if pixels.nbytes <= self._free:
                    self._free -= pixels.nbytes
                    self._cache[index] = pixels
            done += 1
            if time.monotonic() - told >= PROGRESS_SECONDS or done == len(self.samples):
                told = time.monotonic()
                progress(done, len(self.samples))
            poll()
        self.decoded = True

    def indices(self, split: str) -> list[int]:
        """Readable samples of a split."""
        return [i for i, sample in enumerate(self.samples) if sample.split == split and i not in self.unreadable]

    def move_to(self, device: torch.device) -> None:
        """Put the whole decoded set on a GPU if it fits; views are then cut there."""
        if device.type != "cuda" or self._resident is not None or not self.decoded:
            return
        readable = [index for index in range(len(self.samples)) if index not in self.unreadable]
        fits = self.cached_bytes <= torch.cuda.mem_get_info(device)[0] * CACHE_SHARE
        if fits and all(index in self._cache for index in readable):
            self.hold_resident(readable, device)

    def hold_resident(self, indices: Sequence[int], device: torch.device) -> None:
        """Views of these samples come from the device from now on."""
        self._resident = GpuImageCache([self._cache[index] for index in indices], self.preprocessing, device)
        self._place = {index: position for position, index in enumerate(indices)}

    def batches(
        self, chunks: Iterable[Sequence[Item]], device: torch.device, poll: Poll, lost: Lost | None = None
    ) -> Iterator[Batch]:
        """One batch of whole images per chunk, in order, prepared some batches ahead.

        Args:
            chunks: what is in each batch.
            device: of the batches.
            poll: called before each.
            lost: told once of each image that can be read no more; such an image is left out. None: it is an error.

        Raises:
            EngineError: an image can be read no more, and `lost` is None or no other image of its batch can either.
        """
        if self._resident is not None:
            yield from self._resident_batches(self._resident, chunks, device, poll)
            return
        pending: deque[tuple[Sequence[Item], list[Future[Pixels]]]] = deque()
        upcoming = iter(chunks)
        while True:
            while len(pending) <= _AHEAD and (chunk := next(upcoming, None)) is not None:
                pending.append((chunk, [self._pool.submit(self.view, index, number) for index, number in chunk]))
            if not pending:
                return
            chunk, futures = pending.popleft()
            views = [self._result(index, future, lost) for (index, _), future in zip(chunk, futures, strict=True)]
            poll()
            indices, there = self._without_lost([index for index, _ in chunk], views)
            yield Batch([to_batch(there, self.preprocessing, device)], self.targets(indices, device))

    def _without_lost(self, indices: list[int], views: list[Pixels | None]) -> tuple[list[int], list[Pixels]]:
        """Indices and views of a batch without those that are not there. Of training images another one of the batch takes
        the place: norms need batches of the planned size. Of others none does: it would count twice."""
        there = [(index, view) for index, view in zip(indices, views, strict=True) if view is not None]
        if not there:
            index = indices[0]
            raise EngineError(
                f"{self.samples[index].path.name} and all others of its batch can no longer be read: {self._lost[index]} "
                "Connect the drive they are on, then continue the run."
            )
        rows = there
        if self.samples[indices[0]].split == "train":
            rows = [there[row % len(there)] if view is None else (indices[row], view) for row, view in enumerate(views)]
        return [index for index, _ in rows], [view for _, view in rows]

    def _resident_batches(
        self, resident: GpuImageCache, chunks: Iterable[Sequence[Item]], device: torch.device, poll: Poll
    ) -> Iterator[Batch]:
        for chunk in chunks:
            poll()
            views = [self._drawn(index, number) for index, number in chunk]
            images = resident.batch([self._place[index] for index, _ in chunk], views)
            yield Batch([images], self.targets([index for index, _ in chunk], device))

    def _drawn(self, index: int, number: int | None) -> augment.View | None:
        """What is done to a sample for a view; None: the plain middle is taken."""
        if number is None or self.augmentation == NO_AUGMENTATION:
            return None
        height, width = self._cache[index].shape[:2]
        return augment.draw(self.augmentation, (width, height), self.seed, index, number)

    def targets(self, indices: Sequence[int], device: torch.device) -> torch.Tensor:
        """(N,) int64."""
        targets = torch.tensor([self.samples[index].target for index in indices])
        return move(targets, device)

    def _result(self, index: int, future: Future[Pixels], lost: Lost | None) -> Pixels | None:
        """None: it could be read once, and can't any more."""
        try:
            return future.result()
        except ImageError as error:
            if lost is None:
                raise EngineError(f"{self.samples[index].path.name} can no longer be read: {error}") from error
            if index not in self._lost:
                self._lost[index] = str(error)
                lost(index, str(error))
            return None

    def view(self, index: int, number: int | None) -> Pixels:
        """What the model sees of a sample, (S, S, 3) uint8."""
        pixels = self._cache.get(index)
        if pixels is None:
            pixels = decode(self.samples[index].path, self.preprocessing)
        if number is None or self.augmentation == NO_AUGMENTATION:
            return center_view(pixels, self.preprocessing.size)
        size = (pixels.shape[1], pixels.shape[0])
        view = augment.draw(self.augmentation, size, self.seed, index, number)
        return augment.apply(pixels, view, self.preprocessing.size)


def cut(indices: Sequence[int], batch_size: int) -> list[list[int]]:
    """Consecutive batches; a last batch of one joins the one before it, because BatchNorm can't train on one."""
    batches = [list(indices[start : start + batch_size]) for start in range(0, len(indices), batch_size)]
    if batch_size > 1 and len(batches) > 1 and len(batches[-1]) == 1:
        single = batches.pop()
        batches[-1] += single
    return batches


def _file_state(path: Path) -> tuple[int, int]:
    """Size and time of change in nanoseconds; zeros for a file that is gone."""
    try:
        state = path.stat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns
