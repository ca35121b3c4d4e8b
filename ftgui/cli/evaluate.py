"""``ftgui evaluate``: how good is a model on labelled images? The figures are those of the window (`ftgui.data.metrics`)."""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftgui.cli.terminal import ends_well, say, write, write_json

_PAIRS = 10
"""Of classes that are taken for each other, the most frequent."""

Labelled = tuple[Path, str]


def add_to(commands: Any) -> None:
    """Its part of the command line."""
    parser = commands.add_parser("evaluate", help="measure a model on labelled images")
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL_OR_RUN",
        help="folder of a model, a run or a project (then its run in use)",
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="FOLDER",
        help="labelled images, or a zip or tar of them (default: those of the run's project)",
    )
    parser.add_argument(
        "--split", help="only this split: train, val or test (default: val for a run, all images for a folder)"
    )
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    parser.add_argument("--device", default="auto", help="auto, cpu, mps, cuda, cuda:1 … (default: auto)")
    parser.set_defaults(do=run)


def run(options: argparse.Namespace) -> int:
    """Exit status: 1 too if no image could be evaluated."""
    return ends_well(lambda: _evaluate(options))


@dataclass
class _Said:
    """What the model said."""

    answers: list[tuple[str, str, float]] = field(default_factory=list)
    """Label, answer, its probability."""
    unreadable: int = 0


def _evaluate(options: argparse.Namespace) -> int:
    from ftgui.base.formatting import plural
    from ftgui.cli.which_run import run_or_model
    from ftgui.engine.errors import EngineError
    from ftgui.runs.model_folder import model_folder, read_about

    if options.split not in (None, "train", "val", "test"):
        raise EngineError(f"There is no split “{options.split}”; choose train, val or test.")
    given = run_or_model(options.model)
    folder = model_folder(given)
    about = read_about(folder)  # before torch, whose import takes seconds
    if options.folder:
        where, images, names = *_of_folder(options, about.class_names), about.class_names
    else:
        where, images, names = _of_run(given, options.split or "val", about.class_names)
    known = set(names)
    unknown = Counter(name for _, name in images if name not in known)
    for name, count in sorted(unknown.items()):
        counts = "counts as a mistake" if count == 1 else "count as mistakes"
        say(f"{plural(count, 'image')} of “{name}”, a class the model does not know, {counts}")
    if sum(unknown.values()) == len(images):
        raise EngineError(f"There is nothing to evaluate in {where}: no images of the model's classes.")
    said = _Said()
    for label, answer, sure in _look(folder, images, options.device, said, names):
        said.answers.append((label, answer, sure))
    if not said.answers:
        raise EngineError(f"No image in {where} can be read.")
    figures = figures_of(said)
    if options.json:
        write_json({"images_of": where, **figures}, indent=1)
    else:
        _print(where, figures)
    return 0


# --- which images ---------------------------------------------------------------------------------------------------


def _of_folder(options: argparse.Namespace, class_names: list[str]) -> tuple[str, list[Labelled]]:
    from ftgui.base.job import Job
    from ftgui.data.scanning.archive import unpacked
    from ftgui.data.scanning.folder_scan import scan
    from ftgui.data.scanning.found import DatasetError, FoundImage

    images: list[Labelled] = []
    splits: Counter[str] = Counter()

    def take(batch: list[FoundImage]) -> None:
        for image in batch:
            splits[image.split] += 1
            if options.split in (None, image.split):
                images.append((Path(image.path), image.class_name))

    found = scan(unpacked(options.folder, Job()), take=take, known=class_names)
    if options.split and not splits[options.split]:
        raise DatasetError(f"{options.folder} has no images of the split “{options.split}”.")
    return str(options.folder), [(found.root / path, name) for path, name in images]


def _of_run(given: Path, split: str, class_names: list[str]) -> tuple[str, list[Labelled], list[str]]:
    """As the project has them now, else as the run listed them; and what the model's classes are called there."""
    from ftgui.data.catalog.reading import CatalogReader
    from ftgui.engine.errors import EngineError
    from ftgui.protocol import recipe_file
    from ftgui.runs.dataset_diff import SAMPLES_FILE, read_samples, renamed_since
    from ftgui.runs.model_folder import run_folder_of
    from ftgui.runs.run_folders import catalog_beside

    folder = given if (given / SAMPLES_FILE).is_file() else run_folder_of(given)
    if folder is None:
        raise EngineError(f"{given} is a model without its run: name a folder of labelled images to evaluate it on.")
    where = f"the {split} images of {folder.name}"
    catalog = catalog_beside(folder)
    if catalog is not None:
        with CatalogReader(catalog) as opened:
            root = opened.root
            names = renamed_since(folder, opened) if (folder / SAMPLES_FILE).is_file() else []
            return where, [(root / path, name) for path, name, _ in opened.usable([split])], names or class_names
    root = Path(recipe_file.load(folder / "recipe.toml").dataset.folder)
    if root == Path():
        raise EngineError(
            f"{folder} does not say where its images are: name a folder of labelled images to evaluate it on."
        )
    try:
        samples = read_samples(folder)
    except ValueError as error:
        raise EngineError(f"{error}.") from error
    return where, [(root / path, name) for path, (name, its) in samples.items() if its == split], class_names


# --- what the model says --------------------------------------------------------------------------------------------


def _look(
    folder: Path, images: list[Labelled], device_name: str, said: _Said, names: list[str]
) -> Iterator[tuple[str, str, float]]:
    from ftgui.engine import devices
    from ftgui.engine.inference.batch_inference import run_inference
    from ftgui.engine.malloc import keep_freed_memory
    from ftgui.engine.model.loaded_model import open_finished
    from ftgui.protocol import messages as m
    from ftgui.protocol.event_text import ProgressLine

    keep_freed_memory()
    device = devices.pick(device_name)
    built, about = open_finished(folder)
    built.model.to(device)
    line = ProgressLine(sys.stderr)
    items = ((image, image[0]) for image in images)
    done = 0
    with closing(run_inference(built.model, built.heads[0], items, built.preprocessing, device, lambda: None)) as looks:
        for looked in looks:
            for (path, _), why in looked.unreadable:
                line.say(f"left out: {path}: {why}")
            said.unreadable += len(looked.unreadable)
            if looked.items:
                sure, best = (looked.logits / about.temperature).softmax(1).max(1)
                for (_, label), share, index in zip(looked.items, sure.tolist(), best.tolist(), strict=True):
                    yield label, names[index], share
            done += len(looked.items) + len(looked.unreadable)
            line.show(m.Progress("evaluating images", done, len(images)))
    line.clear()


# --- figures --------------------------------------------------------------------------------------------------------


def figures_of(said: _Said) -> dict[str, Any]:
    """Plain values; null where nothing can be said."""
    from ftgui.data import metrics

    answers = metrics.answers_from(said.answers, said.unreadable)
    confusion = answers.confusion()
    total, right = len(answers.labels), int(answers.right.sum())
    low, high = metrics.interval(right, total)
    each = metrics.class_figures(confusion)
    names = answers.class_names
    return {
        "images": total,
        "unreadable": said.unreadable,
        "right": right,
        "accuracy": right / total,
        "interval": [low, high],
        "calibration_error": metrics.calibration_error(metrics.reliability(answers.confidences, answers.right)),
        "classes": [
            {
                "class": name,
                "precision": _known(each.precision[place]),
                "recall": _known(each.recall[place]),
                "f1": _known(each.f1[place]),
                "support": int(each.support[place]),
            }
            for place, name in enumerate(names)
        ],
        "confused": [
            {"is": names[true], "called": names[answered], "images": count}
            for count, true, answered in metrics.confused_pairs(confusion, _PAIRS)
        ],
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _print(where: str, figures: dict[str, Any]) -> None:
    from ftgui.base.foreign_text import visible
    from ftgui.base.formatting import percent, plural

    low, high = figures["interval"]
    write(
        f"{where}: {plural(figures['images'], 'image')}"
        + (f", {figures['unreadable']:,} unreadable" * bool(figures["unreadable"]))
    )
    write(
        f"accuracy {percent(figures['accuracy'])} ({figures['right']:,} right; 95 % confidence interval {percent(low)} to "
        f"{percent(high)})"
    )
    write(f"calibration error {percent(figures['calibration_error'])}")
    names = [visible(one["class"]) for one in figures["classes"]]
    width = max(5, *map(len, names))
    write("")
    write(f"{'class':{width}}  precision  recall      F1  images")
    for name, one in zip(names, figures["classes"], strict=True):
        shares = [percent(math.nan if one[key] is None else one[key]) for key in ("precision", "recall", "f1")]
        write(f"{name:{width}}  {shares[0]:>9}  {shares[1]:>6}  {shares[2]:>6}  {one['support']:>6,}")
    if figures["confused"]:
        write("")
        write("most confused")
    for one in figures["confused"]:
        write(f"{one['images']:,} × “{one['is']}” taken for “{one['called']}”")
