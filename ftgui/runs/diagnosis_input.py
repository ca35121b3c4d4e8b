"""What `ftgui.runs.diagnosis` needs, read from a run's folder and from that of the run before it."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ftgui.base.json_files import number
from ftgui.protocol import recipe_file
from ftgui.protocol.messages import Evaluation
from ftgui.runs.diagnosis import Comparison, EpochFigures, RunFigures, paired, unpaired
from ftgui.runs.metrics_log import METRICS_FILE
from ftgui.runs.model_in_use import TrainedRun
from ftgui.runs.predictions import read_predictions
from ftgui.runs.record import RECIPE_FILE
from ftgui.runs.run_folders import read_evaluation, read_result, run_number

log = logging.getLogger(__name__)

_KINDS = (b'"kind": "epoch"', b'"kind": "prefix"', b'"kind": "phase-end"')


def read_figures(run_folder: Path, trained: Sequence[TrainedRun]) -> RunFigures:
    """The figures of a run that is over.

    Args:
        run_folder: of that run.
        trained: all runs of the project that left a model.

    Raises:
        OSError: its metrics can't be read.
        RecipeError: its recipe can't.
        ValueError: a line of its metrics is damaged.
    """
    epochs: list[EpochFigures] = []
    early: set[int] = set()
    prefix: list[tuple[int, float]] = []
    decoder = msgspec.json.Decoder(dict[str, Any])
    with (run_folder / METRICS_FILE).open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n") or not any(kind in line for kind in _KINDS):
                continue
            found = decoder.decode(line)
            phase = int(number(found.get("phase")))
            if found["kind"] == "prefix":
                prefix.append((phase, number(found.get("seconds"))))
            elif found["kind"] == "phase-end":
                early |= {phase} if found.get("early") is True else set()
            else:
                epochs.append(_epoch(phase, found))
    result = read_result(run_folder) or {}
    evaluation = read_evaluation(run_folder)
    confusion = tuple(map(tuple, evaluation.confusion)) if evaluation else ()
    return RunFigures(
        recipe=recipe_file.load(run_folder / RECIPE_FILE),
        epochs=tuple(epochs),
        best_epoch=int(number(result.get("best_epoch"))) if "best_epoch" in result else 0,
        val_images=sum(map(sum, confusion)),
        early=frozenset(early),
        prefix_seconds=tuple(prefix),
        class_names=tuple(evaluation.class_names) if evaluation else (),
        confusion=confusion,
        earlier=_earlier(run_folder, evaluation, trained),
    )


def _epoch(phase: int, found: dict[str, Any]) -> EpochFigures:
    names = ("train_accuracy", "val_accuracy", "val_loss", "seconds")
    return EpochFigures(phase, int(number(found.get("epoch"))), *(number(found.get(name)) for name in names))


def _earlier(folder: Path, evaluation: Evaluation | None, trained: Sequence[TrainedRun]) -> Comparison | None:
    """With the newest finished run before this one that was evaluated on the same images."""
    this = next((run for run in trained if run.folder == folder), None)
    if this is None or evaluation is None or not this.validation:
        return None
    before = [
        run
        for run in trained
        if run.number < run_number(folder)
        and run.reason == "done"
        and run.validation == this.validation
        and not math.isnan(run.accuracy)
    ]
    if not before:
        return None
    last = max(before, key=lambda run: run.number)
    now, then = _right(folder), _right(last.folder)
    if now and now.keys() == then.keys():
        return paired(last.number, list(now.values()), [then[path] for path in now])
    images = sum(map(sum, evaluation.confusion))
    right = sum(row[index] for index, row in enumerate(evaluation.confusion))
    return unpaired(last.number, right, round(last.accuracy * images), images) if images else None


def _right(folder: Path) -> dict[str, bool]:
    """For each validation image that a run's model was asked about, whether it was right; nothing if it was not asked."""
    try:
        return {one.path: one.prediction == one.class_name for one in read_predictions(folder) if one.split == "val"}
    except (OSError, ValueError) as error:
        log.info("the comparison does without the answers in %s: %s", folder, error)
        return {}
