"""The recipe: what the person intends a training to do. Stored as ``recipe.toml``, versioned.

The same file is autosaved by the window, copied into every run folder and run by ``ftgui train recipe.toml``.
"""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from ftgui.protocol.problem import Problem

RECIPE_VERSION = 1

HEAD = "head"
LAST_STAGE = "last stage"
EVERYTHING = "everything"
"""Names a phase may use for layers of any model, beside the names and module paths of its own layer tree."""

PRETRAINED = "pretrained"
FROM_SCRATCH = "none"


class RecipeError(Exception):
    """A recipe file that can't be used; the text says why in a sentence."""


class Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which pictures."""

    folder: str = ""
    """Absolute, or relative to the recipe file."""
    val_fraction: float = 0.2
    """Share of each class kept for validation when the folders do not say, 0 to 1."""
    split_seed: int = 0


class Backbone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which model to start from."""

    name: str = "tf_efficientnet_lite0"
    """A timm name, or a torchvision one (``torchvision/resnet18``, or plain where timm has no model of that name)."""
    weights: str = PRETRAINED
    """``"pretrained"``, ``"none"`` (from scratch), or the path of a ``.safetensors`` or ``.pth`` file."""


class Phase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of training in which the same layers learn."""

    name: str
    train: list[str]
    """Layers that learn: ``"head"``, ``"last stage"``, ``"everything"``, or names and module paths of the layer tree."""
    epochs: int
    lr: float
    """Peak learning rate of AdamW, reached after the warm-up."""


def default_phases() -> list[Phase]:
    """The new head alone first, then the last stage with it at a lower rate.

    A new head starts random: its first gradients are large and would wash pretrained features away if the
    backbone learned at the same time. Kumar et al. 2022 (arXiv 2202.10054) measure that effect.
    """
    return [
        Phase(name="Head", train=[HEAD], epochs=5, lr=3e-3),
        Phase(name="Last stage", train=[LAST_STAGE, HEAD], epochs=8, lr=3e-4),
    ]


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all phases share."""

    batch_size: int = 32
    """Samples per optimizer step."""
    weight_decay: float = 0.01
    """Decoupled (AdamW); never applied to norms and biases."""
    warmup: float = 0.1
    """Share of a phase's steps over which the rate rises from near 0 to ``lr``; a cosine takes it to 0 afterwards."""
    label_smoothing: float = 0.1
    early_stop: int = 5
    """A phase ends after this many epochs without a better validation score; 0 = never."""
    augment: bool = True
    """Random resized crop and horizontal flip on training images."""


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything needed to repeat a training."""

    version: int = RECIPE_VERSION
    seed: int = 0
    device: str = "auto"
    """``"auto"`` (CUDA, else MPS, else CPU), ``"cpu"``, ``"mps"``, ``"cuda"``, ``"cuda:1"``."""
    dataset: Dataset = msgspec.field(default_factory=Dataset)
    backbone: Backbone = msgspec.field(default_factory=Backbone)
    phases: list[Phase] = msgspec.field(default_factory=default_phases)
    training: Training = msgspec.field(default_factory=Training)

    def validate(self) -> list[Problem]:
        """Every contradiction in the recipe itself, so that a form can mark all of them at once."""
        found: list[Problem] = []

        def error(kind: str, message: str, fix: str = "") -> None:
            found.append(Problem("error", kind, message, fix=fix))

        if self.version != RECIPE_VERSION:
            error(
                "recipe-version",
                f"The recipe has version {self.version}; this ftgui reads version {RECIPE_VERSION}.",
                "Update ftgui, or write the recipe anew.",
            )
        if not self.phases:
            error("no-phase", "The recipe has no phase, so nothing would be trained.", "Add a [[phases]] entry.")
        for number, phase in enumerate(self.phases, 1):
            where = f"Phase {number} ({phase.name})"
            if not phase.train:
                error(
                    "all-frozen",
                    f"{where}: nothing would learn: all layers are frozen.",
                    'Tick at least one layer, e.g. the head (train = ["head"]).',
                )
            if phase.epochs < 1:
                error("epochs", f"{where}: {phase.epochs} epochs; it takes at least 1.")
            if not (math.isfinite(phase.lr) and phase.lr > 0):
                error("lr", f"{where}: the learning rate must be above 0, not {phase.lr:g}.")
            elif phase.lr > 0.1:
                found.append(
                    Problem(
                        "warning",
                        "lr-high",
                        f"{where}: a learning rate of {phase.lr:g} will destroy pretrained weights.",
                        fix="Try 1e-3 for a new head, 1e-4 for pretrained layers.",
                    )
                )
        if not 0 < self.dataset.val_fraction < 1:
            error("val-fraction", f"val_fraction must be between 0 and 1, not {self.dataset.val_fraction:g}.")
        training = self.training
        if training.batch_size < 1:
            error("batch-size", f"The batch size must be at least 1, not {training.batch_size}.")
        if not 0 <= training.warmup < 1:
            error("warmup", f"The warm-up is a share of a phase, 0 to below 1, not {training.warmup:g}.")
        if not 0 <= training.label_smoothing < 1:
            error("label-smoothing", f"Label smoothing lies between 0 and 1, not {training.label_smoothing:g}.")
        if not (math.isfinite(training.weight_decay) and training.weight_decay >= 0):
            error("weight-decay", f"Weight decay can't be negative ({training.weight_decay:g}).")
        if training.early_stop < 0:
            error("early-stop", "Early stopping counts epochs: 0 (never) or more.")
        return found


def dumps(recipe: Recipe) -> str:
    """The recipe as TOML text."""
    return msgspec.toml.encode(recipe).decode("utf-8")


def loads(text: str) -> Recipe:
    """A recipe from TOML text.

    Raises:
        RecipeError: not TOML, an unknown or missing field, a wrong type, or another version.
    """
    return _decode(text.encode("utf-8"))


def _decode(raw: bytes) -> Recipe:
    try:
        plain: Any = msgspec.toml.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"This is not a recipe: {error}") from error
    version = plain.get("version", RECIPE_VERSION)
    if version != RECIPE_VERSION:
        # Said before anything else: a newer recipe has fields that would only be called unknown.
        raise RecipeError(f"The recipe has version {version}; this ftgui reads version {RECIPE_VERSION}.")
    try:
        return msgspec.convert(plain, Recipe)
    except msgspec.ValidationError as error:
        raise RecipeError(f"The recipe can't be read: {error}") from error


def load(path: Path) -> Recipe:
    """Read a recipe file; a relative dataset folder or weights file is taken from the recipe's own folder.

    Raises:
        RecipeError: the file is missing, can't be read, or `loads` refuses it.
    """
    try:
        recipe = loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecipeError(f"There is no recipe at {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} can't be read: {error}") from error
    base = path.resolve().parent
    dataset, backbone = recipe.dataset, recipe.backbone
    if dataset.folder:
        dataset = msgspec.structs.replace(dataset, folder=str(base / Path(dataset.folder).expanduser()))
    if backbone.weights not in (PRETRAINED, FROM_SCRATCH):
        backbone = msgspec.structs.replace(backbone, weights=str(base / Path(backbone.weights).expanduser()))
    return msgspec.structs.replace(recipe, dataset=dataset, backbone=backbone)


def save(recipe: Recipe, path: Path) -> None:
    """Write the recipe so that a crash leaves either the old file or the new one."""
    write_atomically(path, dumps(recipe).encode("utf-8"))


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, flush it to disk, then replace `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
