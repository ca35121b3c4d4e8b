"""Keeping freed memory in the process, where the C library gives it back too eagerly."""

from __future__ import annotations

import ctypes
import platform
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_SMALL = 128 * 1024
"""glibc's own thresholds, in bytes."""

FIRST_BATCHES = 2
"""Of a size; later ones find everything in place."""


def keep_freed_memory() -> bool:
    """Tell glibc to reuse large blocks instead of returning each to the kernel.

    A layer's output for a batch is tens of megabytes. By default every such block is mapped anew and its pages
    zeroed by the kernel, which took more time than the arithmetic: a forward pass of EfficientNet-Lite0 on 2 cores
    fell from 26 to 11 ms an image (measured). See mallopt(3).

    Returns:
        whether it was done; other C libraries (musl, macOS, Windows) are left as they are.
    """
    libc = _glibc()
    return libc is not None and bool(libc.mallopt(_M_MMAP_THRESHOLD, 2**30) and libc.mallopt(_M_TRIM_THRESHOLD, -1))


@contextmanager
def large_blocks_apart() -> Iterator[None]:
    """For what runs for the first time: large blocks come from the kernel and go back to it, as by default.

    The first step leaves things behind that stay, such as the optimizer's state and the compute library's kernels for
    these shapes. Between a batch's large blocks they would split the heap for good, and later steps would find no
    room of the size they want in it: training all of EfficientNet-Lite0 took 3.8 to 4.1 GB, and takes 3.5 (measured).
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    libc.mallopt(_M_MMAP_THRESHOLD, _SMALL)
    libc.mallopt(_M_TRIM_THRESHOLD, _SMALL)
    libc.malloc_trim(0)
    try:
        yield
    finally:
        keep_freed_memory()


class FirstBatches:
    """Keeps large blocks apart while the first batches of each size go through a model; see `large_blocks_apart`."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, int]] = Counter()

    def forget(self) -> None:
        """What comes goes another way through the model, so that its first batches are first again."""
        self._seen.clear()

    def apart(self, kind: str, size: int) -> AbstractContextManager[None]:
        """For a batch of a kind of work and a size."""
        self._seen[kind, size] += 1
        return large_blocks_apart() if self._seen[kind, size] <= FIRST_BATCHES else nullcontext()


def return_freed_memory() -> None:
    """Give the kernel what is free now; for the end of work of a kind that does not come again."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
