"""Taking what tables, or the names of files, say of the images."""

from __future__ import annotations

from ftgui.base.files import shown
from ftgui.data.images.other_pictures import other_file
from ftgui.data.scanning.found import Collector
from ftgui.data.scanning.readings import Reading
from ftgui.data.scanning.walk import Entry, status_of
from ftgui.protocol.problem import Problem


def take_listed(collector: Collector, reading: Reading, images: dict[str, Entry], others: list[str]) -> None:
    """Take the images that a reading has a class for, and name what it leaves out.

    Args:
        collector: gets images and problems.
        reading: of tables or file names.
        images: path -> file, all that are there.
        others: paths of files that are no images.
    """
    found = collector.found
    for table, labels in zip(reading.tables, reading.labels, strict=True):
        for written in labels.missing:
            text = f"“{table.file.name}” names this file, but there is no such file, or more than one."
            fix = "Add the file, or correct the table."
            found.problem(Problem("warning", "listed-missing", text, shown(written), fix))
        for path, counts, other in labels.twice:
            text = f"Listed as “{counts}” and as “{other}”; the first counts."
            fix = "Correct the table, or relabel the image."
            found.problem(Problem("warning", "listed-twice", text, path, fix))
    for path, (class_name, split) in reading.of.items():
        collector.look()
        status = status_of(found, path, images[path])
        if status is not None:
            collector.image(path, class_name, split, status)
    unlabelled = {path for labels in reading.labels for path in labels.unlabelled}
    for path in images.keys() - reading.of.keys():
        if reading.tables:
            text = "The table names this image without a class" if path in unlabelled else "No table names this image"
            text, fix = f"{text}, so its class is not known; it is left out.", "Add it to the table."
        else:
            text, fix = "Its name does not say its class; it is left out.", "Rename it like the others."
        found.problem(Problem("warning", "no-label", text, path, fix))
    used = {table.columns.table for table in reading.tables}
    for path in others:
        if path not in used:
            found.problem(other_file(shown(path)))
