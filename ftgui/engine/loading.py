"""From the sample list to batches: decode once into a uint8 cache, augment from there in threads."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import psutil
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from ftgui.data.catalog import Sample
from ftgui.data.formats import ImageError
from ftgui.engine.errors import EngineError
from ftgui.engine.preprocess import Pixels, Preprocessing, center_view, decode, to_batch

CACHE_SHARE = 0.35
"""Of the memory that is free when training starts, this much may hold decoded images."""

CROP_SCALE = (0.35, 1.0)
"""Share of the image's area that a random crop keeps. ImageNet training uses 0.08 upwards; with few images of one
kind such small crops often miss what the picture is of."""

_AHEAD = 2
"""Batches prepared while one is computed."""

PROGRESS_SECONDS = 0.1
"""Between two reports while images are read."""

Poll = Callable[[], None]
"""Called often; looks for commands and may raise to end the work."""


@dataclass
class Batch:
    """What one step sees."""

    images: torch.Tensor
    """(N, 3, S, S) float32, normalised, on the device."""
    targets: torch.Tensor
    """(N,) int64."""


class Images:
    """The images of a training, decoded once as far as memory allows.

    Args:
        samples: all of them, any split.
        preprocessing: of the backbone.
    """

    def __init__(self, samples: Sequence[Sample], preprocessing: Preprocessing) -> None:
        self.samples = list(samples)
        self.preprocessing = preprocessing
        self.unreadable: dict[int, str] = {}
        """Index -> why; such samples are in no batch."""
        self._cache: dict[int, Pixels] = {}
        self._free = int(psutil.virtual_memory().available * CACHE_SHARE)
        self._pool = ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2), thread_name_prefix="decode")
        self._crop = v2.RandomResizedCrop(preprocessing.size, scale=CROP_SCALE)

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

    def indices(self, split: str) -> list[int]:
        """Readable samples of a split."""
        return [i for i, sample in enumerate(self.samples) if sample.split == split and i not in self.unreadable]

    def batches(
        self, indices: Sequence[int], batch_size: int, device: torch.device, augment: bool, poll: Poll
    ) -> Iterator[Batch]:
        """Batches in the order of `indices`.

        With `augment`, crops and flips are drawn on the calling thread from torch's global generator, so that their
        sequence does not depend on how the threads happen to run.
        """
        pending: deque[tuple[list[int], list[Future[Pixels]]]] = deque()
        cuts = iter(cut(indices, batch_size))
        while True:
            while len(pending) <= _AHEAD and (chunk := next(cuts, None)) is not None:
                pending.append((chunk, [self._submit(index, augment) for index in chunk]))
            if not pending:
                return
            chunk, futures = pending.popleft()
            views = [self._result(index, future) for index, future in zip(chunk, futures, strict=True)]
            poll()
            targets = torch.tensor([self.samples[index].target for index in chunk])
            yield Batch(to_batch(views, self.preprocessing, device), targets.to(device, non_blocking=True))

    def _result(self, index: int, future: Future[Pixels]) -> Pixels:
        try:
            return future.result()
        except ImageError as error:  # read once already, so it changed since
            raise EngineError(f"{self.samples[index].path.name} can no longer be read: {error}") from error

    def _submit(self, index: int, augment: bool) -> Future[Pixels]:
        if not augment:
            return self._pool.submit(self._view, index)
        pixels = self._cache.get(index)
        # Where the image is not at hand yet, its size is not either; a square stands in, and the box is scaled.
        height, width = pixels.shape[:2] if pixels is not None else (self.preprocessing.resize,) * 2
        box = self._crop.make_params([tv_tensors.Image(torch.empty(3, height, width, device="meta"))])
        share = (box["left"] / width, box["top"] / height, box["width"] / width, box["height"] / height)
        flip = bool(torch.rand(()) < 0.5)
        return self._pool.submit(self._augmented, index, share, flip)

    def _pixels(self, index: int) -> Pixels:
        cached = self._cache.get(index)
        return decode(self.samples[index].path, self.preprocessing) if cached is None else cached

    def _view(self, index: int) -> Pixels:
        return center_view(self._pixels(index), self.preprocessing.size)

    def _augmented(self, index: int, share: tuple[float, float, float, float], flip: bool) -> Pixels:
        pixels = self._pixels(index)
        height, width = pixels.shape[:2]
        left, top = share[0] * width, share[1] * height
        box = (left, top, min(left + share[2] * width, width), min(top + share[3] * height, height))
        size = (self.preprocessing.size,) * 2
        # Pillow crops and resizes in one pass without the interpreter lock; torch's resize would start its own
        # threads in every one of ours.
        view = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, box=box)
        if flip:
            view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return np.asarray(view)


def cut(indices: Sequence[int], batch_size: int) -> list[list[int]]:
    """Consecutive batches; a last batch of one joins the one before it, because BatchNorm can't train on one."""
    batches = [list(indices[start : start + batch_size]) for start in range(0, len(indices), batch_size)]
    if batch_size > 1 and len(batches) > 1 and len(batches[-1]) == 1:
        single = batches.pop()
        batches[-1] += single
    return batches
