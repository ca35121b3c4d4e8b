"""Reading image files: the one way from a file to upright 8-bit RGB.

Everything that looks at pixels calls `load_rgb`: thumbnails, checking, training, prediction. So what is shown is what
is learned from, and the model is never asked about a picture that looks different from the ones it learned.
"""

from __future__ import annotations

import functools
import io
import logging
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from ftgui.data.images.intensity import IntensityRange, deep_image, deep_mode
from ftgui.data.images.other_formats import (
    BYTES_LOOKED_AT,
    format_by_content,
    format_by_name,
    is_camera_raw,
    why_no_tiff,
)
from ftgui.data.images.repair import repaired

log = logging.getLogger(__name__)

HEIF_EXTENSIONS = frozenset({".heic", ".heif", ".hif"})
"""Read by pillow-heif, an extra (``pip install ftgui[heif]``)."""

EXTENSIONS = HEIF_EXTENSIONS | frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".jp2", ".j2k", ".jpx", ".png", ".apng", ".gif", ".bmp", ".dib", ".webp"}
    | {".avif", ".avifs", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga", ".pcx", ".sgi", ".ico"}
    | {".icns", ".dds", ".psd", ".qoi"}
)
"""Files with these endings are taken for images: what Pillow reads, but for documents (PDF, EPS), drawings that need
another program (WMF) and scientific stores."""
_ENDINGS = frozenset(ending[1:] for ending in EXTENSIONS)

MAX_PIXELS = 250_000_000
"""A larger image would take over 750 MB decoded; refused with a sentence instead of an out-of-memory kill."""

MOST_REPAIRED = 256 * 2**20
"""Bytes; a larger file is not read into memory to mend it."""

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# `open_image` refuses above MAX_PIXELS in words; Pillow's own warning at that size would only repeat it.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
# What it says of damaged tags is for programmers: a picture either comes of the file, or the person is told.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class ImageError(Exception):
    """An image that can't be used; the text is one sentence for the person.

    Args:
        message: the sentence.
        kind: of problem, as in `ftgui.data.catalog.problem_kinds.KINDS`.
    """

    def __init__(self, message: str, kind: str = "damaged") -> None:
        super().__init__(message)
        self.kind = kind


@contextmanager
def one_image() -> Iterator[None]:
    """Whatever a library stumbles over in an image becomes an `ImageError`: who looks at many leaves out that one alone."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("There is not enough memory to decode this image.", "too-large") from error
    except Exception as error:
        log.warning("an image can't be looked at", exc_info=True)
        raise ImageError(f"The image can't be opened: {type(error).__name__}: {error}") from error


def is_image_name(path: Path | str) -> bool:
    """Whether the file's ending says image."""
    # Not pathlib: this is asked of every file of a scan, and making a Path takes longer than all else there.
    name = path if isinstance(path, str) else path.name
    stem, dot, ending = name.rpartition(".")
    if not dot or ending.lower() not in _ENDINGS:
        return False
    return stem[-1:] not in _PERHAPS_HIDDEN or os.path.splitext(name)[1] != ""  # noqa: PTH122


_PERHAPS_HIDDEN = ("", ".", "/", "\\")
"""What stands before the ending of ``.jpg``, a hidden file without an ending."""


@one_image()
def open_image(source: Path | bytes) -> Image.Image:
    """Open an image without decoding it.

    Raises:
        ImageError: it is missing, no file, not readable, not an image, or larger than `MAX_PIXELS`.
    """
    try:
        return _open(source)
    except ImageError as error:
        return _open(_repaired(source, error)[0])


def _open(source: Path | bytes) -> Image.Image:
    if isinstance(source, Path) and (what := format_by_name(source)):
        raise _other_format(what)  # Pillow would show a camera file's thumbnail
    try:
        if _is_heif(source):
            _knows_heif()
        with reading(source):
            image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(_too_large(None), "too-large") from error
    except UnidentifiedImageError as error:
        raise _unknown(source) from error
    except Exception as error:
        raise _damage(error) from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise ImageError(_too_large((width, height)), "too-large")
    if is_camera_raw(getattr(image, "tag_v2", ())):
        image.close()
        raise _other_format(format_by_name("x.dng"))
    return image


@one_image()
def read_image_file(path: Path) -> bytes:
    """All of a file's bytes.

    Raises:
        ImageError: it can't be read; why.
    """
    with reading(path):
        return path.read_bytes()


@contextmanager
def reading(source: Path | bytes) -> Iterator[None]:
    """Turns what a file system says while a file is read into `ImageError`.

    Nothing is opened that is no file: a pipe called ``photo.jpg`` would keep whoever opens it waiting for ever.
    """
    try:
        if isinstance(source, Path) and not stat.S_ISREG(source.stat().st_mode):
            if source.is_dir() and not os.access(source, os.R_OK | os.X_OK):
                raise ImageError("You have no permission to look into this folder.", "no-access")
            kind = "a folder" if source.is_dir() else "a pipe, a socket or a device"
            raise ImageError(f"This is not an image file but {kind}.", "no-file")
        yield
    except FileNotFoundError as error:
        raise ImageError("The file is no longer there.", "missing") from error
    except PermissionError as error:
        raise ImageError("You have no permission to read this file.", "no-access") from error
    except OSError as error:
        if error.errno is None:  # Pillow's own, of damaged content
            raise
        raise ImageError(f"The file can't be read: {error.strerror or error}.", "io-error") from error


def _repaired(source: Path | bytes, error: ImageError) -> tuple[bytes, str]:
    """The file made whole, and what was wrong with it.

    Raises:
        ImageError: `error`, where that is not possible.
    """
    if error.kind not in ("damaged", "truncated", "not-an-image"):
        raise error
    if isinstance(source, Path):
        with reading(source):
            if source.stat().st_size > MOST_REPAIRED:
                raise error
        source = read_image_file(source)
    found = repaired(source)
    if found is None:
        raise error
    return found


def _other_format(what: str) -> ImageError:
    said, _, then = what.partition("; ")
    return ImageError(f"This is {said}, which ftgui can't read: {then}.", "other-format")


def _too_large(size: tuple[int, int] | None) -> str:
    of = f" of {size[0]:,} × {size[1]:,} pixels" if size else ""
    return f"An image{of} is larger than {MAX_PIXELS // 1_000_000} megapixels. Save it smaller; closing programs won't help."


class Reading(NamedTuple):
    """An image that was read."""

    picture: Image.Image
    """Upright, mode "RGB"."""
    repair: str
    """What was wrong with the file though all of its pixels are there, as a sentence; empty: nothing."""


def load_rgb(
    source: Path | bytes, short_side: int | None = None, intensity: IntensityRange | None = None
) -> Image.Image:
    """Decode to upright 8-bit RGB: `read_rgb`'s picture."""
    return read_rgb(source, short_side, intensity).picture


@one_image()
def read_rgb(source: Path | bytes, short_side: int | None = None, intensity: IntensityRange | None = None) -> Reading:
    """Decode to upright 8-bit RGB.

    One rule per mode: EXIF orientation is applied; alpha is laid on white; palettes are looked up; CMYK and YCbCr
    are converted without colour management; what has more than 8 bits a channel is read by the intensity range, see
    `ftgui.data.images.intensity`; of an animation or a file of several pages, the first.

    Args:
        source: a path, or the encoded file's bytes.
        short_side: if given, JPEGs may be decoded at a half, quarter or eighth of their size as long as the shorter
            side keeps at least this many pixels (Pillow's ``draft``): several times faster for photographs.
        intensity: stored values that become black and white in images of more than 8 bits; None: the full range of the
            file's type.

    Returns:
        the picture as large as the file or (JPEG with `short_side`) smaller.

    Raises:
        ImageError: as `open_image`, or the pixels are damaged or cut off.
    """
    try:
        return Reading(_decoded(source, short_side, intensity), "")
    except ImageError as error:
        content, why = _repaired(source, error)
        return Reading(_decoded(content, short_side, intensity), why)


def _decoded(source: Path | bytes, short_side: int | None, intensity: IntensityRange | None) -> Image.Image:
    with _open(source) as image:
        if short_side is not None:
            image.draft("RGB", (short_side, short_side))
        try:
            with reading(source):
                deep = deep_image(image, lambda: _open(source))
                image.load()
            if deep is not None:
                return _turned(deep.to_rgb(intensity), orientation_of(image))
            return _to_rgb(_turned(image, orientation_of(image)))
        except ImageError:
            raise
        except MemoryError as error:
            raise ImageError("There is not enough memory to decode this image.", "too-large") from error
        except Exception as error:
            raise _damage(error) from error


@one_image()
def open_values(source: Path | bytes) -> npt.NDArray[Any] | None:
    """The values of an image as stored, (H, W) or (H, W, 3); None for one of 8 bits a channel, which is not decoded.

    Raises:
        ImageError: as `read_rgb`.
    """
    with open_image(source) as image:
        if deep_mode(image) is None:
            return None
        try:
            deep = deep_image(image, lambda: open_image(source))
        except MemoryError as error:
            raise ImageError("There is not enough memory to decode this image.", "too-large") from error
        except ImageError:
            raise
        except Exception as error:
            raise _damage(error) from error
    return None if deep is None else deep.values


_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(image: Image.Image) -> int:
    """How the camera was held, EXIF's 1 (upright) to 8. A damaged EXIF block counts as upright: the pixels are fine."""
    try:
        orientation = int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - whatever the parser stumbles over
        return 1
    return orientation if orientation in _TURNS else 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    """Apply the EXIF orientation.

    Not `ImageOps.exif_transpose`: it also writes the EXIF block anew, and raises where that is damaged though the
    picture is not.
    """
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _damage(error: Exception) -> ImageError:
    text = str(error)
    if any(word in text.lower() for word in ("truncated", "unexpected end", "not enough image data")):
        return ImageError("The image is cut off: the file ends too early.", "truncated")
    return ImageError(f"The image is damaged: {text or type(error).__name__}.")


@functools.cache
def _knows_heif() -> bool:
    """Teach Pillow HEIC when the first such file comes, if pillow-heif is installed: importing it takes time."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def _is_heif(source: Path | bytes) -> bool:
    if isinstance(source, bytes):
        return source[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc", b"ftypheim", b"ftypheis")
    return source.suffix.lower() in HEIF_EXTENSIONS


def _unknown(source: Path | bytes) -> ImageError:
    if _is_heif(source) and not _knows_heif():
        text = "Reading HEIC files requires the extra package pillow-heif (pip install pillow-heif), which is not installed."
        return ImageError(text, "needs-extra")
    with reading(source), io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        head = file.read(BYTES_LOOKED_AT)
        file.seek(0)
        odd_tiff = why_no_tiff(file) if head[:2] in (b"II", b"MM") else ""
    if not head:
        return ImageError("The file is empty (0 bytes).", "empty")
    if what := format_by_content(head):
        return _other_format(what)
    if odd_tiff:
        return ImageError(odd_tiff, "other-format")
    return ImageError("This is not an image, or one in a format that can't be read.", "not-an-image")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
