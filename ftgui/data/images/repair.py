"""Files that break a rule though every pixel of theirs is there, as every viewer shows them: made whole in memory."""

from __future__ import annotations

import io
import zlib

from PIL import Image

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_END_OF_JPEG = b"\xff\xd9"
_NEEDED = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_USED = frozenset({b"tRNS", b"eXIf"})
"""Chunks that change the picture; all others say something about it."""


def repaired(content: bytes) -> tuple[bytes, str] | None:
    """A file that could not be read, made readable without inventing a pixel.

    Returns:
        the file's new content and what was wrong, as a sentence; None where this can't help.
    """
    if content.startswith(_PNG):
        return _png(content)
    if content.startswith(_JPEG):
        return _jpeg(content)
    return None


def _png(content: bytes) -> tuple[bytes, str] | None:
    """Without its comments and colour profile: one may have a wrong checksum, or be longer than Pillow allows."""
    kept, dropped = [_PNG], ""
    at = len(_PNG)
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        kind, chunk = content[at + 4 : at + 8], content[at : at + 12 + length]
        sound = chunk[-4:] == zlib.crc32(chunk[4:-4]).to_bytes(4, "big")
        if kind in _NEEDED or (kind in _USED and sound):
            kept.append(chunk)
        else:
            wrong = "has a wrong checksum" if not sound else "is too long" if length > 0 else "is empty"
            if not sound or not dropped:
                dropped = f"A part that is not the image itself ({kind.decode('latin-1')}) {wrong}; it is left out."
        at += 12 + length
    return (b"".join(kept), dropped) if dropped else None


def _jpeg(content: bytes) -> tuple[bytes, str] | None:
    """With its end mark, if that is all that is missing.

    A decoder makes grey of what is not there, so that it decodes proves nothing. But whatever follows the last pixel changes
    none: where different continuations give the same picture, all of it was there.
    """
    body = content.rstrip(b"\xff")
    whole = body + _END_OF_JPEG
    try:
        if not _has_all_scans(content):
            return None
        shown = _pixels(whole)
        same = all(_pixels(body + more * 600 + _END_OF_JPEG) == shown for more in (b"\x55", b"\xaa"))
    except Exception:  # noqa: BLE001 - then it is damaged in another way, which was said already
        return None
    return (whole, "The end marker of the file is missing; all pixels are there.") if same else None


def _has_all_scans(jpeg: bytes) -> bool:
    """Whether the last scan of a progressive JPEG has begun: without the later ones all decodes, but coarsely (ITU T.81, G.1).

    Every component's 64 coefficients come in several scans, each down to some bit; at the end all are down to bit 0.
    """
    bit: dict[int, list[int]] = {}
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        kind, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        segment = jpeg[at + 4 : at + 2 + length]
        if kind in (0xC0, 0xC1):
            return True
        if kind == 0xC2:
            bit = {segment[6 + 3 * number]: [99] * 64 for number in range(segment[5])}
        at += 2 + length
        if kind == 0xDA:
            first, last, bits = segment[-3:]
            for name in segment[1 : 1 + 2 * segment[0] : 2]:
                bit[name][first : last + 1] = [bits & 15] * (last + 1 - first)
            at = _next_marker(jpeg, at)
    return bool(bit) and not any(any(bits) for bits in bit.values())


def _next_marker(jpeg: bytes, at: int) -> int:
    """Behind a scan's data, in which 0xFF is followed by 0 or a restart."""
    while (at := jpeg.find(b"\xff", at)) >= 0 and at + 1 < len(jpeg):
        if jpeg[at + 1] == 0xFF:
            at += 1
        elif jpeg[at + 1] == 0 or 0xD0 <= jpeg[at + 1] <= 0xD7:
            at += 2
        else:
            return at
    return len(jpeg)


def _pixels(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        return image.tobytes()
