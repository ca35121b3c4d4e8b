"""Sets made for other tasks: recognised by the files beside the images, and said, instead of being learned wrongly."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from ftgui.data.images.decoding import is_image_name
from ftgui.data.scanning.names import split_name, words
from ftgui.data.scanning.walk import Folder

_MASKS = frozenset(
    words(
        "mask masks groundtruth ground_truth gt segmentationclass segmentationobject segmentation segmentations trimaps "
        "labels label annotations annotation labels_colored mask_png"
    )
)
"""Names of folders (in lower case) that hold a mask for each image."""
_BOXES = ("annotations", "annotation", "labels", "label", "xmls")
"""Names of folders (in lower case) that hold a file of boxes for each image."""
MASK_FOLDERS = frozenset({"masks", "mask", "trimaps", "segmentationclass", "segmentationobject", "segmentations"})
"""Those that never hold photos."""
_BOX_LINE = re.compile(r"\s*\d+(\s+-?[\d.]+(e-?\d+)?){4,}\s*")
_HEAD = 1 << 16
_LOOKED_AT = 20
"""Files of a kind."""
_DO = (
    "ftgui learns one class per image: crop the objects out, or sort the images, into one folder per class. To read it anyway, "
    'set layout = "class" under [dataset] in the recipe.'
)


def recognise(top: Folder, base: Folder) -> str:
    """A sentence about a set for object detection or segmentation; empty: it is none.

    Args:
        top: the dataset folder.
        base: the folder in it whose folders mean something.
    """
    for folder in dict.fromkeys((top, base)):
        inner = [child for child in folder.folders if split_name(child.name).split or child.name.lower() == "images"]
        for place in (folder, *inner[:3]):
            if kind := _kind_of(place):
                return f"“{top.name}” looks like a dataset for {kind}. {_DO}"
    return ""


def _kind_of(folder: Folder) -> str:
    children = {child.name.lower(): child for child in folder.folders}
    endings = (".xml", ".json", ".txt") if folder.images else (".json",)
    beside_images = any(entry.name.lower().endswith(endings) for entry in folder.files)
    if not beside_images and not any(name in _MASKS or name in _BOXES for name in children):
        return ""  # nothing needs to be listed to know it
    stems = _image_stems(folder)
    for child in folder.folders:
        stems |= _image_stems(child)
        for deeper in child.folders[:3]:
            if split_name(deeper.name).split:
                stems |= _image_stems(deeper)
    if not stems:
        return ""
    beside = [
        folder,
        *(children[name] for name in _BOXES if name in children),
    ]
    beside += [inner for child in beside[1:] for inner in child.folders[:3]]
    for place in beside:
        if kind := _kind_of_files(place, stems):
            return kind
    return _masks(folder)


def _kind_of_files(place: Folder, stems: set[str]) -> str:
    names = [entry.name for entry in place.files if not is_image_name(entry.name)]
    own = {
        ending: [n for n in names if n.lower().endswith(ending)][:_LOOKED_AT] for ending in (".xml", ".json", ".txt")
    }
    for name in own[".xml"]:
        if Path(name).stem in stems and "<annotation" in _head(place, name):
            return "object detection (boxes in XML files, as in Pascal VOC)"
    for name in own[".json"]:
        head = _head(place, name)
        if Path(name).stem in stems and '"shapes"' in head:
            return "object detection or segmentation (outlines made with LabelMe)"
        if _is_coco(head + _tail(place, name)):
            return "object detection or segmentation (boxes and outlines in JSON, as in COCO)"
    boxes = [name for name in own[".txt"] if Path(name).stem in stems and _has_boxes(_head(place, name))]
    if boxes:
        return "object detection (boxes in text files, as in YOLO)"
    return ""


def _is_coco(text: str) -> bool:
    return '"images"' in text and '"annotations"' in text and ('"bbox"' in text or '"segmentation"' in text)


def _has_boxes(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()][:_LOOKED_AT]
    return bool(lines) and all(_BOX_LINE.fullmatch(line) for line in lines)


def _masks(folder: Folder) -> str:
    """Two folders with the same names in them, of which one is called after masks."""
    for child in folder.folders:
        if child.name.lower() not in _MASKS:
            continue
        own = _image_stems(child)
        for other in folder.folders:
            theirs = _image_stems(other)
            if (
                other is not child
                and own
                and other.name.lower() not in _MASKS
                and len(own & theirs) * 5 >= len(own) * 4
            ):
                return f"segmentation (“{child.name}” holds a mask for each image of “{other.name}”)"
    return ""


def _image_stems(folder: Folder) -> set[str]:
    return {entry.name.rpartition(".")[0].removesuffix("_mask") for entry in folder.files if is_image_name(entry.name)}


def _head(folder: Folder, name: str) -> str:
    with suppress(OSError), (Path(folder.path) / name).open("rb") as file:
        return file.read(_HEAD).decode("utf-8", "replace")
    return ""


def _tail(folder: Folder, name: str) -> str:
    with suppress(OSError), (Path(folder.path) / name).open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - _HEAD, 0))
        return file.read(_HEAD).decode("utf-8", "replace")
    return ""
