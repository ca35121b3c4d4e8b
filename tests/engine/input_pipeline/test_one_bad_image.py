"""Whatever one image raises costs that image alone, and it is named: in all that looks at many."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ftgui.base.job import Job
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.records import Sample
from ftgui.data.checks.duplicates import find_lookalikes
from ftgui.data.checks.image_check import check_images
from ftgui.data.images import decoding
from ftgui.data.images.decoding import ImageError
from ftgui.data.images.intensity_survey import survey
from ftgui.data.images.preprocessing import Preprocessing
from ftgui.data.project import Project
from ftgui.data.scanning.given_images import images_below
from ftgui.engine.errors import EngineError
from ftgui.engine.inference.batch_inference import run_inference
from ftgui.engine.input_pipeline import image_cache
from ftgui.engine.input_pipeline.image_cache import Images
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Phase
from ftgui.runs.report import report
from tests.conftest import Maker
from tests.engine.conftest import Engine

PREPROCESSING = Preprocessing(16, 16, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bilinear")

Poison = Callable[[Path], None]

ERRORS = [
    OSError(5, "Input/output error"),
    OSError("unrecognized data stream contents"),
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    struct.error("unpack requires 4 bytes"),
    SystemError("tile cannot extend outside image"),
    ZeroDivisionError("division by zero"),
]


@pytest.fixture(params=ERRORS, ids=lambda error: f"{type(error).__name__}-{error}")
def poison(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Poison:
    """``poison(file)``: whoever opens it, or its bytes, meets the error."""

    def make(file: Path) -> None:
        content, really = file.read_bytes(), decoding._open

        def _open(source: Path | bytes) -> Image.Image:
            if source in (content, file):
                raise request.param
            return really(source)

        monkeypatch.setattr(decoding, "_open", _open)

    return make


@pytest.fixture
def noise(make_dataset: Maker) -> Path:
    """Pictures of which no two are alike."""
    root = make_dataset(count=0)
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 255, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(root / ("red" if number < 4 else "blue") / f"{number}.png")
    return root


def taken_in(root: Path) -> Catalog:
    project = Project.for_dataset(root)
    project.take_in(root)
    return project.catalog()


def test_the_check_looks_at_the_others(noise: Path, poison: Poison) -> None:
    poison(noise / "red" / "1.png")
    with taken_in(noise) as catalog:
        assert check_images(catalog, Job()) == 1
        assert len(catalog.hashes()) == 7
        named = {example.path for group in catalog.contents().groups for example in group.examples}
        assert "red/1.png" in named


def test_doubles_among_the_others_are_found(noise: Path, poison: Poison) -> None:
    for name in ("red/9.png", "red/8.png"):  # alike to the eye, not the same file
        with Image.open(noise / "red" / "1.png") as image:
            image.point(lambda value: min(255, value + (1 if "9" in name else 2))).save(noise / name)  # noqa: B023
    with taken_in(noise) as catalog:
        check_images(catalog, Job())
        poison(noise / "red" / "1.png")
        assert find_lookalikes(catalog, Job()) == 2


def test_the_range_of_the_others_is_found(tmp_path: Path, poison: Poison) -> None:
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 4000, (8, 8), np.uint16)
        Image.fromarray(values).save(tmp_path / f"{number}.png")
    poison(tmp_path / "0.png")
    seen = survey(tmp_path, [(f"{number}.png", None) for number in range(3)], "", Job())
    assert seen is not None and seen.images == 2 and seen.suits == (0.0, 4095.0)


def test_a_model_answers_the_others(noise: Path, poison: Poison) -> None:
    bad = noise / "red" / "1.png"
    poison(bad)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))
    items = [(path, path) for path in images_below([noise])]
    looks = list(run_inference(model, "1", items, PREPROCESSING, torch.device("cpu"), lambda: None, batch=3))
    assert sum(len(looked.items) for looked in looks) == 7
    ((named, why),) = [one for looked in looks for one in looked.unreadable]
    assert named == bad and why.startswith(("The image", "The file", "There is not enough memory"))


def test_training_learns_from_the_others(noise: Path, poison: Poison) -> None:
    files = sorted(noise.rglob("*.png"))
    poison(files[2])
    images = Images([Sample(file, "red", 0, "train") for file in files], PREPROCESSING)
    images.decode_all(lambda: None, lambda done, total: None)
    images.close()
    assert list(images.unreadable) == [2] and len(images.indices("train")) == 7


def test_a_report_shows_the_others(noise: Path, poison: Poison) -> None:
    poison(noise / "red" / "1.png")
    shown = [report._thumbnail(f"red/{number}.png", [noise], None) for number in range(4)]
    assert [bool(picture) for picture in shown] == [True, False, True, True]


@pytest.mark.parametrize("look", [decoding.open_image, decoding.load_rgb, decoding.open_values])
def test_it_is_an_image_error_wherever_it_comes_from(
    look: Callable[[Path], object], noise: Path, poison: Poison
) -> None:
    poison(noise / "red" / "1.png")
    with pytest.raises(ImageError):
        look(noise / "red" / "1.png")


def test_a_thumbnail_that_can_not_be_made_ends_no_thread(noise: Path, poison: Poison, tmp_path: Path) -> None:
    thumbnails = pytest.importorskip("ftgui.ui.images.thumbnails")
    poison(noise / "red" / "1.png")
    store = thumbnails.ThumbnailStore(tmp_path / "thumbnails.sqlite")
    try:
        made = [thumbnails.stored_thumbnail(store, noise / "red" / f"{number}.png", 16, None) for number in range(4)]
    finally:
        store.close()
    assert [image.isNull() for image in made] == [False, True, False, False]


def test_a_given_path_that_may_not_be_looked_at_is_named_and_the_others_found(
    noise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_dir", refuse)
    locked = noise / "locked" / "x.png"
    assert locked in list(images_below([locked, noise])) and len(list(images_below([locked, noise]))) == 9


# --- in the middle of a training ------------------------------------------------------------------------------------


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of a training's images is kept in memory, as of a set that is larger than it."""
    monkeypatch.setattr(image_cache, "CACHE_SHARE", 0.0)


def images_of(root: Path, split: str) -> Images:
    paths = sorted(root.rglob("*.png"))
    images = Images(
        [Sample(path, path.parent.name, number % 2, split) for number, path in enumerate(paths)], PREPROCESSING
    )
    images.decode_all(lambda: None, lambda *_: None)
    return images


@pytest.mark.parametrize(("split", "rows"), [("train", [4, 4]), ("val", [3, 4])])
def test_one_that_can_be_read_no_more_is_left_out_and_named_once(
    noise: Path, poison: Poison, no_memory: None, split: str, rows: list[int]
) -> None:
    images = images_of(noise, split)
    poison(images.samples[1].path)
    lost: list[int] = []
    for _ in range(2):
        batches = list(
            images.batches(
                [[(n, None) for n in range(4)], [(n, None) for n in range(4, 8)]],
                torch.device("cpu"),
                lambda: None,
                lambda index, why: lost.append(index),
            )
        )
        assert [len(batch.targets) for batch in batches] == rows == [len(batch.inputs[0]) for batch in batches]
    assert lost == [1]
    if split == "train":  # another of the batch, with its own label
        first = batches[0]
        twin = next(n for n in (0, 2, 3) if torch.equal(first.inputs[0][1], first.inputs[0][n]))
        assert first.targets[1] == first.targets[twin]
    images.close()


def test_where_a_whole_batch_is_gone_it_is_a_sentence(noise: Path, no_memory: None) -> None:
    images = images_of(noise, "train")
    for sample in images.samples:
        sample.path.unlink()
    with pytest.raises(
        EngineError, match=r"4\.png and all others of its batch can no longer be read: .+ continue the run"
    ):
        list(images.batches([[(0, None), (1, None)]], torch.device("cpu"), lambda: None, lambda *_: None))
    images.close()


def test_a_training_goes_on_without_an_image_that_is_gone(
    engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train], no_memory: None
) -> None:
    dataset = make_dataset(count=10)
    train = train_command(dataset, [Phase(name="All", train=["everything"], epochs=3, lr=1e-3)], views=0)

    def lose(event: m.Event) -> None:
        if isinstance(event, m.EpochFinished) and event.epoch == 1:
            for name in ("red", "blue"):
                (dataset / name / f"{name}3.jpg").unlink()

    engine.on_event = lose
    engine.do(train)
    (end,) = engine.of(m.TrainingFinished)
    assert (end.reason, end.steps) == ("done", 12), end.message
    warnings = [event.message for event in engine.of(m.Log) if event.level == "warning"]
    assert sorted(text.split(" ")[0] for text in warnings) == ["blue/blue3.jpg", "red/red3.jpg"]
    assert all("can no longer be read and is left out: The file is no longer there." in text for text in warnings)
