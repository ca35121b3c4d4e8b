"""A recipe in words, for people: each line a subject and what is said of it."""

from __future__ import annotations

from pathlib import Path

from ftgui.base.formatting import plural
from ftgui.data.images.intensity_survey import range_words
from ftgui.protocol.rates import rate
from ftgui.protocol.recipe import (
    AUTO_INTENSITY,
    FROM_SCRATCH,
    PRETRAINED,
    Backbone,
    Dataset,
    Intensity,
    Phase,
    Recipe,
    Training,
)

_PRESETS = {
    "none": "none: every image as it is",
    "light": "light: mirrored, mild crops",
    "standard": "standard: mirrored, crops",
    "strong": "strong: mirrored, crops and colours",
}
_BALANCE = {"loss": "rare classes' errors weigh more", "sampler": "rare classes' images are shown more often"}


def in_words(recipe: Recipe) -> list[tuple[str, str]]:
    """Subject and sentence, most important first. Nothing that only concerns this computer: reports are sent away."""
    phases = [(f"Phase {number}: {phase.name}", _phase(phase)) for number, phase in enumerate(recipe.phases, 1)]
    return [
        ("Model", backbone_words(recipe.backbone)),
        *phases,
        ("Augmentation", _augmentation(recipe)),
        ("Batches", _batches(recipe.training)),
        ("Early stopping", _early_stop(recipe.training)),
        ("Classes", _BALANCE.get(recipe.training.balance, "all images count the same")),
        ("Data", Path(recipe.dataset.folder).name or "not named"),
        *_intensity(recipe.dataset.intensity),
        ("Split", _split(recipe.dataset)),
        ("Seed and device", f"{recipe.seed}, {recipe.device}"),
    ]


def backbone_words(backbone: Backbone) -> str:
    """E.g. ``"resnet18, pretrained"``."""
    kinds = {PRETRAINED: "pretrained", FROM_SCRATCH: "from scratch"}
    return f"{backbone.name}, {kinds.get(backbone.weights, f'weights from {backbone.weights}')}"


def _phase(phase: Phase) -> str:
    layers = ", ".join(phase.train) or "nothing"
    layer_decay = f", each stage towards the input ×{phase.layer_decay:g}" if phase.layer_decay != 1 else ""
    off = "switched off: " if not phase.enabled else ""
    return f"{off}{layers}; up to {plural(phase.epochs, 'epoch')} at {rate(phase.lr)}{layer_decay}"


def _augmentation(recipe: Recipe) -> str:
    preset, views = recipe.augmentation.preset, recipe.augmentation.views
    if isinstance(views, str):
        kept = "number of cached views per image chosen by the size of the dataset"
    else:
        kept = f"{plural(views, 'view')} of an image cached" if views else "a fresh view every time"
    return f"{_PRESETS.get(preset, preset)}; {kept}"


def _batches(training: Training) -> str:
    parts = [
        f"{training.batch_size} images a step",
        f"weight decay {training.weight_decay:g}",
        f"warm-up {training.warmup:.0%} of a phase",
        f"label smoothing {training.label_smoothing:g}",
        *([f"weight average {training.ema:g}"] if training.ema else []),
        *(["compiled"] if training.compile else []),
    ]
    return ", ".join(parts)


def _early_stop(training: Training) -> str:
    epochs = training.early_stop
    return f"after {plural(epochs, 'epoch')} without a better score" if epochs else "never"


def _intensity(intensity: Intensity) -> list[tuple[str, str]]:
    """Nothing of a set that has, or had when it was trained on, no images of more than 8 bits."""
    if intensity == AUTO_INTENSITY:
        return []
    how = "the full range of the files" if isinstance(intensity, str) else range_words(intensity)
    return [("Intensity range", f"images with more than 8 bits: {how}")]


def _split(dataset: Dataset) -> str:
    test = f", {dataset.test_fraction:.0%} for a final test" if dataset.test_fraction else ""
    together = f", kept together by {dataset.group_by}" if dataset.group_by else ""
    return f"{dataset.val_fraction:.0%} for validation where the folders do not define it{test}{together}"
