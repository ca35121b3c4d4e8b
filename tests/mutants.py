"""Image files of many formats, each gone wrong in one of the ways in which files do, or in none."""

from __future__ import annotations

import io
import random
from pathlib import Path

from ftgui.data.images.decoding import ImageError, load_rgb
from tests.conftest import picture

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF", "TGA", "ICO", "JPEG2000", "QOI")
ENDINGS = {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}


def mutated(content: bytes, rng: random.Random) -> bytes:
    """One of the ways in which files go wrong."""
    data = bytearray(content)
    match rng.randrange(6):
        case 0:  # a broken download
            del data[rng.randrange(len(data)) :]
        case 1:  # rotten bits
            for _ in range(rng.randrange(1, 30)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        case 2:  # a lost block
            start = rng.randrange(len(data))
            data[start : start + rng.randrange(1, 512)] = b"\0" * rng.randrange(512)
        case 3:  # a header of nonsense
            data[: rng.randrange(1, 64)] = rng.randbytes(rng.randrange(64))
        case 4:  # two files run together
            data[rng.randrange(len(data)) :] = content[rng.randrange(len(content)) :]
        case _:  # not touched
            pass
    return bytes(data)


def make_mutants(root: Path, count: int) -> Path:
    """A dataset of two classes; the same files every time."""
    rng = random.Random(7)
    originals = {}
    for number, kind in enumerate(FORMATS):
        stream = io.BytesIO()
        picture((20 * number, 200 - 10 * number, 90), number, (64, 48)).save(stream, kind)
        originals[kind] = stream.getvalue()
    for name in ("red", "blue"):
        (root / name).mkdir(parents=True)
    for number in range(count):
        kind = FORMATS[number % len(FORMATS)]
        ending = ENDINGS.get(kind, kind.lower())
        path = root / ("red", "blue")[number % 2] / f"{number:04d}.{ending}"
        path.write_bytes(mutated(originals[kind], rng))
    return root


def bad_files(root: Path) -> set[str]:
    """Those that can't be decoded."""
    bad = set()
    for path in sorted(root.rglob("*.*")):
        try:
            assert load_rgb(path).mode == "RGB"
        except ImageError as error:
            assert str(error).endswith("."), "a sentence"
            bad.add(path.relative_to(root).as_posix())
    return bad
