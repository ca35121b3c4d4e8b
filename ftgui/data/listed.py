"""Scanning a dataset whose classes stand in tables."""

from __future__ import annotations

import os

from ftgui.data import tables
from ftgui.data.formats import is_image_name
from ftgui.data.scan import Collector, Columns, DatasetError, is_text, shown, split_of, take_file, walk
from ftgui.data.tables import Index, Table
from ftgui.protocol.problem import Problem


def take_listed(collector: Collector, columns: Columns | None) -> bool:
    """Take the images that a table names, if there is a table that can be understood.

    Returns:
        whether there is one; if not, nothing was taken.

    Raises:
        TableQuestion, DatasetError: as `tables.understand` and `tables.read`.
    """
    root = collector.found.root
    images: dict[str, os.DirEntry[str]] = {}
    beside: dict[str, list[str]] = {"": []}
    looked = len(collector.found.folders)
    for relative, entry in walk(collector, "", str(root)):
        path = relative.removeprefix("/")
        if is_image_name(entry.name):
            if is_text(path):
                images[path] = entry
        else:
            beside.setdefault(path.rpartition("/")[0], []).append(entry.name)
    found = [("", table) for table in tables.understand(root, beside[""], set(images), columns)]
    if not found:
        for folder, names in beside.items():
            if folder and split_of(folder):
                inside = {path.removeprefix(f"{folder}/") for path in images if path.startswith(f"{folder}/")}
                found += [
                    (f"{folder}/", Table(table.file, table.columns, table.split or split_of(folder)))
                    for table in tables.understand(root / folder, names, inside, None)
                ]
    if not found:
        del collector.found.folders[looked:]
        return False
    _take(collector, images, found)
    if not collector.found.counts:
        tables_ = ", ".join(f"“{table.file.name}”" for _, table in found)
        raise DatasetError(f"{tables_} names none of the images in “{root.name}”, or gives them no class.")
    for folder, names in beside.items():
        for name in names:
            if all(table.file != root / folder / name for _, table in found):
                path = shown(f"{folder}/{name}".removeprefix("/"))
                collector.found.problem(
                    Problem("info", "other-file", "This file is not an image; it is ignored.", path)
                )
    return True


def _take(collector: Collector, images: dict[str, os.DirEntry[str]], found: list[tuple[str, Table]]) -> None:
    taken: dict[str, str] = {}
    problem = collector.found.problem
    for prefix, table in found:
        index = Index({path.removeprefix(prefix) for path in images if path.startswith(prefix)})
        for line in tables.read(table):
            collector.look()
            inner = index.find(line.path)
            if inner is None:
                text = f"“{table.file.name}” names this file, but there is none such, or there are several."
                problem(
                    Problem("warning", "listed-missing", text, shown(line.path), "Put it there, or correct the table.")
                )
                continue
            path = prefix + inner
            if path in taken:
                if taken[path] != line.class_name:
                    text = f"Listed as “{taken[path]}” and as “{line.class_name}”; the first counts."
                    problem(Problem("warning", "listed-twice", text, path, "Correct the table, or relabel the image."))
                continue
            taken[path] = line.class_name
            take_file(collector, path, images[path], line.class_name, line.split)
    for path in images.keys() - taken.keys():
        text = "No table names this image, so its class is not known; it is left out."
        problem(Problem("warning", "outside-class", text, path, "Add it to the table."))
