"""Everything worth listing about a run, from its folder alone; whatever is missing or damaged is said, never fatal."""

from __future__ import annotations

import math
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from ftgui.base.files import reason
from ftgui.base.json_files import decode_object, number
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import RecipeError
from ftgui.runs.dataset_diff import SAMPLES_FILE, read_samples
from ftgui.runs.metrics_log import Course, read_course
from ftgui.runs.model_folder import has_model
from ftgui.runs.notes import read_words
from ftgui.runs.run_folders import continuable, run_number
from ftgui.runs.running import running_process

RESULT_FILE = "result.json"
RECIPE_FILE = "recipe.toml"


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run. NaN, 0 and empty say that something is not known; `problems` says why."""

    folder: str
    number: int
    name: str
    """As the person calls it, or else as its folder is called."""
    note: str = ""
    starred: bool = False
    started: float = 0.0
    """Seconds since 1970."""
    seconds: float = math.nan
    """It took; of a run without an end, until it was last heard of."""
    reason: str = ""
    """``"done"``, ``"stopped"``, ``"exploded"``, ``"failed"``; empty: it has no end, because it was killed or still runs."""
    running: bool = False
    """A process trains it at this moment."""
    message: str = ""
    """The same in a sentence."""
    best_accuracy: float = math.nan
    """On validation images, 0 to 1."""
    best_epoch: int = 0
    epochs: int = 0
    """That came to their end."""
    steps: int = 0
    model: str = ""
    """Name of the backbone."""
    weights: str = ""
    """It began from."""
    classes: int = 0
    counts: dict[str, int] = {}
    """Split -> images."""
    data: str = ""
    """8 hex digits: the same for the same images, classes and splits."""
    has_model: bool = False
    can_continue: bool = False
    temperature: float = math.nan
    problems: list[str] = []
    """What is missing or damaged, in sentences."""

    @property
    def path(self) -> Path:
        return Path(self.folder)

    @property
    def images(self) -> int:
        """In all splits."""
        return sum(self.counts.values())

    @property
    def ended(self) -> str:
        """How, in a word."""
        return "training" if self.running else self.reason or "crashed"

    @property
    def ending(self) -> str:
        """The same in a sentence."""
        if self.running:
            return "It is training now."
        return self.message or "It was never finished: its process was killed, or the computer was switched off."


def folder_title(folder: Path) -> str:
    """``"head last stage"`` for ``0007-head-last-stage``."""
    return folder.name.split("-", 1)[-1].replace("-", " ")


def read_record(folder: Path) -> RunRecord:
    """What a run's folder says of it.

    Raises:
        OSError: the folder is gone, or can't be listed.
    """
    found: dict[str, Any] = {"folder": str(folder), "number": run_number(folder), "name": folder_title(folder)}
    problems: list[str] = []
    if not any(folder.iterdir()):
        return RunRecord(
            **found, problems=["There is nothing in its folder: it was about to start, or its files were deleted."]
        )
    _words(folder, found, problems)
    _recipe(folder, found, problems)
    _samples(folder, found, problems)
    course = _course(folder, problems)
    found["has_model"] = has_model(folder)
    result = _result(folder, found, problems)
    _figures(found, result, course)
    found["running"] = running_process(folder) is not None
    found["can_continue"] = continuable(folder) is not None
    learned = found.get("best_epoch", 0) or any(epoch.epoch for epoch in course.epochs)
    if learned and not found["has_model"]:
        problems.append("Its model is gone: best/model.safetensors is missing.")
    return RunRecord(**found, problems=problems)


def _words(folder: Path, found: dict[str, Any], problems: list[str]) -> None:
    try:
        words = read_words(folder)
    except (OSError, ValueError) as error:
        problems.append(f"about.json is damaged, so its name, note and star are not known: {error}.")
        return
    found["name"] = words.name or found["name"]
    found["note"], found["starred"] = words.note, words.starred


def _recipe(folder: Path, found: dict[str, Any], problems: list[str]) -> None:
    path = folder / RECIPE_FILE
    try:
        backbone = recipe_file.load(path).backbone
    except RecipeError as error:
        problems.append(f"recipe.toml is damaged. {error}" if path.exists() else "recipe.toml is missing.")
        return
    found["model"], found["weights"] = backbone.name, backbone.weights


def _samples(folder: Path, found: dict[str, Any], problems: list[str]) -> None:
    try:
        samples = read_samples(folder)
        content = (folder / SAMPLES_FILE).read_bytes()
    except FileNotFoundError:
        problems.append("samples.csv is missing, so its images are not known.")
    except (OSError, ValueError):
        problems.append("samples.csv is damaged, so its images are not known.")
    else:
        found["counts"] = dict(Counter(split for _, split in samples.values()))
        found["classes"] = len({name for name, split in samples.values() if split == "train"})
        found["data"] = blake2b(content, digest_size=4).hexdigest()


def _course(folder: Path, problems: list[str]) -> Course:
    try:
        course = read_course(folder)
    except FileNotFoundError:
        problems.append("metrics.jsonl is missing, so there are no curves.")
        return Course()
    except OSError as error:
        problems.append(f"metrics.jsonl can't be read, so there are no curves: {reason(error)}.")
        return Course()
    if course.damaged:
        problems.append(f"metrics.jsonl is damaged: {course.damaged:,} of its lines can't be read.")
    return course


def _result(folder: Path, found: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    """As it lies there, or empty."""
    try:
        result = decode_object((folder / RESULT_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        problems.append("result.json is damaged, so how it ended is not known.")
        return {}
    for name in ("reason", "message"):
        if isinstance(result.get(name), str):
            found[name] = result[name]
    return result


def _figures(found: dict[str, Any], result: dict[str, Any], course: Course) -> None:
    """From the result, and what it does not say from the metrics."""
    found["started"] = course.first
    found["epochs"] = course.epochs[-1].epoch if course.epochs else 0
    validated = [epoch for epoch in course.epochs if not math.isnan(epoch.val_accuracy)]
    best = max(validated, key=lambda epoch: (epoch.val_accuracy, -epoch.val_loss), default=None)
    found["seconds"] = _number(result, "seconds", course.last - course.first if course.first else math.nan)
    found["steps"] = _count(result, "steps", course.epochs[-1].step if course.epochs else 0)
    found["best_epoch"] = _count(result, "best_epoch", best.epoch if best else 0)
    found["best_accuracy"] = _number(result, "best_accuracy", best.val_accuracy if best else math.nan)
    evaluation = result.get("evaluation")
    if isinstance(evaluation, dict):
        found["temperature"] = _number(evaluation, "temperature", math.nan)


def _count(raw: dict[str, Any], key: str, otherwise: int) -> int:
    """A whole number that the index can keep; `otherwise` for anything else."""
    value = _number(raw, key, otherwise)
    return int(value) if abs(value) < 2**63 else otherwise


def _number(raw: dict[str, Any], key: str, otherwise: float) -> float:
    return number(raw.get(key), otherwise)
