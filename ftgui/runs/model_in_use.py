"""Which run's model answers: the one the person chose, else the best finished run. Decided here and nowhere else.

A run that was stopped, failed, crashed or diverged never displaces another by itself, however good its best epoch was.
Accuracies are compared only between runs that were evaluated on the same validation images.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from ftgui.base.files import write_atomically
from ftgui.base.formatting import percent
from ftgui.base.json_files import decode_object, number, text
from ftgui.data.project import Project
from ftgui.protocol.recipe import Backbone
from ftgui.runs.dataset_diff import read_samples
from ftgui.runs.metrics_log import METRICS_FILE
from ftgui.runs.model_folder import BEST_FOLDER, ModelError, has_model, read_about
from ftgui.runs.run_folders import read_result, read_run_backbone, run_number

log = logging.getLogger(__name__)

CHOICE_FILE = "model-in-use.json"
"""In a project's folder: the run the person chose; not there: nobody chose."""


@dataclass(frozen=True)
class TrainedRun:
    """A run that left a model."""

    folder: Path
    reason: str
    """How it ended, as in `TrainingFinished.reason`; empty: it was killed, or still trains."""
    accuracy: float = math.nan
    """On its validation images, 0 to 1; NaN: there were none."""
    started: float = 0.0
    """Seconds since 1970; 0: not known."""
    validation: str = ""
    """See `validation_key`."""
    backbone: Backbone | None = None
    """None: its recipe can't be read."""
    class_names: tuple[str, ...] = ()
    """In output order; empty: not known."""

    @property
    def number(self) -> int:
        return run_number(self.folder)

    @property
    def figure(self) -> str:
        """E.g. ``"96.1 %"``, ``"87.6 %, stopped"``."""
        known = percent(self.accuracy) if not math.isnan(self.accuracy) else "not evaluated"
        return known if self.reason == "done" else f"{known}, {self.reason or 'crashed'}"

    @property
    def words(self) -> str:
        """E.g. ``"run 3 (96.1 %)"``."""
        return f"run {self.number} ({self.figure})"


@dataclass(frozen=True)
class TrainedRuns:
    """Of a project."""

    runs: tuple[TrainedRun, ...] = ()
    """Oldest first."""
    chosen: str = ""
    """Name of the folder of the one the person chose; empty: none."""

    def in_use(self, backbone: Backbone | None) -> TrainedRun | None:
        """See `run_in_use`."""
        return run_in_use(self.runs, self.chosen, backbone)


def validation_key(samples: Iterable[tuple[str, str, str]]) -> str:
    """The same for two runs whose accuracies can be compared: the same validation images, and as many classes.

    Names of classes and single labels don't count: a class that was renamed, or an image whose label was corrected, makes
    an earlier figure no figure of something else.

    Args:
        samples: path, class name and split of each image of a run.

    Returns:
        16 hex digits; empty if there are no validation images.
    """
    paths, classes = [], set()
    for path, class_name, split in samples:
        if split == "val":
            paths.append(path)
        elif split == "train":
            classes.add(class_name)
    if not paths:
        return ""
    content = "\0".join([str(len(classes)), *sorted(paths)])
    return blake2b(content.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


# --- reading --------------------------------------------------------------------------------------------------------


def read_trained_runs(project: Project) -> TrainedRuns:
    """Reads some small files of each run; a folder of runs that can't be listed has none."""
    try:
        folders = sorted(filter(has_model, project.runs_folder.iterdir()), key=run_number)
    except FileNotFoundError:
        folders = []
    except OSError as error:
        log.warning("%s can't be listed: %s", project.runs_folder, error)
        folders = []
    return TrainedRuns(tuple(read_trained_run(folder) for folder in folders), read_choice(project))


def read_trained_run(folder: Path) -> TrainedRun:
    """What a run's folder says; what can't be read stays unknown."""
    result = read_result(folder) or {}
    reason, accuracy, validation = (result.get(key) for key in ("reason", "best_accuracy", "validation"))
    try:
        class_names = tuple(read_about(folder / BEST_FOLDER).class_names)
    except ModelError:  # who loads it says what is wrong
        class_names = ()
    return TrainedRun(
        folder,
        reason if isinstance(reason, str) else "",
        number(accuracy),
        _started(folder),
        validation if isinstance(validation, str) else _validation_of(folder),
        read_run_backbone(folder),
        class_names,
    )


def _validation_of(folder: Path) -> str:
    """Of runs whose result does not say it."""
    try:
        return validation_key((path, *rest) for path, rest in read_samples(folder).items())
    except (OSError, ValueError):
        return ""


def _started(folder: Path) -> float:
    try:
        with (folder / METRICS_FILE).open(encoding="utf-8", errors="replace") as file:
            return number(decode_object(next(islice(file, 1), "")).get("time"), 0.0)
    except (OSError, ValueError):
        return 0.0


def read_choice(project: Project) -> str:
    """Name of the folder of the run the person chose; empty if nobody chose, or what was written can't be read."""
    try:
        return text(decode_object((project.folder / CHOICE_FILE).read_text(encoding="utf-8")).get("run"))
    except (OSError, ValueError):
        return ""


def write_choice(project: Project, name: str) -> None:
    """Remember what the person chose; empty: the best finished run again.

    Raises:
        OSError: it can't be written.
    """
    if name:
        write_atomically(project.folder / CHOICE_FILE, json.dumps({"run": name}, ensure_ascii=False).encode())
    else:
        (project.folder / CHOICE_FILE).unlink(missing_ok=True)


# --- deciding -------------------------------------------------------------------------------------------------------


def run_in_use(runs: Sequence[TrainedRun], chosen: str, backbone: Backbone | None) -> TrainedRun | None:
    """The run whose model answers.

    1. The one the person chose.
    2. Else the best finished run. Where validation images changed over time, only those count that were evaluated on the
       same as the newest finished one: other figures say nothing about these images.
    3. Where no run has finished, likewise of those that the person stopped: their weights are the best there are.

    Args:
        runs: those there are, in any order.
        chosen: name of the folder of the run the person chose; empty: none.
        backbone: of the project; runs of another one are comparisons, not what the project has learned. None: any.
    """
    own = [run for run in runs if backbone is None or run.backbone in (None, backbone)]
    for run in own:
        if chosen and run.folder.name == chosen:
            return run
    for reason in ("done", "stopped"):
        ended = [run for run in own if run.reason == reason]
        if ended:
            newest = max(ended, key=lambda run: run.number)
            comparable = [run for run in ended if run.validation == newest.validation]
            return max(comparable, key=lambda run: (_rank(run), run.number))
    return None


def _rank(run: TrainedRun) -> float:
    return -1.0 if math.isnan(run.accuracy) else run.accuracy


def why_in_use(run: TrainedRun, chosen: str) -> str:
    """In a sentence."""
    if run.folder.name == chosen:
        return f"Run {run.number} is in use because you chose it."
    if run.reason == "done":
        return (
            f"Run {run.number} is in use: the best finished run on the current validation images. Runs that were stopped, failed "
            "or diverged are used only if you choose them."
        )
    return f"Run {run.number} is in use because no run has finished yet."


@dataclass(frozen=True)
class Verdict:
    """What the end of a training means for the model in use."""

    sentence: str
    """With both figures; empty: there is nothing to compare with."""
    offered: TrainedRun | None
    """That the person may prefer to the one in use."""


def compare(new: TrainedRun, now: TrainedRun | None, before: TrainedRun | None, chosen: str) -> Verdict:
    """Compare a run that has just ended with what was in use.

    Args:
        new: the run.
        now: in use from now on.
        before: in use until now.
        chosen: see `run_in_use`.
    """
    if now is not None and now.folder == new.folder:
        if before is None or before.folder == new.folder:
            return Verdict("", None)
        if before.validation != new.validation:
            return Verdict(
                f"Run {new.number} ({new.figure}) is in use now. It was evaluated on different validation images from those of "
                f"{before.words}, so the two figures can't be compared.",
                before,
            )
        return Verdict(
            f"Run {new.number} is in use now: {new.figure} on the validation images; run {before.number} had {before.figure}.",
            None,
        )
    said = f"Run {new.number} {_ending(new)}"
    if now is None:
        return Verdict(f"{said}. It is not used unless you choose it.", new)
    whose = ", which you chose," if now.folder.name == chosen else ""
    return Verdict(f"{said}; run {now.number} ({now.figure}){whose} stays in use.", new)


def _ending(run: TrainedRun) -> str:
    """How it ended, with its figure if it has one."""
    if math.isnan(run.accuracy):
        words = {"done": "was not evaluated", "stopped": "was stopped before it was evaluated", "exploded": "diverged"}
        return words.get(run.reason, "failed")
    words = {"done": "reached", "stopped": "was stopped at", "exploded": "diverged; its best epoch reached"}
    return f"{words.get(run.reason, 'failed; its best epoch reached')} {percent(run.accuracy)} on the validation images"
