"""What a run was like up to a step, from its ``metrics.jsonl``: for plots of a run that goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ftgui.base.job import Job
from ftgui.base.json_files import number, text

METRICS_FILE = "metrics.jsonl"

MOST_STEPS = 5000
"""Of a longer run, evenly chosen ones: a plot has not more pixels, and the window's thread has other things to do."""

_LINES_PER_LOOK = 1000


@dataclass
class History:
    """Figures in the order they came. What JSON calls null, no figure, is NaN here."""

    steps: list[tuple[int, float, float, float]] = field(default_factory=list)
    """Step, loss, accuracy, learning rate."""
    epochs: list[tuple[int, float, float]] = field(default_factory=list)
    """Step at its end, validation loss, validation accuracy."""
    phases: list[tuple[int, str]] = field(default_factory=list)
    """Step, name."""
    run_adjusted: list[tuple[int, str]] = field(default_factory=list)
    """Step, what was done."""


@dataclass(frozen=True)
class Epoch:
    """What is known at the end of one. NaN: no figure."""

    epoch: int
    """From 1 over the whole run."""
    step: int
    time: float
    """Seconds since 1970."""
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float


@dataclass
class Course:
    """A run's epochs, and when it was first and last heard of."""

    epochs: list[Epoch] = field(default_factory=list)
    first: float = 0.0
    """Seconds since 1970; 0 when nothing was written."""
    last: float = 0.0
    damaged: int = 0
    """Lines that can't be read; a last line that is not whole does not count."""


_EPOCH = b'"kind": "epoch"'


def read_course(run_folder: Path) -> Course:
    """The epochs of a run. Of a file with a million steps only the lines about epochs are taken apart.

    Raises:
        OSError: the file can't be read.
    """
    course = Course()
    decoder = msgspec.json.Decoder(dict[str, Any])
    with (run_folder / METRICS_FILE).open("rb") as lines:
        first = last = b""
        for line in lines:
            if not line.endswith(b"\n"):
                break
            first = first or line
            last = line
            if _EPOCH in line:
                _take_epoch(course, decoder, line)
            elif not line.startswith(b"{") or not line.endswith(b"}\n"):
                course.damaged += 1
    course.first, course.last = _time(decoder, first), _time(decoder, last)
    return course


def _take_epoch(course: Course, decoder: msgspec.json.Decoder[dict[str, Any]], line: bytes) -> None:
    try:
        found = decoder.decode(line)
        names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
        figures = [_figure(found.get(name)) for name in names]
        epoch, step = int(found["epoch"]), int(found["step"])
        if max(abs(epoch), abs(step)) >= 2**63:
            raise OverflowError("no training counts so far")
        course.epochs.append(Epoch(epoch, step, float(found["time"]), *figures))
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, OverflowError):
        course.damaged += 1


def _time(decoder: msgspec.json.Decoder[dict[str, Any]], line: bytes) -> float:
    try:
        return float(decoder.decode(line)["time"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, OverflowError):
        return 0.0


def read_history(run_folder: Path, last_step: int, job: Job) -> History:
    """Read a run's metrics.

    Args:
        run_folder: of the run.
        last_step: later steps are not wanted: they come again.
        job: to cancel it.

    Raises:
        OSError: the file can't be read.
    """
    history = History()
    decoder = msgspec.json.Decoder(dict[str, Any])
    # The file may grow meanwhile, so its last line may be half a line.
    with (run_folder / METRICS_FILE).open("rb") as lines:
        for number_of_line, line in enumerate(lines):
            if number_of_line % _LINES_PER_LOOK == 0:
                job.progress(number_of_line)
            if not line.endswith(b"\n"):
                break
            try:
                _take(history, decoder.decode(line), last_step)
            except KeyError as error:
                raise ValueError(f"line {number_of_line + 1} has no {error}") from error
    stride = -(-len(history.steps) // MOST_STEPS)
    history.steps = history.steps[:: max(stride, 1)]
    return history


def _take(history: History, line: dict[str, Any], last_step: int) -> None:
    step = line.get("step")
    if not isinstance(step, int) or step > last_step:
        return
    kind = line.get("kind")
    if kind == "step":
        history.steps.append((step, _figure(line["loss"]), _figure(line["accuracy"]), _figure(line["lr"])))
    elif kind == "epoch":
        history.epochs.append((step, _figure(line["val_loss"]), _figure(line["val_accuracy"])))
    elif kind == "phase":
        history.phases.append((step, text(line["name"])))
    elif kind == "run_adjusted" and (line["what"], step) != ("continued", last_step):
        # The one at the last step is what just happened: whoever continued the run has been told.
        words = {"pause": "paused", "resume": "resumed"}
        what = text(line["what"])
        history.run_adjusted.append((step, text(line["text"]) or words.get(what, what)))


def _figure(value: object) -> float:
    return number(value)
