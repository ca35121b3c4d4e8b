"""What a run began with, looked up again when it goes on: the same images under the names that their classes have now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ftgui.base.files import reason
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import Sample, reference
from ftgui.data.scanning.names import listing
from ftgui.runs.dataset_diff import SAMPLES_FILE, classes_now, read_samples


class OtherImagesError(Exception):
    """The images are not those that a run began with; the text says which, and what to do."""


def samples_of(run_folder: Path, catalog: CatalogReader) -> tuple[list[str], list[Sample]]:
    """The class names and samples a run began with, in its order: what is drawn for an image follows from its place, and what
    an output of the model means from the place of its class.

    Classes that were only renamed since have their present names. Images that turned out to be unreadable, or were excluded,
    since are among the samples: a training leaves out what it can't read by itself.

    Raises:
        OtherImagesError: the catalog holds others now.
    """
    root = catalog.root
    try:
        began = read_samples(run_folder)
    except (OSError, ValueError) as error:
        raise _others(f"its list of images, {SAMPLES_FILE}, can't be read: {reason(error)}") from error
    known = {path: (name, split) for path, name, split in catalog.entries()}
    if gone := [path for path in began if path not in known]:
        raise _others(f"{_count(gone, len(began))} no longer in the dataset")
    present = {reference(sample.path, root): sample.split for sample in catalog.samples()}
    if new := sorted(path for path in present if path not in began):
        raise _others(f"{_count(new, len(present))} new since then")
    then = sorted({name for name, split in began.values() if split == "train"})
    names = dict(zip(then, classes_now(began, known, then), strict=True))
    _refuse_merged(names)
    for path, (name, split) in began.items():
        name_now, split_now = known[path]
        if name_now != names.get(name, name):
            raise _others(f"“{path}” was in class “{names.get(name, name)}” and is now in “{name_now}”")
        if split_now != split:
            raise _others(f"“{path}” was in the split “{split}” and is now in “{split_now}”")
    target = {name: index for index, name in enumerate(then)}
    samples = [Sample(root / path, names[name], target[name], split) for path, (name, split) in began.items()]
    return list(names.values()), samples


def _refuse_merged(names: dict[str, str]) -> None:
    """Two outputs of the model can't mean one class."""
    for name, count in Counter(names.values()).items():
        if count > 1:
            before = listing(old for old, new in names.items() if new == name)
            raise _others(f"its classes {before} are now one, “{name}”")


def _count(paths: Iterable[str], total: int) -> str:
    paths = list(paths)
    are = "is" if len(paths) == 1 else "are"
    return f"{len(paths):,} of {total:,} images ({listing(paths, 3)}) {are}"


def _others(why: str) -> OtherImagesError:
    return OtherImagesError(
        f"The images are not those the run started with: {why}. So the run can't be continued. Undo that change, or train again."
    )
