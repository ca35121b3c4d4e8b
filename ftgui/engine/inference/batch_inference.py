"""A model looks at many files: decoding ahead in threads, in batches, whatever can't be read left out and named."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import nn

from ftgui.data.images.decoding import ImageError, one_image
from ftgui.data.images.preprocessing import Pixels, Preprocessing, center_view, decode
from ftgui.engine.model.input_tensor import to_batch
from ftgui.engine.model.outputs import as_logits

BATCH = 32

T = TypeVar("T")


@dataclass
class InferenceBatch(Generic[T]):
    """Some items, in order."""

    items: list[T] = field(default_factory=list)
    """Those that could be read."""
    logits: torch.Tensor = field(default_factory=lambda: torch.empty(0, 0))
    """(N, K) float32 on the CPU."""
    embeddings: torch.Tensor = field(default_factory=lambda: torch.empty(0, 0))
    """(N, C) float32 on the CPU: what the head is given."""
    unreadable: list[tuple[T, str]] = field(default_factory=list)
    """And why."""


def run_inference(
    model: nn.Module,
    head: str,
    items: Iterable[tuple[T, Path]],
    preprocessing: Preprocessing,
    device: torch.device,
    poll: Callable[[], object],
    batch: int = BATCH,
) -> Generator[InferenceBatch[T], None, None]:
    """Look at every file once, as prediction does; the memory used does not depend on how many there are.

    Args:
        model: in any mode; left in eval mode.
        head: path of its classifier module.
        items: anything, with the file it stands for.
        preprocessing: of the model.
        device: of the model.
        poll: called between batches; what it raises ends it.
        batch: images at a time.
    """
    model.eval()
    with ThreadPoolExecutor(2, thread_name_prefix="look") as pool:
        try:
            for looked, views in _batches(pool, items, preprocessing, batch):
                poll()
                if views:
                    model.eval()  # whatever was done in `poll`
                    images = to_batch(views, preprocessing, device)
                    looked.logits, looked.embeddings = forward(model, head, images)
                yield looked
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def forward(model: nn.Module, head: str, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (N, K) and the head's input (N, C), float32 on the CPU.

    Args:
        model: in eval mode.
        head: path of its classifier module.
        images: (N, 3, S, S).
    """
    with torch.inference_mode(), _head_input(model, head) as seen:
        logits = as_logits(model(images))
    given = seen[0] if seen else logits  # a head that is not called as a module
    if given.ndim > 2:  # a head of convolutions (SqueezeNet) pools itself; its whole map would be 90,000 numbers
        given = given.flatten(2).mean(2)
    return logits.float().cpu(), given.float().cpu()


@contextmanager
def _head_input(model: nn.Module, head: str) -> Iterator[list[torch.Tensor]]:
    seen: list[torch.Tensor] = []
    hook = model.get_submodule(head).register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    try:
        yield seen
    finally:
        hook.remove()


def _batches(
    pool: ThreadPoolExecutor, items: Iterable[tuple[T, Path]], preprocessing: Preprocessing, batch: int
) -> Iterator[tuple[InferenceBatch[T], list[Pixels]]]:
    waiting: deque[tuple[T, Future[Pixels]]] = deque()
    upcoming = iter(items)
    while True:
        while len(waiting) < 2 * batch and (pair := next(upcoming, None)) is not None:
            item, path = pair
            waiting.append((item, pool.submit(_view, path, preprocessing)))
        if not waiting:
            return
        looked: InferenceBatch[T] = InferenceBatch()
        views: list[Pixels] = []
        for _ in range(min(batch, len(waiting))):
            item, future = waiting.popleft()
            try:
                views.append(future.result())
                looked.items.append(item)
            except ImageError as error:
                looked.unreadable.append((item, str(error)))
        yield looked, views


@one_image()
def _view(path: Path, preprocessing: Preprocessing) -> Pixels:
    return center_view(decode(path, preprocessing), preprocessing.size)
