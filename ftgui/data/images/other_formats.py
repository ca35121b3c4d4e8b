"""What a file is that is no image ftgui reads, in words: by its name, by its first bytes, and for TIFF by its tags."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

from PIL import TiffImagePlugin

_RAW = "a camera's raw file; export it as JPEG"
_DICOM = "a DICOM file; export it as 16-bit PNG or TIFF"
_SVG = "a drawing (SVG); export it as PNG"
_JXL = "a JPEG XL file; export it as JPEG or PNG"
_SLIDE = "a microscope vendor's file; export its images as TIFF"
_PHOTOSHOP = "a large Photoshop file; export it as JPEG or TIFF"
_VOLUME = "a scientific file with many images; export them as TIFF"
_EXR = "an OpenEXR file; export it as TIFF"
_VIDEO = "a video; export single frames of it as JPEG"
_PAGE = "a document; export its images as JPEG or PNG"

_RAW_ENDINGS = (
    *("nef", "nrw", "cr2", "cr3", "crw", "dng", "arw", "srf", "sr2", "raf", "orf", "rw2", "rwl", "pef", "srw", "x3f"),
    *("3fr", "iiq", "erf", "mrw", "dcr", "kdc", "mos"),
)
_SLIDE_ENDINGS = ("czi", "lif", "nd2", "oib", "oif", "svs", "ndpi", "scn", "vsi", "mrxs", "zvi", "lsm")
_VOLUME_ENDINGS = ("nii", "mha", "mhd", "fits", "fit", "mat", "h5", "hdf5")

UNREADABLE = (
    {".dcm": _DICOM, ".dicom": _DICOM, ".svg": _SVG, ".svgz": _SVG, ".jxl": _JXL, ".psb": _PHOTOSHOP, ".exr": _EXR}
    | {f".{ending}": _RAW for ending in _RAW_ENDINGS}
    | {f".{ending}": _SLIDE for ending in _SLIDE_ENDINGS}
    | {f".{ending}": _VOLUME for ending in _VOLUME_ENDINGS}
    | {f".{ending}": _VIDEO for ending in ("mp4", "mov", "avi", "mkv", "webm")}
)
"""Ending -> what pictures with it are, and what to do. Endings that ftgui reads are not among them."""

_BEGINNINGS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"FUJIFILMCCD-RAW", _RAW),
    (4, b"ftypcrx", _RAW),
    (8, b"CR\x02", _RAW),
    (0, b"IIRO", _RAW),
    (0, b"IIRS", _RAW),
    (0, b"IIU\0", _RAW),
    (128, b"DICM", _DICOM),
    (0, b"\xff\x0a", _JXL),
    (0, b"\0\0\0\x0cJXL ", _JXL),
    (0, b"ZISRAWFILE", _SLIDE),
    (0, b"\xda\xce\xbe\x0a", _SLIDE),
    (0, b"v/1\x01", _EXR),
    (0, b"\x89HDF", _VOLUME),
    (0, b"SIMPLE  =", _VOLUME),
    (0, b"%PDF", _PAGE),
    (4, b"ftypisom", _VIDEO),
    (4, b"ftypmp4", _VIDEO),
    (4, b"ftypqt", _VIDEO),
    (0, b"PK\x03\x04", "an archive (ZIP); unpack it"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file itself; fetch it with “git lfs pull”"),
)
BYTES_LOOKED_AT = 1024
"""Bytes of a file's beginning that `format_by_content` takes."""

_DNG_VERSION = 50706


def format_by_name(name: str | os.PathLike[str]) -> str:
    """What a file with such a name is and what to do, e.g. ``"a camera's raw file; export it as JPEG"``; empty: not known."""
    return UNREADABLE.get(os.path.splitext(name)[1].lower(), "")  # noqa: PTH122 - asked of every file of a scan


def format_by_content(head: bytes) -> str:
    """The same by a file's first bytes."""
    for place, mark, what in _BEGINNINGS:
        if head[place : place + len(mark)] == mark:
            return what
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if b"<svg" in text and text.startswith((b"<?xml", b"<svg", b"<!--", b"<!doctype svg")):
        return _SVG
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page, perhaps from a failed download; get the file again"
    return ""


def is_camera_raw(tags: Any) -> bool:
    """Whether a TIFF's tags say that it is a DNG; what Pillow makes of one is its thumbnail."""
    return _DNG_VERSION in tags


def why_no_tiff(file: BinaryIO) -> str:
    """Why Pillow does not know a TIFF's kind of pixels, as a sentence; empty: it is no TIFF, or it can't be told.

    Args:
        file: at its beginning.
    """
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
        file.seek(tags.next)
        tags.load(file)
        bands, format_ = int(tags.get(277, 1)), (tags.get(339) or (1,))[0]
        bits = (tags.get(258) or (1,))[0]
    except Exception:  # noqa: BLE001 - whatever the parser stumbles over: then this is not the reason
        return ""
    if bands not in (1, 3, 4):
        return f"This TIFF has {bands} bands; ftgui reads 1, 3 or 4. Save three of them as RGB."
    if format_ == 3 and (bands > 1 or bits != 32):
        what = "colours" if bands > 1 else "values"
        return f"This TIFF holds {what} as {bits}-bit floating-point numbers, which can't be read. Save it with 16 or 8 bits."
    return f"This TIFF holds {bands} × {bits} bits a pixel in a way that can't be read. Save it with 16 or 8 bits a channel."
