"""Decoding every image once, in the background, to find the ones that training would stumble over."""

from __future__ import annotations

import hashlib
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from ftgui.base.job import Job
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.records import Checked
from ftgui.data.checks.set_intensity import known_survey
from ftgui.data.images.decoding import ImageError, open_image, orientation_of, read_image_file, read_rgb, reading
from ftgui.data.images.intensity import IntensityRange, deep_mode
from ftgui.data.images.intensity_survey import range_words, resolved, survey
from ftgui.protocol.recipe import AUTO_INTENSITY, Intensity

log = logging.getLogger(__name__)

TINY_SIDE = 32
"""Pixels: images with a shorter side below this are told."""
EXTREME_ASPECT = 4.0
"""Longer side over shorter one."""
SHORT_SIDE = 32
"""JPEGs are decoded at an eighth: all of the file is read, a fraction of the pixels computed."""

_FEW = 0.5
"""Percent of an image's pixels at either end that do not make it visible."""
_NEARLY = 12
"""Of 255 grey levels."""

_BATCH = 32
"""Images per transaction: small enough that the window sees problems as they are found."""
_LARGEST_READ = 256 * 2**20
"""Bytes; a larger file is not read into memory as a whole."""
_AHEAD = 8

_NAMES = {
    "JPEG": ".jpg .jpeg .jpe .jfif .mpo",
    "MPO": ".mpo .jpg .jpeg",
    "PNG": ".png .apng",
    "GIF": ".gif",
    "BMP": ".bmp .dib",
    "DIB": ".dib .bmp",
    "WEBP": ".webp",
    "AVIF": ".avif .avifs",
    "TIFF": ".tif .tiff",
    "HEIF": ".heic .heif .hif",
    "JPEG2000": ".jp2 .j2k .jpx",
}
"""Formats whose files are often given the wrong ending -> the right ones."""


def look_through(catalog: Catalog, job: Job, setting: Intensity = AUTO_INTENSITY) -> int:
    """Find the intensity range of images of more than 8 bits, then check all images with it.

    Args:
        catalog: read and written on this thread only.
        job: progress in images.
        setting: of the recipe.

    Returns:
        how many of them can't be used.

    Raises:
        Cancelled: through `job`; what was found so far is recorded.
    """
    _choose_range(catalog, job, setting)
    bad = check_images(catalog, job)
    if catalog.intensity_survey() is None and any(mode for _, mode in catalog.deep_candidates()):
        # The few in a large set that the survey did not meet, or whose name says something else.
        _choose_range(catalog, job, setting)
        bad += check_images(catalog, job)
    return bad


def _choose_range(catalog: Catalog, job: Job, setting: Intensity) -> None:
    seen = known_survey(catalog)
    if seen is None:
        seen = survey(catalog.root, catalog.deep_candidates(), catalog.content_identity(), job)
        catalog.keep_intensity_survey(seen)
    catalog.read_from_now_with(resolved(setting, seen))


def check_images(catalog: Catalog, job: Job, threads: int = 2) -> int:
    """Decode all images that were not decoded before and record the outcome.

    Args:
        catalog: read and written on this thread only.
        job: progress in images.
        threads: that decode; Pillow lets go of the interpreter while it does.

    Returns:
        how many of them can't be used.

    Raises:
        Cancelled: through `job`; what was checked so far is recorded.
    """
    root, intensity = catalog.root, catalog.read_with
    waiting = catalog.unchecked()
    batch: list[Checked] = []
    bad = 0
    pool = ThreadPoolExecutor(threads, thread_name_prefix="check")
    running: list[Future[Checked]] = []
    try:
        for done in range(len(waiting)):
            job.progress(done, len(waiting))
            while len(running) < _AHEAD and done + len(running) < len(waiting):
                path, size, mtime = waiting[done + len(running)]
                running.append(pool.submit(_check_any, root / path, path, size, mtime, intensity))
            checked = running.pop(0).result()
            bad += checked.problem is not None
            batch.append(checked)
            if len(batch) == _BATCH:
                catalog.record_checked(batch)
                batch = []
    finally:
        pool.shutdown(cancel_futures=True)
        catalog.record_checked(batch)
    job.progress(len(waiting), len(waiting))
    return bad


def _check_any(file: Path, path: str, size: int, mtime: float, intensity: IntensityRange | None) -> Checked:
    """As `check`; whatever a library stumbles over in one image is a problem of that image, and others are looked at."""
    try:
        return check(file, path, size, mtime, intensity)
    except Exception as error:
        log.warning("checking %s failed", path, exc_info=True)
        why = f"It can't be opened: {type(error).__name__}: {error}"
        return Checked(path, size, mtime, problem=why, findings=(("damaged", why),))


def check(file: Path, path: str, size: int, mtime: float, intensity: IntensityRange | None = None) -> Checked:
    """Read and decode one image.

    Args:
        file: to read.
        path: its name in the catalog.
        size, mtime: of the file as the catalog knows it.
        intensity: see `ftgui.data.images.decoding.read_rgb`.
    """
    try:
        # Read once; hashing and decoding then come from memory.
        content: bytes | Path = read_image_file(file) if size <= _LARGEST_READ else file
        with open_image(content) as image:
            width, height = image.size
            deep, kind = deep_mode(image), image.format or ""
            mode = deep or image.mode
            turned = orientation_of(image)
            several = _has_second_frame(image)
        picture, repair = read_rgb(content, SHORT_SIDE, intensity)
        digest = _digest(content)
    except ImageError as error:
        return Checked(path, size, mtime, problem=str(error), findings=((error.kind, str(error)),))
    grey = picture.convert("L")
    mended = [("repaired", repair)] if repair else []
    return Checked(
        path,
        size,
        mtime,
        width=width,
        height=height,
        mode=mode,
        format=kind,
        orientation=turned,
        digest=digest,
        dhash=difference_hash(grey),
        brightness=float(np.asarray(grey).mean()),
        findings=(*_oddities(file, kind, several, width, height), *_hardly_seen(grey, deep, intensity), *mended),
    )


def _digest(content: bytes | Path) -> bytes:
    if isinstance(content, bytes):
        return hashlib.blake2b(content, digest_size=16).digest()
    with reading(content), content.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).digest()


def _has_second_frame(image: Image.Image) -> bool:
    """Not ``n_frames``, which looks at every page there is: a file may say that it has millions."""
    try:
        image.seek(1)
    except Exception:  # noqa: BLE001 - whatever a format says that has no second one, or a damaged one
        return False
    return True


def difference_hash(grey: Image.Image) -> int:
    """64 bits, as a signed integer: in 8 rows, is each of 8 places darker than the one to its right?

    Unchanged by size, compression and most changes of brightness (N. Krawetz, "Kind of Like That", 2013).
    """
    small = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = np.packbits(small[:, :-1] < small[:, 1:])
    return int.from_bytes(bits.tobytes(), "big", signed=True)


def _hardly_seen(grey: Image.Image, deep: str | None, intensity: IntensityRange | None) -> list[tuple[str, str]]:
    """Of images of more than 8 bits: what is nearly all black or white, so that neither person nor model sees much."""
    if deep is None:
        return []
    dark, light = np.percentile(np.asarray(grey), [_FEW, 100 - _FEW])
    which = "black" if light <= _NEARLY else "white" if dark >= 255 - _NEARLY else ""
    how = f"the intensity range {range_words(intensity)}" if intensity else "the full range of the file"
    return [("hardly-seen", f"Read with {how} it is nearly {which}.")] if which else []


def _oddities(file: Path, kind: str, several: bool, width: int, height: int) -> list[tuple[str, str]]:
    found = []
    shorter, longer = sorted((width, height))
    if shorter < TINY_SIDE:
        found.append(("tiny", f"{width} × {height} pixels."))
    if longer > EXTREME_ASPECT * shorter:
        found.append(("extreme-aspect", f"{width} × {height} pixels: {longer / shorter:.0f} times as long as wide."))
    if kind in _NAMES and file.suffix.lower() not in _NAMES[kind].split():
        found.append(("wrong-extension", f"The name says {file.suffix}, but the content is {kind}."))
    if several and kind != "MPO":  # a camera's MPO holds the picture and its thumbnails
        found.append(("animation", "Several frames or pages; the first is used."))
    return found
