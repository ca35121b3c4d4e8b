"""The recipe: what the person intends a training to do. Stored as ``recipe.toml``, versioned.

The same file is autosaved by the window, copied into every run folder and run by ``ftgui train recipe.toml``.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from ftgui.base.patterns import PatternError, compile_pattern
from ftgui.protocol.problem import Problem
from ftgui.protocol.rates import HEAD as HEAD
from ftgui.protocol.rates import check_rate, rate

RECIPE_VERSION = 6

LAST_STAGE = "last stage"
EVERYTHING = "everything"
"""Names a phase may use for layers of any model, beside the names and module paths of its own layer tree."""

PRETRAINED = "pretrained"
FROM_SCRATCH = "none"

AUGMENTATIONS = ("none", "light", "standard", "strong")
"""What is done to training images; `ftgui.engine.input_pipeline.augmentation` says it in numbers."""

BALANCES = ("none", "loss", "sampler")
"""What is done about classes of different size."""


class RecipeError(Exception):
    """A recipe file that can't be used; the text says why in a sentence."""


LAYOUTS = ("class", "split/class", "class/split", "part/class", "table", "file names")
"""Which folders lie in which; or what else says the classes."""

AUTO_INTENSITY = "auto"
FULL_INTENSITY = "full"

Intensity = str | tuple[float, float]
"""``"auto"``, ``"full"``, or the stored values that become black and white."""


class Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which pictures."""

    folder: str = ""
    """Absolute, or relative to the recipe file."""
    val_fraction: float = 0.2
    """Share of each class kept for validation when the folders do not say, 0 to 1."""
    test_fraction: float = 0.0
    """Likewise for the final test, 0 to 1; 0: none but those that the folders name."""
    split_seed: int = 0
    folders: list[str] = []
    """Names of the class folders in `folder` that count; empty: all."""
    layout: str = ""
    """What says the classes, one of `LAYOUTS`; empty: whatever clearly does."""
    table: str = ""
    """Path, below the folder, of the file that says the classes, where its columns or it itself had to be asked for."""
    path_column: str = ""
    label_column: str = ""
    split_column: str = ""
    name_pattern: str = ""
    """With the layout ``"file names"``: a regular expression for whole file names without their endings, whose first group
    is the class; empty: what comes before the number."""
    group_by: str = ""
    """Pictures of one thing stay in one split: ``"folder"`` (the innermost folder below the class), or a regular
    expression on the path; empty: every image for itself. See `ftgui.data.catalog.split.Splitting`."""
    intensity: Intensity = AUTO_INTENSITY
    """How images of more than 8 bits are read: ``"auto"`` (a range that suits the set, chosen when training begins; the
    run's own recipe then names it), ``"full"`` (all that the file's type can store), or ``[0, 4095]``: stored values that
    become black and white."""


MOST_RATE = 1e30
"""A learning rate times a gradient must still be a 32-bit number; what is far too high below that is told as such."""

MOST_EPOCHS = 100_000
"""Of a phase."""


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
    layer_decay: float = 1.0
    """The rate of each stage is that of the one behind it times this, above 0 to 1: features near the input are the
    most general and should change least. 1 = the same rate everywhere."""
    enabled: bool = True
    """A phase that is switched off keeps its numbers."""


def default_phases() -> list[Phase]:
    """The new head alone first, then the last stage with it at a lower rate.

    A new head starts random: its first gradients are large and would wash pretrained features away if the
    backbone learned at the same time. Kumar et al. 2022 (arXiv 2202.10054) measure that effect.

    Epochs and rates were chosen on four sets together: photos and drawings, 2 to 10 classes, 20 to 120 images a class.
    With what is frozen cached, more epochs cost little.
    """
    return [
        Phase(name="Head", train=[HEAD], epochs=15, lr=3e-3),
        Phase(name="Last stage", train=[LAST_STAGE, HEAD], epochs=15, lr=1e-3),
    ]


AUTOMATIC: Literal["auto"] = "auto"
"""Left to the program, which says what it takes."""


class Augmentation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How training images are varied."""

    preset: str = "standard"
    """``"none"``, ``"light"`` (flip, mild crops), ``"standard"`` (flip, crops) or ``"strong"`` (and colours)."""
    views: int | Literal["auto"] = AUTOMATIC
    """Where the frozen prefix is cached: how many augmented views of each image are kept; ``"auto"`` = as suits the size of
    the set, see `ftgui.protocol.views`; 0 = a fresh view every time, nothing is cached."""


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
    ema: float = 0.0
    """Decay per step of an exponential moving average of the weights that is evaluated and kept in place of them; 0 = off."""
    balance: str = "none"
    """For classes of different size: ``"none"``; ``"loss"`` weighs rare classes' errors more; ``"sampler"`` shows their
    images more often."""
    compile: bool = False
    """torch.compile on CUDA; takes about a minute at the start of a phase."""


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything needed to repeat a training."""

    version: int = RECIPE_VERSION
    seed: int = 0
    device: str = "auto"
    """``"auto"`` (CUDA, else MPS, else CPU), ``"cpu"``, ``"mps"``, ``"cuda"``, ``"cuda:1"``."""
    dataset: Dataset = msgspec.field(default_factory=Dataset)
    backbone: Backbone = msgspec.field(default_factory=Backbone)
    phases: list[Phase] = msgspec.field(default_factory=default_phases)
    augmentation: Augmentation = msgspec.field(default_factory=Augmentation)
    training: Training = msgspec.field(default_factory=Training)
    threshold: float = 0.0
    """An answer of less probability is “don't know”, 0 to 1; 0: there is always an answer. Training does not use it."""

    @property
    def active_phases(self) -> list[Phase]:
        """Those that are switched on, in order."""
        return [phase for phase in self.phases if phase.enabled]

    def validate(self) -> list[Problem]:
        """Every contradiction in the recipe itself, each naming its field, so that a form can mark all of them at once."""
        found: list[Problem] = []
        if self.version != RECIPE_VERSION:
            found.append(
                _error(
                    "version",
                    "recipe-version",
                    f"The recipe has version {self.version}; this ftgui reads version {RECIPE_VERSION}.",
                    "Update ftgui, or write a new recipe.",
                )
            )
        if not self.active_phases:
            found.append(
                _error(
                    "phases",
                    "no-phase",
                    "The recipe has no phase that is switched on, so nothing would be trained.",
                    "Add a phase or switch one on.",
                )
            )
        for index, phase in enumerate(self.phases):
            if phase.enabled:
                found += _phase_problems(index, phase, scratch=self.backbone.weights == FROM_SCRATCH)
        if not 0 <= self.threshold <= 1:
            text = f"The threshold is a probability, 0 to 1, not {self.threshold:g}."
            found.append(_error("threshold", "threshold", text))
        return (
            found
            + _dataset_problems(self.dataset)
            + _training_problems(self.training)
            + _augmentation_problems(self.augmentation)
        )


def _error(field: str, kind: str, message: str, fix: str = "") -> Problem:
    return Problem("error", kind, message, fix=fix, field=field)


def _phase_problems(index: int, phase: Phase, scratch: bool) -> list[Problem]:
    found = []
    field, where = f"phases.{index}", f"Phase {index + 1} ({phase.name})"
    if not phase.train:
        found.append(
            _error(
                f"{field}.train",
                "all-frozen",
                f"{where}: nothing would learn: all layers are frozen.",
                'Tick at least one layer, e.g. the head (train = ["head"]).',
            )
        )
    if phase.epochs > MOST_EPOCHS:
        text = f"{where}: {phase.epochs:,} epochs are more than the {MOST_EPOCHS:,} a phase may have."
        found.append(_error(f"{field}.epochs", "epochs", text))
    if phase.epochs < 1:
        found.append(_error(f"{field}.epochs", "epochs", f"{where}: {phase.epochs} epochs; at least 1 is needed."))
    if not 0 < phase.layer_decay <= 1:
        text = f"{where}: the layer decay is a factor above 0, at most 1, not {phase.layer_decay:g}."
        found.append(_error(f"{field}.layer_decay", "layer-decay", text))
    if not (math.isfinite(phase.lr) and phase.lr > 0):
        text = f"{where}: the learning rate must be above 0, not {phase.lr:g}."
        return [*found, _error(f"{field}.lr", "lr", text)]
    if phase.lr > MOST_RATE:
        text = f"{where}: a learning rate of {phase.lr:g} is outside the range a model can compute with."
        return [*found, _error(f"{field}.lr", "lr", text)]
    check = check_rate(phase.train, phase.lr, scratch)
    if check.kind:
        text = f"{where}: {check.sentence}."
        found.append(Problem("warning", check.kind, text, fix=f"Try {rate(check.cure)}.", field=f"{field}.lr"))
    return found


def _dataset_problems(dataset: Dataset) -> list[Problem]:
    found = []
    if not 0 < dataset.val_fraction < 1:
        text = f"val_fraction must be between 0 and 1, not {dataset.val_fraction:g}."
        found.append(_error("dataset.val_fraction", "val-fraction", text))
    elif not (dataset.test_fraction >= 0 and dataset.val_fraction + dataset.test_fraction < 1):
        text = f"val_fraction and test_fraction leave nothing to train on ({dataset.test_fraction:g} for test)."
        found.append(_error("dataset.test_fraction", "test-fraction", text))
    if dataset.layout not in ("", *LAYOUTS):
        text = f"layout is one of {', '.join(LAYOUTS)}, or empty; not “{dataset.layout}”."
        found.append(_error("dataset.layout", "layout", text))
    elif dataset.layout == "table" and not dataset.table:
        text = 'layout = "table" needs the name of the table: set table.'
        found.append(_error("dataset.table", "layout", text))
    elif dataset.layout not in ("", "table") and dataset.table:
        text = (
            f'table = "{dataset.table}" and layout = "{dataset.layout}" contradict each other: leave one of them out.'
        )
        found.append(_error("dataset.layout", "layout", text))
    if why := why_no_pattern(dataset.name_pattern):
        found.append(_error("dataset.name_pattern", "name-pattern", f"name_pattern: {why}"))
    if why := why_no_pattern(dataset.group_by):
        found.append(_error("dataset.group_by", "group-by", f"group_by: {why}"))
    return found + _intensity_problems(dataset.intensity)


def _intensity_problems(intensity: Intensity) -> list[Problem]:
    if isinstance(intensity, str):
        if intensity in (AUTO_INTENSITY, FULL_INTENSITY):
            return []
        text = f"intensity is “{AUTO_INTENSITY}”, “{FULL_INTENSITY}” or two numbers, e.g. [0, 4095], not “{intensity}”."
        return [_error("dataset.intensity", "intensity", text)]
    low, high = intensity
    if math.isfinite(low) and math.isfinite(high) and low < high:
        return []
    text = f"The intensity range goes from a lower to a higher value, not from {low:g} to {high:g}."
    return [_error("dataset.intensity", "intensity", text)]


def why_no_pattern(pattern: str) -> str:
    """Why a pattern of groups can't be used, in a sentence; empty: it can."""
    try:
        if pattern:
            compile_pattern(pattern)
    except PatternError as error:
        return str(error)
    return ""


def _training_problems(training: Training) -> list[Problem]:
    found = []
    if training.batch_size < 1:
        text = f"The batch size must be at least 1, not {training.batch_size}."
        found.append(_error("training.batch_size", "batch-size", text))
    if not 0 <= training.warmup < 1:
        text = f"The warm-up is a share of a phase, 0 to below 1, not {training.warmup:g}."
        found.append(_error("training.warmup", "warmup", text))
    if not 0 <= training.label_smoothing < 1:
        text = f"Label smoothing lies between 0 and 1, not {training.label_smoothing:g}."
        found.append(_error("training.label_smoothing", "label-smoothing", text))
    if not (math.isfinite(training.weight_decay) and training.weight_decay >= 0):
        text = f"Weight decay can't be negative ({training.weight_decay:g})."
        found.append(_error("training.weight_decay", "weight-decay", text))
    if training.early_stop < 0:
        text = "Early stopping counts epochs: 0 (never) or more."
        found.append(_error("training.early_stop", "early-stop", text))
    if not 0 <= training.ema < 1:
        text = f"The weight average's decay lies between 0 (off) and 1, not {training.ema:g}."
        found.append(_error("training.ema", "ema", text))
    if training.balance not in BALANCES:
        text = f"balance is one of {', '.join(BALANCES)}, not “{training.balance}”."
        found.append(_error("training.balance", "balance", text))
    return found


def _augmentation_problems(augmentation: Augmentation) -> list[Problem]:
    found = []
    if augmentation.preset not in AUGMENTATIONS:
        text = f"The augmentation is one of {', '.join(AUGMENTATIONS)}, not “{augmentation.preset}”."
        found.append(_error("augmentation.preset", "augmentation", text))
    if isinstance(augmentation.views, int) and not 0 <= augmentation.views <= 64:
        text = f"Between 0 and 64 views of an image can be cached, not {augmentation.views}."
        found.append(_error("augmentation.views", "views", text))
    return found
