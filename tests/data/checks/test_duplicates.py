"""Doubles are found whatever was done to them, and what only looks alike to a hash is not one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from ftgui.base.job import Cancelled, Job
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.query import Query
from ftgui.data.checks.duplicates import MOST_BITS, find_lookalikes
from ftgui.data.checks.image_check import check_images, difference_hash
from ftgui.data.project import Project
from tests.conftest import Maker


def scene(seed: int, size: int = 256) -> Image.Image:
    """Smooth blobs: as different from one seed to the next as photographs are."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 6, 3)).astype(np.uint8)
    return Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC)


def checked(root: Path) -> Catalog:
    project = Project.for_dataset(root)
    project.take_in(root)
    catalog = project.catalog()
    check_images(catalog, Job())
    return catalog


def found(catalog: Catalog, kind: str) -> set[str]:
    return {Path(row.path).name for row in catalog.rows(catalog.find(Query(kind=kind)))}


@pytest.fixture
def scenes(make_dataset: Maker) -> Path:
    root = make_dataset(classes=("a", "b"), count=0)
    for number in range(20):
        scene(number).save(root / ("a" if number < 10 else "b") / f"{number}.jpg", quality=92)
    return root


def test_scenes_are_not_alike(scenes: Path) -> None:
    with checked(scenes) as catalog:
        assert find_lookalikes(catalog, Job()) == 0
        assert not {group.kind for group in catalog.contents().groups} & {"duplicate", "near-duplicate", "leak"}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("recompressed.jpg", lambda image: image),
        ("smaller.jpg", lambda image: image.resize((120, 120))),
        ("larger.png", lambda image: image.resize((400, 380))),
        ("brighter.jpg", lambda image: ImageEnhance.Brightness(image).enhance(1.06)),
        ("cropped.jpg", lambda image: image.crop((3, 3, 254, 254))),
    ],
)
def test_changed_copies_are_found(scenes: Path, name: str, change) -> None:
    change(scene(3)).save(scenes / "a" / name, quality=60)
    with checked(scenes) as catalog:
        assert find_lookalikes(catalog, Job()) == 2
        assert found(catalog, "near-duplicate") == {"3.jpg", name}
        assert found(catalog, "contradiction") == set()


def test_copies_of_a_file_under_two_classes_and_in_two_splits(scenes: Path) -> None:
    shutil.copy(scenes / "a" / "3.jpg", scenes / "a" / "again.jpg")
    shutil.copy(scenes / "a" / "5.jpg", scenes / "b" / "stray.jpg")
    with checked(scenes) as catalog:
        with catalog.transaction() as db:
            db.execute("UPDATE images SET split = 'train'")
            db.execute("UPDATE images SET split = 'val' WHERE path = 'a/again.jpg'")
        find_lookalikes(catalog, Job())
        assert found(catalog, "duplicate") == {"3.jpg", "again.jpg", "5.jpg", "stray.jpg"}
        assert found(catalog, "leak") == {"3.jpg", "again.jpg"}
        assert found(catalog, "contradiction") == {"5.jpg", "stray.jpg"}
        (id_,) = catalog.find(Query(text="stray"))
        texts = {kind: text for kind, text, _ in catalog.detail(id_).findings}
        assert texts["contradiction"] == "Here “b”, as a/5.jpg “a”."
        assert texts["duplicate"] == "The same file as a/5.jpg."
        # What was put right is no longer said.
        with catalog.transaction() as db:
            db.execute("UPDATE images SET excluded = 1 WHERE path IN ('a/again.jpg', 'b/stray.jpg')")
        assert find_lookalikes(catalog, Job()) == 0
        assert found(catalog, "leak") == found(catalog, "duplicate") == set()


def test_alike_for_the_hash_only(make_dataset: Maker) -> None:
    """A small mark in another place: hashes are nearly equal, the pictures are not the same."""
    root = make_dataset(classes=("a", "b"), count=0)
    for number in range(8):
        image = Image.new("L", (64, 64), 20)
        image.paste(220, (8 * number, 10, 8 * number + 4, 14))  # small against the hash's fields
        image.resize((512, 512)).save(root / "ab"[number % 2] / f"{number}.png")
    with checked(root) as catalog:
        hashes = [row[4] for row in catalog.hashes()]
        assert max(((a ^ b) & (2**64 - 1)).bit_count() for a in hashes for b in hashes) <= MOST_BITS
        assert find_lookalikes(catalog, Job()) == 0


def test_the_hash_survives_size_and_compression(tmp_path: Path) -> None:
    original = difference_hash(scene(1).convert("L"))
    scene(1).resize((90, 90)).save(tmp_path / "x.jpg", quality=40)
    with Image.open(tmp_path / "x.jpg") as image:
        changed = difference_hash(image.convert("L"))
    assert ((original ^ changed) & (2**64 - 1)).bit_count() <= 4
    assert ((original ^ difference_hash(scene(2).convert("L"))) & (2**64 - 1)).bit_count() > 12


def test_cancelling_keeps_what_was_known(scenes: Path) -> None:
    shutil.copy(scenes / "a" / "3.jpg", scenes / "a" / "again.jpg")
    with checked(scenes) as catalog:
        find_lookalikes(catalog, Job())
        job = Job()
        job.cancel()
        with pytest.raises(Cancelled):
            find_lookalikes(catalog, job)
        assert found(catalog, "duplicate") == {"3.jpg", "again.jpg"}


@pytest.mark.slow
def test_pictures_that_only_resemble_each_other_are_not_accused(shared: Path) -> None:
    """Hand signs before one wall, by one person: alike but for the fingers."""
    for name in ("hymenoptera", "sign-digits"):
        project = Project.for_dataset(shared / name)
        project.take_in(shared / name)
        with project.catalog() as catalog:
            check_images(catalog, Job())
            find_lookalikes(catalog, Job())
            kinds = {group.kind: group.count for group in catalog.contents().groups}
            assert kinds.get("contradiction", 0) == 0, kinds
            assert kinds.get("near-duplicate", 0) <= 4, kinds
