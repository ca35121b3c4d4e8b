"""What a run's model said of the images: kept in the run's folder, so that a report needs no model."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ftgui.base.foreign_text import TableWriter, plain_cell

PREDICTIONS_FILE = "predictions.csv"
"""In a run's folder."""
_COLUMNS = ["path", "class_name", "split", "prediction", "confidence", "loss"]


@dataclass(frozen=True, slots=True)
class Predicted:
    """One image."""

    path: str
    """As the catalog names it."""
    class_name: str
    """It was labelled with."""
    split: str
    prediction: str
    """The most probable class."""
    confidence: float
    """Its probability."""
    loss: float
    """Cross-entropy of `class_name`, as in training; NaN where the model does not know that class."""


def table_of(said: Iterable[Predicted]) -> bytes:
    """As CSV."""
    text = io.StringIO()
    table = TableWriter(text)
    table.row(_COLUMNS)
    for one in said:
        loss = "" if math.isnan(one.loss) else f"{one.loss:.5g}"
        table.row([one.path, one.class_name, one.split, one.prediction, f"{one.confidence:.5f}", loss])
    return text.getvalue().encode("utf-8", "surrogateescape")


def read_predictions(run_folder: Path) -> list[Predicted]:
    """What was kept of a run; nothing if its model never looked at the images.

    Raises:
        OSError: the table can't be read.
        ValueError: it is no such table.
    """
    path = run_folder / PREDICTIONS_FILE
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        try:
            rows = [[plain_cell(cell) for cell in row] for row in csv.reader(file)]
        except csv.Error as error:  # no ValueError
            raise ValueError(f"{PREDICTIONS_FILE} can't be read: {error}") from error
    if not rows or rows[0] != _COLUMNS:
        raise ValueError(f"{path} is not a table of predictions")
    return [
        Predicted(image, name, split, said, float(sure), float(loss) if loss else math.nan)
        for image, name, split, said, sure, loss in rows[1:]
    ]
