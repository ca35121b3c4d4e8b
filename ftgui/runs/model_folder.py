"""What a finished model's folder says of itself, and why it can't be used if it can't. No torch here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from ftgui.base.files import reason
from ftgui.base.json_files import decode_object

MODEL_FORMAT = 1
WEIGHTS_FILE = "model.safetensors"
DESCRIPTION_FILE = "ftgui.json"
CARD_FILE = "README.md"
BEST_FOLDER = "best"
"""In a run's folder: its finished model."""


class ModelError(Exception):
    """A finished model that can't be used; the text says why in a sentence."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a finished model but its weights, as ``ftgui.json`` has it. Unknown fields are from later versions
    that this one need not know."""

    format: int = MODEL_FORMAT
    ftgui: str = ""
    """Version that wrote it."""
    backbone: str
    weights: str
    """It started from, as in a recipe."""
    class_names: list[str]
    """In output order."""
    preprocessing: dict[str, Any]
    """Fields of `ftgui.data.images.preprocessing.Preprocessing`."""
    temperature: float = 1.0
    """Logits are divided by it before the softmax."""
    threshold: float = 0.0
    """An answer of less probability is “don't know”."""
    figures: dict[str, Any] = {}


def model_folder(given: Path) -> Path:
    """The finished model's folder: the given one, or that in it if a run's folder is given."""
    return given / BEST_FOLDER if (given / BEST_FOLDER).is_dir() else given


def run_folder_of(model: Path) -> Path | None:
    """The run's folder of a finished model, if it still lies there."""
    inside = model.name == BEST_FOLDER and (model.parent / "samples.csv").is_file()
    return model.parent if inside else None


def has_model(run_folder: Path) -> bool:
    """Whether a run left weights that can be used."""
    return (run_folder / BEST_FOLDER / WEIGHTS_FILE).is_file()


def read_about(folder: Path) -> About:
    """What a finished model says of itself.

    Raises:
        ModelError: there is none, it is damaged, from a newer version, or its weights are gone.
    """
    path = folder / DESCRIPTION_FILE
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        if not folder.is_dir():
            raise ModelError(f"The folder {folder} does not exist.") from error
        raise ModelError(f"{folder} is not a model made by ftgui: it has no {DESCRIPTION_FILE}.") from error
    except OSError as error:
        raise ModelError(f"{path} can't be read: {reason(error)}.") from error
    try:
        # The version first: what a newer one says may have another shape.
        written = decode_object(raw).get("format")
        if not isinstance(written, int) or written > MODEL_FORMAT:
            raise ModelError(
                f"The model in {folder} is from a newer ftgui (format {written}; this one reads up to {MODEL_FORMAT}). "
                "Update ftgui to use it."
            )
        about = msgspec.json.decode(raw, type=About)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: {error}.") from error
    if not (about.temperature > 0 and math.isfinite(about.temperature) and 0 <= about.threshold <= 1):
        raise ModelError(
            f"{path} is damaged: a temperature is above 0 and a threshold lies between 0 and 1, not {about.temperature:g} and "
            f"{about.threshold:g}."
        )
    if not (folder / WEIGHTS_FILE).is_file():
        raise ModelError(f"The model in {folder} is incomplete: {WEIGHTS_FILE} is missing.")
    return about
