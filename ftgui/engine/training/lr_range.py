"""The learning-rate range test (Smith 2015, arXiv 1506.01186): one short run in which the rate rises from step to step."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import torch
from torch import nn
from torch.nn import functional

from ftgui.data.catalog.records import Sample
from ftgui.data.images.preprocessing import Preprocessing
from ftgui.engine.errors import EngineError
from ftgui.engine.input_pipeline.epoch_order import epoch_order
from ftgui.engine.input_pipeline.feature_cache import FeatureStore
from ftgui.engine.input_pipeline.feeds import Feed, Source, autocast, make_feed
from ftgui.engine.input_pipeline.image_cache import Batch, Images, Poll, cut
from ftgui.engine.model.freezing import Freezer, check_trainable
from ftgui.engine.training.optimizer import PhaseOptimizer
from ftgui.protocol import rates as learning_rates
from ftgui.protocol.recipe import HEAD, Phase, Recipe

LOWEST, HIGHEST = 1e-6, 1.0
STEPS = 90

MOST_IMAGES = 640
"""Of the training images; more would only make it slower to start."""

_SMOOTHING = 0.7
"""Of the loss. More would draw a calmer curve, but it would lag behind the rate, and the lowest point with it."""
_GIVE_UP = 3.0
"""Times the lowest smoothed loss: from there on everything is destroyed anyway."""

_WARM_STEPS = 40
_WARM_RATE = 3e-3


@dataclass
class Curve:
    """What was found."""

    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    """Smoothed."""

    @property
    def suggestion(self) -> float:
        """A tenth of the rate at which the loss was lowest: fast, with room before it breaks. 0 if it never fell."""
        if len(self.losses) < 10:
            return 0.0
        start = sum(self.losses[:5]) / 5
        lowest = min(range(len(self.losses)), key=self.losses.__getitem__)
        if self.losses[lowest] > 0.97 * start or lowest < 5:
            return 0.0
        return self.rates[lowest] / 10

    @property
    def why(self) -> str:
        """How to read it, in a sentence."""
        if self.suggestion:
            return (
                "The loss falls while the rate rises, until the steps are too large. A tenth of the rate at the lowest point "
                "is fast and still safe."
            )
        return (
            "The loss did not fall at any rate, so nothing can be suggested: the layers may have learned all they can."
        )


def suggest(curve: Curve, train: Sequence[str], scratch: bool) -> tuple[float, str]:
    """What a curve suggests, within what suits these layers: the form would warn of anything else.

    Returns:
        the rate, 0 if there is none, and how to read the curve, in sentences.
    """
    found = curve.suggestion
    low, high = learning_rates.suitable_rates(train, scratch)
    within = min(max(found, low), high)
    if not found or within == found:
        return found, curve.why
    said = learning_rates.rate(found)
    text = f"{curve.why} Here that is {said}, outside the range that suits these layers; the nearest rate in it is suggested."
    return within, text


def source_for(
    samples: Sequence[Sample],
    model: nn.Module,
    freezer: Freezer,
    preprocessing: Preprocessing,
    recipe: Recipe,
    device: torch.device,
    poll: Poll,
) -> Source:
    """Some of the training images, read and ready."""
    training = [sample for sample in samples if sample.split == "train"]
    chosen = epoch_order([sample.target for sample in training], recipe.seed, 0)[:MOST_IMAGES]
    images = Images(
        [training[position] for position in sorted(chosen)], preprocessing, recipe.augmentation.preset, recipe.seed
    )
    return Source(model, freezer, images, recipe.training.batch_size, device, poll, lambda *_: None)


def range_test(source: Source, recipe: Recipe, phase: int, tell: Callable[[float, float], None]) -> Curve:
    """Try rates on a copy; model, optimizer and random state are as before afterwards.

    Args:
        source: see `source_for`.
        recipe: batch size, weight decay, smoothing of labels.
        phase: index in `Recipe.phases`: what learns, and with which layer decay. If it is not the first, the copy's head
            learns for a moment beforehand, as it will have by then.
        tell: takes each rate and smoothed loss.

    Raises:
        EngineError: nothing would learn, or there are no images to learn from.
    """
    source.decode()
    source.train_indices = source.images.indices("train")
    if len(set(source.train_targets)) < 2:
        raise EngineError("Fewer than two classes have readable training images.")
    chosen = recipe.phases[phase]
    model_copy = copy.deepcopy(source.model)
    freezer = Freezer(model_copy, source.freezer.tree)
    check_trainable(freezer.resolve(chosen.train))
    copied = replace(source, model=model_copy, freezer=freezer)
    devices = [source.device] if source.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(recipe.seed)
        if chosen.train != [HEAD] and any(earlier.enabled for earlier in recipe.phases[:phase]):
            warm = msgspec.structs.replace(chosen, train=[HEAD], lr=_WARM_RATE)
            for _ in _steps(copied, recipe, warm, [_WARM_RATE] * _WARM_STEPS):
                pass
        growth = math.log(HIGHEST / LOWEST) / (STEPS - 1)
        rates = [LOWEST * math.exp(growth * number) for number in range(STEPS)]
        return _follow(_steps(copied, recipe, chosen, rates), rates, tell)


def _follow(losses: Iterator[float], rates: list[float], tell: Callable[[float, float], None]) -> Curve:
    curve, average = Curve(), 0.0
    for number, (rate, loss) in enumerate(zip(rates, losses, strict=False), 1):
        if not math.isfinite(loss):
            break
        average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
        smoothed = average / (1 - _SMOOTHING**number)
        curve.rates.append(rate)
        curve.losses.append(smoothed)
        tell(rate, smoothed)
        if number > 10 and smoothed > _GIVE_UP * min(curve.losses):
            break
    return curve


def _steps(source: Source, recipe: Recipe, phase: Phase, rates: list[float]) -> Iterator[float]:
    """Train at one rate after another; yields each batch's loss before its step."""
    freezer, device = source.freezer, source.device
    freezer.set_trainable(freezer.resolve(phase.train))
    made = make_feed(source, FeatureStore(), views=1)
    optimizer = PhaseOptimizer(freezer, phase, recipe.training, device, len(rates))
    freezer.train_mode()
    batches = _forever(made.feed, recipe, source.train_targets)
    for rate in rates:
        batch = next(batches)
        source.poll()
        optimizer.hold_rate(rate)
        with autocast(device):
            logits = made.feed.logits(batch.inputs).float()
            smoothing = recipe.training.label_smoothing
            loss = functional.cross_entropy(logits, batch.targets, label_smoothing=smoothing)
        optimizer.zero_gradients()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield float(functional.cross_entropy(logits.detach(), batch.targets))


def _forever(feed: Feed, recipe: Recipe, targets: list[int]) -> Iterator[Batch]:
    epoch = 0
    while True:
        epoch += 1
        order = epoch_order(targets, recipe.seed, epoch)
        yield from feed.train(cut(order, recipe.training.batch_size), epoch - 1)
