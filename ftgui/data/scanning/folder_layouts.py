"""What the folders of a dataset may mean: classes, splits above or below them, parts of a download. By names, lazily."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ftgui.data.scanning.names import SplitName, fold, listing, split_name, words
from ftgui.data.scanning.walk import Folder

_GENERIC = frozenset(words("images image imgs img pictures pics photos data raw jpg jpeg png jpegimages files"))
"""Names of folders that hold pictures of no class."""
_PART_WORDS = frozenset(words("part parts batch shard chunk disk disc vol volume folder download image images set"))
_LOOKED_INTO = 8
"""Folders of many that are looked into for images."""


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """Whose images are of one class."""

    folder: Folder
    class_name: str
    split: str = ""
    deep: bool = True
    """With all folders below; else only the files directly in it."""


@dataclass(frozen=True)
class FolderPlan:
    """One way to read the folders."""

    layout: str
    """As in `ftgui.protocol.recipe.Dataset.layout`."""
    classes: tuple[ClassFolder, ...]
    outside: tuple[Folder, ...] = ()
    """Whose images are of no class."""
    loose: tuple[Folder, ...] = ()
    """Whose files, directly in them, are of no class."""
    said: str = ""
    """Confusion matrix, where that is not plain; whole sentences."""
    certain: bool = True
    """There is no other way to read them that is nearly as good."""

    @property
    def names_weight(self) -> float:
        """How much the folders' names look like those of classes, 0 to 1."""
        names = list(dict.fromkeys(each.class_name for each in self.classes))
        if are_parts(names) or any(fold(name) in _GENERIC for name in names):
            return 0.2
        if all(re.fullmatch(r"\d{4}[-_.]\d\d?([-_.]\d\d?)?", name) for name in names):
            return 0.3  # dates
        if all(name.isdigit() for name in names) and len({len(name) for name in names}) == 1 and len(names[0]) > 1:
            return 0.5  # numbered shards, or classes by number
        return 1.0


def are_parts(names: list[str]) -> bool:
    """Whether names differ by a number only and say that they are parts: ``batch1``, ``HAM10000_images_part_2``."""
    stems = {re.sub(r"\d+\W*$", "", fold(name)) for name in names}
    if len(names) < 2 or len(stems) != 1 or not all(name.rstrip()[-1:].isdigit() for name in names):
        return False
    return bool(_PART_WORDS & set(re.split(r"[\W_\d]+", stems.pop())))


def base_of(root: Folder) -> Folder:
    """The folder whose folders mean something: the root, or below it as long as one folder alone holds all images."""
    current = root
    while not current.images:
        holding: list[Folder] = []
        for folder in current.folders:
            if folder.has_images():
                holding.append(folder)
                if len(holding) > 1:
                    return current
        if not holding or split_name(holding[0].name).split or not any(f.has_images() for f in holding[0].folders):
            return current
        current = holding[0]
    return current


def folder_plans(base: Folder) -> list[FolderPlan]:
    """Every way to read the folders that fits, the best first; empty: they say no classes."""
    plans = [plan for plan in (_splits_above(base), _splits_below(base), _parts(base)) if plan is not None]
    plans.sort(key=lambda plan: not plan.certain)
    return [*plans, *_plain(base, bool(plans))]


def _plain(base: Folder, rivals: bool = False) -> list[FolderPlan]:
    """Each folder is a class."""
    tops = base.folders
    names = {folder.relative: split_name(folder.name) for folder in tops}
    parts = [folder for folder in tops if names[folder.relative].split]
    if not tops or _are_all_splits(parts, tops, names):
        return []
    said = ""
    if parts:
        said = f"{listing(folder.name for folder in parts)} {_are(len(parts))} treated as {_class(len(parts))}, not as a split."
    elif are_parts([folder.name for folder in tops]):
        said = f"{listing(folder.name for folder in tops)} are treated as classes, though they look like parts of one dataset."
    classes = tuple(ClassFolder(folder, folder.name) for folder in tops)
    return [FolderPlan("class", classes, loose=(base,), said=said, certain=not rivals)]


def _are_all_splits(parts: list[Folder], tops: list[Folder], names: dict[str, SplitName]) -> bool:
    """Whether no folder of images is left beside those that are called after splits of one set."""
    if not parts or any(folder not in parts and folder.has_images() for folder in tops):
        return False
    return len(parts) == 1 or len({names[folder.relative].rest for folder in parts}) < len(parts)


def _are(count: int) -> str:
    return "are" if count > 1 else "is"


def _class(count: int) -> str:
    return "classes" if count > 1 else "a class"


# --- splits above the classes ---------------------------------------------------------------------------------------


def _splits_above(base: Folder) -> FolderPlan | None:
    said_of = {folder.relative: split_name(folder.name) for folder in base.folders}
    named = [folder for folder in base.folders if said_of[folder.relative].split]
    below = {folder.relative: _class_parent(folder) for folder in named}
    fitting = [folder for folder in named if _holds_classes(below[folder.relative])]
    fitting = _of_one_set(fitting, said_of, below)
    if not fitting:
        return None
    fitting.sort(key=lambda folder: (said_of[folder.relative].split != "train", folder.name))
    names = {fold(inner.name) for folder in fitting for inner in below[folder.relative].folders}
    others = [folder for folder in base.folders if folder not in fitting]
    classes = [
        ClassFolder(inner, inner.name, said_of[folder.relative].split)
        for folder in fitting
        for inner in below[folder.relative].folders
    ]
    beside = [folder for folder in others if fold(folder.name) in names and folder not in named]
    classes = [ClassFolder(folder, folder.name) for folder in beside] + classes
    outside = [folder for folder in others if folder not in beside]
    splits = {said_of[folder.relative].split for folder in fitting}
    unsure = len(splits) == 1 and any(folder.has_images() for folder in outside if folder not in named)
    said = _said_of_splits([(folder.name, said_of[folder.relative].split) for folder in fitting])
    loose = (base, *(folder for folder in fitting), *(f for f in below.values() if f not in fitting))
    return FolderPlan("split/class", tuple(classes), tuple(outside), tuple(dict.fromkeys(loose)), said, not unsure)


def _class_parent(folder: Folder) -> Folder:
    """Below a split's folder: itself, or the one folder called “images” in it that holds the classes."""
    while len(folder.folders) == 1 and fold(folder.folders[0].name) in _GENERIC and not folder.images:
        folder = folder.folders[0]
    return folder


def _holds_classes(folder: Folder) -> bool:
    return any(inner.has_images() for inner in folder.folders[:_LOOKED_INTO])


def _of_one_set(fitting: list[Folder], said_of: dict[str, SplitName], below: dict[str, Folder]) -> list[Folder]:
    """Words that say more than a split (``seg_train``) count only where two parts of one set have the same classes."""
    kept = [folder for folder in fitting if not said_of[folder.relative].rest]
    rests = Counter(said_of[folder.relative].rest for folder in fitting if said_of[folder.relative].rest)
    for rest in rests:
        parts = [folder for folder in fitting if said_of[folder.relative].rest == rest]
        names = [{fold(inner.name) for inner in below[folder.relative].folders} for folder in parts]
        if len({said_of[folder.relative].split for folder in parts}) > 1 and set.intersection(*names):
            kept += parts
    return kept


def _said_of_splits(pairs: list[tuple[str, str]]) -> str:
    """What is plain (``val`` is val) is not said."""
    odd = [(name, split) for name, split in dict.fromkeys(pairs) if name.lower() not in _PLAIN]
    return "".join(f"“{name}” is treated as {_SPLIT_WORDS[split]}. " for name, split in odd).strip()


_PLAIN = frozenset(words("train training val valid validation dev test testing"))
_SPLIT_WORDS = {"train": "the training images", "val": "the validation images", "test": "the test images"}


# --- splits below the classes, parts --------------------------------------------------------------------------------


def _splits_below(base: Folder) -> FolderPlan | None:
    """``cats/train``, ``cats/test``, ``dogs/train`` …"""
    tops = base.folders
    if len(tops) < 2 or not any(_split_children(folder) for folder in (tops[0], tops[-1])):
        return None
    holding = [folder for folder in tops if folder.has_images()]
    if len(holding) < 2 or not all(_split_children(folder) for folder in holding):
        return None
    sets = [{split for _, split in _split_children(folder)} for folder in holding]
    if not set.intersection(*sets) or all(split_name(folder.name).split for folder in holding):
        return None
    classes: list[ClassFolder] = []
    for folder in holding:
        of = {inner.relative: split for inner, split in _split_children(folder)}
        classes.append(ClassFolder(folder, folder.name, deep=False))
        classes += [ClassFolder(inner, folder.name, of.get(inner.relative, "")) for inner in folder.folders]
    classes.sort(key=lambda each: each.split not in ("", "train"))
    outside = tuple(folder for folder in tops if folder not in holding)
    used = sorted({inner.name for folder in holding for inner, _ in _split_children(folder)})
    said = f"The folders {listing(used)} in each class are treated as splits."
    return FolderPlan("class/split", tuple(classes), outside, (base,), said)


def _split_children(folder: Folder) -> list[tuple[Folder, str]]:
    found = [(inner, split_name(inner.name)) for inner in folder.folders]
    return [(inner, word.split) for inner, word in found if word.split and not word.rest]


def _parts(base: Folder) -> FolderPlan | None:
    """``batch1/cat``, ``batch1/dog``, ``batch2/cat`` …: the parts of one set."""
    tops = base.folders
    if not are_parts([folder.name for folder in tops]) or any(folder.images for folder in tops):
        return None
    names = [{fold(inner.name) for inner in folder.folders} for folder in tops]
    if len(set.union(*names)) < 2 or any(len(own & names[0]) < 1 for own in names):
        return None
    classes = tuple(ClassFolder(inner, inner.name) for folder in tops for inner in folder.folders)
    said = f"{listing(folder.name for folder in tops)} are treated as parts of one dataset."
    return FolderPlan("part/class", classes, loose=(base, *tops), said=said)


def assigned(plan: FolderPlan, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Class and split of every image that the plan has a class for, by its path. Images of a folder come one after the other."""
    deep = {each.folder.relative: each for each in plan.classes if each.deep}
    flat = {each.folder.relative: each for each in plan.classes if not each.deep}
    said: dict[str, tuple[str, str]] = {}
    for folder, images in itertools.groupby(paths, lambda path: path.rpartition("/")[0]):
        each, parent = flat.get(folder), folder
        while each is None and parent:
            each = deep.get(parent)
            parent = parent.rpartition("/")[0]
        if each is not None:
            said.update(dict.fromkeys(images, (each.class_name, each.split)))
    return said
