"""Gradients of a batch, in parts where memory is short."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from ftgui.engine.input_pipeline.feeds import Feed, autocast
from ftgui.engine.input_pipeline.image_cache import Batch, cut
from ftgui.engine.memory_limits import out_of_memory
from ftgui.engine.training.optimizer import PhaseOptimizer


class Accumulation:
    """Sends batches through the model, halved and added up when the device runs out of memory.

    Args:
        part: images that go through the model at once in the beginning.
        device: of the model.
        label_smoothing: 0 to 1.
        make_room: called after running out of memory, before the next try.
    """

    def __init__(
        self,
        part: int,
        device: torch.device,
        label_smoothing: float,
        make_room: Callable[[int], None],
    ) -> None:
        self.part = part
        self._device = device
        self.class_weights: torch.Tensor | None = None
        """(K,) of the loss, on the device; None for all the same."""
        self._label_smoothing = label_smoothing
        self._make_room = make_room

    def gradients(self, batch: Batch, feed: Feed, optimizer: PhaseOptimizer) -> torch.Tensor:
        """Leave the batch's gradients in the optimizer's parameters.

        Returns:
            (N, K) logits, detached.

        Raises:
            RuntimeError, MemoryError: of memory that lacks for two images, and of anything else.
        """
        while True:
            try:
                return self._in_parts(batch, feed, optimizer)
            except Exception as error:
                if not out_of_memory(error) or self.part <= 2:
                    raise
            # Outside the handler: its traceback would keep the tensors alive that are to be freed.
            optimizer.zero_gradients()
            self.part = max(2, min(self.part, len(batch.targets)) // 2)
            self._make_room(self.part)

    def logits(self, batch: Batch, feed: Feed) -> torch.Tensor:
        """(N, K) of a batch that is only evaluated: at once, or in parts where memory is short."""
        part = len(batch.targets)
        while True:
            try:
                with torch.inference_mode(), autocast(self._device):
                    pieces = [
                        feed.logits([value[start : start + part] for value in batch.inputs])
                        for start in range(0, len(batch.targets), part)
                    ]
                return torch.cat(pieces)
            except Exception as error:
                if not out_of_memory(error) or part == 1:
                    raise
            part = max(part // 2, 1)

    def _in_parts(self, batch: Batch, feed: Feed, optimizer: PhaseOptimizer) -> torch.Tensor:
        optimizer.zero_gradients()
        targets, weights = batch.targets, self.class_weights
        total = float(len(targets)) if weights is None else weights[targets].sum()
        logits = []
        for part in cut(range(len(targets)), self.part):
            rows = slice(part[0], part[-1] + 1)
            with autocast(self._device):
                output = feed.logits([value[rows] for value in batch.inputs])
                loss = functional.cross_entropy(
                    output.float(),
                    targets[rows],
                    weight=weights,
                    reduction="sum",
                    label_smoothing=self._label_smoothing,
                )
            (loss / total).backward()  # type: ignore[no-untyped-call]
            logits.append(output.detach())
        return torch.cat(logits)
