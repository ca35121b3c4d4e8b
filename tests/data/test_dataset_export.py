"""The cleaned copy holds what the catalog says; two runs' data are compared image by image."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

import pytest

from ftgui.base.job import Cancelled, Job
from ftgui.data.catalog import edits
from ftgui.data.catalog.query import Query
from ftgui.data.dataset_export import _folders, export_folders, export_table
from ftgui.data.scanning.folder_scan import scan
from ftgui.data.scanning.found import DatasetError, FoundImage
from ftgui.runs.dataset_diff import compare_runs
from tests.conftest import Maker, picture
from tests.data.catalog.test_catalog import opened


def listed(folder: Path) -> dict[str, tuple[str, str]]:
    images: list[FoundImage] = []
    scan(folder, take=images.extend)
    return {Path(image.path).name: (image.class_name, image.split) for image in images}


@pytest.mark.parametrize("link", [True, False])
def test_folders_hold_what_the_catalog_says(make_dataset: Maker, tmp_path: Path, link: bool) -> None:
    with opened(make_dataset(count=10)) as catalog:
        ids = catalog.find(Query(class_name="red"))
        edits.exclude(catalog, ids[:2], True)
        edits.relabel(catalog, ids[2:4], "blue")
        exported = export_folders(catalog, tmp_path / "copy", link, Job())
        assert exported.images == 18 and exported.copied == (0 if link else 18)
        found = listed(tmp_path / "copy")
        assert found == {Path(s.path).name: (s.class_name, s.split) for s in catalog.samples()}
        original = catalog.samples()[0].path
    copy = next((tmp_path / "copy").rglob(original.name))
    assert copy.read_bytes() == original.read_bytes() and (copy.stat().st_ino == original.stat().st_ino) == link


def test_a_file_system_without_links_gets_copies(make_dataset: Maker, tmp_path: Path, monkeypatch) -> None:
    def refuse(*_args) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    with opened(make_dataset(count=4)) as catalog:
        assert export_folders(catalog, tmp_path / "copy", True, Job()).copied == 8
    assert len(listed(tmp_path / "copy")) == 8


def test_names_that_no_folder_can_have_and_names_that_come_twice(make_dataset: Maker, tmp_path: Path) -> None:
    root = make_dataset(count=4)
    for day in ("monday", "tuesday"):
        (root / "red" / day).mkdir()
        picture((9, 9, 9), len(day)).save(root / "red" / day / "a.jpg")
    with opened(root) as catalog:
        edits.rename_class(catalog, "red", 'red/blue: "?"')
        export_folders(catalog, tmp_path / "copy", False, Job())
    names = sorted(path.name for path in (tmp_path / "copy").rglob("a*.jpg"))
    assert names in (["a (2).jpg", "a.jpg"], ["a.jpg", "a.jpg"]), "in one split or in two"
    assert {path.name for path in (tmp_path / "copy" / "train").iterdir()} == {"blue", "red_blue_ ___"}


def test_what_is_there_is_never_written_over(make_dataset: Maker, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary", encoding="utf-8")
    with opened(make_dataset(count=4)) as catalog:
        with pytest.raises(DatasetError, match="not empty"):
            export_folders(catalog, tmp_path / "mine", False, Job())
        job = Job()
        job.cancel()
        with pytest.raises(Cancelled):
            export_folders(catalog, tmp_path / "copy", False, job)


def test_the_table_opens_again(make_dataset: Maker, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for number in range(10):
        picture((9, 9, 9), number).save(flat / f"{number}.jpg")
    (flat / "labels.csv").write_text(
        "file_name,label\n" + "\n".join(f"{n}.jpg,{'ab'[n % 2]}" for n in range(10)), encoding="utf-8"
    )
    with opened(flat) as catalog:
        edits.relabel(catalog, catalog.find(Query(text="0.jpg")), "b")
        export_table(catalog, flat / "metadata.csv")
        expected = {Path(s.path).name: (s.class_name, s.split) for s in catalog.samples()}
    (flat / "labels.csv").unlink()
    assert listed(flat) == expected
    with opened(make_dataset()) as catalog, pytest.raises(DatasetError, match="can't be written"):
        export_table(catalog, tmp_path / "no such folder" / "x.csv")


def run(folder: Path, *rows: str) -> Path:
    folder.mkdir()
    (folder / "samples.csv").write_text("\n".join(["path,class_name,split", *rows]), encoding="utf-8")
    return folder


def test_two_runs_are_compared(tmp_path: Path) -> None:
    before = run(tmp_path / "1", "a.jpg,x,train", "b.jpg,x,val", "c.jpg,y,train", '"d, e.jpg",y,train')
    after = run(tmp_path / "2", "a.jpg,y,train", "b.jpg,x,train", '"d, e.jpg",y,train', "new.jpg,x,val")
    changes = compare_runs(before, after)
    assert changes.relabelled == [("a.jpg", "x", "y")] and changes.moved == [("b.jpg", "val", "train")]
    assert changes.added == ["new.jpg"] and changes.removed == ["c.jpg"]
    assert changes.summary() == "1 added, 1 removed, 1 relabelled, 1 moved to another split"
    assert compare_runs(before, before).summary() == "the same images, classes and splits"
    (after / "samples.csv").write_text("nonsense", encoding="utf-8")
    with pytest.raises(ValueError, match="not a list of samples"):
        compare_runs(before, after)


def test_no_copy_inside_the_dataset_and_no_shared_class_folder(make_dataset: Maker, tmp_path: Path) -> None:
    root = make_dataset(classes=("red", "blue", "green"), count=4)
    with opened(root) as catalog:
        with pytest.raises(DatasetError, match="inside the dataset"):
            export_folders(catalog, root / "cleaned", False, Job())
        edits.rename_class(catalog, "red", "a:b")
        edits.rename_class(catalog, "blue", "a?b")
        edits.rename_class(catalog, "green", "A_B")
        export_folders(catalog, tmp_path / "copy", False, Job())
    assert {path.name for path in (tmp_path / "copy" / "train").iterdir()} == {"a_b", "A_B (2)", "a_b (3)"}


def test_a_class_whose_name_begins_with_a_dot_is_not_hidden_in_the_copy() -> None:
    assert _folders([".308", "308", "_.308"]) == {".308": "_.308", "308": "308", "_.308": "_.308 (2)"}


def test_a_table_of_names_that_look_like_formulas_opens_again(make_dataset: Maker, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    with opened(make_dataset(("red", "blue", "grey"), count=4)) as catalog:
        for name, new in {"red": "@it's", "blue": "-1", "grey": "=cmd|' -C calc'!A0"}.items():
            edits.rename_class(catalog, name, new)
        for sample in catalog.samples():
            shutil.copy(sample.path, flat / f"={sample.path.name}")
        export_table(catalog, tmp_path / "metadata.csv")
        expected = {f"={s.path.name}": (s.class_name, s.split) for s in catalog.samples()}
    text = (tmp_path / "metadata.csv").read_text(encoding="utf-8")
    assert ",'@it's," in text and ",-1," in text and ",'=cmd|" in text
    (flat / "metadata.csv").write_text(re.sub(r"(?m)^\w+/", "'=", text), encoding="utf-8")
    assert listed(flat) == expected
