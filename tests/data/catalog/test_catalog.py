"""The catalog says what was found, keeps what is known and decided, and survives being read by two."""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL.TiffImagePlugin import TiffImageFile

from ftgui.base.files import slug
from ftgui.base.job import Cancelled, Job
from ftgui.cli.prepare_training import prepare
from ftgui.data.catalog import edits
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.errors import CatalogError
from ftgui.data.catalog.query import ORDERS, Query
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.catalog.records import Checked, Contents
from ftgui.data.catalog.split import Splitting
from ftgui.data.checks.image_check import check_images
from ftgui.data.project import Project
from ftgui.data.scanning.found import Columns, DatasetError, ImagesGoneError
from ftgui.data.scanning.label_sources import Wanted
from ftgui.protocol import recipe as recipes
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Dataset, Recipe, RecipeError
from ftgui.runs.run_folders import finished_runs, new_run_folder, read_result, run_number
from tests.conftest import Maker, picture


def opened(root: Path) -> Catalog:
    project = Project.for_dataset(root)
    project.take_in(root)
    return project.catalog()


def paths(catalog: Catalog, query: Query | None = None) -> list[str]:
    return [row.path for row in catalog.rows(catalog.find(query or Query()))]


def split_of(catalog: Catalog) -> dict[str, str]:
    return {path: split for path, _, split in catalog.entries()}


def groups(contents: Contents) -> dict[str, int]:
    return {group.kind: group.count for group in contents.groups}


def test_samples_are_split_and_numbered_by_class_name(make_dataset: Maker) -> None:
    with opened(make_dataset(classes=("red", "blue", "green"), count=10)) as catalog:
        assert catalog.class_names() == ["blue", "green", "red"]
        samples = catalog.samples()
        assert {sample.class_name: sample.target for sample in samples} == {"blue": 0, "green": 1, "red": 2}
        assert catalog.counts()["red"] == {"train": 8, "val": 2}
        assert not catalog.split_from_folders and catalog.complete
        assert all(sample.path.is_file() for sample in samples)


def test_split_folders_without_val_take_it_from_train(make_dataset: Maker) -> None:
    with opened(make_dataset(count=10, splits=("train", "test"))) as catalog:
        assert catalog.counts()["blue"] == {"test": 10, "train": 8, "val": 2}
        assert not catalog.split_from_folders


def test_a_val_folder_that_appears_later_gives_train_its_images_back(make_dataset: Maker) -> None:
    root = make_dataset(count=10, splits=("train",))
    opened(root).close()
    shutil.copytree(root / "train", root / "val")
    with opened(root) as catalog:
        assert catalog.counts()["blue"] == {"train": 10, "val": 10}
        assert catalog.split_from_folders


def test_unreadable_images_are_found_and_left_out(make_dataset: Maker) -> None:
    root = make_dataset(count=4)
    (root / "red" / "red0.jpg").write_bytes(b"no image")
    whole = (root / "red" / "red1.jpg").read_bytes()
    (root / "red" / "red1.jpg").write_bytes(whole[:900])
    with opened(root) as catalog:
        assert check_images(catalog, Job()) == 2
        bad = {group.kind: group.examples for group in catalog.contents().groups}
        assert [p.path for p in bad["not-an-image"]] == ["red/red0.jpg"]
        assert [p.path for p in bad["truncated"]] == ["red/red1.jpg"]
        assert "not an image" in bad["not-an-image"][0].message
        assert paths(catalog, Query(kind="truncated")) == ["red/red1.jpg"]
        assert len(catalog.samples()) == 6
        assert catalog.unchecked() == []


def test_what_is_known_survives_a_rescan_unless_the_file_changed(make_dataset: Maker) -> None:
    root = make_dataset(count=3)
    (root / "red" / "red0.jpg").write_bytes(b"no image")
    opened_first = opened(root)
    check_images(opened_first, Job())
    opened_first.close()
    picture((9, 9, 9), 5).save(root / "red" / "red0.jpg")
    os.utime(root / "red" / "red0.jpg", (1, 1))
    (root / "blue" / "blue2.jpg").unlink()
    with opened(root) as catalog:
        assert [path for path, _, _ in catalog.unchecked()] == ["red/red0.jpg"]
        assert "not-an-image" not in groups(catalog.contents())
        assert len(catalog.find(Query())) == 5


def test_what_a_check_saw_of_an_older_file_is_not_recorded(make_dataset: Maker) -> None:
    root = make_dataset(count=2)
    with opened(root) as catalog, catalog.transaction() as db:
        db.execute("UPDATE images SET size = size + 1 WHERE path = 'red/red0.jpg'")
    project = Project.for_dataset(root)
    with project.catalog() as catalog:
        waiting = catalog.unchecked()
        assert len(waiting) == 4
        catalog.record_checked([Checked(path, 1, mtime, problem="old news") for path, _, mtime in waiting])
        assert len(catalog.unchecked()) == 4


def test_decisions_survive_a_rescan(make_dataset: Maker) -> None:
    root = make_dataset(count=10)
    with opened(root) as catalog:
        ids = catalog.find(Query(class_name="red"))
        edits.relabel(catalog, ids[:2], "blue")
        edits.exclude(catalog, ids[2:3], True)
        edits.move(catalog, ids[3:4], "test")
        edits.rename_class(catalog, "blue", "navy")
        before = sorted(catalog.entries())
    picture((40, 60, 200), 77).save(root / "blue" / "another.jpg")
    with opened(root) as catalog:
        entries = {path: (name, split) for path, name, split in catalog.entries()}
        assert entries.pop("blue/another.jpg")[0] == "navy", "its folder's images are called so now"
        assert sorted((path, *rest) for path, rest in entries.items()) == before
        assert list(catalog.find(Query(excluded=True))) == list(ids[2:3])
        assert catalog.class_names() == ["navy", "red"]


def test_images_added_later_move_nobody(make_dataset: Maker) -> None:
    root = make_dataset(count=10)
    with opened(root) as catalog:
        before = split_of(catalog)
    for number in range(10):
        picture((9, 9, 9), number).save(root / "red" / f"a{number}.jpg")
    with opened(root) as catalog:
        after = split_of(catalog)
        assert {path: after[path] for path in before} == before
        assert catalog.counts()["red"] == {"train": 16, "val": 4}


def test_another_splitting_splits_anew_but_for_what_was_moved_by_hand(make_dataset: Maker) -> None:
    with opened(make_dataset(count=20)) as catalog:
        ids = catalog.find(Query(split="train"))[:3]
        edits.move(catalog, ids, "test")
        edits.split_again(catalog, Splitting(0.4, 0.2, seed=3))
        assert {row.split for row in catalog.rows(ids)} == {"test"}
        assert catalog.counts()["red"]["val"] == 8 and catalog.counts()["red"]["test"] == 4
        assert catalog.splitting == Splitting(0.4, 0.2, seed=3)
        assert catalog.contents().counts["blue"].total() == 20


def test_a_folder_that_can_not_be_listed_this_time_loses_nothing(
    make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_dataset(count=5)
    with opened(root) as catalog:
        edits.relabel(catalog, catalog.find(Query(class_name="red"))[:1], "blue")
        before = sorted(catalog.entries())
    scandir = os.scandir

    def closed(folder):
        if Path(folder).name == "red":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", closed)
    with opened(root) as catalog:
        assert sorted(catalog.entries()) == before
        assert groups(catalog.contents())["folder-unreadable"] == 1


@pytest.mark.parametrize("table", [False, True])
def test_nor_do_more_folders_than_problems_are_kept_of_nor_a_table(
    make_dataset: Maker, monkeypatch: pytest.MonkeyPatch, table: bool
) -> None:
    root = make_dataset(classes=("red", "blue"), count=10)
    for number in range(3):
        (root / "red" / f"day {number}").mkdir()
        picture((200, 0, 0), number).save(root / "red" / f"day {number}" / "a.png")
    if table:
        rows = [f"{path.relative_to(root).as_posix()},{path.name[:3]}" for path in sorted(root.rglob("*.*g"))]
        (root / "labels.csv").write_text("\n".join(["file,label", *rows]), encoding="utf-8")
        (root / "one.png").write_bytes((root / "red" / "day 0" / "a.png").read_bytes())
        wanted = Wanted(columns=Columns("labels.csv", "file", "label"))
        Project.for_dataset(root).take_in(root, wanted=wanted)
    with opened(root) as catalog:
        before = sorted(catalog.entries())
        assert len(before) == 23
    scandir = os.scandir

    def closed(folder):
        if Path(folder).name.startswith("day"):
            raise OSError(5, "Input/output error")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", closed)
    monkeypatch.setattr("ftgui.data.scanning.found.MOST_KEPT", 2)
    with opened(root) as catalog:
        assert sorted(catalog.entries()) == before


def test_a_file_that_can_not_be_looked_at_this_time_is_not_forgotten(
    make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_dataset(count=2)
    with opened(root) as catalog:
        before = sorted(catalog.entries())
    scandir = os.scandir

    class Entry:
        def __init__(self, entry: os.DirEntry[str]) -> None:
            self.name, self.path, self.is_dir, self.is_symlink = entry.name, entry.path, entry.is_dir, entry.is_symlink
            self._entry = entry

        def stat(self) -> os.stat_result:
            if self.name == "red0.jpg":
                raise OSError(5, "Input/output error")
            if self.name == "red1.jpg":
                raise FileNotFoundError(2, "No such file or directory")
            return self._entry.stat()

    class Entries(list):
        def __enter__(self) -> Entries:
            return self

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "scandir", lambda folder: Entries(map(Entry, scandir(folder))))
    with opened(root) as catalog:
        assert sorted(catalog.entries()) == [row for row in before if row[0] != "red/red1.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege there")
def test_what_lies_on_a_drive_that_is_not_mounted_today_is_not_forgotten(make_dataset: Maker, tmp_path: Path) -> None:
    root = make_dataset(count=2)
    drive = tmp_path / "drive"
    (drive / "day").mkdir(parents=True)
    picture((9, 9, 9), 1).save(drive / "day" / "a.png")
    picture((9, 9, 9), 2).save(drive / "b.png")
    (root / "red" / "day").symlink_to(drive / "day", target_is_directory=True)
    (root / "red" / "b.png").symlink_to(drive / "b.png")
    with opened(root) as catalog:
        before = sorted(catalog.entries())
        assert len(before) == 6
    drive.rename(tmp_path / "elsewhere")
    with opened(root) as catalog:
        assert sorted(catalog.entries()) == before


@pytest.mark.parametrize("there", [True, False])
def test_an_empty_mount_point_takes_nothing_along(make_dataset: Maker, tmp_path: Path, there: bool) -> None:
    root = make_dataset(count=2)
    project = Project(tmp_path)
    recipe, _ = project.take_in(root)
    with project.catalog() as catalog:
        edits.relabel(catalog, [1], "red")
        before = sorted(catalog.entries())
    root.rename(tmp_path / "drive")
    if there:
        root.mkdir()
        (root / "red").mkdir()
    with pytest.raises(ImagesGoneError, match=r"pictures”.*; this project knows 4 in it\..*Nothing is lost"):
        project.fill(root, recipe, Job())
    with project.catalog() as catalog:
        assert sorted(catalog.entries()) == before and catalog.complete


def test_one_failing_read_does_not_end_the_checking_of_all(
    make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_dataset(count=5)
    read = Path.read_bytes

    def failing(path: Path) -> bytes:
        if path.name == "red2.jpg":
            raise OSError(5, "Input/output error")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    with opened(root) as catalog:
        assert check_images(catalog, Job()) == 1
        assert [path for path, *_ in catalog.unchecked()] == ["red/red2.jpg"]  # tried again the next time
        monkeypatch.setattr(Path, "read_bytes", read)
        assert check_images(catalog, Job()) == 0 and not catalog.unchecked()


def test_of_a_file_with_any_number_of_pages_only_the_second_is_looked_for(
    make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_dataset(count=2)
    pages = [picture((9, 9, 9), number) for number in range(5)]
    pages[0].save(root / "red" / "many.tif", save_all=True, append_images=pages[1:])
    looked: list[int] = []
    seek = TiffImageFile._seek
    monkeypatch.setattr(TiffImageFile, "_seek", lambda self, frame: (looked.append(frame), seek(self, frame))[1])
    with opened(root) as catalog:
        check_images(catalog, Job())
        assert groups(catalog.contents())["animation"] == 1
    assert max(looked) == 1


def test_small_classes_are_told(make_dataset: Maker) -> None:
    root = make_dataset(classes=("red", "blue"), count=13)
    (root / "single").mkdir()
    picture((1, 1, 1), 1).save(root / "single" / "a.jpg")
    with opened(root) as catalog:
        (problem,) = catalog.contents().problems
        assert (problem.path, problem.kind) == ("single", "class-too-small")
        assert "has one image: it can be used for training but not for validation" in problem.message


def test_classes_of_very_different_size_are_told(make_dataset: Maker) -> None:
    root = make_dataset(classes=("red", "blue"), count=13)
    for number in range(130):
        picture((9, 9, 9), number, (8, 8)).save(root / "red" / f"a{number}.png")
    with opened(root) as catalog:
        (problem,) = catalog.contents().problems
        assert problem.kind == "imbalance" and "“blue” has 10 training images, “red” 114" in problem.message


def test_a_class_that_is_brighter_or_larger_is_told(make_dataset: Maker) -> None:
    root = make_dataset(classes=("a", "b", "c"), count=0)
    for number in range(12):
        picture((60, 60, 60), number).save(root / "a" / f"{number}.png")
        picture((70, 70, 70), number).save(root / "b" / f"{number}.png")
        picture((190, 190, 190), number, (320, 256)).save(root / "c" / f"{number}.png")
    with opened(root) as catalog:
        check_images(catalog, Job())
        found = {p.kind: p for p in catalog.contents().problems}
        assert found["class-brightness"].path == found["class-size"].path == "c"
        assert "190 against 65" in found["class-brightness"].message
        assert "256 pixels" in found["class-size"].message and "others 64" in found["class-size"].message


def test_classes_that_differ_less_than_their_images_are_not(make_dataset: Maker) -> None:
    root = make_dataset(classes=("a", "b"), count=0)
    for number in range(12):
        picture((20 + 18 * number,) * 3, number).save(root / "a" / f"{number}.png")
        picture((50 + 16 * number,) * 3, number).save(root / "b" / f"{number}.png")
    with opened(root) as catalog:
        check_images(catalog, Job())
        assert catalog.contents().problems == []


def test_a_single_class_is_an_error(make_dataset: Maker) -> None:
    with opened(make_dataset(classes=("red",), count=13)) as catalog:
        problem = catalog.contents().problems[0]
        assert (problem.severity, problem.kind) == ("error", "one-class")
        assert "only one class" in problem.message and "takes two" in problem.message


def test_class_only_in_val_shifts_nothing(make_dataset: Maker) -> None:
    root = make_dataset(classes=("green", "red"), count=3, splits=("train", "val"))
    (root / "val" / "blue").mkdir()
    picture((1, 1, 1), 1).save(root / "val" / "blue" / "a.jpg")
    with opened(root) as catalog:
        assert catalog.class_names() == ["green", "red"]
        assert {s.class_name: s.target for s in catalog.samples()} == {"green": 0, "red": 1}
        assert "none to train on" in next(p for p in catalog.contents().problems if p.path == "blue").message


def test_one_writes_while_another_reads(make_dataset: Maker) -> None:
    root = make_dataset(count=3)
    with opened(root) as writer, CatalogReader(writer.path) as reader:
        before = len(reader.samples())
        (root / "red" / "red0.jpg").unlink()
        Project.for_dataset(root).take_in(root)
        assert len(reader.samples()) == before - 1


def test_a_cancelled_scan_keeps_what_it_found_and_the_next_goes_on(
    make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftgui.data.scanning.found._BATCH", 3)
    monkeypatch.setattr("ftgui.data.scanning.found._LOOK_EVERY", 1)
    root = make_dataset(count=6)
    project = Project.for_dataset(root)
    job = Job()
    with pytest.raises(Cancelled):
        project.take_in(root, job, job.cancel)
    with project.catalog() as catalog:
        assert len(catalog.find(Query())) == 6 and not catalog.complete
        assert catalog.contents().problems == [], "what is missing may still come"
        check_images(catalog, Job())
    project.take_in(root)
    with project.catalog() as catalog:
        assert len(catalog.find(Query())) == 12 and catalog.complete
        assert len(catalog.unchecked()) == 6


# --- asking ---------------------------------------------------------------------------------------------------------


def test_search_finds_parts_of_names_literally(make_dataset: Maker) -> None:
    with opened(make_dataset(count=3)) as catalog:
        assert paths(catalog, Query(text="RED1")) == ["red/red1.jpg"]
        assert paths(catalog, Query(text="%")) == []
        assert {row.class_name for row in catalog.rows(catalog.find(Query(class_name="blue")))} == {"blue"}


def test_conditions_hold_together(make_dataset: Maker) -> None:
    with opened(make_dataset(count=10)) as catalog:
        ids = catalog.find(Query(class_name="red", split="val"))
        assert len(ids) == 2 and {row.split for row in catalog.rows(ids)} == {"val"}
        edits.exclude(catalog, ids[:1], True)
        assert list(catalog.find(Query(class_name="red", split="val", excluded=False))) == list(ids[1:])
        assert catalog.rows([ids[1], 10**9, ids[0]])[1].id == ids[0], "in the order asked for, without what is gone"


def test_every_order_sorts_both_ways(make_dataset: Maker) -> None:
    root = make_dataset(count=3)
    picture((9, 9, 9), 1, (300, 200)).save(root / "blue" / "large.png")
    os.utime(root / "red" / "red1.jpg", (1, 1))
    with opened(root) as catalog:
        check_images(catalog, Job())
        firsts = {}
        for order in ORDERS:
            ids = list(catalog.find(Query(order=order)))
            assert list(catalog.find(Query(order=order, descending=True))) == ids[::-1]
            firsts[order] = catalog.rows(ids)[0].path
        assert firsts["date"] == "red/red1.jpg"
        assert paths(catalog, Query(order="dimensions"))[-1] == "blue/large.png"
        assert paths(catalog, Query(order="brightness"))[0] == "blue/large.png"
        assert paths(catalog, Query(order="file size"))[-1] == "blue/large.png"


def test_an_order_follows_what_changes(make_dataset: Maker) -> None:
    with (
        opened(make_dataset(classes=("a", "b", "c"), count=3)) as catalog,
        CatalogReader(catalog.path) as reader,
    ):
        assert [row.class_name for row in reader.rows(reader.find(Query(order="class")))] == [*"aaabbbccc"]
        ids = reader.find(Query(class_name="a"))
        edits.relabel(catalog, ids[:2], "c")
        rows = reader.rows(reader.find(Query(order="class")))
        assert [row.class_name for row in rows] == [*"abbbccccc"]
        assert [row.path for row in rows][4:] == sorted(row.path for row in rows[4:]), "by name within a class"


def test_details_of_one_image(make_dataset: Maker) -> None:
    root = make_dataset(count=3)
    image = picture((200, 40, 40), 1, (200, 20))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(root / "red" / "turned.jpg", exif=exif)
    with opened(root) as catalog:
        check_images(catalog, Job())
        (id_,) = catalog.find(Query(text="turned"))
        detail = catalog.detail(id_)
        assert (detail.width, detail.height, detail.mode, detail.format, detail.orientation) == (
            200,
            20,
            "RGB",
            "JPEG",
            6,
        )
        assert {kind for kind, _, _ in detail.findings} == {"tiny", "extreme-aspect"}
        assert detail.row.path == "red/turned.jpg" and len(detail.digest) == 16
        assert catalog.detail(10**9) is None


# --- files ----------------------------------------------------------------------------------------------------------


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(CatalogError, match="version 99"):
        Catalog(path)
    path.write_text("not a database at all, but long enough to be one" * 20, encoding="utf-8")
    with pytest.raises(CatalogError, match="is damaged: file is not a database"):
        Catalog(path)


def test_a_catalog_of_version_1_is_taken_over(make_dataset: Maker) -> None:
    root = make_dataset(count=10)
    project = Project.for_dataset(root)
    with sqlite3.connect(project.catalog_path) as db:
        db.executescript(
            """CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
            CREATE TABLE images (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, class_name TEXT NOT NULL,
                split TEXT NOT NULL, size INTEGER NOT NULL, mtime REAL NOT NULL, width INTEGER, height INTEGER,
                mode TEXT, problem TEXT, excluded INTEGER NOT NULL DEFAULT 0) STRICT;
            CREATE INDEX images_by_class ON images (class_name, split);
            CREATE TABLE problems (severity TEXT, kind TEXT, message TEXT, path TEXT, fix TEXT);
            INSERT INTO images (path, class_name, split, size, mtime) VALUES ('red/red0.jpg', 'red', 'val', 1, 1.0);
            PRAGMA user_version = 1;"""
        )
        db.execute("INSERT INTO meta VALUES ('root', ?)", (str(root),))
    db.close()
    with project.catalog() as catalog:
        assert catalog.root == root and split_of(catalog) == {"red/red0.jpg": "val"}
    with opened(root) as catalog:
        assert catalog.counts() == {"blue": {"train": 8, "val": 2}, "red": {"train": 8, "val": 2}}


def test_runs_are_numbered(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    names = [new_run_folder(project, "Head, last stage!").name for _ in range(3)]
    assert names == ["0001-head-last-stage", "0002-head-last-stage", "0003-head-last-stage"]
    (project.runs_folder / "notes").mkdir()
    assert run_number(new_run_folder(project, "x")) == 4
    assert finished_runs(project) == []
    assert slug("日本語 クラス") == "日本語-クラス"
    assert read_result(project.runs_folder / "0001-head-last-stage") is None


def test_the_same_folder_is_the_same_project(make_dataset: Maker) -> None:
    root = make_dataset()
    assert Project.for_dataset(root) == Project.for_dataset(root / ".." / root.name)


def test_preparing_without_a_window(make_dataset: Maker, tmp_path: Path) -> None:
    root = make_dataset(count=4)
    recipe = tmp_path / "job" / "my recipe.toml"
    recipe.parent.mkdir()
    recipe.write_text('[dataset]\nfolder = "../pictures"\n', encoding="utf-8")
    prepared = prepare(recipe, device="cpu")
    assert prepared.summary == "2 classes, 8 images"
    assert prepared.run_folder == tmp_path / "job" / "runs" / "0001-head-last-stage"
    assert Path(prepared.command.recipe.dataset.folder).resolve() == root.resolve()
    recipe.write_text('[dataset]\nfolder = "../one"\n', encoding="utf-8")
    make_dataset(classes=("red",), name="one")
    with pytest.raises(DatasetError, match="only one class"):
        prepare(recipe)
    assert len(list((tmp_path / "job" / "runs").iterdir())) == 1, "what is refused leaves no run behind"
    recipe_file.save(recipes.Recipe(), recipe)
    with pytest.raises(RecipeError, match="names no dataset"):
        prepare(recipe)


def test_a_recipe_says_how_to_split(make_dataset: Maker, tmp_path: Path) -> None:
    make_dataset(count=10)
    recipe = tmp_path / "recipe.toml"
    dataset = Dataset(folder="pictures", val_fraction=0.3, test_fraction=0.2, group_by=r"(\d)\.jpg")
    recipe_file.save(Recipe(dataset=dataset), recipe)
    prepare(recipe)
    with Project(tmp_path).catalog() as catalog:
        assert catalog.splitting == Splitting(0.3, 0.2, 0, r"(\d)\.jpg")
        by_number: dict[str, set[str]] = {}
        for path, split in split_of(catalog).items():
            by_number.setdefault(path[-5], set()).add(split)
        assert all(len(splits) == 1 for splits in by_number.values())
    recipe_file.save(Recipe(dataset=Dataset(folder="pictures", group_by="(")), recipe)
    with pytest.raises(DatasetError, match=r"^group_by: “\(” is not a regular expression that can be used: [^“]*$"):
        prepare(recipe)


@pytest.mark.parametrize(
    "bad", [{"group_by": "("}, {"group_by": "a{99999999999}"}, {"val_fraction": math.nan}, {"test_fraction": math.inf}]
)
def test_a_recipe_by_which_nothing_can_be_drawn_locks_no_project(
    make_dataset: Maker, tmp_path: Path, bad: dict[str, Any]
) -> None:
    root = make_dataset(count=20)
    project, good, wrong = Project(tmp_path), Recipe(), Recipe(dataset=Dataset(**bad))
    project.fill(root, good, Job())
    with project.catalog() as catalog:
        before = split_of(catalog)
    picture((200, 0, 0), 77).save(root / "red" / "new.jpg")
    project.fill(root, wrong, Job())
    with project.catalog() as catalog:
        assert split_of(catalog) == before | {"red/new.jpg": "train"}, "who was decided stays"
        (group,) = [group for group in catalog.contents().groups if group.kind == "split"]
        assert group.examples[0].severity == "error" and wrong.validate()
        extra = tmp_path / "extra.png"
        picture((200, 0, 0), 78).save(extra)
        edits.add_images(catalog, [extra], "red")
        assert split_of(catalog)[extra.as_posix()] == "train"
    project.fill(root, good, Job())
    with project.catalog() as catalog:
        assert not any(group.kind == "split" for group in catalog.contents().groups)
        assert Counter(split_of(catalog).values())["val"] >= Counter(before.values())["val"]
    # A project that is opened for the first time with it opens too.
    (tmp_path / "fresh").mkdir()
    fresh = Project(tmp_path / "fresh")
    fresh.fill(root, wrong, Job())
    with fresh.catalog() as catalog:
        assert set(split_of(catalog).values()) == {"train"} and catalog.complete


# --- what a reviewer found ------------------------------------------------------------------------------------------


def test_an_image_added_to_split_folders_moves_nobody(make_dataset: Maker, tmp_path: Path) -> None:
    picture((1, 1, 1), 1).save(tmp_path / "extra.png")
    with opened(make_dataset(count=20, splits=("train", "val"))) as catalog:
        before = split_of(catalog)
        added, _ = edits.add_images(catalog, [tmp_path / "extra.png"], "red")
        after = split_of(catalog)
        assert {path: after[path] for path in before} == before and catalog.split_from_folders
        assert after[(tmp_path / "extra.png").as_posix()] == "train"
        edits.remove_images(catalog, added)
        assert split_of(catalog) == before


def test_a_file_that_comes_back_is_read_again(make_dataset: Maker, tmp_path: Path) -> None:
    root = make_dataset(count=5)
    with opened(root) as catalog:
        (root / "red").rename(tmp_path / "away")
        check_images(catalog, Job())
        assert catalog.counts()["red"].total() == 0
    (tmp_path / "away").rename(root / "red")
    with opened(root) as catalog:
        check_images(catalog, Job())
        assert catalog.counts()["red"].total() == 5 and groups(catalog.contents()).get("missing") is None


def test_an_added_image_that_is_gone_is_said_and_left_out(make_dataset: Maker, tmp_path: Path) -> None:
    root = make_dataset(count=5)
    extra = tmp_path / "extra.png"
    picture((1, 1, 1), 1).save(extra)
    with opened(root) as catalog:
        edits.add_images(catalog, [extra], "red")
        check_images(catalog, Job())
        assert catalog.counts()["red"].total() == 6
    extra.unlink()
    with opened(root) as catalog:
        check_images(catalog, Job())
        assert catalog.counts()["red"].total() == 5 and groups(catalog.contents())["missing"] == 1


def test_an_id_is_never_used_twice(make_dataset: Maker) -> None:
    root = make_dataset(count=3)
    with opened(root) as catalog:
        ids = catalog.find(Query())
        before = edits.relabel(catalog, ids[-1:], "blue")
    (root / "red" / "red2.jpg").unlink()
    opened(root).close()
    picture((1, 1, 1), 1).save(root / "red" / "zz.jpg")
    with opened(root) as catalog:
        edits.write(catalog, before)
        assert {row.class_name for row in catalog.rows(catalog.find(Query(text="zz")))} == {"red"}
        assert ids[-1] not in catalog.find(Query())


def test_the_splits_of_version_1_stay(make_dataset: Maker) -> None:
    root = make_dataset(count=20)
    with opened(root) as catalog:
        with catalog.transaction() as db:
            db.execute("DELETE FROM meta WHERE key = 'split'")
            db.execute("UPDATE images SET split = 'val' WHERE path LIKE '%1_.jpg'")
        before = split_of(catalog)
    with opened(root) as catalog:
        assert split_of(catalog) == before


def test_answers_follow_their_labels(make_dataset: Maker) -> None:
    with opened(make_dataset(count=3)) as catalog:
        (id_,) = catalog.find(Query(text="red0"))
        catalog.record_answers([("red/red0.jpg", "blue", 0.9, 3.0), ("red/red1.jpg", "red", 0.9, 0.1)])
        assert groups(catalog.contents())["likely-wrong"] == 1
        before = edits.relabel(catalog, [id_], "blue")
        assert "likely-wrong" not in groups(catalog.contents()) and catalog.detail(id_).loss is None
        edits.write(catalog, before)
        assert groups(catalog.contents())["likely-wrong"] == 1 and catalog.detail(id_).loss == 3.0
        before = edits.rename_class(catalog, "red", "rouge")
        assert paths(catalog, Query(correct=True)) == ["red/red1.jpg"], "what was right stays right"
        edits.write(catalog, before)
        assert paths(catalog, Query(correct=True)) == ["red/red1.jpg"]


def test_findings_of_images_that_are_gone_by_now_are_no_error(make_dataset: Maker) -> None:
    with opened(make_dataset(count=3)) as catalog:
        catalog.replace_findings(
            ("leak",), [(10**6, "leak", "gone", None), (catalog.find(Query())[0], "leak", "here", 5)]
        )
        assert groups(catalog.contents())["leak"] == 1


def test_a_catalog_that_is_refused_is_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or nobody could move or delete the file on Windows."""
    made: list[sqlite3.Connection] = []
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: made.append(real(*a, **k)) or made[-1])
    newer, damaged = tmp_path / "newer.sqlite", tmp_path / "damaged.sqlite"
    db = real(newer)
    db.execute("PRAGMA user_version = 99")
    db.close()
    damaged.write_bytes(b"no database at all" * 100)
    for path in (newer, damaged):
        with pytest.raises(CatalogError):
            Catalog(path)
    assert len(made) == 2
    for connection in made:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_a_commit_that_fails_leaves_the_catalog_usable(make_dataset: Maker) -> None:
    with opened(make_dataset(count=4)) as catalog:
        before = catalog.counts()
        with pytest.raises(sqlite3.IntegrityError), catalog.transaction() as db:
            db.execute("PRAGMA defer_foreign_keys = ON")
            db.execute("UPDATE images SET excluded = 1")
            db.execute("INSERT INTO findings VALUES (987654, 'tiny', '', NULL)")  # found out by the commit
        assert catalog.counts() == before
        edits.exclude(catalog, catalog.find(Query())[:1], True)
        assert catalog.contents().excluded == 1
