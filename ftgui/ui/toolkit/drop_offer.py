"""What dragged or pasted things are, and what would happen to them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData
from PySide6.QtGui import QImage

from ftgui.data.images.decoding import is_image_name
from ftgui.data.scanning.archive import is_archive_name
from ftgui.data.weights_kinds import OTHER_MODELS, is_weights_name


class Kind(Enum):
    DATASET = auto()
    """A folder, or an archive of one."""
    IMAGE = auto()
    FILES = auto()
    """Several images, or on the Predict page a folder of them, that the model is asked about."""
    EVALUATE = auto()
    """On the Evaluate page: a folder of labelled images, or an archive of one, that the model is evaluated on."""
    PIXELS = auto()
    """An image without a file, from another program."""
    WEIGHTS = auto()
    REFUSED = auto()


@dataclass(frozen=True)
class Offer:
    """One drop or paste."""

    kind: Kind
    path: Path = Path()
    paths: tuple[Path, ...] = ()
    """Of `FILES`."""
    only: tuple[str, ...] = ()
    """Names of the class folders in `path`, if several were dropped."""
    content: bytes = b""
    title: str = ""
    detail: str = ""


class Place(Enum):
    """What folders are dropped for, which depends on the page in front."""

    OPEN = auto()
    EVALUATE = auto()
    ASK = auto()


def look_at(mime: QMimeData, training: bool, place: Place = Place.OPEN) -> Offer:
    """Decided by names only: this runs on the main thread while the mouse moves."""
    paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
    if place is Place.ASK and paths and (len(paths) > 1 or _holds_many(paths[0])):
        return _ask_about(paths)
    if place is Place.EVALUATE and len(paths) == 1 and _holds_many(paths[0]):
        return _evaluate_on(paths[0], training)
    if len(paths) > 1:
        return _look_at_several(paths, training)
    if paths:
        return _look_at_path(paths[0], training)
    if mime.hasImage():
        image = mime.imageData()
        if isinstance(image, QImage) and not image.isNull():
            return Offer(Kind.PIXELS, content=_png(image), title="What is this?", detail="Drop to ask the model")
    if mime.hasUrls():
        return Offer(Kind.REFUSED, title="This is not on your computer", detail="Save it first, then drop the file.")
    return Offer(Kind.REFUSED, title="Nothing that ftgui can use", detail="Drop a folder of images, or one image.")


def _holds_many(path: Path) -> bool:
    return path.is_dir() or is_archive_name(path)


def _look_at_several(paths: list[Path], training: bool) -> Offer:
    """Several folders are classes; of anything else one at a time."""
    parents = {path.parent for path in paths}
    if all(is_image_name(path) for path in paths):
        detail = "Drop to ask the model, or drop on a class in the list to add them to it"
        return Offer(Kind.FILES, paths=tuple(paths), title=f"What are these {len(paths):,} images?", detail=detail)
    if len(parents) > 1 or not all(path.is_dir() for path in paths):
        detail = "Drop a folder of images, several class folders, or images."
        return Offer(Kind.REFUSED, title="Only one at a time", detail=detail)
    names = tuple(sorted(path.name for path in paths))
    if training:
        return _look_at_path(paths[0], training)
    shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
    return Offer(
        Kind.DATASET, parents.pop(), only=names, title=f"Open {len(names)} classes: {shown}", detail="counting…"
    )


def _ask_about(paths: list[Path]) -> Offer:
    """On the Predict page, where folders are full of questions."""
    folders = sum(_holds_many(path) for path in paths)
    if not all(_holds_many(path) or is_image_name(path) for path in paths):
        detail = "Drop images, or folders or archives of them."
        return Offer(Kind.REFUSED, title="Not all of these are images", detail=detail)
    if len(paths) == 1:
        title = f"What are the images in “{paths[0].name}”?"
    else:
        title = f"What are these {len(paths):,} {'images' if not folders else 'things'}?"
    detail = "Drop to ask the model about all of them; on the Data page a folder or an archive is opened instead"
    return Offer(Kind.FILES, paths=tuple(paths), title=title, detail=detail if folders else "Drop to ask the model")


def _evaluate_on(path: Path, training: bool) -> Offer:
    if training:
        return Offer(Kind.REFUSED, path, title="Training is in progress", detail="Evaluate the model when it is over.")
    detail = "The model does not learn from its images. On the Data page it is opened instead"
    return Offer(Kind.EVALUATE, path, title=f"How good is the model on “{path.name}”?", detail=detail)


def _look_at_path(path: Path, training: bool) -> Offer:
    is_folder = path.is_dir()
    if is_weights_name(path) and not is_folder:  # before archives: a .pth.tar is none
        return _look_at_weights(path, training)
    if is_folder or is_archive_name(path):
        if training:
            return Offer(
                Kind.REFUSED, path, title="Training is in progress", detail="Stop it before opening another dataset."
            )
        return Offer(Kind.DATASET, path, title=f"Open “{path.name}”", detail="counting…")
    if is_image_name(path):
        return Offer(Kind.IMAGE, path, title=f"What is “{path.name}”?", detail="Drop to ask the model")
    if path.suffix.lower() in OTHER_MODELS:
        title = f"“{path.name}” can't be used"
        return Offer(Kind.REFUSED, path, title=title, detail=OTHER_MODELS[path.suffix.lower()])
    return Offer(
        Kind.REFUSED,
        path,
        title=f"“{path.name}” is not an image",
        detail="Drop a folder that holds one folder of images per class, a zip or tar of one, or one image (JPEG, PNG, …).",
    )


def _look_at_weights(path: Path, training: bool) -> Offer:
    if training:
        return Offer(
            Kind.REFUSED, path, title="Training is in progress", detail="Stop it before choosing other weights."
        )
    return Offer(
        Kind.WEIGHTS, path, title=f"Use the weights “{path.name}”", detail="Drop to choose the model they belong to"
    )


def _png(image: QImage) -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(data.data())
