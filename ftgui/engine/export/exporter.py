"""Taking a model away: written as files for use elsewhere, each run and compared before it is called done."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import msgspec
import torch

import ftgui
from ftgui.base.files import reason, settle, slug, unfinished_folder, write_atomically
from ftgui.data.catalog.errors import CatalogError
from ftgui.data.catalog.reading import CatalogReader
from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.export import verification
from ftgui.engine.export.onnx_and_torch import (
    ONNX_FILE,
    PROGRAM_FILE,
    ExportWrapper,
    missing_extra,
    model_facts,
    trace,
    write_onnx,
    write_program,
)
from ftgui.engine.export.standalone_code import DRAWS_FILE, PIXELS_FILE, PREDICT_FILE, pixels_source, predict_source
from ftgui.engine.export.training_script import TRAIN_FILE, write_scripts
from ftgui.engine.export.verification import Probe
from ftgui.engine.interruptions import StopRequested
from ftgui.engine.model.backbones import BuiltBackbone, title_of
from ftgui.engine.model.loaded_model import open_finished
from ftgui.engine.model.model_folder_writer import Description, write_card, write_model
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Backbone, Recipe
from ftgui.runs.dataset_diff import SAMPLES_FILE, read_samples
from ftgui.runs.facts import run_facts
from ftgui.runs.model_card import RunFacts
from ftgui.runs.model_folder import DESCRIPTION_FILE, WEIGHTS_FILE, About, model_folder, run_folder_of
from ftgui.runs.run_folders import catalog_beside

log = logging.getLogger(__name__)

PROOF_FILE = "proof.json"
FACTS_FILE = "model.json"

FOLDER, ONNX, PROGRAM, SCRIPT = m.EXPORT_KINDS

FILES = {
    FOLDER: [WEIGHTS_FILE, DESCRIPTION_FILE, "config.json"],
    ONNX: [ONNX_FILE, ONNX_FILE + ".data"],
    PROGRAM: [PROGRAM_FILE],
    SCRIPT: [TRAIN_FILE, DRAWS_FILE, SAMPLES_FILE],
}
"""What belongs to one kind alone; the first decides whether it is there."""

_WORDS = {
    FOLDER: "the model's folder",
    ONNX: "ONNX",
    PROGRAM: "a PyTorch program",
    SCRIPT: "a script that repeats the training",
}


@dataclass
class _Source:
    """What is taken away."""

    run_folder: Path
    """Of the run; of the model itself where it comes without one."""
    built: BuiltBackbone
    about: About
    recipe: Recipe
    facts: RunFacts
    root: Path
    """Of the images."""
    validation: list[Path]
    """Images, as many as there are."""

    @property
    def name(self) -> str:
        """For the new folder, e.g. ``hymenoptera-0007-head-last-stage``."""
        dataset = slug(self.root.name) if self.root.name else ""
        return "-".join(filter(None, [dataset, self.run_folder.name]))

    @property
    def description(self) -> Description:
        built, about = self.built, self.about
        return Description(
            Backbone(name=about.backbone, weights=about.weights),
            built.heads,
            title_of(about.backbone, about.weights),
            about.class_names,
            built.preprocessing,
            built.timm_config,
            self.recipe,
        )

    @cached_property
    def program(self) -> torch.export.ExportedProgram:
        """For all kinds that are a graph.

        Raises:
            EngineError: this model can't be one.
        """
        portable = ExportWrapper(self.built.model, self.built.preprocessing, self.about.temperature)
        return trace(portable, self.built.preprocessing.size)


class Exporter:
    """Does one `Export`.

    Args:
        command: what to do.
        emit: takes every event.
        poll: called between steps; raises `StopRequested` to end it.
    """

    def __init__(self, command: m.Export, emit: Emit, poll: Callable[[], object]) -> None:
        self._command = command
        self._emit = emit
        self._poll = poll

    def run(self) -> None:
        """Write, prove, tell: the new folder appears whole, or not at all.

        Raises:
            EngineError: the model can't be used, or nothing can be written there.
            RecipeError: the model's recipe can't be read.
        """
        command = self._command
        unknown = [kind for kind in command.kinds if kind not in m.EXPORT_KINDS]
        if unknown or not command.kinds:
            what = f"There is no export format “{unknown[0]}”" if unknown else "Nothing was chosen"
            raise EngineError(f"{what}; a model can be exported as {', '.join(m.EXPORT_KINDS)}.")
        source = _open(command)
        destination = Path(command.destination)
        folder: Path | None = None
        try:
            destination.mkdir(parents=True, exist_ok=True)
            wanted = destination / source.name
            with unfinished_folder(wanted) as work:
                if self._write_all(source, work):
                    folder = settle(work, wanted)
        except StopRequested:
            self._emit(m.ExportFinished(command.request, "", stopped=True))
            return
        except OSError as error:
            raise EngineError(f"The model can't be written to {destination}: {reason(error)}.") from error
        self._emit(m.ExportFinished(command.request, str(folder) if folder else "", stopped=False))

    def _write_all(self, source: _Source, work: Path) -> bool:
        """Returns: whether anything was written that holds."""
        kinds = [kind for kind in m.EXPORT_KINDS if kind in self._command.kinds]
        proof: dict[str, dict[str, float]] = {}
        written: list[str] = []
        with verification.probe(source.built, source.about, source.validation) as images:
            self._write_common(source, work, kinds)
            for number, kind in enumerate(kinds):
                self._poll()
                what = f"writing and checking {_WORDS[kind]}"
                self._emit(m.Progress(what, number, len(kinds), request=self._command.request))
                differences: dict[str, float] = {}
                problem = ""
                try:
                    differences = self._write(kind, source, work, images)
                except EngineError as error:
                    problem = str(error)
                    for name in FILES[kind]:
                        (work / name).unlink(missing_ok=True)
                else:
                    written.append(kind)
                    if differences:
                        proof[FILES[kind][0]] = differences
                self._tell(kind, work, differences, images, problem)
            self._emit(m.Progress("writing and checking", len(kinds), len(kinds), request=self._command.request))
            if proof:
                _write_proof(work, proof, images)
        names = tuple(sorted(path.name for path in work.iterdir()))
        write_card(work, source.about, source.description, source.facts, names)
        return bool(written)

    def _tell(self, kind: str, work: Path, differences: dict[str, float], images: Probe, problem: str) -> None:
        names = [] if problem else [name for name in FILES[kind] if (work / name).exists()]
        compared = len(images.views) if differences else 0
        self._emit(m.Exported(self._command.request, kind, names, differences, compared, images.on, problem))

    @staticmethod
    def _write_common(source: _Source, work: Path, kinds: list[str]) -> None:
        """What every kind, or every kind of model, takes."""
        write_atomically(work / "recipe.toml", recipe_file.dumps(source.recipe).encode("utf-8"))
        if kinds == [SCRIPT]:
            return
        facts = model_facts(source.about, source.built.heads[0], source.built.timm_config is not None)
        write_atomically(work / FACTS_FILE, json.dumps(facts, ensure_ascii=False, indent=1).encode("utf-8"))
        write_atomically(work / PIXELS_FILE, pixels_source().encode("utf-8"))
        write_atomically(work / PREDICT_FILE, predict_source().encode("utf-8"))

    def _write(self, kind: str, source: _Source, work: Path, images: Probe) -> dict[str, float]:
        """One kind, and its proof.

        Raises:
            EngineError: it can't be written, or does not answer as the program does.
            OSError: the disk is full, for instance.
        """
        if kind == SCRIPT:
            built, about = source.built, source.about
            write_scripts(work, source.run_folder, source.root, built, about, source.recipe, source.facts)
            return {}
        if kind == FOLDER:
            self._write_folder(source, work)
            answer = partial(verification.folder_answer, work, source.about, source.built.preprocessing)
        elif kind == ONNX:
            if missing := missing_extra():
                raise EngineError(missing)
            facts = model_facts(source.about, source.built.heads[0], source.built.timm_config is not None)
            write_onnx(source.program, work / ONNX_FILE, facts)
            answer = partial(verification.onnx_answer, work)
        else:
            write_program(source.program, work / PROGRAM_FILE)
            answer = partial(verification.program_answer, work)
        self._poll()
        differences = verification.compare(answer, images, self._poll)
        asked = verification.prove_script(work, kind, images, source.about.class_names, self._poll)
        return {**differences, PREDICT_FILE: asked}

    @staticmethod
    def _write_folder(source: _Source, work: Path) -> None:
        about = source.about
        write_model(
            work,
            source.built.model,
            source.description,
            about.figures,
            temperature=about.temperature,
            threshold=about.threshold,
            facts=source.facts,
        )


def _open(command: m.Export) -> _Source:
    given = Path(command.folder)
    folder = model_folder(given)
    run_folder = run_folder_of(folder) or folder
    built, about = open_finished(folder)
    if command.threshold is not None:
        if not 0 <= command.threshold <= 1:
            raise EngineError(f"A threshold is a probability, from 0 to 1, not {command.threshold:g}.")
        about = msgspec.structs.replace(about, threshold=command.threshold)
    of_run = run_folder / "recipe.toml"
    recipe = recipe_file.load(of_run if of_run.is_file() else folder / "recipe.toml")
    catalog = Path(command.catalog) if command.catalog else catalog_beside(run_folder)
    root, validation = _images(run_folder, catalog, Path(recipe.dataset.folder))
    return _Source(run_folder, built, about, recipe, run_facts(run_folder), root, validation)


def _images(run_folder: Path, catalog: Path | None, folder: Path) -> tuple[Path, list[Path]]:
    """The dataset's folder and its validation images: as the catalog has them now, else as the run listed them.

    Args:
        run_folder: with a list of samples, maybe.
        catalog: of the project, if there is one.
        folder: of the dataset, as the recipe says.
    """
    if catalog is not None:
        try:
            with CatalogReader(catalog) as opened:
                root = opened.root
                return root, [root / path for path, _, _ in opened.usable(["val"])]
        except CatalogError as error:
            log.info("the run's own list is taken instead: %s", error)  # e.g. a catalog of another version
    if folder == Path():
        return folder, []
    try:
        samples = read_samples(run_folder)
    except (OSError, ValueError):
        return folder, []
    return folder, [folder / path for path, (_, split) in samples.items() if split == "val"]


def _write_proof(work: Path, proof: dict[str, dict[str, float]], images: Probe) -> None:
    words = {str(size): f"batches of {size}" for size in verification.BATCHES}
    value: dict[str, Any] = {
        "ftgui": ftgui.__version__,
        "compared_on": images.on,
        "images": len(images.views),
        "allowed": verification.LIMIT,
        "largest_difference_in_probability": {
            name: {words.get(key, key): number for key, number in differences.items()}
            for name, differences in proof.items()
        },
    }
    write_atomically(work / PROOF_FILE, json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8"))
