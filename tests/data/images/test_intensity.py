"""Images of more than 8 bits: one range for a set, found by looking at it, and the same wherever a picture is read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ftgui.base.job import Job
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.checks import image_check as checking
from ftgui.data.checks.image_check import look_through
from ftgui.data.checks.set_intensity import survey_of
from ftgui.data.images import intensity_survey
from ftgui.data.images.decoding import load_rgb, open_values
from ftgui.data.images.intensity_survey import resolved, suitable_range
from ftgui.data.images.preprocessing import Preprocessing
from ftgui.data.images.thumbnail_store import WORTH_BYTES, ThumbnailStore
from ftgui.data.project import Project
from ftgui.protocol import recipe as recipes
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Dataset, Recipe, RecipeError
from tests.conftest import Maker, picture
from tests.deep_images import halves, make_microscopy, png16, png_chunk, tiff


def both(content: bytes | Path, intensity: tuple[float, float] | None = None) -> tuple[int, int]:
    """The left and the right half, as read."""
    pixels = np.asarray(load_rgb(content, intensity=intensity))[:, :, 0]
    assert len(np.unique(pixels[:, 0])) == 1
    return int(pixels[0, 0]), int(pixels[0, -1])


def open_catalog(root: Path) -> Catalog:
    project = Project.for_dataset(root)
    project.take_in(root)
    return project.catalog()


# --- one image ------------------------------------------------------------------------------------------------------


def saved(values: np.ndarray, kind: str = "TIFF") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, kind)
    return stream.getvalue()


PACKED_12 = np.packbits(
    np.unpackbits(halves(3200, 640).astype(">u2").view(np.uint8).reshape(48, 48, 2), axis=-1)[:, :, 4:].reshape(48, -1),
    axis=1,
).tobytes()


@pytest.mark.parametrize(
    ("content", "intensity", "expected"),
    [
        (saved(halves(3200, 640)), (0, 4095), (199, 40)),
        (saved(halves(3200, 640), "PNG"), (0, 4095), (199, 40)),
        (saved(halves(3200, 640)), (640, 3200), (255, 0)),
        (saved(halves(5000, 100)), (640, 3200), (255, 0)),
        (tiff(PACKED_12, 48, 12), (0, 4095), (199, 40)),
        (tiff(halves(1200, -900, np.int16).tobytes(), 48, 16, kind=2), (-1000, 1500), (224, 10)),
        (tiff(halves(3355443200, 671088640, np.uint32).tobytes(), 48, 32), (0, 2**32 - 1), (199, 40)),
        (tiff(halves(3200, 640, np.float32).tobytes(), 48, 32, kind=3), (0, 4095), (199, 40)),
        (tiff(halves(0.57, -0.69, np.float32).tobytes(), 48, 32, kind=3), (-1, 1), (200, 40)),
        (tiff(halves(np.nan, 0.5, np.float32).tobytes(), 48, 32, kind=3), (0, 1), (0, 128)),
        (tiff(halves(np.inf, -np.inf, np.float32).tobytes(), 48, 32, kind=3), (0, 1), (255, 0)),
    ],
)
def test_stored_values_become_black_to_white(
    content: bytes, intensity: tuple[float, float], expected: tuple[int, int]
) -> None:
    assert both(content, intensity) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (saved(halves(51400, 10280)), (200, 40)),
        (saved(halves(3200, 640)), (12, 2)),
        (tiff(PACKED_12, 48, 12), (199, 40)),
        (tiff(halves(3355443200, 671088640, np.uint32).tobytes(), 48, 32), (199, 40)),
        (tiff(halves(200 / 255, 40 / 255, np.float32).tobytes(), 48, 32, kind=3), (200, 40)),
    ],
    ids=["16 bits", "12 in 16", "12 said by the file", "unsigned 32", "float"],
)
def test_without_a_range_the_whole_of_what_the_file_can_store_counts(content: bytes, expected: tuple[int, int]) -> None:
    assert both(content) == expected


def test_sixteen_bit_colours_are_read_whole() -> None:
    values = np.random.default_rng(0).integers(0, 4096, (40, 30, 3), dtype=np.uint16)
    expected = np.rint(values * (255 / 4095)).astype(np.uint8)
    strip = tiff(np.pad(values, ((0, 0), (0, 10), (0, 0))).astype("<u2").tobytes(), 40, 16, bands=3)
    with Image.open(io.BytesIO(strip)) as image:
        assert image.mode == "RGB"  # Pillow's own answer has 8 bits
    assert np.array_equal(np.asarray(load_rgb(png16(values), intensity=(0, 4095))), expected)
    assert np.array_equal(np.asarray(load_rgb(strip, intensity=(0, 4095)))[:, :30], expected)
    assert np.array_equal(open_values(png16(values)), values)
    assert np.array_equal(np.asarray(load_rgb(png16(values))), values >> 8), "as every version before"
    alpha = np.dstack([values, np.where(np.arange(30) < 15, 65535, 0)[None].repeat(40, 0)]).astype(np.uint16)
    mixed = np.asarray(load_rgb(png16(alpha), intensity=(0, 4095)))
    assert np.array_equal(mixed[:, :15], expected[:, :15]) and (mixed[:, 15:] == 255).all()


def test_what_a_png_says_is_transparent_is_white() -> None:
    clear = png_chunk(b"tRNS", (640).to_bytes(2, "big"))
    assert both(png16(halves(3200, 640), clear), (0, 4095)) == (199, 255)
    colours = np.stack([halves(3200, 640)] * 3, -1)
    clear = png_chunk(b"tRNS", (640).to_bytes(2, "big") * 3)
    assert both(png16(colours, clear), (0, 4095)) == (199, 255)
    eight = io.BytesIO()
    Image.fromarray(np.stack([halves(200, 40, np.uint8)] * 3, -1)).save(eight, "PNG", transparency=(40, 40, 40))
    assert both(eight.getvalue()) == (200, 255)


@given(low=st.integers(-70000, 70000), width=st.integers(1, 70000), value=st.integers(0, 65535))
def test_a_lighter_value_is_never_darker(low: int, width: int, value: int) -> None:
    left, right = both(saved(halves(min(value + 300, 65535), value)), (low, low + width))
    assert left >= right


@pytest.mark.parametrize("intensity", [None, (0.0, 4095.0), (30.0, 31.0)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF"])
def test_eight_bits_are_not_touched(intensity: tuple[float, float] | None, kind: str) -> None:
    stream = io.BytesIO()
    picture((90, 120, 30), 1).save(stream, kind)
    with Image.open(io.BytesIO(stream.getvalue())) as plain:
        assert np.array_equal(np.asarray(load_rgb(stream.getvalue(), intensity=intensity)), np.asarray(plain))


# --- a set ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.linspace(12, 4095, 5000).round(), (0, 4095)),
        (np.linspace(3, 1700, 5000).round(), (0, 2047)),
        (np.linspace(0, 60000, 5000).round(), (0, 65535)),
        (np.linspace(0, 200, 5000).round(), (0, 255)),
        (np.linspace(30000, 31000, 5000).round(), (30000, 31000)),
        (np.linspace(-1000, 1500, 5000).round(), (-1000, 1500)),
        (np.linspace(0, 2**32 - 7, 5000).round(), (0, 2**32 - 1)),
        (np.append(np.linspace(0, 900, 50_000).round(), 65535), (0, 1023)),
        (np.append(np.linspace(-800, 900, 50_000).round(), -32768), (-800, 900)),
        (np.linspace(0.01, 0.9, 5000), (0, 1)),
        (np.linspace(-0.69, 0.57, 5000), (-1, 1)),
        (np.linspace(0.5, 254.7, 5000), (0, 255)),
        (np.linspace(-3.5, 12.25, 5000), (-3.5, 12.25)),
        (np.full(10, 7.0), (0, 255)),
        (np.full(10, 0.0), (0, 1)),
        (np.full(10, -4.5), (-4.5, -3.5)),
    ],
)
def test_the_range_that_a_set_wants(values: np.ndarray, expected: tuple[float, float]) -> None:
    low, high = suitable_range(values.astype(np.float64))
    assert (low, high) == pytest.approx(expected, rel=2e-3)


def test_a_set_of_twelve_bits_is_seen_and_checked_in_twelve(tmp_path: Path) -> None:
    root = make_microscopy(tmp_path / "cells")
    with open_catalog(root) as catalog:
        look_through(catalog, Job())
        contents = catalog.contents()
        assert contents.intensity is not None and contents.intensity.suits == (0, 4095)
        assert contents.intensity.images == 16 and contents.intensity.high == 4095
        assert catalog.read_with == (0, 4095)
        detail = catalog.detail(1)
        assert detail is not None and detail.mode == "I;16" and detail.brightness is not None and detail.brightness > 15
        assert "hardly-seen" not in {group.kind for group in contents.groups}
        words = contents.intensity.words(catalog.read_with)
        assert words.endswith("values 0 to 4,095; shown and trained as 0 to 4,095")


def test_a_dark_picture_stays_darker_than_a_light_one(tmp_path: Path) -> None:
    for name, value in (("dark", 200), ("light", 3900)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(halves(value, value // 2)).save(tmp_path / "set" / name / f"{number}.png")
    with open_catalog(tmp_path / "set") as catalog:
        look_through(catalog, Job())
        seen = catalog.intensity_survey()
        assert seen is not None
        dark = both(tmp_path / "set" / "dark" / "0.png", seen.suits)
        light = both(tmp_path / "set" / "light" / "0.png", seen.suits)
        assert dark[0] < 20 < 200 < light[0]


def test_in_a_mixed_set_only_deep_images_are_read_anew(make_dataset: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_dataset()
    for number in range(4):
        Image.fromarray(halves(3000 + number, 100)).save(root / "red" / f"deep{number}.tif")
    read: list[str] = []
    check = checking.check
    monkeypatch.setattr(checking, "check", lambda file, *more: (read.append(file.name), check(file, *more))[1])
    with open_catalog(root) as catalog:
        look_through(catalog, Job())
        assert len(read) == 16 and catalog.read_with == (0, 4095)
        id_ = catalog.id_of("red/deep0.tif")
        assert id_ is not None
        before = catalog.detail(id_)
        read.clear()
        look_through(catalog, Job())
        assert not read, "nothing changed"
        look_through(catalog, Job(), (0.0, 65535.0))
        after = catalog.detail(id_)
        assert sorted(read) == [f"deep{number}.tif" for number in range(4)]
        assert before is not None and after is not None and before.brightness and after.brightness
        assert after.brightness < before.brightness / 10


def test_what_can_not_be_seen_in_the_range_is_said(make_dataset: Maker) -> None:
    root = make_dataset()
    Image.fromarray(halves(300, 10)).save(root / "red" / "dim.tif")
    with open_catalog(root) as catalog:
        look_through(catalog, Job(), "full")
        (group,) = [group for group in catalog.contents().groups if group.kind == "hardly-seen"]
        assert group.examples[0].message == "Read with the full range of the file it is nearly black."
        look_through(catalog, Job(), (0.0, 5.0))
        (group,) = [group for group in catalog.contents().groups if group.kind == "hardly-seen"]
        assert group.examples[0].message == "Read with the intensity range 0 to 5 it is nearly white."
        look_through(catalog, Job())
        assert "hardly-seen" not in {group.kind for group in catalog.contents().groups}


def test_a_few_deep_images_that_no_sample_meets_are_found_by_the_check(
    make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_dataset()
    (root / "red" / "named.jpg").write_bytes(saved(halves(3000, 100), "PNG"))  # an ending that is not opened for this
    with open_catalog(root) as catalog:
        look_through(catalog, Job())
        assert catalog.read_with == (0, 4095)


def test_new_images_are_looked_at_and_jpegs_never_opened(make_dataset: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_dataset()
    opened: list[str] = []
    look = intensity_survey.open_values
    monkeypatch.setattr(intensity_survey, "open_values", lambda file: (opened.append(file.name), look(file))[1])
    with open_catalog(root) as catalog:
        assert survey_of(catalog, Job()) is None and not opened
        look_through(catalog, Job())
    Image.fromarray(halves(900, 3)).save(root / "red" / "new.png")
    with open_catalog(root) as catalog:
        seen = survey_of(catalog, Job())
        assert seen is not None and seen.suits == (0, 1023) and opened == ["new.png"]
        look_through(catalog, Job())
        opened.clear()
        assert survey_of(catalog, Job()) == seen and not opened, "known"
        Image.fromarray(halves(9000, 3)).save(root / "red" / "newer.png")
    with open_catalog(root) as catalog:
        look_through(catalog, Job())
        assert catalog.read_with == (0, 16383)


def test_a_large_set_is_sampled_evenly_and_always_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intensity_survey, "MOST_OPENED", 6)
    root = make_microscopy(tmp_path / "cells", count=12)
    with open_catalog(root) as catalog:
        first = survey_of(catalog, Job())
        assert first is not None and first.images == 6 and first == survey_of(catalog, Job())
        monkeypatch.setattr(intensity_survey, "MOST_PIXELS", 48 * 48 * 2)
        small = survey_of(catalog, Job())
        assert small is not None and small.images == 2


def test_thumbnails_of_two_ranges_are_two(tmp_path: Path) -> None:
    file = tmp_path / "x.png"
    file.write_bytes(b"\0" * WORTH_BYTES)
    store = ThumbnailStore(tmp_path / "thumbnails.sqlite")
    store.put(file, 64, Image.new("RGB", (64, 64), (9, 9, 9)), (0, 4095))
    assert store.get(file, 64, (0, 4095)) and store.get(file, 64, (0, 255)) is None and store.get(file, 64) is None
    store.close()


# --- recipe and model -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intensity", ["auto", "full", (0.0, 4095.0), (-1000.5, 1500.0)])
def test_a_recipe_keeps_the_range(intensity: str | tuple[float, float]) -> None:
    recipe = Recipe(dataset=Dataset(intensity=intensity))
    assert not recipe.validate()
    assert recipe_file.loads(recipe_file.dumps(recipe)) == recipe


@pytest.mark.parametrize("text", ['"window"', "[4095, 0]", "[3, 3]", "[nan, 4]", "[0, inf]"])
def test_a_range_that_is_none_is_said_at_its_field(text: str) -> None:
    recipe = recipe_file.loads(f"version = 5\n[dataset]\nintensity = {text}\n")
    assert [problem.field for problem in recipe.validate()] == ["dataset.intensity"]


@pytest.mark.parametrize("text", ["[0]", "[0, 1, 2]", "7", '["a", "b"]', "true"])
def test_what_can_be_no_range_is_refused_in_words(text: str) -> None:
    with pytest.raises(RecipeError, match="intensity"):
        recipe_file.loads(f"version = 5\n[dataset]\nintensity = {text}\n")


def test_an_older_recipe_has_no_range_of_its_own() -> None:
    recipe = recipe_file.loads("version = 4\nseed = 3\n")
    assert recipe.version == recipes.RECIPE_VERSION and recipe.dataset.intensity == "auto"
    assert resolved(recipe.dataset.intensity, None) is None, "a run of it goes on as it began"


def test_preprocessing_of_older_models_is_read() -> None:
    old = {"size": 224, "resize": 256, "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic"}
    read = Preprocessing.from_dict(old)
    assert read == Preprocessing(224, 256, (0.5,) * 3, (0.5,) * 3, "bicubic") and read.intensity is None
    assert Preprocessing.from_dict(read.as_dict()) == read


@pytest.mark.parametrize(
    "change",
    [
        *({"size": "x"}, {"resize": 0}, {"mean": [0.5]}, {"std": None}, {"crop_mode": "odd"}, {"intensity": [5, 1]}),
        *({"intensity": "auto"}, {"intensity": [0, 1, 2]}, {"size": 1e400}),
    ],
)
def test_damaged_preprocessing_is_a_sentence(change: dict[str, object]) -> None:
    sound = Preprocessing(224, 256, (0.5,) * 3, (0.5,) * 3, "bicubic").as_dict()
    with pytest.raises(ValueError, match="preprocessing"):
        Preprocessing.from_dict(sound | change)
