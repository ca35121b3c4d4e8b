"""Example sets by name: torchvision's classes say what to download and which picture is what; fetching, unpacking and the
tree of class folders that comes of it are ours, with progress and cancelling.

torchvision's own helpers can do neither. They are functions of its modules with one signature since its first versions,
so for the time a class does its work, ours stand in their place: addresses and checksums stay torchvision's, and
nothing reaches the network in any other way.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import sys
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torchvision
from numpy.typing import NDArray
from PIL import Image
from torchvision import datasets

from ftgui.base import paths
from ftgui.base.files import reason
from ftgui.base.job import Job
from ftgui.data import example_sets
from ftgui.data.example_sets import ExampleSet
from ftgui.data.scanning import archive
from ftgui.data.scanning.found import DatasetError
from ftgui.engine.downloads.downloader import DownloadCancelled, Downloader, Settings, Wanted
from ftgui.engine.errors import EngineError

Report = Callable[[str, int, int, str], None]
"""Takes what goes on, done, in all (0 = not known) and the unit: ``"bytes"`` or ``"files"``; raises
`DownloadCancelled` to end it."""

WAYS_OUT = "or open a folder of your own images"
_CHUNK = 1 << 20


class _Picture(NamedTuple):
    """One image of a set."""

    split: str
    """``"train"``, ``"val"``, ``"test"``, or empty where the set has no splits."""
    class_name: str
    content: Path | NDArray[np.uint8]
    """The file, or pixels (H, W) or (H, W, 3)."""


_Reader = Callable[[Path], Iterator[_Picture]]
"""Takes torchvision's root folder."""


def prepare(name: str, settings: Settings, report: Report) -> Path:
    """The folder of an example set, one folder a class; made now if it is not there yet.

    Args:
        name: see `example_sets.find`.
        settings: whether and from where may be downloaded.
        report: told about progress some times a second.

    Raises:
        EngineError: it can't be had; `DownloadCancelled` among these. There is no folder then, but what is downloaded is
            kept for another time.
    """
    example = _find(name)
    if example.is_here:
        return example.folder
    kept = example_sets.base() / "downloads" / example.name
    scratch = paths.scratch_folder(example_sets.base())
    try:
        pictures = _read(example, scratch / "torchvision", _Helpers(example, kept, settings, report))
        tree = scratch / example.name
        with _in_words(example):
            _arrange(pictures, tree, _job(f"sorting {example.title}", report))
        _give_name(tree, example.folder)
        shutil.rmtree(kept, ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return example.folder


def copy(folder: Path, target: Path, report: Report) -> None:
    """A prepared set once more, in a folder of the person's choice, which must not exist or be empty.

    Raises:
        EngineError: it does, or can't be written; there is no half copy then.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise EngineError(f"{target} already exists and is not empty. Name a new folder.")
    job = _job(f"copying {folder.name}", report)
    total = sum(len(files) for _, _, files in os.walk(folder))
    done = 0

    def one(source: str, destination: str) -> None:
        nonlocal done
        shutil.copyfile(source, destination)
        done += 1
        job.progress(done, total)

    scratch = paths.scratch_folder(target.absolute().parent)
    try:
        shutil.copytree(folder, scratch / "copy", copy_function=one)
        if target.exists():
            target.rmdir()
        (scratch / "copy").rename(target)
    except OSError as error:
        raise EngineError(f"{target} could not be written: {reason(error)}.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _find(name: str) -> ExampleSet:
    example = example_sets.find(name)
    if example is None:
        known = ", ".join(each.name for each in example_sets.EXAMPLE_SETS)
        raise EngineError(f"There is no example set “{name}”. There are {known}.")
    return example


def _job(what: str, report: Report) -> Job:
    return Job(lambda done, total: report(what, done, total, "files"))


@contextlib.contextmanager
def _in_words(example: ExampleSet) -> Iterator[None]:
    """Turn what goes wrong between download and finished tree into one sentence."""
    try:
        yield
    except urllib.error.URLError:
        raise  # a download's: what it was is known better where it was begun
    except DatasetError as error:
        raise EngineError(f"{example.title} can't be unpacked: {error}") from error
    except OSError as error:
        raise EngineError(f"{example.title} could not be written: {reason(error)}.") from error


def _give_name(tree: Path, folder: Path) -> None:
    try:
        tree.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # else another window was faster
            raise EngineError(f"{folder} could not be made: {reason(error)}.") from error


# --- what torchvision asks for --------------------------------------------------------------------------------------


class _Helpers:
    """Stand in for torchvision's `download_url` and `download_and_extract_archive`.

    Args:
        example: what is fetched.
        kept: where downloads lie until the set is complete.
        settings, report: as for `prepare`.
    """

    def __init__(self, example: ExampleSet, kept: Path, settings: Settings, report: Report) -> None:
        self._example = example
        self._kept = kept
        self._report = report
        self._downloader = Downloader(settings, lambda what, done, total: report(what, done, total, "bytes"))
        self._asked: dict[str, int] = {}
        """File name -> which one it is, from 1."""
        self.failed: EngineError | None = None
        """Why the last download came to nothing."""

    def download_url(
        self, url: str, root: str | Path, filename: str | Path | None = None, md5: str | None = None, **_more: object
    ) -> None:
        kept = self._fetch(url, filename, md5)
        place = Path(root) / kept.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        try:
            place.hardlink_to(kept)
        except OSError:  # not every file system has links
            shutil.copyfile(kept, place)

    def download_and_extract_archive(
        self,
        url: str,
        download_root: str | Path,
        extract_root: str | Path | None = None,
        filename: str | Path | None = None,
        md5: str | None = None,
        **_more: object,
    ) -> None:
        kept, folder = self._fetch(url, filename, md5), Path(extract_root or download_root)
        job = _job(f"unpacking {self._example.title}", self._report)
        if archive.is_archive_name(kept):
            archive.unpack_all(kept, folder, job)
            return
        folder.mkdir(parents=True, exist_ok=True)
        with gzip.open(kept) as packed, (folder / kept.stem).open("wb") as file:
            while chunk := packed.read(_CHUNK):
                file.write(chunk)
                job.progress(0)

    def _fetch(self, url: str, filename: str | Path | None, md5: str | None) -> Path:
        target = self._kept / Path(filename or url).name
        self._asked.setdefault(target.name, len(self._asked) + 1)
        number = self._asked[target.name]
        wanted = Wanted(
            self._example.title + (f", file {number}" if number > 1 else ""),
            f"images of “{self._example.title}”",
            WAYS_OUT,
            "under “Downloads…” in the list of example sets",
        )
        try:
            self._downloader.file(wanted, url, target, md5 or "")
        except DownloadCancelled:
            raise
        except EngineError as error:
            self.failed = error
            # What torchvision's own helper raises: it may know a second address.
            raise urllib.error.URLError(str(error)) from error
        self.failed = None
        return target


def _read(example: ExampleSet, root: Path, helpers: _Helpers) -> list[_Picture]:
    """Download, unpack, and learn what is what."""
    module = sys.modules[getattr(datasets, example.name).__module__]
    ours = {name: getattr(helpers, name) for name in ("download_url", "download_and_extract_archive")}
    before = {name: getattr(module, name) for name in ours if hasattr(module, name)}
    for name in before:
        setattr(module, name, ours[name])
    root.mkdir(parents=True)
    try:
        with _in_words(example):
            return list(READERS[example.name](root))
    except EngineError:
        raise
    except Exception as error:  # whatever a class raises that does not find what it expects
        if helpers.failed is not None:
            raise helpers.failed from error
        raise EngineError(
            f"{example.title} is not what torchvision {torchvision.__version__} expects ({type(error).__name__}: {error}). "
            f"Try another version of ftgui, {WAYS_OUT}."
        ) from error
    finally:
        for name, function in before.items():
            setattr(module, name, function)


# --- reading the sets -----------------------------------------------------------------------------------------------


def _by_path(name: str, splits: dict[str, str], **options: Any) -> _Reader:
    """Sets whose class hands each file's path to a loader: it is given back as the picture.

    Args:
        name: of torchvision's class.
        splits: ours -> torchvision's; an empty name of ours: the class knows no splits.
        options: more of the class's arguments.
    """

    def read(root: Path) -> Iterator[_Picture]:
        for split, theirs in splits.items():
            more = {"split": theirs, **options} if split else options
            data = getattr(datasets, name)(root, download=True, loader=Path, **more)
            for number in range(len(data)):
                path, label = data[number]
                found = data.classes[label]
                yield _Picture(split, found if isinstance(found, str) else found[0], path)

    return read


def _pets(root: Path) -> Iterator[_Picture]:
    for split, theirs in (("train", "trainval"), ("test", "test")):
        data = datasets.OxfordIIITPet(root, split=theirs, download=True)
        for path, label in zip(data._images, data._labels, strict=True):
            yield _Picture(split, data.classes[label], Path(path))


def _signs(root: Path) -> Iterator[_Picture]:
    for split in ("train", "test"):
        for path, label in datasets.GTSRB(root, split=split, download=True)._samples:
            yield _Picture(split, f"{label:02d} {SIGNS[label]}", Path(path))


def _digits(name: str) -> _Reader:
    """MNIST and sets in its format: plain bytes, which are not unpickled."""

    def read(root: Path) -> Iterator[_Picture]:
        for split, train in (("train", True), ("test", False)):
            data = getattr(datasets, name)(root, train=train, download=True)
            labels = data.targets.tolist()
            for pixels, label in zip(data.data.numpy(), labels, strict=True):
                yield _Picture(split, data.classes[label], pixels)

    return read


def _house_numbers(root: Path) -> Iterator[_Picture]:
    for split in ("train", "test"):
        data = datasets.SVHN(root, split=split, download=True)
        for pixels, label in zip(data.data, data.labels.tolist(), strict=True):
            yield _Picture(split, str(label), np.ascontiguousarray(pixels.transpose(1, 2, 0)))


_THREE = {"train": "train", "val": "val", "test": "test"}
READERS: dict[str, _Reader] = {
    "Flowers102": _by_path("Flowers102", _THREE),
    "OxfordIIITPet": _pets,
    "Imagenette": _by_path("Imagenette", {"train": "train", "val": "val"}, size="320px"),
    "EuroSAT": _by_path("EuroSAT", {"": ""}),
    "DTD": _by_path("DTD", _THREE),
    "Food101": _by_path("Food101", {"train": "train", "test": "test"}),
    "GTSRB": _signs,
    "SVHN": _house_numbers,
    "MNIST": _digits("MNIST"),
    "FashionMNIST": _digits("FashionMNIST"),
    "KMNIST": _digits("KMNIST"),
}

# torchvision gives numbers only; these are the signs' names in the order of the benchmark's classes.
SIGNS = (
    "speed limit 20", "speed limit 30", "speed limit 50", "speed limit 60", "speed limit 70", "speed limit 80",
    "end of speed limit 80", "speed limit 100", "speed limit 120", "no passing", "no passing for lorries",
    "right of way at the next crossing", "priority road", "give way", "stop", "no vehicles", "no lorries", "no entry",
    "danger", "bend to the left", "bend to the right", "double bend", "uneven road", "slippery road",
    "road narrows on the right", "road works", "traffic lights", "pedestrians", "children", "bicycles", "snow or ice",
    "wild animals", "end of all limits", "turn right ahead", "turn left ahead", "ahead only", "ahead or right",
    "ahead or left", "keep right", "keep left", "roundabout", "end of no passing", "end of no passing for lorries",
)  # fmt: skip


# --- the tree -------------------------------------------------------------------------------------------------------


def _arrange(pictures: list[_Picture], tree: Path, job: Job) -> None:
    """``split/class/picture``, or ``class/picture`` where there are no splits: files are moved, pixels written as PNG."""
    made: set[Path] = set()
    for number, picture in enumerate(pictures):
        job.progress(number, len(pictures))
        folder = tree / picture.split / paths.safe_name(picture.class_name)
        if folder not in made:
            folder.mkdir(parents=True)
            made.add(folder)
        if isinstance(picture.content, Path):
            picture.content.rename(folder / picture.content.name)
        else:
            Image.fromarray(picture.content).save(folder / f"{number:06d}.png")
