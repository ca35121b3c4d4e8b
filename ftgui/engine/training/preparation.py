"""What must be known before the first step: which images can be read, and whether there is anything to learn from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from ftgui.data.catalog.records import reference
from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.input_pipeline.epoch_order import class_weights
from ftgui.engine.input_pipeline.feature_cache import FeatureStore
from ftgui.engine.input_pipeline.feeds import Source
from ftgui.engine.malloc import return_freed_memory
from ftgui.engine.model.freezing import Freezer, check_trainable
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Phase, Recipe


def read_images(source: Source, store: FeatureStore, root: Path, emit: Emit) -> None:
    """Find out which images can be read, and tell of the others; what an earlier run found out about the same files holds.

    Args:
        source: gets its training and validation images.
        store: remembers what can't be read.
        root: the dataset folder.
        emit: takes a warning for each image that is left out.
    """
    images = source.images
    known = store.unreadable.get(images.fingerprint)
    if known is None:
        images.decode_all(source.poll, lambda done, total: source.progress("reading images", done, total))
        store.unreadable[images.fingerprint] = dict(images.unreadable)
        return_freed_memory()
    else:
        images.unreadable = dict(known)
    for index, why in images.unreadable.items():
        path = images.samples[index].path
        emit(m.Log("warning", f"{reference(path, root)} is left out: {why}"))
    source.train_indices, source.val_indices = images.indices("train"), images.indices("val")


def check_learnable(source: Source, freezer: Freezer, phases: Sequence[Phase]) -> None:
    """Refuse to train where nothing can be learned.

    Raises:
        EngineError: there are not two classes, or a phase lets nothing learn.
    """
    if len(set(source.train_targets)) < 2:
        raise EngineError("Fewer than two classes have readable training images, so there is nothing to tell apart.")
    for phase in phases:
        check_trainable(freezer.resolve(phase.train))


def loss_weights(source: Source, recipe: Recipe, classes: int) -> torch.Tensor | None:
    """(K,) weights of the classes in the loss, on the device; None where the recipe wants all the same."""
    if recipe.training.balance != "loss":
        return None
    return class_weights(source.train_targets, classes).to(source.device)
