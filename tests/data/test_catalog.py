"""The catalog says what was found, keeps what is known, and survives being read by two."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from ftgui.data.catalog import Catalog, CatalogError
from ftgui.data.check import check_images
from ftgui.data.headless import prepare
from ftgui.data.job import Job
from ftgui.data.project import Project, read_result, run_number, slug
from ftgui.data.scan import DatasetError, scan
from ftgui.protocol import recipe as recipes
from ftgui.protocol.recipe import RecipeError
from tests.conftest import Maker, picture


def opened(root: Path) -> Catalog:
    project = Project.for_dataset(root)
    project.take_in(scan(root))
    return project.catalog()


def test_samples_are_split_and_numbered_by_class_name(make_dataset: Maker) -> None:
    with opened(make_dataset(classes=("red", "blue", "green"), count=10)) as catalog:
        assert catalog.class_names() == ["blue", "green", "red"]
        samples = catalog.samples()
        assert {sample.class_name: sample.target for sample in samples} == {"blue": 0, "green": 1, "red": 2}
        assert catalog.counts()["red"] == {"train": 8, "val": 2}
        assert not catalog.split_from_folders
        assert all(sample.path.is_file() for sample in samples)


def test_split_folders_without_val_take_it_from_train(make_dataset: Maker) -> None:
    with opened(make_dataset(count=10, splits=("train", "test"))) as catalog:
        assert catalog.counts()["blue"] == {"test": 10, "train": 8, "val": 2}


def test_unreadable_images_are_found_and_left_out(make_dataset: Maker) -> None:
    root = make_dataset(count=4)
    (root / "red" / "red0.jpg").write_bytes(b"no image")
    whole = (root / "red" / "red1.jpg").read_bytes()
    (root / "red" / "red1.jpg").write_bytes(whole[:300])
    with opened(root) as catalog:
        assert check_images(catalog, Job()) == 2
        bad = {problem.path: problem.message for problem in catalog.problems() if problem.kind == "unreadable"}
        assert set(bad) == {"red/red0.jpg", "red/red1.jpg"}
        assert "not an image" in bad["red/red0.jpg"]
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
        assert catalog.unchecked() == ["red/red0.jpg"]
        assert len(catalog.images()) == 5


def test_small_classes_are_told(make_dataset: Maker) -> None:
    root = make_dataset(classes=("red", "blue"), count=12)
    (root / "single").mkdir()
    picture((1, 1, 1), 1).save(root / "single" / "a.jpg")
    with opened(root) as catalog:
        problem = next(p for p in catalog.problems() if p.path == "single")
        assert "has one image: it can be learned from but never checked" in problem.message
        assert [p.kind for p in catalog.problems()] == ["class-too-small"]


def test_a_single_class_is_an_error(make_dataset: Maker) -> None:
    with opened(make_dataset(classes=("red",), count=12)) as catalog:
        problem = catalog.problems()[0]
        assert (problem.severity, problem.kind) == ("error", "one-class")
        assert "only one class" in problem.message and "takes two" in problem.message


def test_class_only_in_val_shifts_nothing(make_dataset: Maker) -> None:
    root = make_dataset(classes=("green", "red"), count=3, splits=("train", "val"))
    (root / "val" / "blue").mkdir()
    picture((1, 1, 1), 1).save(root / "val" / "blue" / "a.jpg")
    with opened(root) as catalog:
        assert catalog.class_names() == ["green", "red"]
        assert {s.class_name: s.target for s in catalog.samples()} == {"green": 0, "red": 1}
        assert "none to train on" in next(p for p in catalog.problems() if p.path == "blue").message


def test_one_writes_while_another_reads(make_dataset: Maker) -> None:
    root = make_dataset(count=3)
    with opened(root) as writer, Catalog(writer.path, read_only=True) as reader:
        before = len(reader.samples())
        (root / "red" / "red0.jpg").unlink()
        writer.replace(scan(root), 0.2, 0)
        assert len(reader.samples()) == before - 1


def test_search_finds_parts_of_names_literally(make_dataset: Maker) -> None:
    with opened(make_dataset(count=3)) as catalog:
        assert [row.path for row in catalog.images(text="RED1")] == ["red/red1.jpg"]
        assert catalog.images(text="%") == []
        assert {row.class_name for row in catalog.images(class_name="blue")} == {"blue"}


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(CatalogError, match="version 99"):
        Catalog(path)
    path.write_text("not a database at all, but long enough to be one" * 20, encoding="utf-8")
    with pytest.raises(CatalogError, match="can't be opened"):
        Catalog(path)


def test_runs_are_numbered(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    names = [project.new_run_folder("Head, last stage!").name for _ in range(3)]
    assert names == ["0001-head-last-stage", "0002-head-last-stage", "0003-head-last-stage"]
    (project.runs_folder / "notes").mkdir()
    assert run_number(project.new_run_folder("x")) == 4
    assert project.last_finished_run() is None
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
    recipes.save(recipes.Recipe(), recipe)
    with pytest.raises(RecipeError, match="names no dataset"):
        prepare(recipe)
