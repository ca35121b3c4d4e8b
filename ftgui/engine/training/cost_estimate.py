"""What training some layers would cost, from one profile of the model on this device.

The profile runs a few images through a copy of the model, forwards and backwards, and notes when each leaf module
begins and when the gradient of its output arrives. Any set of ticks is then a sum over leaves.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import numpy as np
import psutil
import torch
from torch import fx, nn
from torch.nn import functional

from ftgui.data.images.preprocessing import Preprocessing
from ftgui.engine.errors import EngineError
from ftgui.engine.input_pipeline import augmentation
from ftgui.engine.input_pipeline.bn_folding import fold
from ftgui.engine.input_pipeline.feeds import FILL_BATCH, autocast
from ftgui.engine.input_pipeline.graph_tracing import DOES_NOT_RUN, NoPrefix, trace
from ftgui.engine.input_pipeline.image_cache import CACHE_SHARE, NO_AUGMENTATION
from ftgui.engine.memory_limits import out_of_memory
from ftgui.engine.model.freezing import Freezer
from ftgui.engine.model.outputs import as_logits
from ftgui.engine.model.profile import Leaf, Profile
from ftgui.protocol import messages as m
from ftgui.protocol.views import views_for

CPU_IMAGES = 8
"""In the profiled batch where there is no GPU; on one, the recipe's batch is taken, because small ones leave it idle."""

_ROUNDS = 3
"""The median counts, for each leaf: the fastest would promise what a shared machine does not keep."""

_INPUT_GRADIENT = 0.5
"""Share of a layer's backward time when only one of the two gradients is wanted, of its weights or of its input."""

_STEP_SECONDS = 0.0012
"""What a step costs besides the model: batch, loss, figures, optimizer call (measured on 2 cores)."""

_BESIDES = 1.12
"""Times the model's own seconds: figures, checkpoints, a look at how layers move, threads that prepare images on the same
cores. What epochs took by what was said without it, six times in two runs of bench_cost: 0.99 to 1.35, in the middle 1.12 and
1.18."""

_FILL_COPIES = 4
"""Of the largest output, which exist at once while the frozen part runs: what goes in, what comes out, a padded copy, the
compute library's own (EfficientNet-Lite0 needs nearly 5, ResNet-18 2.5; measured)."""

_DECODED_BYTES = 4 / 3
"""A decoded image's longer side to its shorter one, typically."""


class Profiler:
    """Measures one model on one device, in rounds: what was measured is kept when it is interrupted."""

    def __init__(self) -> None:
        self.profile: Profile | None = None
        """When all rounds are done."""
        self.why_not = ""
        """It can't be measured, in a sentence; then nobody tries again."""
        self._rounds: list[list[Leaf]] = []

    @property
    def is_over(self) -> bool:
        """Nothing more will be measured."""
        return self.profile is not None or bool(self.why_not)

    def measure(
        self,
        model: nn.Module,
        freezer: Freezer,
        preprocessing: Preprocessing,
        device: torch.device,
        images: int,
        poll: Callable[[], None],
    ) -> Profile:
        """Make the profile; takes about a second for a small model on a CPU, minutes for the largest.

        Args:
            model: is left as it is: a copy is measured.
            freezer: of that model.
            preprocessing: its input.
            device: where it is.
            images: in the measured batch.
            poll: called before each layer; what it raises interrupts, and a later call goes on with the same round.

        Raises:
            EngineError: it can't be measured, for want of memory.
        """
        if self.why_not:
            raise EngineError(self.why_not)
        try:
            self.profile = self._measure(model, freezer, preprocessing, device, images, poll)
            return self.profile
        except Exception as error:
            if not out_of_memory(error):
                raise
            self.why_not = (
                "The cost of training could not be measured: even a few images at a time need too much memory."
            )
        # Not in the handler: its traceback would keep alive what is to be freed.
        raise EngineError(self.why_not)

    def _measure(
        self,
        model: nn.Module,
        freezer: Freezer,
        preprocessing: Preprocessing,
        device: torch.device,
        images: int,
        poll: Callable[[], None],
    ) -> Profile:
        base = _memory(device)
        rows = _rows_by_module(freezer)
        poll()
        model_copy = copy.deepcopy(model).requires_grad_(True)
        side = preprocessing.size
        noise = torch.randn(images, 3, side, side, generator=torch.Generator().manual_seed(0))
        batch = noise.to(device, memory_format=torch.channels_last)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            _measure(model_copy, rows, batch, device, poll)  # warms up
            while len(self._rounds) < _ROUNDS:
                self._rounds.append(_measure(model_copy, rows, batch, device, poll))
        leaves = [_median(seen) for seen in zip(*self._rounds, strict=True)]
        folded = _folded_seconds(model_copy, batch, device, poll)
        share = folded / sum(leaf.infer for leaf in leaves) if folded else 1.0
        parameters = {row: freezer.tree.rows[row].own_parameters for row in sorted(freezer.tree.names.units)}
        decoded = int(preprocessing.resize**2 * _DECODED_BYTES * 3)
        augmented = _augment_seconds(preprocessing)
        return Profile(leaves, bool(folded), share, augmented, base, decoded, parameters)


def estimate(found: Profile, command: m.EstimateCost, units: set[int]) -> m.CostEstimate:
    """Add up what these ticks cost.

    Args:
        found: of the model.
        command: recipe and number of images.
        units: rows that would learn.
    """
    recipe, training = command.recipe, command.recipe.training
    augmented = recipe.augmentation.preset != NO_AUGMENTATION
    kept = views_for(recipe, command.train_samples)
    views = min([kept, *(phase.epochs for phase in recipe.active_phases)])
    first = next((i for i, leaf in enumerate(found.leaves) if leaf.rows & units), len(found.leaves))
    cached = found.traceable and first > 0 and kept > 0
    views = max(1, views) if augmented else 1
    before, rest = found.leaves[:first], found.leaves[first:]
    batch = min(training.batch_size, max(command.train_samples, 1))
    learning = sum(found.row_parameters[row] for row in units)

    step = sum(leaf.forward + leaf.backward * _share(leaf, units, n == 0) for n, leaf in enumerate(rest))
    steps = -(-command.train_samples // batch)
    seconds = command.train_samples * step + steps * _STEP_SECONDS
    seconds += command.val_samples * sum(leaf.infer for leaf in rest)
    prefix = sum(leaf.infer for leaf in before) * (found.folded if cached else 1.0)
    workers = psutil.cpu_count() or 1
    preparing = found.augment_seconds / workers if augmented else 0.0
    once = 0.0
    if cached:
        once = (command.train_samples * views + command.val_samples) * (prefix + preparing)
    else:
        seconds += (command.train_samples + command.val_samples) * (prefix + preparing)
    memory = _memory_needed(found, command, before if cached else [], rest if cached else found.leaves, views, batch)
    memory += learning * 4 * (3 + (1 if training.ema else 0)) + learning * 4 * 2  # gradients, AdamW; initial and best
    return m.CostEstimate(
        request=command.request,
        trainable_parameters=learning,
        total_parameters=sum(found.row_parameters.values()),
        epoch_seconds=seconds * _BESIDES,
        prefix_seconds=once,
        memory=int(memory),
        cached=cached,
    )


def run_seconds(found: Profile, command: m.EstimateCost, resolve: Callable[[list[str]], set[int]]) -> float:
    """What all phases of the recipe cost that are switched on, if none ends early.

    Args:
        found: of the model.
        command: recipe and number of images.
        resolve: gives the rows that layers of the recipe mean.

    Raises:
        EngineError: through `resolve`; the model has no such layers.
    """
    total = 0.0
    for phase in command.recipe.active_phases:
        # Each phase alone: its frozen part is another, and what is kept of it is made for its own epochs.
        alone = msgspec.structs.replace(command.recipe, phases=[phase])
        cost = estimate(found, msgspec.structs.replace(command, recipe=alone, layers=phase.train), resolve(phase.train))
        total += cost.prefix_seconds + phase.epochs * cost.epoch_seconds
    return total


def _share(leaf: Leaf, units: set[int], is_first: bool) -> float:
    """Of the backward time: the first layer that learns needs no gradient of its input, a frozen one none of its weights."""
    if not leaf.rows:
        return 1.0
    return _INPUT_GRADIENT if is_first or not leaf.rows & units else 1.0


def _memory_needed(
    found: Profile, command: m.EstimateCost, before: list[Leaf], rest: list[Leaf], views: int, batch: int
) -> float:
    samples = command.train_samples + command.val_samples
    decoded: float = min(samples * found.image_bytes, psutil.virtual_memory().available * CACHE_SHARE)
    kept = 0.0
    if before:
        kept = (command.train_samples * views + command.val_samples) * before[-1].output
    largest = max((leaf.output for leaf in before), default=0)
    filling = FILL_BATCH * largest * _FILL_COPIES
    training = batch * (sum(leaf.saved for leaf in rest) + 2 * max((leaf.output for leaf in rest), default=0))
    return found.base_memory + decoded + kept + max(filling, training)


# --- measuring ------------------------------------------------------------------------------------------------------


def _rows_by_module(freezer: Freezer) -> dict[str, int]:
    return {freezer.tree.rows[row].path or "": row for row in sorted(freezer.tree.names.units)}


def _folded_seconds(model: nn.Module, batch: torch.Tensor, device: torch.device, poll: Callable[[], None]) -> float:
    """For one image through the whole model with batch norms folded; 0 for a model that can't be cut."""
    seconds = []
    try:
        module = fold(fx.GraphModule(model, trace(model.eval())))
        with torch.inference_mode(), autocast(device):
            for _ in range(_ROUNDS + 1):  # the first round warms up
                poll()
                started = _now(device)
                module(batch)
                seconds.append(_now(device) - started)
    except (NoPrefix, *DOES_NOT_RUN):
        return 0.0
    return statistics.median(seconds[1:]) / len(batch)


class _Watch:
    """Notes when leaves begin, what they save, and when gradients of their outputs arrive."""

    def __init__(self, model: nn.Module, rows: dict[str, int], device: torch.device, poll: Callable[[], None]) -> None:
        self._poll = poll
        self.leaves: list[Leaf] = []
        self.starts: list[float] = []
        self.arrivals: dict[int, float] = {}
        self.backwards = False
        self._device = device
        self._seen: set[int] = set()
        self._hooks = []
        for path, module in model.named_modules():
            if next(module.children(), None) is None:
                own = frozenset({rows[path]} if path in rows else ())
                self._hooks.append(module.register_forward_pre_hook(self._before(own)))
                self._hooks.append(module.register_forward_hook(self._after))

    def now(self) -> float:
        return _now(self._device)

    def _before(self, own: frozenset[int]) -> Callable[[nn.Module, object], None]:
        def begin(_module: nn.Module, _inputs: object) -> None:
            self._poll()
            self.leaves.append(Leaf(own))
            self.starts.append(self.now())

        return begin

    def _after(self, _module: nn.Module, _inputs: object, output: object) -> None:
        if not isinstance(output, torch.Tensor):
            return
        number = len(self.leaves) - 1
        self.leaves[number].output = output.nbytes // max(output.shape[0], 1)
        if self.backwards and output.requires_grad:

            def arrived(_gradient: torch.Tensor) -> None:
                self._poll()
                self.arrivals.setdefault(number, self.now())

            output.register_hook(arrived)  # type: ignore[no-untyped-call]

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        """A tensor that autograd keeps; parameters and what is kept already do not count again."""
        if self.leaves and not isinstance(tensor, nn.Parameter) and tensor.data_ptr() not in self._seen:
            self._seen.add(tensor.data_ptr())
            self.leaves[-1].saved += tensor.nbytes
        return tensor

    def close(self) -> None:
        for hook in self._hooks:
            hook.remove()


def _now(device: torch.device) -> float:
    """When all that was given to the device so far is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


@contextmanager
def _watching(
    model: nn.Module, rows: dict[str, int], device: torch.device, poll: Callable[[], None]
) -> Iterator[_Watch]:
    watch = _Watch(model, rows, device, poll)
    try:
        yield watch
    finally:
        watch.close()


def _measure(
    model: nn.Module, rows: dict[str, int], batch: torch.Tensor, device: torch.device, poll: Callable[[], None]
) -> list[Leaf]:
    images = len(batch)
    model.eval()
    with _watching(model, rows, device, poll) as idle, torch.inference_mode(), autocast(device):
        model(batch)
        end = idle.now()
    infer = _between(idle.starts, end)
    # Eval mode here too: one image in a batch would be too few for a batch norm, and the arithmetic is about the same.
    with _watching(model, rows, device, poll) as watch:
        watch.backwards = True
        with torch.autograd.graph.saved_tensors_hooks(watch.pack, lambda tensor: tensor), autocast(device):
            logits = as_logits(model(batch))
            end = watch.now()
            loss = functional.cross_entropy(logits.float(), torch.zeros(images, dtype=torch.long, device=device))
        started = watch.now()
        loss.backward()  # type: ignore[no-untyped-call]
        over = watch.now()
    model.zero_grad(set_to_none=True)
    forward = _between(watch.starts, end)
    for number, leaf in enumerate(watch.leaves):
        leaf.forward = forward[number] / images
        leaf.infer = (infer[number] if len(infer) == len(forward) else forward[number]) / images
        leaf.saved //= images
    # The gradient of a leaf's output arrives when its own backward begins; it ends when the next one arrives.
    order = sorted(watch.arrivals, key=lambda number: watch.arrivals[number])
    ends = [watch.arrivals[number] for number in order[1:]] + [over]
    for number, end in zip(order, ends, strict=True):
        watch.leaves[number].backward = (end - watch.arrivals[number]) / images
    if order:
        watch.leaves[order[0]].backward += (watch.arrivals[order[0]] - started) / images
    return watch.leaves


def _between(starts: list[float], end: float) -> list[float]:
    return [after - before for before, after in zip(starts, [*starts[1:], end], strict=True)]


def _median(rounds: tuple[Leaf, ...]) -> Leaf:
    """The same leaf, seen several times."""
    first = rounds[0]
    infer, forward, backward = (
        statistics.median(getattr(leaf, name) for leaf in rounds) for name in ("infer", "forward", "backward")
    )
    return Leaf(first.rows, infer, forward, backward, first.output, min(leaf.saved for leaf in rounds))


def _augment_seconds(preprocessing: Preprocessing) -> float:
    pixels = np.zeros((preprocessing.resize, preprocessing.resize * 4 // 3, 3), np.uint8)
    started = time.perf_counter()
    for number in range(4):
        view = augmentation.draw("standard", (pixels.shape[1], pixels.shape[0]), 0, 0, number)
        augmentation.apply(pixels, view, preprocessing.size)
    return (time.perf_counter() - started) / 4


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    return int(psutil.Process().memory_info().rss)
