"""The model: loading it, its layers, what learns, what that costs."""

from __future__ import annotations

import msgspec

from ftgui.protocol.messages.base import Message
from ftgui.protocol.recipe import Backbone, Recipe

PRETRAINED_MODEL = "untouched"
"""In place of a model's folder: the backbone as it came, with the classes its weights were made for."""


class LoadModel(Message, frozen=True):
    """Build the backbone with a head for these classes, on this device; answered by `ModelLoaded` or `CommandFailed`."""

    request: int
    backbone: Backbone
    class_names: list[str]
    """Empty: keep the head the weights came with (predictions then carry its own class names)."""
    train: list[str]
    """Layers to unfreeze, as in `Phase.train`."""
    device: str = "auto"
    seed: int = 0
    trained_weights: str = ""
    """A finished model folder whose weights to load, if its classes are the same; else ignored with a `Log`."""
    trained_names: list[str] = []
    """What that model's outputs are called now, if classes were renamed since; empty: as it says itself."""
    intensity: tuple[float, float] | None = None
    """How it reads images of more than 8 bits, see `ftgui.data.images.intensity`; a finished model says that itself."""


class SetTrainable(Message, frozen=True):
    """Freeze everything but these layers; answered by `FreezingChanged`. During a training from the next step on: what
    stays keeps its optimizer state, what is new warms up."""

    request: int
    layers: list[str]


class EstimateCost(Message, frozen=True):
    """What would training these layers cost? Answered by `CostEstimate` or `CommandFailed`."""

    request: int
    layers: list[str]
    recipe: Recipe
    train_samples: int
    val_samples: int


class LayerNode(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the layer tree. Rows come in pre-order; row i's parent has a smaller index."""

    name: str
    """Unique. A group's name (``stem``, ``stage 3``, ``neck``, ``head``) or the module's path in the model."""
    label: str
    """What the tree shows, e.g. ``block 2``."""
    path: str | None
    """The module's path in the model (``""`` is the model itself); None for a group of several modules."""
    parent: int
    """Index of the parent row, -1 for a top row."""
    kind: str
    """Class of the module (``Conv2d``), or ``"group"``."""
    parameters: int
    """Scalars in this row and all below it."""
    own_parameters: int
    """Scalars owned by this module itself; rows with some are the units of freezing."""
    output: list[int]
    """Shape of the output for one image, without the batch dimension; empty when unknown."""


class ModelLoaded(Message, frozen=True):
    """Answer to `LoadModel`."""

    request: int
    backbone: Backbone
    title: str
    """For people, e.g. ``"EfficientNet-Lite0 · ImageNet"``."""
    class_names: list[str]
    layers: list[LayerNode]
    trainable: list[int]
    """Rows (own parameters > 0) that are not frozen."""
    trainable_parameters: int
    total_parameters: int
    trained: bool
    """The head has learned these classes (loaded from a finished run)."""
    device: str


class FreezingChanged(Message, frozen=True):
    """The model's real state after a tick, a preset or a new phase."""

    request: int
    """0 when a phase caused it."""
    trainable: list[int]
    layers: list[str]
    """The shortest list of names that gives this state; what a recipe would say."""
    trainable_parameters: int
    total_parameters: int


class MeasuringCost(Message, frozen=True):
    """A model that was not measured yet is measured now for an `EstimateCost`, or that gives way to something else. Should the
    engine end meanwhile, it is known what it was doing."""

    request: int
    going_on: bool


class CostEstimate(Message, frozen=True):
    """What training some layers costs on this device."""

    request: int
    trainable_parameters: int
    total_parameters: int
    epoch_seconds: float
    """One pass over the training and validation images."""
    prefix_seconds: float
    """Once before the first epoch: decoding, and the frozen prefix over all views."""
    memory: int
    """Bytes of the engine at its peak; on a GPU, of the device."""
    cached: bool
    """The frozen prefix would be cached."""
    run_seconds: float = -1.0
    """All phases of the recipe that are switched on, if none ends early; negative: not known."""
