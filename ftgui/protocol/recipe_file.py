"""A recipe as TOML: read with sentences for what is wrong, written whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ftgui.base.files import reason, write_atomically
from ftgui.protocol.recipe import FROM_SCRATCH, PRETRAINED, RECIPE_VERSION, Recipe, RecipeError
from ftgui.protocol.recipe_text import UnreadableText, parse, whole_path


def dumps(recipe: Recipe) -> str:
    """The recipe as TOML text."""
    return msgspec.toml.encode(recipe).decode("utf-8")


def loads(text: str) -> Recipe:
    """A recipe from TOML text.

    Raises:
        RecipeError: not TOML, an unknown or missing field, a wrong type, or another version.
    """
    try:
        plain = parse(text)
    except UnreadableText as error:
        raise RecipeError(str(error)) from error
    version = plain.get("version", RECIPE_VERSION)
    if isinstance(version, str):
        raise RecipeError(f"version is a number, {RECIPE_VERSION} without quotes, not “{version}”.")
    if version == 1:
        # Version 1 had one switch for augmentation.
        training = plain.get("training")
        augment = training.pop("augment", True) if isinstance(training, dict) else True
        plain = plain | {"augmentation": {"preset": "standard" if augment else "none"}}
    if version in (1, 2, 3, 4, 5) or "version" not in plain:
        # Versions 3 to 5 only added fields and values; 6 calls a phase's falloff what the field does.
        plain = _with_layer_decay(plain) | {"version": RECIPE_VERSION}
        version = RECIPE_VERSION
    if version != RECIPE_VERSION:
        # Said before anything else: a newer recipe has fields that would only be called unknown.
        raise RecipeError(f"The recipe has version {version}; this ftgui reads version {RECIPE_VERSION}.")
    try:
        return msgspec.convert(plain, Recipe)
    except msgspec.ValidationError as error:
        raise RecipeError(f"The recipe can't be read: {error}") from error


def _with_layer_decay(plain: dict[str, Any]) -> dict[str, Any]:
    """A recipe of before version 6, whose phases have a ``falloff``, with its name of today."""
    phases = plain.get("phases")
    if not isinstance(phases, list):
        return plain
    renamed = {"falloff": "layer_decay"}
    return plain | {
        "phases": [
            {renamed.get(key, key): value for key, value in phase.items()} if isinstance(phase, dict) else phase
            for phase in phases
        ]
    }


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
        raise RecipeError(f"{path} can't be read: {reason(error)}") from error
    base = path.resolve().parent
    dataset, backbone = recipe.dataset, recipe.backbone
    try:
        if dataset.folder:
            dataset = msgspec.structs.replace(dataset, folder=whole_path(base, dataset.folder, "dataset.folder"))
        if backbone.weights not in (PRETRAINED, FROM_SCRATCH):
            weights = whole_path(base, backbone.weights, "backbone.weights")
            backbone = msgspec.structs.replace(backbone, weights=weights)
    except UnreadableText as error:
        raise RecipeError(f"{path}: {error}") from error
    return msgspec.structs.replace(recipe, dataset=dataset, backbone=backbone)


def save(recipe: Recipe, path: Path) -> None:
    """Write the recipe so that a crash leaves either the old file or the new one; the folder must exist."""
    write_atomically(path, dumps(recipe).encode("utf-8"))
