"""A finished model as a folder that stands alone: weights, a config timm can load, classes, preprocessing, a card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import safetensors.torch
import torch
from torch import nn

import ftgui
from ftgui.base.files import write_atomically, write_proved
from ftgui.data.images.preprocessing import Preprocessing
from ftgui.protocol.recipe import Backbone, Recipe
from ftgui.protocol.recipe_file import dumps
from ftgui.runs.facts import run_facts
from ftgui.runs.model_card import Made, RunFacts, card
from ftgui.runs.model_folder import (
    BEST_FOLDER,
    CARD_FILE,
    DESCRIPTION_FILE,
    WEIGHTS_FILE,
    About,
    ModelError,
    read_about,
)


@dataclass(frozen=True)
class Description:
    """Everything about a finished model but its weights."""

    backbone: Backbone
    heads: list[str]
    title: str
    class_names: list[str]
    preprocessing: Preprocessing
    timm_config: dict[str, Any] | None
    recipe: Recipe


def write_model(
    folder: Path,
    model: nn.Module,
    description: Description,
    figures: dict[str, Any],
    state: dict[str, torch.Tensor] | None = None,
    temperature: float = 1.0,
    threshold: float = 0.0,
    facts: RunFacts | None = None,
) -> None:
    """Write or replace a model folder.

    The weights are replaced last and in one step: whatever happens, the folder loads.

    Args:
        folder: made if it does not exist; that in which it lies must.
        model: of which the weights are written.
        description: what goes beside them.
        figures: how good it is; see `figures_for`.
        state: other parameters and buffers of that model, instead of the present ones.
        temperature: that logits are divided by before the softmax.
        threshold: an answer of less probability is "don't know".
        facts: of its run, for the model card; see `write_card`.
    """
    folder.mkdir(exist_ok=True)
    if description.timm_config is not None:
        _write_json(folder / "config.json", _timm_config(model, description))
    about = About(
        ftgui=ftgui.__version__,
        backbone=description.backbone.name,
        weights=description.backbone.weights,
        class_names=description.class_names,
        preprocessing=description.preprocessing.as_dict(),
        temperature=temperature,
        threshold=threshold,
        figures=figures,
    )
    write_atomically(folder / DESCRIPTION_FILE, msgspec.json.format(msgspec.json.encode(about), indent=1))
    write_atomically(folder / "recipe.toml", dumps(description.recipe).encode("utf-8"))
    write_card(folder, about, description, facts or RunFacts())
    write_weights(folder / WEIGHTS_FILE, state if state is not None else model.state_dict())


def write_card(
    folder: Path, about: About, description: Description, facts: RunFacts, beside: tuple[str, ...] = ()
) -> None:
    """Write or replace a folder's model card.

    Args:
        beside: names of other files there that it should tell about.
    """
    made = Made(description.title, description.heads, description.timm_config is not None, beside)
    text = card(about, description.recipe, made, facts)
    write_atomically(folder / CARD_FILE, text.encode("utf-8", "surrogateescape"))


def complete_card(run_folder: Path, description: Description) -> None:
    """When a run is over: its finished model's card with all that the run's folder tells.

    Raises:
        OSError: it can't be written.
    """
    folder = run_folder / BEST_FOLDER
    try:
        about = read_about(folder)
    except ModelError:
        return  # nothing was learned, or the disk was full: there is no model to have a card
    write_card(folder, about, description, run_facts(run_folder))


def write_weights(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Parameters and buffers as safetensors, replaced in one step and read back; the folder is made, but not that in which it
    lies.

    Raises:
        OSError: they can't be written.
    """
    path.parent.mkdir(exist_ok=True)
    tensors = {name: tensor.detach().to("cpu").contiguous() for name, tensor in state.items()}
    write_proved(path, safetensors.torch.save(tensors, metadata={"format": "pt"}))


def _timm_config(model: nn.Module, description: Description) -> dict[str, Any]:
    """The fields timm's hub loader reads (timm/models/_hub.py, ``_parse_model_cfg``)."""
    config = description.timm_config or {}
    kept = ("input_size", "fixed_input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std", "pool_size")
    pretrained = {key: config[key] for key in (*kept, "first_conv", "classifier", "license") if key in config}
    return {
        "architecture": description.backbone.name.split(".")[0],
        "num_classes": len(description.class_names),
        "num_features": int(getattr(model, "num_features", 0)),
        "label_names": description.class_names,
        "pretrained_cfg": pretrained | {"num_classes": len(description.class_names), "tag": "ftgui"},
    }


def _write_json(path: Path, value: Any) -> None:
    write_atomically(path, json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8"))
