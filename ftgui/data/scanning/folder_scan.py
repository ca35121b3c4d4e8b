"""Finding the images of a dataset folder: which file, which class, which split. Reads names and tables, opens no image.

What says the classes is decided first (`ftgui.data.scanning.label_sources`):
folders (``class/…/image.jpg``, with those of the splits
above or below), a table beside the images, or their names. A folder that only wraps a dataset (as unpacked archives do)
is looked through.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ftgui.base.files import is_text, shown
from ftgui.base.formatting import plural
from ftgui.base.job import Job
from ftgui.data.images.decoding import is_image_name
from ftgui.data.images.other_pictures import other_file, other_pictures
from ftgui.data.scanning.folder_layouts import ClassFolder, FolderPlan
from ftgui.data.scanning.found import ARCHIVES, Collector, Columns, DatasetError, Found, Take
from ftgui.data.scanning.label_sources import Decision, Wanted, decide, may_be_table
from ftgui.data.scanning.names import fold, listing, split_of
from ftgui.data.scanning.table_scan import take_listed
from ftgui.data.scanning.walk import Entry, Folder, open_folder, status_of, walk
from ftgui.protocol.problem import Problem


def scan(
    folder: Path,
    job: Job | None = None,
    take: Take | None = None,
    columns: Columns | None = None,
    only: Sequence[str] = (),
    wanted: Wanted | None = None,
    known: Sequence[str] = (),
) -> Found:
    """Look through a dropped folder.

    What is not an image, can't be listed or lies outside a class folder becomes a problem; nothing here is fatal
    but an unreadable or wholly unsuitable folder.

    Args:
        folder: to look through.
        job: progress in images; total unknown.
        take: called with batches of images as they are found.
        columns: short for `wanted` with these columns only.
        only: names of the class folders to look into; empty: all.
        wanted: how to read the folder, if the person or the recipe said so.
        known: class names whose spelling counts more than that of the folders, as those of a model.

    Raises:
        DatasetError: not a folder, no permission, or no images with classes.
        LayoutQuestion: several things may say the classes, and none clearly.
        TableQuestion: a table may say the classes, but which column is what is not clear.
        Cancelled: through `job`.
    """
    root = folder.absolute() if only else dataset_root(folder)
    found = Found(root)
    collector = Collector(found, job or Job(), take, known)
    top = open_folder(root, found)
    if only:
        classes = tuple(ClassFolder(inner, inner.name) for inner in top.folders if inner.name in only)
        decision = Decision(FolderPlan("class", classes))
    else:
        decision = decide(top, collector, wanted or Wanted(columns=columns))
    if decision.plan is not None:
        _take_folders(collector, decision)
    elif decision.reading is not None:
        take_listed(collector, decision.reading, decision.images, decision.others)
    if not found.counts:
        raise DatasetError(_why_nothing(found, folder))
    _say_joined(collector)
    _say_unchecked(found)
    collector.flush()
    return found


def dataset_root(folder: Path) -> Path:
    """The folder whose folders are classes or splits: `folder` itself, or the one that it only wraps.

    Raises:
        DatasetError: there is no folder that can be read.
    """
    root = Path(_unwrap(open_folder(folder.absolute())).path)
    if not is_text(str(root)):
        raise DatasetError(
            f"The name of the folder “{shown(root.name)}” is not valid text. Rename it, then open it again."
        )
    return root


def _unwrap(folder: Folder) -> Folder:
    """Go through folders that hold nothing but one other folder with folders in it."""
    current = folder
    while len(current.folders) == 1 and not current.images and not split_of(current.folders[0].name):
        inner = current.folders[0]
        if not inner.folders or any(may_be_table(Path(entry.path)) for entry in current.files):
            break  # what lies beside may say the classes
        current = inner
    return current


# --- taking what the folders say ------------------------------------------------------------------------------------


def _take_folders(collector: Collector, decision: Decision) -> None:
    plan, found = decision.plan, collector.found
    assert plan is not None
    told = {Path(found.root), *(Path(folder.path) for folder in plan.loose)}
    found.folders += sorted(told)
    for folder in plan.loose:
        for entry in folder.files:
            _outside(found, f"{folder.relative}/{entry.name}".lstrip("/"), entry.name)
    for each in plan.classes:
        files = walk(collector, each.folder) if each.deep else _files(collector, each.folder)
        for path, entry in files:
            _take_file(collector, path, entry, each, decision.splits.get(path, each.split))
    for folder in plan.outside:
        for path, entry in walk(collector, folder):
            _outside(found, path, entry.name)
    said = [plan.said] if plan.said else []
    if decision.splits:
        said.append(f"Splits from {decision.split_source}, {plural(len(decision.splits), 'image')}.")
    if said:
        fix = "If that is wrong, choose another way to read the folder."
        found.problem(Problem("info", "reading", " ".join(said), fix=fix))


def _files(collector: Collector, folder: Folder) -> list[tuple[str, Entry]]:
    collector.found.folders.append(Path(folder.path))
    return [(f"{folder.relative}/{entry.name}", entry) for entry in folder.files]


def _take_file(collector: Collector, path: str, file: Entry, each: ClassFolder, split: str) -> None:
    if is_text(path) and not is_image_name(file.name):
        collector.found.problem(other_file(path))
        return
    status = status_of(collector.found, path, file)
    if status is not None:
        collector.image(path, each.class_name, split, status)


def _outside(found: Found, relative: str, name: str) -> None:
    relative = shown(relative)
    if is_image_name(name):
        found.problem(
            Problem(
                "warning",
                "outside-class",
                "This image is not in a class folder, so its class is not known; it is left out.",
                relative,
                "Move it into the folder of its class.",
            )
        )
    else:
        found.problem(other_file(relative))


# --- what is said of the whole --------------------------------------------------------------------------------------


def _say_joined(collector: Collector) -> None:
    """Names that are the same but for case, blanks or the kind of accents."""
    for name, others in collector.names.joined.items():
        text = f"{listing(others)} {'is' if len(others) == 1 else 'are'} treated as the class “{name}”."
        fix = "If they are different things, give them names that differ in more than case, spaces or the encoding of accents."
        collector.found.problem(Problem("info", "names-joined", text, name, fix))


def _say_unchecked(found: Found) -> None:
    """Validation images of classes that nothing is learned of can't check anything."""
    learned = {fold(name) for name, splits in found.counts.items() if splits["train"] or splits[""]}
    for split, words in (("val", "validation"), ("test", "test")):
        own = [name for name, splits in found.counts.items() if splits[split]]
        if own and learned and not learned & {fold(name) for name in own}:
            instead = " Validation images are drawn from the training images instead." if split == "val" else ""
            text = f"The {words} images ({listing(own, 3)}) have no class in common with the training images.{instead}"
            fix = "Give both the same class names."
            found.problem(Problem("error", "no-shared-class", text, split, fix))


def _archives(found: Found) -> list[Path]:
    return [Path(p.path) for p in found.problems if p.kind == "other-file" and p.path.lower().endswith(ARCHIVES)]


def _why_nothing(found: Found, folder: Path) -> str:
    kinds = found.problem_counts
    if count := kinds["outside-class"]:
        return (
            f"The {count:,} image{'s' if count > 1 else ''} in “{folder.name}” {'are' if count > 1 else 'is'} not in a class "
            "folder. Make one folder per class and put the images into them."
        )
    if kinds["folder-unreadable"]:
        return f"You have no permission to read the folders in “{folder.name}”."
    if inner := [path.name for path in _archives(found)]:
        return f"“{folder.name}” holds archives ({listing(inner, 3)}), and no images: unpack them, or drop one of them."
    if kinds:
        others = other_pictures(problem.path for problem in found.problems if problem.kind == "other-picture")
        return f"There are no images in “{folder.name}”, {others or f'only other files ({kinds.total():,})'}."
    return (
        f"“{folder.name}” is empty. Drop a folder that holds one folder of images per class; if a drive belongs in its place, "
        "connect it first."
    )
