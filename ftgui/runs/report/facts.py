"""Everything a report of a run says, gathered from the run's folder; what is not known is said in words."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ftgui.base.files import reason
from ftgui.base.job import Job
from ftgui.base.json_files import text, texts
from ftgui.data.catalog.errors import CatalogError
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.images.intensity import IntensityRange
from ftgui.data.images.intensity_survey import resolved
from ftgui.data.metrics import Answers, Counts, answers_from
from ftgui.data.project import Project
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Recipe, RecipeError
from ftgui.runs.dataset_diff import read_samples
from ftgui.runs.metrics_log import METRICS_FILE, History, read_history
from ftgui.runs.predictions import Predicted, read_predictions
from ftgui.runs.record import RECIPE_FILE, RunRecord, read_record
from ftgui.runs.run_diff import read_environment
from ftgui.runs.run_folders import read_result


@dataclass
class PhaseProof:
    """Of one phase: what learned, and the hash of all that was frozen, before and after."""

    name: str
    layers: list[str]
    before: str
    after: str = ""
    """Empty: the phase did not come to its end."""
    unchanged: bool = False
    early: bool = False


@dataclass
class Facts:
    """What is known of a run."""

    record: RunRecord
    recipe: Recipe | None = None
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    """Class name -> split -> images."""
    class_names: list[str] = field(default_factory=list)
    """Of `confusion`."""
    confusion: Counts | None = None
    """(K, K) of the validation images; rows: what it is."""
    answers: Answers | None = None
    """The same image by image, where the model's answers were kept."""
    worst: list[Predicted] = field(default_factory=list)
    """Validation images that are answered wrongly, highest loss first."""
    roots: list[Path] = field(default_factory=list)
    """Where the images may lie."""
    history: History | None = None
    proofs: list[PhaseProof] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)

    problems: list[str] = field(default_factory=list)

    @property
    def intensity(self) -> IntensityRange | None:
        """With which the run read images of more than 8 bits."""
        return resolved(self.recipe.dataset.intensity, None) if self.recipe is not None else None


def gather(folder: Path, job: Job) -> Facts:
    """Read a run's folder.

    Raises:
        FileNotFoundError: there is no such folder.
        Cancelled: through `job`.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no run at {folder}.")
    record = read_record(folder)
    facts = Facts(record, environment=read_environment(folder), problems=list(record.problems))
    try:
        facts.recipe = recipe_file.load(folder / RECIPE_FILE)
    except RecipeError:
        facts.recipe = None  # `read_record` has said so
    facts.roots = _roots(folder, facts.recipe)
    job.progress(0)
    _evaluation(folder, facts)
    _counts(folder, facts)
    try:
        facts.history = read_history(folder, sys.maxsize, job)
        facts.proofs = _proofs(folder)
    except FileNotFoundError:
        facts.history = None  # likewise
    except (OSError, ValueError, KeyError) as error:
        facts.problems.append(f"The curves are incomplete: metrics.jsonl can't be read to its end ({reason(error)}).")
    return facts


def _roots(folder: Path, recipe: Recipe | None) -> list[Path]:
    """The dataset's folder as the project's catalog has it, and as the recipe has it."""
    found = []
    project = Project(folder.parent.parent)
    if project.catalog_path.exists():
        try:
            with CatalogReader(project.catalog_path) as catalog:
                found.append(catalog.root)
        except CatalogError:
            found = []  # the recipe's is as good, mostly
    if recipe is not None and recipe.dataset.folder:
        found.append(Path(recipe.dataset.folder))
    return found


def _samples(folder: Path) -> dict[str, tuple[str, str]]:
    try:
        return read_samples(folder)
    except (OSError, ValueError):
        return {}  # `read_record` says so


def _counts(folder: Path, facts: Facts) -> None:
    for name, split in _samples(folder).values():
        facts.counts.setdefault(name, Counter())[split] += 1


def _evaluation(folder: Path, facts: Facts) -> None:
    """From the answers image by image, or else from the table that the run ended with."""
    try:
        said = read_predictions(folder)
    except (OSError, ValueError):
        facts.problems.append("predictions.csv is damaged, so the worst errors are not known.")
        said = []
    used = _samples(folder)
    # An image that the run learned from and that was moved to validation since says nothing.
    val = [one for one in said if one.split == "val" and used.get(one.path, ("", "val"))[1] == "val"]
    if val:
        facts.answers = answers_from([(one.class_name, one.prediction, one.confidence) for one in val])
        facts.class_names, facts.confusion = facts.answers.class_names, facts.answers.confusion()
        wrong = [one for one in val if one.prediction != one.class_name]
        facts.worst = sorted(wrong, key=lambda one: one.loss if one.loss == one.loss else -1, reverse=True)
        return
    raw = (read_result(folder) or {}).get("evaluation")
    try:
        names = msgspec.convert((raw or {}).get("class_names", []), list[str])
        table = np.array(msgspec.convert((raw or {}).get("confusion", []), list[list[int]]), np.int64)
    except (msgspec.ValidationError, ValueError, AttributeError):
        facts.problems.append("The evaluation in result.json is damaged.")
        return
    if names and table.shape == (len(names), len(names)):
        facts.class_names, facts.confusion = names, table


def _proofs(folder: Path) -> list[PhaseProof]:
    found: list[PhaseProof] = []
    decoder = msgspec.json.Decoder(dict[str, Any])
    with (folder / METRICS_FILE).open("rb") as lines:
        for line in lines:
            if b'"kind": "phase' not in line or not line.endswith(b"\n"):
                continue
            said = decoder.decode(line)
            if said["kind"] == "phase":
                found.append(PhaseProof(text(said["name"]), texts(said["layers"]), text(said["frozen_hash"])))
            elif found:
                found[-1].after, found[-1].unchanged = text(said["frozen_hash"]), bool(said["frozen_unchanged"])
                found[-1].early = bool(said["early"])
    return found
