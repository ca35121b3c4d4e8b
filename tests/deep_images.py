"""Images of more than 8 bits, as microscopes and the like write them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image


def halves(left: float, right: float, kind: type = np.uint16, side: int = 48) -> npt.NDArray:
    """Two areas side by side."""
    values = np.empty((side, side), kind)
    values[:, : side // 2], values[:, side // 2 :] = left, right
    return values


def tiff(data: bytes, side: int, bits: int, bands: int = 1, kind: int = 1) -> bytes:
    """Uncompressed and little-endian, as no library here writes it.

    Args:
        data: one strip.
        kind: of numbers, TIFF's SampleFormat: 1 unsigned, 2 signed, 3 float.
    """
    photometric = 2 if bands == 3 else 1
    tags = [
        *((256, 4, [side]), (257, 4, [side]), (258, 3, [bits] * bands), (259, 3, [1]), (262, 3, [photometric])),
        *(
            (273, 4, [0]),
            (277, 3, [bands]),
            (278, 4, [side]),
            (279, 4, [len(data)]),
            (284, 3, [1]),
            (339, 3, [kind] * bands),
        ),
    ]
    after = 8 + 2 + 12 * len(tags) + 4
    packed = {tag: struct.pack(f"<{len(v)}{'H' if t == 3 else 'I'}", *v) for tag, t, v in tags}
    start = after + sum(len(value) for value in packed.values() if len(value) > 4)
    packed[273] = struct.pack("<I", start)
    entries, more = b"", b""
    for tag, t, values in tags:
        value = packed[tag]
        if len(value) > 4:
            value, more = struct.pack("<I", after + len(more)), more + value
        entries += struct.pack("<HHI", tag, t, len(values)) + value.ljust(4, b"\0")
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + more + data


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(values: npt.NDArray[np.uint16], *extra: bytes) -> bytes:
    """A PNG of 16 bits: grey (H, W), RGB (H, W, 3) or RGBA; `extra` chunks before the pixels."""
    height, width = values.shape[:2]
    color = {1: 0, 3: 2, 4: 6}[values[0, 0].size]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0))
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", head, *extra, png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b"")]
    )


def make_microscopy(root: Path, count: int = 8, white: int = 4095) -> Path:
    """Two classes of 12 bits in 16, told apart by what lies far below one of 256 steps of 16 bits.

    Args:
        white: greatest value.
    """
    rng = np.random.default_rng(0)
    for number, name in enumerate(("coarse", "fine")):
        (root / name).mkdir(parents=True)
        for index in range(count):
            values = rng.integers(0, white // 8, (48, 48))
            values[:, :: 12 if number == 0 else 3] += white // 2
            values[0, 0] = white
            Image.fromarray(values.astype(np.uint16)).save(root / name / f"{index}.tif")
    return root
