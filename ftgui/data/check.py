"""Decoding every image once, in the background, to find the ones that training would stumble over."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from ftgui.data.catalog import Catalog
from ftgui.data.formats import ImageError, load_rgb, open_image, orientation_of, read_image_file, reading
from ftgui.data.job import Job
from ftgui.data.records import Checked

TINY_SIDE = 32
"""Pixels: images with a shorter side below this are told."""
EXTREME_ASPECT = 4.0
"""Longer side over shorter one."""
SHORT_SIDE = 32
"""JPEGs are decoded at an eighth: all of the file is read, a fraction of the pixels computed."""

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
    root = catalog.root
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
                running.append(pool.submit(check, root / path, path, size, mtime))
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


def check(file: Path, path: str, size: int, mtime: float) -> Checked:
    """Read and decode one image.

    Args:
        file: to read.
        path: its name in the catalog.
        size, mtime: of the file as the catalog knows it.
    """
    try:
        # Read once; hashing and decoding then come from memory.
        content: bytes | Path = read_image_file(file) if size <= _LARGEST_READ else file
        with open_image(content) as image:
            width, height = image.size
            mode, kind = image.mode, image.format or ""
            turned = orientation_of(image)
            several = _has_second_frame(image)
        picture = load_rgb(content, SHORT_SIDE)
        digest = _digest(content)
    except ImageError as error:
        return Checked(path, size, mtime, problem=str(error), findings=((error.kind, str(error)),))
    grey = picture.convert("L")
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
        findings=tuple(_oddities(file, kind, several, width, height)),
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


def _oddities(file: Path, kind: str, several: bool, width: int, height: int) -> list[tuple[str, str]]:
    found = []
    shorter, longer = sorted((width, height))
    if shorter < TINY_SIDE:
        found.append(("tiny", f"{width} × {height} pixels."))
    if longer > EXTREME_ASPECT * shorter:
        found.append(("extreme-aspect", f"{width} × {height} pixels: {longer / shorter:.0f} times as long as wide."))
    if kind in _NAMES and file.suffix.lower() not in _NAMES[kind].split():
        found.append(("wrong-extension", f"The name says {file.suffix}, the content is {kind}."))
    if several and kind != "MPO":  # a camera's MPO holds the picture and its thumbnails
        found.append(("animation", "Several frames or pages; the first is used."))
    return found
