"""What is shown of chosen runs beside the list: their curves, and what differs or what one was told to do."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ftgui.base.formatting import clock, plural
from ftgui.base.job import Job
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import RecipeError
from ftgui.runs.metrics_log import Epoch, read_course
from ftgui.runs.recipe_summary import in_words
from ftgui.runs.record import RECIPE_FILE, RunRecord
from ftgui.runs.run_diff import Difference, differences


@dataclass(frozen=True)
class Details:
    """Of some runs, in the order asked for."""

    records: list[RunRecord]
    epochs: list[list[Epoch]]
    """Of each."""
    rows: list[Difference]
    """What differs; of a single run all that is known, with one value each."""


def read_details(records: Sequence[RunRecord], most_curves: int, job: Job) -> Details:
    """Read the folders of chosen runs; what is missing in them stays empty.

    Args:
        records: of the runs.
        most_curves: of more runs no curves are read.
        job: to cancel it.

    Raises:
        Cancelled: through `job`.
    """
    epochs: list[list[Epoch]] = []
    for done, record in enumerate(records):
        job.progress(done, len(records))
        try:
            epochs.append(read_course(record.path).epochs if done < most_curves else [])
        except OSError:
            epochs.append([])
    rows = differences(records) if len(records) > 1 else [row for record in records for row in everything(record)]
    return Details(list(records), epochs, rows)


def everything(record: RunRecord) -> list[Difference]:
    """One run in words."""
    pairs = [
        *((("Note", record.note),) if record.note else ()),
        ("Ended", record.ending),
        *(("Problem", sentence) for sentence in record.problems),
    ]
    if record.images:
        splits = ", ".join(f"{count:,} {split}" for split, count in record.counts.items())
        pairs.append(("Images", f"{splits} in {plural(record.classes, 'class')}; image list {record.data}"))
    if record.started:
        pairs.append(("Started", time.strftime("%Y-%m-%d %H:%M", time.localtime(record.started))))
    if not math.isnan(record.seconds):
        pairs.append(("Took", clock(record.seconds)))
    if record.model:  # or else a problem says so
        try:
            pairs += in_words(recipe_file.load(record.path / RECIPE_FILE))
        except RecipeError as error:
            pairs.append(("Problem", str(error)))
    return [Difference(name, [text]) for name, text in pairs]
