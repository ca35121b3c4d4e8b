"""The model card: what a finished model is, how good, how it was made, and how to use it. One text for both the model that
a run leaves and the one that is taken away."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ftgui.base.foreign_text import markdown, markdown_code, visible
from ftgui.base.formatting import plural
from ftgui.data.images.intensity_survey import range_words
from ftgui.data.metrics import ClassFigures, class_figures_from, interval
from ftgui.data.model_zoo import known_models
from ftgui.protocol.recipe import FROM_SCRATCH, PRETRAINED, Phase, Recipe
from ftgui.runs.model_folder import WEIGHTS_FILE, About

MOST_ROWS = 60
"""Of a table of classes; of more classes the hardest are shown."""


@dataclass(frozen=True)
class PhaseDone:
    """One phase as it went."""

    name: str
    layers: list[str]
    """That learned when it began."""
    frozen_hash: str
    """Of everything frozen, when it began."""
    unchanged: bool | None = None
    """The hash was the same at its end; None: it did not come to its end."""
    early: bool = False
    """It ended because the score no longer got better."""
    views: int | None = None
    """Cached views of each training image; 0: a fresh one in every epoch; None: not known."""


@dataclass(frozen=True)
class RunFacts:
    """What a run's folder tells about how the model was made (`ftgui.runs.facts.run_facts`)."""

    images: dict[str, Counter[str]] = field(default_factory=dict)
    """Class -> split -> images."""
    phases: list[PhaseDone] = field(default_factory=list)
    run_adjusted: list[tuple[int, str]] = field(default_factory=list)
    """Step, what a person did."""
    environment: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    """Of its result; for models that do not say their figures themselves."""


@dataclass(frozen=True)
class Made:
    """What else a card says of a model."""

    title: str
    heads: list[str]
    timm: bool
    """timm can load the folder."""
    beside: tuple[str, ...] = ()
    """Other files in the folder, where it was taken away."""


def card(about: About, recipe: Recipe, made: Made, facts: RunFacts) -> str:
    """The card as Markdown.

    Args:
        about: of the finished model.
        recipe: it was trained by.
        made: the rest about the model.
        facts: of its run, as far as they are known.
    """
    parts = [
        f"# {markdown(made.title)}, fine-tuned for {len(about.class_names)} classes\n",
        _first_words(about, facts),
        "## What it is for\n\n" + _intended(about),
        "## Accuracy\n\n" + _accuracy(about, facts),
        "## Data\n\n" + _data(recipe, facts),
        "## How it was trained\n\n" + _training(recipe, facts),
        "## Use\n\n" + _use(about, made),
        "## Classes, in output order\n\n"
        + "\n".join(f"{i}. {markdown(name)}" for i, name in enumerate(about.class_names)),
        "## Licence\n\n" + _licence(about),
        "## Made with\n\n" + _versions(about, facts),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


# --- how good -------------------------------------------------------------------------------------------------------


def figures_of(about: About, facts: RunFacts) -> ClassFigures | None:
    """Per class on the validation images, from the model's own figures or its run's; None: not known."""
    own = about.figures
    try:
        if all(isinstance(own.get(key), list) for key in ("right", "support", "called")):
            right, support, called = (np.array(own[key], np.int64) for key in ("right", "support", "called"))
        elif facts.evaluation.get("confusion"):
            confusion = np.array(facts.evaluation["confusion"], np.int64)
            right, support, called = np.diag(confusion), confusion.sum(1), confusion.sum(0)
        else:
            return None
    except (TypeError, ValueError, OverflowError):  # somebody else's figures, or damaged: none
        return None
    if not right.shape == support.shape == called.shape == (len(about.class_names),):
        return None
    return class_figures_from(right, support, called)


def _first_words(about: About, facts: RunFacts) -> str:
    started = {PRETRAINED: "its published weights", FROM_SCRATCH: "random weights (from scratch)"}
    return (
        f"{_share_of_right(about, facts)} Made with ftgui {markdown(about.ftgui)} from "
        f"{markdown_code(about.backbone)}, starting from "
        f"{started.get(about.weights, f'the weights file {markdown_code(Path(about.weights).name)}')}."
    )


def _share_of_right(about: About, facts: RunFacts) -> str:
    figures = figures_of(about, facts)
    if figures is not None and figures.support.sum():
        total = int(figures.support.sum())
        right = round(float(np.nansum(figures.recall * figures.support)))
        low, high = interval(right, total)
        return (
            f"Validation accuracy {_percent(right / total)}: {right:,} of {total:,} images right (95 % confidence interval "
            f"{_percent(low)} to {_percent(high)})."
        )
    accuracy = about.figures.get("val_accuracy")
    return f"Validation accuracy {_percent(accuracy)}." if isinstance(accuracy, float) else "No validation figures."


def _intended(about: About) -> str:
    names = about.class_names
    few = ", ".join(map(markdown, names[:8])) + (" …" if len(names) > 8 else "")
    threshold = (
        f"An answer with a probability below {_percent(about.threshold)} counts as “don't know”."
        if about.threshold > 0
        else "It always names a class, however unsure it is; set a threshold to let it say “don't know”."
    )
    return (
        f"It says which of its {len(names)} classes an image shows ({few}). It knows nothing else: an image of something "
        "else gets one of these names too. It can be trusted as far as the images it will see are like those it learned "
        "from; another camera, place or season may be another matter, so try it on your own images before relying on it. "
        "Where a wrong answer could harm somebody, a person should check it. "
        f"{threshold}"
    )


def _accuracy(about: About, facts: RunFacts) -> str:
    text = _share_of_right(about, facts)
    figures = figures_of(about, facts)
    if figures is None:
        return text
    text += (
        " The best weights were chosen using these images, so on new ones the model will do slightly worse.\n\n"
        + _class_table(about.class_names, figures)
        + "\n\n"
    )
    own = about.figures
    before, after = own.get("calibration_error_before"), own.get("calibration_error")
    text += f"Calibration: probabilities are softmax(logits / {about.temperature:g})"
    if isinstance(before, float) and isinstance(after, float):
        text += (
            f"; the expected calibration error on the validation images, on which that number was fitted, is "
            f"{_percent(after)} (without it {_percent(before)})"
        )
    return text + "."


def _class_table(names: Sequence[str], figures: ClassFigures) -> str:
    order = list(range(len(names)))
    intro = ""
    if len(order) > MOST_ROWS:
        order = sorted(order, key=lambda at: -1 if math.isnan(figures.f1[at]) else figures.f1[at])[:MOST_ROWS]
        intro = f"The {MOST_ROWS} hardest classes:\n\n"
    rows = [
        f"| {markdown(names[at])} | {_percent(figures.precision[at])} | {_percent(figures.recall[at])} | "
        f"{_percent(figures.f1[at])} | {figures.support[at]:,} |"
        for at in order
    ]
    return intro + "| class | precision | recall | F1 | images |\n|---|---|---|---|---|\n" + "\n".join(rows)


# --- how it was made ------------------------------------------------------------------------------------------------


def _data(recipe: Recipe, facts: RunFacts) -> str:
    folder = Path(recipe.dataset.folder).name
    text = f"From the folder “{markdown(folder)}”." if folder else "It is not recorded where the images came from."
    if not facts.images:
        return text
    splits = [split for split in ("train", "val", "test") if any(counts[split] for counts in facts.images.values())]
    total = sum(counts.total() for counts in facts.images.values())
    names = sorted(facts.images, key=lambda name: -facts.images[name].total())
    shown = sorted(names[:MOST_ROWS])
    rows = [
        f"| {markdown(name)} | " + " | ".join(f"{facts.images[name][split]:,}" for split in splits) + " |"
        for name in shown
    ]
    whole = f" {total:,} images." + (f" The {MOST_ROWS} largest classes:" if len(names) > MOST_ROWS else "")
    table = f"| class | {' | '.join(splits)} |\n|---|" + "---|" * len(splits) + "\n" + "\n".join(rows)
    return f"{text}{whole}\n\n{table}"


def _training(recipe: Recipe, facts: RunFacts) -> str:
    training, preset = recipe.training, markdown(recipe.augmentation.preset)
    lines = [_phase(number, phase, facts) for number, phase in enumerate(recipe.active_phases)]
    balance = {"loss": ", rare classes' errors weigh more", "sampler": ", images of rare classes are drawn more often"}
    stop = (
        f"after {plural(training.early_stop, 'epoch')} without a better score" if training.early_stop else "never early"
    )
    text = "\n".join(lines) + (
        f"\n\nAdamW, {training.batch_size} images a step, weight decay {training.weight_decay:g} (not on norms and biases), "
        f"warm-up over {_percent(training.warmup)} of a phase's steps, then a cosine to zero; label smoothing "
        f"{training.label_smoothing:g}; augmentation “{preset}”{balance.get(training.balance, '')}. A phase ends "
        f"{stop}; each starts from the best weights so far. "
        + (f"Averaged weights (decay {training.ema:g}) were evaluated and kept. " if training.ema else "")
        + f"Seed {recipe.seed}. `recipe.toml` repeats it: `ftgui train recipe.toml`."
    )
    if facts.run_adjusted:
        done = "\n".join(f"- step {step:,}: {markdown(what)}" for step, what in facts.run_adjusted)
        text += f"\n\nWhile it ran, these settings were changed by hand:\n\n{done}"
    return text


def _phase(number: int, phase: Phase, facts: RunFacts) -> str:
    layer_decay = (
        f", falling by {phase.layer_decay:g} with every stage towards the input" if phase.layer_decay != 1 else ""
    )
    epochs = plural(phase.epochs, "epoch")
    text = (
        f"{number + 1}. “{markdown(phase.name)}”: up to {epochs} at a learning rate of {phase.lr:g}{layer_decay}; "
        f"trained layers: {', '.join(map(markdown, phase.train))}."
    )
    if number < len(facts.phases):
        went = facts.phases[number]
        same = f"was proved to be the same before and after (hash {markdown_code(went.frozen_hash)})"
        proof = {
            True: f"Everything else was frozen, and {same}.",
            False: "**The frozen layers changed.**",
            None: "The phase did not finish.",
        }
        text += (" It ended early." if went.early else "") + f" {proof[went.unchanged]}"
    return text


def _use(about: About, made: Made) -> str:
    look = about.preprocessing
    divided = f" / {about.temperature:g}" if about.temperature != 1 else ""
    if made.beside and WEIGHTS_FILE not in made.beside:
        code = ""
    elif made.timm:
        code = (
            "import timm, torch\n"
            "from PIL import Image\n\n"
            'model = timm.create_model("local-dir:PATH/OF/THIS/FOLDER", pretrained=True).eval()\n'
            "transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))\n"
            'image = transform(Image.open("picture.jpg").convert("RGB"))[None]\n'
            "with torch.inference_mode():\n"
            f"    print((model(image){divided}).softmax(1))\n"
        )
    else:
        code = (
            "import torchvision\n"
            "from safetensors.torch import load_file\n\n"
            f'weights = load_file("PATH/OF/THIS/FOLDER/{WEIGHTS_FILE}")\n'
            f"model = torchvision.models.get_model({about.backbone.removeprefix('torchvision/')!r})"
            f"  # then give {visible(made.heads[0])} {len(about.class_names)} outputs\n"
            "model.load_state_dict(weights)\n"
        )
    block = f"```python\n{code}```\n\n" if code else ""
    return (
        f"{_beside(made)}{block}Preprocessing: EXIF orientation applied, RGB, {framing(about)}, values 0…1, "
        f"mean {_numbers(look['mean'])}, std {_numbers(look['std'])}.{_deep(look.get('intensity'))}"
    )


def framing(about: About) -> str:
    """How a picture becomes the model's square, e.g. ``"shorter side to 256 pixels (bicubic), middle 224×224"``."""
    look = {key: markdown(str(value)) for key, value in about.preprocessing.items()}
    size, resize, how = look["size"], look["resize"], look["interpolation"]
    brought = {
        "squash": f"both sides to {resize} pixels whatever the shape",
        "border": f"longer side to {resize} pixels with the mean colour as a border",
    }.get(look.get("crop_mode", ""), f"shorter side to {resize} pixels")
    return f"{brought} ({how}), middle {size}×{size}"


def _deep(intensity: Sequence[float] | None) -> str:
    if intensity is None:
        return ""
    return (
        f" Images with more than 8 bits are read with the intensity range {range_words((intensity[0], intensity[1]))}: stored "
        "values that become black and white, the same for every image, whatever it holds. `pixels.py` of an export does it; "
        "Pillow's own conversion does not."
    )


_BESIDE = {
    "predict.py": "`python predict.py picture.jpg folder/` classifies images; its first lines say what it needs.",
    "model.onnx": "`model.onnx` takes `images`, uint8 (N, size, size, 3) RGB, and gives `probabilities`; `pixels.py` makes such "
    "images from files, `model.json` says the rest.",
    "model.pt2": "`model.pt2` is the same for `torch.export.load`.",
    "train.py": "`python train.py` repeats the training with plain PyTorch.",
    "proof.json": "`proof.json`: each file was run; this says how much its answers differed from ftgui's.",
}


def _beside(made: Made) -> str:
    lines = [f"- {words}" for name, words in _BESIDE.items() if name in made.beside]
    if lines and "model.safetensors" in made.beside:
        lines.append("- `model.safetensors`, as follows:")
    return "\n".join(lines) + "\n\n" * bool(lines)


def _licence(about: About) -> str:
    if about.weights == FROM_SCRATCH:
        return "It started from random weights, so no licence for weights applies; the licence of the images may."
    if about.weights != PRETRAINED:
        return (
            "It started from a weights file whose licence ftgui does not know. The licence of the images may apply too."
        )
    known = next((model for model in known_models() if model.name == about.backbone), None)
    words = known.licence_words if known is not None else "not known to ftgui"
    return f"Licence of the weights it started from: {words}. The licence of the images may apply too."


def _versions(about: About, facts: RunFacts) -> str:
    versions = facts.environment.get("versions")
    if not isinstance(versions, dict):
        return f"ftgui {markdown(about.ftgui)}."
    device = facts.environment.get("device_name") or facts.environment.get("device", "")
    where = f" on {markdown(str(device))}" if device else ""
    return (
        ", ".join(f"{markdown(str(name))} {markdown(str(version))}" for name, version in versions.items()) + f"{where}."
    )


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{share * 100:.1f} %"


def _numbers(values: Sequence[object]) -> str:
    return f"({', '.join(markdown(str(value)) for value in values)})"
