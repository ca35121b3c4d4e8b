"""A thousand randomly mutated image files are scanned, checked, browsed and trained on; none brings anything down, and every
one that can't be decoded is named."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from ftgui.data.check import check_images
from ftgui.data.formats import ImageError, load_rgb
from ftgui.data.job import Job
from ftgui.data.lookalikes import find_lookalikes
from ftgui.data.project import Project
from ftgui.data.query import Query
from ftgui.protocol import messages as m
from tests.conftest import picture
from tests.engine.conftest import Engine

COUNT = 1000
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


@pytest.fixture(scope="module")
def mutants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mutants") / "pictures"
    rng = random.Random(7)
    originals = {}
    for number, kind in enumerate(FORMATS):
        stream = io.BytesIO()
        picture((20 * number, 200 - 10 * number, 90), number, (64, 48)).save(stream, kind)
        originals[kind] = stream.getvalue()
    for name in ("red", "blue"):
        (root / name).mkdir(parents=True)
    for number in range(COUNT):
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


@pytest.mark.timeout(300)
def test_every_bad_file_is_named_and_the_rest_is_used(
    mutants: Path, engine: Engine, train_command: Callable[..., m.Train]
) -> None:
    project = Project.for_dataset(mutants)
    project.take_in(mutants)
    bad = bad_files(mutants)
    assert 200 < len(bad) < 800, "a mix"
    with project.catalog() as catalog:
        assert len(catalog.find(Query())) == COUNT
        assert check_images(catalog, Job()) == len(bad)
        find_lookalikes(catalog, Job())
        named = {row.path for row in catalog.rows(catalog.find(Query())) if row.problem}
        assert named == bad
        for group in catalog.contents().groups:
            if group.images:
                assert len(catalog.find(Query(kind=group.kind))) == group.count
    end = engine.do(train_command(mutants, batch_size=32))
    assert isinstance(end, m.TrainingFinished) and end.reason == "done", end
    used = (Path(end.run_folder) / "samples.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(used) == COUNT - len(bad)


@pytest.mark.timeout(300)
def test_what_nobody_checked_before_is_left_out_by_the_training(
    mutants: Path, engine: Engine, train_command: Callable[..., m.Train]
) -> None:
    end = engine.do(train_command(mutants, batch_size=32))
    assert isinstance(end, m.TrainingFinished) and end.reason == "done", end
    left_out = {event.message.split(" is left out: ")[0] for event in engine.of(m.Log)}
    assert left_out == bad_files(mutants), "each is named"
