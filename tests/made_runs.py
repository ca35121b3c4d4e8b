"""Run folders as the engine writes them, without training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Phase, Recipe
from ftgui.runs.model_folder import About
from ftgui.runs.predictions import Predicted, table_of

HASH = "0030c3dae884a5ece411c6f7b71a33d6"


def make_run(
    runs_folder: Path,
    number: int = 1,
    *,
    name: str = "head",
    recipe: Recipe | None = None,
    accuracies: tuple[float, ...] = (0.5, 0.75),
    reason: str = "done",
    classes: tuple[str, ...] = ("blue", "red"),
    confusion: list[list[int]] | None = None,
    model: bool = True,
    predictions: bool = False,
    checkpoint: bool = False,
    commit: str = "c" * 40,
    dataset: str = "/nowhere/pictures",
) -> Path:
    """Eight steps an epoch; two images for training and two for validation in each class."""
    folder = runs_folder / f"{number:04d}-{name}"
    folder.mkdir(parents=True)
    if recipe is None:
        recipe = Recipe(phases=[Phase(name="Head", train=["head"], epochs=len(accuracies), lr=1e-3)])
    recipe = msgspec.structs.replace(recipe, dataset=msgspec.structs.replace(recipe.dataset, folder=dataset))
    recipe_file.save(recipe, folder / "recipe.toml")
    splits = ("train", "train", "val", "val")
    samples = [(f"{c}/{c}{i}.jpg", c, split) for c in classes for i, split in enumerate(splits)]
    rows = "".join(",".join(sample) + "\n" for sample in samples)
    (folder / "samples.csv").write_text("path,class_name,split\n" + rows, encoding="utf-8")
    environment = {
        "versions": {"ftgui": "0.1.0", "torch": "2.15.0"},
        "platform": "Linux",
        "device": "cpu",
        "device_name": "",
        "threads": 2,
        "commit": commit,
        "command": ["ftgui"],
    }
    write_json(folder / "environment.json", environment)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics(number, accuracies)))
    table = confusion or [[2 if row == column else 0 for column in range(len(classes))] for row in range(len(classes))]
    if reason:
        write_json(folder / "result.json", result(reason, accuracies, list(classes), table))
    if model:
        about = About(
            backbone=recipe.backbone.name, weights=recipe.backbone.weights, class_names=list(classes), preprocessing={}
        )
        (folder / "best").mkdir()
        (folder / "best" / "ftgui.json").write_bytes(msgspec.json.encode(about))
        (folder / "best" / "model.safetensors").write_bytes(b"weights")
    if predictions:
        said = [
            Predicted(
                path, label, split, classes[0], 0.9 if label == classes[0] else 0.6, 0.1 if label == classes[0] else 2.5
            )
            for path, label, split in samples
        ]
        (folder / "predictions.csv").write_bytes(table_of(said))
    if checkpoint:
        write_checkpoint(folder)
    return folder


def metrics(number: int, accuracies: tuple[float, ...]) -> list[dict[str, Any]]:
    began = 1.7e9 + 1000 * number
    lines: list[dict[str, Any]] = [
        {"kind": "phase", "phase": 0, "name": "Head", "step": 0, "layers": ["head"], "frozen_hash": HASH}
    ]
    step = 0
    for epoch, accuracy in enumerate(accuracies, 1):
        for _ in range(8):
            step += 1
            lines.append({"kind": "step", "step": step, "loss": 1 / step, "accuracy": 0.5, "lr": 1e-3})
        figures = {"train_loss": 0.5, "train_accuracy": 0.9, "val_loss": 1 - accuracy, "val_accuracy": accuracy}
        lines.append(
            {"kind": "epoch", "phase": 0, "epoch": epoch, "step": step, **figures, "best": True, "seconds": 1.0}
        )
    lines.append({"kind": "run_adjusted", "step": step, "what": "rate", "text": "rate 3e-4"})
    lines.append({"kind": "phase-end", "phase": 0, "frozen_hash": HASH, "frozen_unchanged": True, "early": False})
    return [{"time": began + at, **line} for at, line in enumerate(lines)]


def result(
    reason: str, accuracies: tuple[float, ...], classes: list[str], confusion: list[list[int]]
) -> dict[str, Any]:
    total, right = sum(map(sum, confusion)), sum(line[i] for i, line in enumerate(confusion))
    evaluation = {
        "class_names": classes,
        "confusion": confusion,
        "loss": 0.25,
        "accuracy": right / total,
        "temperature": 1.5,
    }
    return {
        "reason": reason,
        "message": f"It was {reason}.",
        "best_epoch": accuracies.index(max(accuracies)) + 1,
        "best_accuracy": max(accuracies),
        "steps": 8 * len(accuracies),
        "seconds": 65.0,
        "evaluation": evaluation,
    }


def write_checkpoint(folder: Path, step: int = 8) -> None:
    header = json.dumps({"__metadata__": {"plain": json.dumps({"at": {"step": step}})}}).encode()
    (folder / "last").mkdir()
    (folder / "last" / "checkpoint.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
